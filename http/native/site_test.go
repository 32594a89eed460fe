package native

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"cairn/engine/query"
	"cairn/http/dialect"
	"cairn/http/native/nativetest"
)

// visitsByDay answers a visit of each hour that is asked for, so that the ranges can be seen.
type visitsByDay struct {
	*nativetest.Engine
	spans []query.Span
}

func (v *visitsByDay) VisitReport(_ context.Context, q query.VisitsQuery) (*query.VisitsAnswer, error) {
	v.spans = append(v.spans, q.Span)
	a := &query.VisitsAnswer{Total: query.VisitNumbers{Visits: uint64((q.To - q.From) / 60_000)}}
	for i := range q.Steps {
		a.Series = append(a.Series, query.VisitNumbers{Visits: uint64(i), Visitors: uint64(10 * i)})
	}
	return a, nil
}

func TestSite(t *testing.T) {
	doc := nativetest.Contract(t, OpenAPI())
	ops := nativetest.Operations(t, doc)
	zone, _ := time.LoadLocation("Europe/Amsterdam")
	var all []*dialect.Site
	for i := range sitesMax + 2 {
		all = append(all, &dialect.Site{Site: query.Site{ID: uint32(i + 1), Name: fmt.Sprintf("site %03d", sitesMax+1-i), Location: zone, Hosts: []string{"a.example"}}, WriteKey: "wk"})
	}
	engine := &visitsByDay{Engine: nativetest.Full()}
	now := time.Date(2026, 11, 21, 9, 30, 59, 0, zone)
	api := New(Options{Engine: engine, Now: func() time.Time { return now }, Version: "1.2", Sites: func() []*dialect.Site { return all },
		Geo: func() (string, string) { return "city", "Places by X" }, Refused: func() map[string]uint64 { return map[string]uint64{"time": 2, "name": 1} }})
	ask := func(target string, site *dialect.Site, rights dialect.Right, admin bool) *dialect.Response {
		t.Helper()
		path, raw, _ := strings.Cut(target, "?")
		req := &dialect.Request{Method: "GET", Path: path, RawQuery: raw, Site: site, Rights: rights, Admin: admin, Header: func(string) string { return "" }}
		res := &dialect.Response{}
		if err := api.Read(t.Context(), req, nil, res); err != nil {
			t.Fatal(target, err)
		}
		nativetest.ValidateAnswer(t, doc, ops["GET "+path], res, target)
		return res
	}
	res := ask("/api/v1/site", all[0], dialect.Read|dialect.Write, false)
	const want = `{"name":"site 101","id":1,"zone":"Europe/Amsterdam","hosts":["a.example"],"first":"2026-11-21T00:00:00.000Z","last":"2026-11-21T00:00:00.001Z","events":3,"dialects":["native","matomo"],` +
		`"geo":"city","geo_credit":"Places by X","shop":true,"version":"1.2","public":{"write_key":"wk","client_id":null},"rights":["read","write"],"scope":null}` + "\n"
	if string(res.Body) != want {
		t.Errorf("%s", res.Body)
	}
	if res = ask("/api/v1/site", all[0], dialect.Read|dialect.Write|dialect.Manage, true); !strings.HasSuffix(string(res.Body), `"rights":["read","write","manage"],"scope":null,"refused":{"name":1,"time":2}}`+"\n") {
		t.Errorf("%s", res.Body)
	}
	engine.SiteFacts = query.Facts{First: 1}
	if res = ask("/api/v1/site", all[0], dialect.Read, false); !strings.Contains(string(res.Body), `"first":null,"last":null,"events":3,"dialects":[],"geo":"city","geo_credit":"Places by X","shop":false`) {
		t.Errorf("%s", res.Body)
	}

	var page struct {
		Sites []struct {
			Name             string
			Today, Yesterday struct{ Visits, Visitors int }
			Days             []struct {
				Time   time.Time
				Visits int
			}
			Now int
		}
		Next *string
	}
	var names []string
	for after := ""; ; after = "&after=" + strings.ReplaceAll(*page.Next, " ", "%20") {
		page.Next = nil
		if err := json.Unmarshal(ask("/api/v1/sites?max_age=60"+after, nil, dialect.Read, true).Body, &page); err != nil {
			t.Fatal(err)
		}
		for _, s := range page.Sites {
			names = append(names, s.Name)
			// Yesterday from midnight to 9:30: 570 minutes.
			if s.Today.Visits != 6 || s.Today.Visitors != 60 || s.Yesterday.Visits != 570 || s.Now != 2 || len(s.Days) != 7 || s.Days[0].Visits != 0 || !s.Days[6].Time.Equal(time.Date(2026, 11, 21, 0, 0, 0, 0, zone)) {
				t.Fatalf("%+v", s)
			}
		}
		if page.Next == nil {
			break
		}
	}
	if len(names) != len(all) || !slices.IsSorted(names) {
		t.Errorf("%d names: %v", len(names), names)
	}
	// Just after midnight nothing of yesterday has an equal.
	now = time.Date(2026, 11, 21, 0, 0, 30, 0, zone)
	engine.spans = nil
	ask("/api/v1/sites?after=site%20100", nil, dialect.Read, true)
	if len(engine.spans) != 1 {
		t.Errorf("asked %v", engine.spans)
	}
}
