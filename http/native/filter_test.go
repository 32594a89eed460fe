package native

import (
	"net/url"
	"slices"
	"strings"
	"testing"

	"cairn/engine/query"
	"cairn/http/native/nativetest"
)

// nameOf writes the name of the parameter of a condition, without what is between it and the
// value.
func nameOf(c query.Cond) string {
	name := c.Field
	if name == "timezone" {
		name = "context.timezone"
	}
	if prefix, path, ok := strings.Cut(name, "."); ok && prefix != "context" {
		name = prefix + `."` + path + `"`
	}
	end := map[query.Op]string{query.OpNot: "!", query.OpMatch: "~", query.OpNotMatch: "!~", query.OpAtLeast: ">", query.OpAtMost: "<"}[c.Op]
	switch c.Op {
	case query.OpHas:
		name = "has"
	case query.OpHasNot:
		name = "has!"
	}
	if c.Visit {
		name = "visit." + name
	}
	return name + end
}

// Every operator, on every kind of field, as people and forms write it.
func TestFilters(t *testing.T) {
	known := append(slices.Clip(plainFilters), paramVisit, paramLimit)
	for _, c := range []struct{ raw, want string }{
		{"country=DE", `"country" "" ["DE"]`},
		{"country!=DE", `"country" "not" ["DE"]`},
		{"country%21=DE", `"country" "not" ["DE"]`},
		{"path~=/blog/*", `"path" "match" ["/blog/*"]`},
		{"path%7E=%2Fblog%2F*", `"path" "match" ["/blog/*"]`},
		{"path!~=*.pdf", `"path" "notmatch" ["*.pdf"]`},
		{"prop.amount>=100", `"prop.amount" "atleast" ["100"]`},
		{"prop.amount%3E=1e2", `"prop.amount" "atleast" ["1e2"]`},
		{"value<=9.5", `"value" "atmost" ["9.5"]`},
		{"has=prop.plan", `"prop.plan" "has" []`},
		{"has!=prop.plan", `"prop.plan" "hasnot" []`},
		{"has=prop.plan&has=user&has=prop.plan", `"prop.plan" "has" [] & "user" "has" []`},
		{"has=prop.a!", `"prop.a!" "has" []`},
		{"has=timezone", `"timezone" "has" []`},
		{"country=DE&country=FR&country!=US&country!=CA&country=DE", `"country" "" ["DE" "FR"] & "country" "not" ["US" "CA"]`},
		{`prop."a!"=x`, `"prop.a!" "" ["x"]`},
		{`prop."a!"!=x`, `"prop.a!" "not" ["x"]`},
		{`prop.%22a~%22=x`, `"prop.a~" "" ["x"]`},
		{`prop.a!b=x`, `"prop.a!b" "" ["x"]`},
		{`prop.a!!=x`, `"prop.a!" "not" ["x"]`},
		{`prop."=x`, `"prop.\"" "" ["x"]`},
		{`prop.""a""=x`, `"prop.\"a\"" "" ["x"]`},
		{"prop.k=&prop.k!=", `"prop.k" "" [""] & "prop.k" "not" [""]`},
		{"prop.a==b", `"prop.a" "" ["=b"]`},
		{"context.timezone=Europe/Berlin", `"timezone" "" ["Europe/Berlin"]`},
		{"context.country=DE&country=FR", `"country" "" ["DE" "FR"]`},
		{"page~=/*&host=a.example&source=Google&channel!=paid&medium=cpc&campaign=x&term=y&content=z",
			`"page" "match" ["/*"] & "host" "" ["a.example"] & "source" "" ["Google"] & "channel" "not" ["paid"] & "medium" "" ["cpc"] & "campaign" "" ["x"] & "term" "" ["y"] & "content" "" ["z"]`},
		{"visit.source=Google&source=Google", `visit."source" "" ["Google"] & "source" "" ["Google"]`},
		{"visit.entry~=/blog/*&visit.path!=/pricing&visit.name=order", `visit."entry" "match" ["/blog/*"] & visit."path" "not" ["/pricing"] & visit."name" "" ["order"]`},
		{"visit.has!=source&visit.has=prop.a", `visit."source" "hasnot" [] & visit."prop.a" "has" []`},
		{"visit.timezone=UTC&visit.new=true&visit.weekday=1", `visit."timezone" "" ["UTC"] & visit."new" "" ["true"] & visit."weekday" "" ["1"]`},
		{"visit.hour>=8&visit.weekday<=5&visit.length~=*1800s*&channel=direct&bot!=true&visit.depth=21%2B&visit.weekhour!=7-23",
			`visit."hour" "atleast" ["8"] & visit."weekday" "atmost" ["5"] & visit."length" "match" ["*1800s*"] & "channel" "" ["direct"] & "bot" "not" ["true"] & visit."depth" "" ["21+"] & visit."weekhour" "not" ["7-23"]`},
		{"user~=ann*&user!=x&session!~=s*&type~=p*", `"user" "match" ["ann*"] & "user" "not" ["x"] & "session" "notmatch" ["s*"] & "type" "match" ["p*"]`},
	} {
		q, err := parseQuery(c.raw, known)
		if got := showFilters(q.where); err != nil || got != c.want {
			t.Errorf("%s:\n got %s, %v\nwant %s", c.raw, got, err, c.want)
		}
	}
}

func showFilters(where []query.Cond) string {
	var texts []string
	for _, c := range where {
		texts = append(texts, c.String())
	}
	return strings.Join(texts, " & ")
}

// Whatever is wrong with a filter is 400, and says of which parameter it speaks and what is
// allowed. Nothing of it reaches the engine.
func TestFilterRefusals(t *testing.T) {
	for _, c := range []struct{ query, field, msg string }{
		{"colour=red", "colour", "no such parameter"},
		{"colour!=red", "colour!", "no such parameter"},
		{"=x", "", "no such parameter"}, {"!=x", "!", "no such parameter"}, {"~=x", "~", "no such parameter"}, {"visit.=x", "visit.", "no such parameter"},
		{"visit=x", "visit", "no such parameter"}, {"visit.visit.name=x", "visit.visit.name", "no such parameter"}, {"visit.colour=x", "visit.colour", "no such parameter"},
		{"entry=x", "entry", "no such parameter"}, {"weekday=1", "weekday", "no such parameter"},
		{`prop.""=x`, `prop.""`, "no such parameter"}, {"prop.!=x", "prop.!", "no such parameter"}, {"context.=x", "context.", "no such parameter"},
		{"limit!=5", "limit!", "takes = alone"}, {"from%3E=5", "from>", "takes = alone"},
		{"timezone=Europe/Berlin", "timezone", "context.timezone="}, {"timezone!=Europe/Berlin", "timezone!", "context.timezone="},
		{"prop.amount>=many", "prop.amount>", "must be a number"}, {"value<=", "value<", "must be a number"}, {"value>=1,5", "value>", "must be a number"},
		{"value>=" + strings.Repeat("9", 65), "value>", "at most 64 digits"}, {"value>=1e309", "value>", "exponent"}, {"value>=NaN", "value>", "must be a number"}, {"value>=0x10", "value>", "must be a number"},
		{"name!=", "name!", "empty"}, {"path~=", "path~", "empty"}, {"source=", "source", "empty"},
		{"type!=clicked", "type!", "track, page"}, {"dialect!=plausible", "dialect!", "matomo"},
		{"type~=clicked", "type~", "track, page"}, {"type>=1", "type>", "no numbers; there are track"}, {"bot=yes", "bot", "true, false"}, {"bot!=", "bot!", "true, false"},
		{"channel=Paid", "channel", "paid, email, search"}, {"channel!~=seo*", "channel!~", "paid, email, search"},
		{"visit.weekday=0", "visit.weekday", "1, 2, 3"}, {"visit.weekday=Monday", "visit.weekday", "1, 2, 3"}, {"visit.weekday!=8", "visit.weekday!", "1, 2, 3"}, {"visit.hour=24", "visit.hour", "0, 1, 2"}, {"visit.hour=07", "visit.hour", "0, 1, 2"},
		{"visit.weekhour=1-0", "visit.weekhour", "1-00 to 7-23"}, {"visit.weekhour>=1", "visit.weekhour>", "no numbers; there are 1-00"}, {"visit.hour>=noon", "visit.hour>", "must be a number"},
		{"visit.length=5s", "visit.length", "1-10s"}, {"visit.depth=6", "visit.depth", "6-7"}, {"visit.depth>=4", "visit.depth>", "no numbers; there are 0, 1"}, {"visit.new=yes", "visit.new", "true, false"}, {"visit.type=x", "visit.type", "track, page"},
		{"has=", "has", "must name a field"}, {"has=colour", "has", "must name a field"}, {"has~=name", "has~", "= and != alone"}, {"has=has", "has", "must name a field"},
		{"has=entry", "has", "must name a field"}, {"has=prop.", "has", "must name a field"}, {"has=visit.name", "has", "must name a field"}, {"has=prop." + strings.Repeat("x", 1025), "has", "must name a field"},
		{"prop." + strings.Repeat("x", 1025) + "!=x", ("prop." + strings.Repeat("x", 1025))[:128], "no such parameter"},
		{"name~=%ff", "name~", "UTF-8"}, {"na%me=x", "na%me", "percent"},
		{strings.Repeat("name!=x&", 10_000), "", "at most 256"},
	} {
		n := nativetest.Full()
		res := call(t, n, "UTC", "GET", "/api/v1/events?"+c.query)
		got := errorOf(t, res)
		if res.Status != 400 || got.Field != c.field || !strings.Contains(string(res.Body), c.msg) || n.Asked != "" {
			t.Errorf("%.60s: %d %s (asked %q)", c.query, res.Status, res.Body, n.Asked)
		}
	}
	for _, call := range []string{"users/u-1/events?user~=x", "users/u-1/events?user!=x", "users/u-1?name=x", "counters?property=p&value>=1"} {
		if _, err := parseQuery(call[strings.Index(call, "?")+1:], routeOf(t, "/api/v1/"+call).params); err == nil && !strings.HasPrefix(call, "counters") {
			t.Errorf("%s is accepted", call)
		}
	}
	// 4 KB of stars are a pattern like any other.
	if q, err := parseQuery("path~="+strings.Repeat("*", 4096), plainFilters); err != nil || len(q.where) != 1 {
		t.Errorf("stars: %v, %v", q.where, err)
	}
}

func routeOf(t *testing.T, target string) *route {
	path, _, _ := strings.Cut(target, "?")
	r, _ := routeFor("GET", path)
	if r == nil {
		t.Fatalf("no route for %s", target)
	}
	return r
}

// The calls that filter take every filter, and their own parameters too.
func TestFilteringCalls(t *testing.T) {
	for _, target := range []string{"count", "series", "events", "counters?property=plan", "sessions", "users"} {
		sep := "?"
		if strings.Contains(target, "?") {
			sep = "&"
		}
		n := nativetest.Full()
		res := call(t, n, "UTC", "GET", "/api/v1/"+target+sep+"country!=DE&user~=ann*&prop.a>=1&has=prop.b&visit.entry=/")
		want := ` country not ["DE"] user match ["ann*"] prop.a atleast ["1"] prop.b has [] visit.entry=["/"]`
		if res.Status != 200 || !strings.Contains(n.Asked, want) {
			t.Errorf("%s: %d, asked %s, want%s", target, res.Status, n.Asked, want)
		}
	}
}

// A filter inside a parameter is a group of plain filters of its own.
func TestFilterInParameter(t *testing.T) {
	got, err := filterIn("step", "name=add_to_cart&prop.plan=pro&prop.plan=team&path~=/a%2526*")
	if want := `"name" "" ["add_to_cart"] & "prop.plan" "" ["pro" "team"] & "path" "match" ["/a%26*"]`; err != nil || showFilters(got) != want {
		t.Errorf("%s, %v, want %s", showFilters(got), err, want)
	}
	for _, text := range []string{"", "&&", "visit.name=x", "limit=5", "step=name", "site=shop", "saved=x", "colour=red", "value>=x", "name=%zz"} {
		if _, err := filterIn("step", text); err == nil || !strings.HasPrefix(err.Error(), "step: ") {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// FuzzFilter checks that a filter which is read means the same when it is written again.
func FuzzFilter(f *testing.F) {
	for _, name := range []string{"country!", "path!~", `prop."a!"<`, "visit.has!", "context.timezone", "prop.\u212a>", "value<"} {
		f.Add(name, "1")
		f.Add(name, "prop.*")
	}
	known := append(slices.Clip(plainFilters), paramVisit)
	f.Fuzz(func(t *testing.T, name, value string) {
		q, err := parseQuery(url.QueryEscape(name)+"="+url.QueryEscape(value), known)
		if err != nil {
			return
		}
		if len(q.where) != 1 {
			t.Fatalf("%q: %d conditions", name, len(q.where))
		}
		c := q.where[0]
		text := value
		if len(c.Values) == 0 {
			text = c.Field
		}
		again, err := filterOf(known, nameOf(c), text)
		if err != nil || again.Field != c.Field || again.Op != c.Op || again.Visit != c.Visit || !slices.Equal(again.Values, c.Values) {
			t.Fatalf("%q=%q is %v; %q is %v, %v", name, value, c, nameOf(c), again, err)
		}
	})
}
