package opentracker

import (
	"fmt"
	"reflect"
	"strings"
	"testing"

	"cairn/engine/event"
	"cairn/http/dialect"
	"cairn/http/dialect/dialecttest"
)

func request(t testing.TB, method, target, contentType, body string) *dialect.Request {
	header := map[string]string{}
	if contentType != "" {
		header["Content-Type"] = contentType
	}
	req, err := dialecttest.NewRequest(method, target, header, []byte(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Peer, req.ReceivedUnixMilli = dialecttest.Peer, noon
	return req
}

// decoded describes the event of a request. It lists the context and then the properties as
// "key=value", with the amount in brackets, "!" after a segment and "-" after a property
// that is not counted. For a refused request it returns "! " and the error.
func decoded(t testing.TB, req *dialect.Request) string {
	var b dialect.Batch
	if err := New().Decode(req, &b); err != nil {
		if len(b.Records) != 0 {
			t.Errorf("%s: Decode returns an error and adds a record", req.RawQuery)
		}
		return "! " + err.Error()
	}
	if len(b.Records) != 1 {
		t.Fatalf("%s: %d records", req.RawQuery, len(b.Records))
	}
	e := &b.Records[0].Event
	if err := event.Validate(e); err != nil {
		return "! " + err.Error()
	}
	by := map[string]int64{}
	for _, a := range e.Increments {
		by[a.Property] = a.By
	}
	var out []string
	show := func(key, value string) {
		text := key + "=" + value
		if n, ok := by[key]; ok {
			text += fmt.Sprintf("[%+d]", n)
		}
		for _, s := range e.Segments {
			if s == key {
				text += "!"
			}
		}
		for _, s := range e.NotCounted {
			if s == key {
				text += "-"
			}
		}
		out = append(out, text)
	}
	for _, m := range e.Context {
		show(m.Key, m.Value.Text)
	}
	for _, m := range e.Properties {
		show(m.Key, m.Value.Text)
	}
	return strings.Join(out, " ")
}

// Each row tests one of the protocol's edge cases, or one of its sentences.
func TestProperties(t *testing.T) {
	for _, c := range []struct{ query, want string }{
		{"gender=male", "gender=male"},
		{"gender=male[+10]", "gender=male[+10]"},
		{"gender=male[%2B10]", "gender=male[+10]"},
		{"gender=male%5B+10%5D", "gender=male[+10]"},
		{"gender=male%5B%2010%5D", "gender=male[+10]"},
		{"gender=male[-5]", "gender=male[-5]"},
		{"score=[+10]", "score=[+10]"},
		{"note=see+[%2B10]+there", "note=see [+10] there"},
		{"note=v[+10][+1]", "note=v[ 10]"},
		{"note=v[%2B10][%2B1]", "note=v[+10]"},
		{"n=a[+9007199254740991]", "n=a[+9007199254740991]"},
		{"n=a[-9007199254740991]", "n=a[-9007199254740991]"},
		{"n=a[+9007199254740992]", "! n: an increment is at most 9007199254740991"},
		{"n=a[-9007199254740992]", "! n: an increment is at most 9007199254740991"},
		{"n=a[%2B9999999999999999999]", "n=a[+9999999999999999999]"},
		{"n=a[+0]", "n=a[+0]"},
		{"city=Z%FCrich", "city=Zürich city=Zürich"},
		{"city=Z%C3%BCrich", "city=Zürich city=Zürich"},
		{"na%C3%AFve=1", "! a name must be ASCII"},
		{"na%EFve=1", "! a name must be ASCII"},
		{"a%09b=1", "! a name must be ASCII"},
		{"=x", "! a parameter has no name"},
		{"!=x", "! a parameter has no name"},
		{"%20=x", "! a parameter has no name"},
		{"a=1&a=2", "a=2"},
		{"a=1[+5]&a=2", "a=2"},
		{"age-group!=40s&age-group=20s", "age-group=20s!"},
		{"age-group=40s&age-group%21=20s", "age-group=20s!"},
		{"age-group!!!=40s", "age-group=40s!"},
		{"age-group!=40s[+3]&gender=male", "age-group=40s[+3]! gender=male"},
		{"a!b=1", "a!b=1"},
		{"gender=", ""},
		{"gender", ""},
		{"a=1&a=", ""},
		{"x=100%", "x=100%"},
		{"x=%zz", "x=%zz"},
		{"x=a;b=c", "x=a;b=c"},
		{"&&x=1&", "x=1"},
		{"x=%00", "! x: a value must not hold NUL"},
		{"x=a%01b%0Ac", "x=ab\nc"},
		{"platform version=9&app+version=2", "platform version=9 app version=2"},
		{" x =1", "x=1"},
		{"Gender=a&gender=b", "Gender=a gender=b"},
		{"x=%F0%9F%8E%89", "x=🎉"},
		{"x=e%CC%81", "x=e\u0301"},

		{"ti=Please+track+me", "title=Please track me"},
		{"ti=", ""},
		{"title=Hello", "title=Hello"},
		{"title=B&ti=A", "title=A"},
		{"title=B&ti=", "title=B"},
		{"ti=Game[+10]", "title=Game[+10]"},
		{"ti!=Game", "title=Game!"},
		{"ti=Game&name=Bob", "title=Game name=Bob"},
		{"lc=https://a.example/?x%3D1", "url=https://a.example/?x=1"},
		{"lc=", ""},
		{"latitude=1&longitude=2&revision=3&coordinateTime=4&coordinateAccuracy=5", "latitude=1- longitude=2- revision=3- coordinateTime=4- coordinateAccuracy=5-"},
		{"country=Germany", "country=DE country=DE"},
		{"country=germany[+2]", "country=DE[+2] country=DE[+2]"},
		{"country=de", "country=DE country=DE"},
		{"browser=Acme&browserVersion=2&platform=X&platformVersion=3&device=d&region=r", "browser=Acme browser_version=2 platform=X os_version=3 device=d region=r browser=Acme browserVersion=2 platform=X platformVersion=3 device=d region=r"},
		{"browser=&platform=[+2]", "platform=[+2]"},
		{"country=Atlantis", "country=Atlantis"},
		{"t=1795176000000&a=1", "a=1"},
		{"t=12345", "t=12345"},
		{"pix&json&callback=f&_=123&proxy=true&increment=true&a=1", "a=1"},
		{"uid=u[+5]&sid=s[+5]", ""},

		{"uid=" + strings.Repeat("u", 128), ""},
		{"uid=" + strings.Repeat("u", 129), "! uid: at most 128 bytes"},
		{"sid=a%0Ab", "! sid: must be printable"},
		{"sid=%C3%BC", ""},
		{"eid=" + strings.Repeat("e", 64), ""},
		{"eid=" + strings.Repeat("e", 65), "! eid: must be 1 to 64 of A-Z a-z 0-9 . _ -"},
		{"eid=a/b", "! eid: must be 1 to 64 of A-Z a-z 0-9 . _ -"},
		{"eid=", ""},
		{"callback=alert(1)", "! callback: must be the name of a function"},
		{"callback=a.b", ""},
		{strings.Repeat("n", 128) + "=1", strings.Repeat("n", 128) + "=1"},
		{strings.Repeat("n", 129) + "=1", "! " + strings.Repeat("n", 128) + ": a name has at most 128 bytes"},
		{"x=" + strings.Repeat("v", 4096), "x=" + strings.Repeat("v", 4096)},
		{"x=" + strings.Repeat("v", 4097), "! x: a value has at most 4096 bytes"},
	} {
		if got := decoded(t, request(t, "GET", "/?si=app&"+c.query, "", "")); got != c.want {
			t.Errorf("%.80s: %q, want %q", c.query, got, c.want)
		}
	}
}

func TestCountsOfParameters(t *testing.T) {
	many := func(format string, n int) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, format, i)
		}
		return b.String()
	}
	for _, c := range []struct{ query, want string }{
		{many("&k%d=v", 256), ""},
		{many("&k%d=v", 257), "! at most 256 properties"},
		{many("&k%d=", 257), "! at most 256 properties"},
		{many("&k%d=v", 1000), "! at most 256 properties"},
		{many("&k=%d", 5000), ""},
		{many("&s%d!=v", 32), ""},
		{many("&s%d!=v", 33), "! s32: at most 32 segments"},
		{many("&k%d=v", 256) + "&sid=s&uid=u&eid=e&pix&json&proxy", ""},
	} {
		got := decoded(t, request(t, "POST", "/?si=app", "", c.query))
		if strings.HasPrefix(got, "!") != (c.want != "") || c.want != "" && got != c.want {
			t.Errorf("%.60s: %.80q, want %q", c.query, got, c.want)
		}
	}
}

// The protocol's own parameters set the fields of the event.
func TestOwnParameters(t *testing.T) {
	for _, c := range []struct {
		query string
		want  event.Event
		skip  bool
	}{
		{"uid=u&sid=s", event.Event{User: "u", Session: "s"}, false},
		{"eid=e.1", event.Event{MessageID: "e.1", Extra: event.Object{{Key: "eid", Value: event.Str("e.1")}}}, false},
		{"uid=&sid=&eid=", event.Event{}, false},
		{"increment=false", event.Event{Uncounted: true}, false},
		{"increment=0", event.Event{Uncounted: true}, false},
		{"increment=true&increment=", event.Event{}, false},
		{"proxy=true", event.Event{}, true},
		{"proxy", event.Event{}, true},
		{"proxy=yes", event.Event{}, true},
		{"proxy=false", event.Event{}, false},
		{"proxy=0", event.Event{}, false},
		{"proxy=no", event.Event{}, false},
		{"t_ms=1795175999000", event.Event{Time: 1795175999000}, false},
		{"t_ms=1795175999", event.Event{Time: 1795175999000}, false},
		{"t=1795175999000", event.Event{Time: 1795175999000}, false},
		{"t=1795175998000&t_ms=1795175999000", event.Event{Time: 1795175999000}, false},
		{"t_ms=1795175999000&t=1795175998000", event.Event{Time: 1795175999000}, false},
		{fmt.Sprintf("t_ms=%d", int64(noon-earlierMax)), event.Event{Time: noon - earlierMax}, false},
		{fmt.Sprintf("t_ms=%d", int64(noon-earlierMax-1)), event.Event{}, false},
		{fmt.Sprintf("t_ms=%d", int64(noon+laterMax)), event.Event{Time: noon + laterMax}, false},
		{fmt.Sprintf("t_ms=%d", int64(noon+laterMax+1)), event.Event{}, false},
		{"t_ms=soon", event.Event{}, false},
		{"t_ms=-1795175999", event.Event{}, false},
		{"otui=180515048.1319502921449.1.2.3.4", event.Event{Anonymous: "1319502921449.180515048", Extra: event.Object{{Key: "otui", Value: event.Str("180515048.1319502921449.1.2.3.4")}}}, false},
		{"otui=1.2.3.4.5.6&ots=7.8.9.10", event.Event{Anonymous: "2.1", Session: "8.1", Extra: event.Object{{Key: "otui", Value: event.Str("1.2.3.4.5.6")}, {Key: "ots", Value: event.Str("7.8.9.10")}}}, false},
		{"otui=1.2.3.4.5.6&ots=7.8.9.10&uid=u&sid=s", event.Event{User: "u", Session: "s", Extra: event.Object{{Key: "otui", Value: event.Str("1.2.3.4.5.6")}, {Key: "ots", Value: event.Str("7.8.9.10")}}}, false},
		{"otui=1.2.3.4.5", event.Event{Extra: event.Object{{Key: "otui", Value: event.Str("1.2.3.4.5")}}}, false},
		{"otui=1.2.3.4.5.x", event.Event{Extra: event.Object{{Key: "otui", Value: event.Str("1.2.3.4.5.x")}}}, false},
		{"ots=7.8.9.10", event.Event{Extra: event.Object{{Key: "ots", Value: event.Str("7.8.9.10")}}}, false},
		{"otpe=https://a.example/", event.Event{Extra: event.Object{{Key: "otpe", Value: event.Str("https://a.example/")}}}, false},
		{"ti=A&title=B", event.Event{Name: "A", Context: event.Object{{Key: "title", Value: event.Str("A")}}, Extra: event.Object{{Key: "title", Value: event.Str("B")}}}, false},
		{"ti=" + strings.Repeat("t", 1025), event.Event{Context: event.Object{{Key: "title", Value: event.Str(strings.Repeat("t", 1025))}}}, false},
	} {
		var b dialect.Batch
		if err := New().Decode(request(t, "GET", "/?si=app&"+c.query, "", ""), &b); err != nil {
			t.Errorf("%.60s: %v", c.query, err)
			continue
		}
		r := &b.Records[0]
		c.want.Dialect, c.want.Type = event.Opentracker, event.Track
		got := r.Event
		for _, o := range []*event.Object{&got.Context, &got.Properties, &got.Extra, &c.want.Context, &c.want.Properties, &c.want.Extra} {
			if len(*o) == 0 {
				*o = nil
			}
		}
		got.Increments, got.Segments, got.NotCounted = nil, nil, nil
		if !reflect.DeepEqual(got, c.want) || r.Source.Skip != c.skip {
			t.Errorf("%.60s:\n got %+v skip %t\nwant %+v skip %t", c.query, got, r.Source.Skip, c.want, c.skip)
		}
		if r.Credential != (dialect.Credential{Kind: dialect.CredentialSiteName, ID: "app"}) {
			t.Errorf("%.60s: credential %+v", c.query, r.Credential)
		}
	}
	for _, target := range []string{"/", "/?", "/?&", "/?si", "/?si=", "/?a=1"} {
		if got := decoded(t, request(t, "GET", target, "", "")); got != "! si: required" {
			t.Errorf("%s: %q", target, got)
		}
	}
	if got := decoded(t, request(t, "HEAD", "/?si=app", "", "")); got != "! method not allowed" {
		t.Errorf("HEAD: %q", got)
	}
}

// Each encoding of a body gives the same event. The body overrides the query.
func TestBodies(t *testing.T) {
	multi := "--X\r\nContent-Disposition: form-data; name=\"gender\"\r\n\r\nmale[+10]\r\n" +
		"--X\r\nContent-Disposition: form-data; name=\"age-group!\"\r\n\r\n40s\r\n" +
		"--X\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.txt\"\r\n\r\nnot text\r\n--X--\r\n"
	for _, c := range []struct{ contentType, body, want string }{
		{"application/x-www-form-urlencoded", "gender=male[+10]&age-group!=40s", "a=1 gender=male[+10] age-group=40s!"},
		{"application/x-www-form-urlencoded; charset=ISO-8859-1", "gender=male[%2B10]&age-group!=40s", "a=1 gender=male[+10] age-group=40s!"},
		{"", "gender=male[+10]&age-group!=40s", "a=1 gender=male[+10] age-group=40s!"},
		{"text/plain;charset=UTF-8", "gender=male[+10]&age-group!=40s", "a=1 gender=male[+10] age-group=40s!"},
		{"application/json", `{"gender":"male[+10]","age-group!":"40s"}`, "a=1 gender=male[+10] age-group=40s!"},
		{"Application/JSON; charset=utf-8", `{"gender":"male[+10]","age-group!":"40s","no":null}`, "a=1 gender=male[+10] age-group=40s!"},
		{"application/json", `{"n":1.50,"b":true}`, "a=1 n=1.50 b=true"},
		{"application/json", `{"a":"2"}`, "a=2"},
		{"multipart/form-data; boundary=X", multi, "a=1 gender=male[+10] age-group=40s!"},
		{"application/x-www-form-urlencoded", "city=Z%FCrich", "city=Zürich a=1 city=Zürich"},
		{"application/x-www-form-urlencoded", "city=Z\xfcrich", "city=Zürich a=1 city=Zürich"},
		{"", "", "a=1"},
		{"application/xml", "<a/>", "! must be a form, multipart/form-data or application/json"},
		{"application/json", `{"x":[1]}`, "! x: must be a string, a number or a boolean"},
		{"application/json", `{"x":{}}`, "! x: must be a string, a number or a boolean"},
		{"application/json", `{"x\u00fc":1}`, "! a name must be ASCII"},
		{"application/json", `{"":1}`, "! a parameter has no name"},
		{"multipart/form-data", multi, "! Content-Type: has no boundary"},
		{"multipart/form-data; boundary=X", "--X\r\nContent-Disposition: form-data; name=\"g\"\r\n\r\nmale", "! the body is not multipart/form-data"},
		{"multipart/form-data; boundary=Y", multi, "! the body is not multipart/form-data"},
		{"multipart/form-data; boundary=X", strings.Repeat("--X\r\nContent-Disposition: form-data; name=\"g\"\r\n\r\nv\r\n", 1025) + "--X--", "! at most 1024 parts"},
	} {
		if got := decoded(t, request(t, "POST", "/?si=app&a=1", c.contentType, c.body)); got != c.want {
			t.Errorf("%s %.60q: %q, want %q", c.contentType, c.body, got, c.want)
		}
	}
	for _, body := range []string{`[]`, `1`, `{"a":1`, `{"a":1}x`, `{"a":` + strings.Repeat("[", 50)} {
		if got := decoded(t, request(t, "POST", "/?si=app", "application/json", body)); !strings.HasPrefix(got, "! ") {
			t.Errorf("%q decodes to %q, want an error", body, got)
		}
	}
}

// A reused batch keeps nothing of the previous request.
func TestBatchReused(t *testing.T) {
	var b dialect.Batch
	first := request(t, "GET", "/?si=app&uid=u&eid=e&increment=false&proxy&a!=1[+5]&revision=1&ti=T&callback=f", "", "")
	if err := New().Decode(first, &b); err != nil {
		t.Fatal(err)
	}
	b.Records = b.Records[:0]
	second := request(t, "GET", "/?si=two&b=2", "", "")
	if err := New().Decode(second, &b); err != nil {
		t.Fatal(err)
	}
	r := b.Records[0]
	if r.Credential.ID != "two" || r.Source.Skip || r.Event.User+r.Event.Name+r.Event.MessageID != "" || r.Event.Uncounted ||
		len(r.Event.Increments)+len(r.Event.Segments)+len(r.Event.NotCounted)+len(r.Event.Context)+len(r.Event.Extra) != 0 || len(r.Event.Properties) != 1 {
		t.Errorf("%+v", r)
	}
	if a := second.State.(*answer); *a != (answer{}) {
		t.Errorf("the state of the reply is %+v, want none", a)
	}
}
