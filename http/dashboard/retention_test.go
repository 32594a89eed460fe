package dashboard

import (
	"net/url"
	"strings"
	"testing"
)

const madeRetention = `{"from":"2026-10-31T00:00:00.000Z","to":"2026-11-30T00:00:00.000Z","as_of":{"time":"2026-11-29T13:59:00.000Z"},"period":"week","cohort":"first","count":"on",
"cohorts":[{"period":"2026-10-26","size":0,"cells":[{"users":0,"rate":null,"complete":true},{"users":0,"rate":null,"complete":true},{"users":0,"rate":null,"complete":false}]},{"period":"2026-11-09","size":200,"cells":[{"users":100,"rate":0.5,"complete":true},{"users":0,"rate":0,"complete":false}]},{"period":"2026-11-16","size":40,"cells":[{"users":10,"rate":0.25,"complete":false}]},{"period":"2026-11-23","size":3,"cells":[]}],
"average":[0.5,null,null]}`

func TestRetention(t *testing.T) {
	r := &made{answers: map[string]string{"retention": madeRetention}}
	_, _, page := look(t, r, "retention?start=name%3Dsignup&count=after&country=DE")
	shows(t, page, "Began with", `value="signup"`, "Came back with", `value="week" selected`, "On average, by week", `role="img"`, "Average", "50 %", "9 Nov", "200", "100 of 200", "_at=2026-11-09&amp;_cell=1", `class="h0 open"`, `<span class="hidden"> so far</span>`, "16 Nov", "the week is not over", textHatched, "format=csv")
	if strings.Contains(page, "26 Oct") || strings.Contains(page, "_cell=2") {
		t.Error("a week before anybody came is shown, or nobody has a link")
	}
	q := r.one(t, "retention")
	if q.get("start") != "name=signup" || q.get("count") != "after" || q.get("period") != "week" || q.get("country") != "DE" || q.has("return") || q.has("compare") {
		t.Errorf("asked %q", q)
	}
}

// The period fits the range unless the address has one.
func TestRetentionPeriod(t *testing.T) {
	for query, want := range map[string]string{"range=7d": "day", "range=30d": "week", "range=12mo": "month", "range=all": "month", "range=30d&period=day": "day"} {
		r := &made{answers: map[string]string{"retention": madeRetention}}
		look(t, r, "retention?"+query)
		if got := r.one(t, "retention").get("period"); got != want {
			t.Errorf("%s: by %s", query, got)
		}
	}
}

func TestRetentionStates(t *testing.T) {
	none := strings.NewReplacer("200", "0", "40", "0", `"size":3`, `"size":0`).Replace(madeRetention)
	for name, c := range map[string]struct{ query, answer, want string }{
		"nobody":  {"", none, "in these days"},
		"early":   {"", strings.Replace(madeRetention, `"average":[0.5`, `"average":[null`, 1), textNoPeriod},
		"too far": {"?period=day&range=12mo", `400 {"error":"period: more than 60 periods; ask for longer ones or a shorter range","field":"period"}`, "more than 60 periods"},
		"hostile": {"?start=name%3D" + url.QueryEscape(url.QueryEscape(hostileText)), madeRetention, "&lt;script&gt;"},
	} {
		r := &made{answers: map[string]string{"retention": c.answer, "site": `{"name":"shop","first":"2026-01-01T00:00:00Z","events":5}`}}
		if status, _, page := look(t, r, "retention"+c.query); status != 200 || !strings.Contains(page, c.want) {
			t.Errorf("%s: %d, %q is not there:\n%s", name, status, c.want, page)
		}
	}
}

func TestRetentionPeople(t *testing.T) {
	r := &made{answers: map[string]string{"retention/entities": `{"entities":["u1"],"next":"n2"}`}}
	_, _, page := look(t, r, "retention?_at=2026-11-09&_cell=2&range=30d&after=n1")
	shows(t, page, "retention?range=30d\"", "Began in the week of Monday 9 November and came back 2 weeks later", "/people/u1?range=30d", "First page", "after=n2")
	if q := r.one(t, "retention/entities"); q.get("at") != "2026-11-09" || q.get("cell") != "2" || q.get("period") != "week" || q.get("after") != "n1" {
		t.Errorf("asked %q", q)
	}
}

func TestRetentionForm(t *testing.T) {
	s := redirected(t, &made{}, "retention", url.Values{"range": {"90d"}, "start": {"name=old"}, "_k0": {"event"}, "_v0": {"signup"}, "_k1": {"any"}, "_v1": {"ignored"}, "period": {"day"}, "cohort": {""}, "count": {"after"}})
	if got := s.String(); got != "count=after&period=day&range=90d&start=name%3Dsignup" {
		t.Error(got)
	}
}
