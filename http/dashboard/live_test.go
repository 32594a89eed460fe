package dashboard

import (
	"strings"
	"testing"
)

const madeLive = `{"site":"shop","as_of":{"time":"2026-11-29T19:00:00.000Z","seq":9},"visitors":1234,"visitors_30":2345,"views_30":3456,"events_30":4567,
	"minutes":[{"time":"2026-11-29T18:59:00.000Z","events":4,"views":2,"visitors":4},{"time":"2026-11-29T19:00:00.000Z","events":0,"views":0,"visitors":0}],
	"pages":[{"value":"/docs","visitors":4},{"value":"/","visitors":1}],"sources":[{"value":"Google","visitors":3}],"countries":[{"value":"DE","visitors":3}],"names":[]}`

func liveMade() *made {
	return &made{answers: map[string]string{
		"live":   madeLive,
		"events": `{"events":[` + strings.Replace(madeEvent, "2026-11-07T13:34:52.751Z", "2026-11-29T18:59:01.000Z", 1) + `,` + madeEvent + `],"next":null}`,
	}}
}

// The first state is whole without script: numbers, bars, tables and the newest events, with what
// the script needs to go on from there.
func TestLiveScreen(t *testing.T) {
	m := liveMade()
	page := screenOn(t, m, "/live?range=7d&country=DE&visit.source=Google")
	mustHave(t, page, ">1,234<", ">2,345<", ">3,456<", ">4,567<", "18:59: 4", ">/docs<", "Germany", "Nobody now", ">18:59:01<", ">Sat 7 Nov<", "by script alone", "does not know the filters of visits",
		`data-after="5db4c88fc51de13e7a90456c60a92ad2"`, `data-event="/dashboard/site/shop/events/"`, `data-people="/dashboard/site/shop/people/"`, `data-rest="?range=7d&amp;country=DE&amp;visit.source=Google"`,
		`data-person="/dashboard/site/shop/people?range=7d&amp;country=DE&amp;visit.source=Google&amp;user="`,
		`data-stream="/api/v1/live/stream?country=DE"`, `y="0.00%"`, `height="100.00%"`)
	if !m.asks("live", "country=DE", "visit.source=Google") || m.asks("live", "range=") {
		t.Errorf("now is asked as %q", m.asked)
	}
	if !m.asks("events", "country=DE", "limit=50", "order=desc") || m.asks("events", "visit.source") || m.asks("events", "range=") {
		t.Errorf("the list is asked as %q", m.asked)
	}
	// Its filters are there, though it has no range.
	mustHave(t, page, "Remove the filter Country")
	mustNotHave(t, page, `aria-label="Days"`)
}

// Whoever may not see people sees numbers and tables, and no event is asked for.
func TestLiveOfAShare(t *testing.T) {
	m := liveMade()
	page := screenOn(t, m, "/live?range=7d", func(v *Viewer) { v.Share = &Share{Base: "/dashboard/s/token"} })
	mustHave(t, page, ">1,234<", "Germany")
	mustHave(t, page, `data-again="5"`) // there is no stream that keeps it up
	mustNotHave(t, page, "data-stream", "5db4c88fc51de13e7a90456c60a92ad2")
	if m.asks("events") {
		t.Error("events are asked for")
	}
	page = screenOn(t, m, "/live?range=7d", func(v *Viewer) { v.Share = &Share{Base: "/dashboard/s/token", People: true} })
	mustHave(t, page, "5db4c88fc51de13e7a90456c60a92ad2", "data-live", `data-stream="/dashboard/s/token/data/live/stream?`)
	mustNotHave(t, page, "data-again")
}

func TestLiveEmptyAndFailing(t *testing.T) {
	m := liveMade()
	m.answers["live"] = `{"visitors":0,"visitors_30":0,"views_30":0,"events_30":0,"minutes":[],"pages":[],"sources":[],"countries":[],"names":[]}`
	m.answers["events"] = `{"events":[],"next":null}`
	page := screenOn(t, m, "/live")
	mustHave(t, page, "Nobody now", `data-after=""`)
	m.answers["live"] = `503 {"error":"busy","status":503}`
	mustHave(t, screenOn(t, m, "/live"), textBusy)
}

func TestLiveHostile(t *testing.T) {
	for _, text := range hostile {
		q := quoted(text)
		rows := `[{"value":` + q + `,"visitors":4}]`
		m := &made{answers: map[string]string{
			"live":   `{"visitors":1,"visitors_30":1,"views_30":1,"events_30":1,"minutes":[],"pages":` + rows + `,"sources":` + rows + `,"countries":` + rows + `,"names":` + rows + `}`,
			"events": `{"events":[{"id":"5db4c88fc51de13e7a90456c60a92ad2","type":` + q + `,"name":` + q + `,"time":"2026-11-07T13:34:52.751Z","anonymous":` + q + `,"context":{"country":` + q + `,"utm_source":` + q + `}}]}`,
		}}
		mustNotHave(t, screenOn(t, m, "/live?range=7d"), "<script>alert", "<img")
	}
}
