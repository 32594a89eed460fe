package e2e

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

// A real browser on a page of another origin: JSONP by jQuery and by hand, a pixel in
// an image, forms, JSON and a beacon. All of it is in the listing. The tallies that the
// page reads are those of the server, and a kill changes neither.
func TestSDKOpentrackerBrowser(t *testing.T) {
	t.Parallel()
	s := newSDK(t, "opentracker", "")
	origin := s.site(map[string]string{"URL": s.url(), "READ_KEY": s.keys().ReadKey})
	type ids struct{ EID, SID, UID string }
	type counts struct {
		Rows  int
		Data  []otRow
		Total otTally
	}
	var page struct {
		Refused         string
		Beacon          bool
		JQuery, Script  ids
		Pixel           []int
		Form            []string
		Multipart, JSON []json.RawMessage
		Counts          counts
	}
	s.open(origin+"/page.html", &page)
	uid := page.JQuery.UID
	if page.JQuery.SID != "page" || len(page.JQuery.EID) != 32 || len(uid) != 32 || page.Script.UID != uid || page.Script.EID == page.JQuery.EID {
		t.Errorf("JSONP: %+v, %+v", page.JQuery, page.Script)
	}
	if page.Refused != "error" || fmt.Sprint(page.Pixel) != "[1 1]" || !page.Beacon {
		t.Errorf("a refusal is %q, the pixel %v, the beacon %t", page.Refused, page.Pixel, page.Beacon)
	}
	if f := page.Form; len(f) != 4 || len(f[0]) != 32 || f[1] != f[0] || f[2] != "page" || f[3] != uid {
		t.Errorf("the form and its headers: %q", f)
	}
	for _, answer := range [][]json.RawMessage{page.Multipart, page.JSON} {
		var got ids
		if len(answer) != 2 || string(answer[0]) != "200" || json.Unmarshal(answer[1], &got) != nil || got.UID != uid {
			t.Errorf("%s", answer)
		}
	}
	want := "male 6 1 1, female 1 1 1"
	if got := showCounts(page.Counts.Data); got != want || page.Counts.Total != (otTally{7, 1, 1}) {
		t.Errorf("the page reads %s in all %+v, want %s", got, page.Counts.Total, want)
	}

	events := s.await("dialect=opentracker", 7)
	for range 2 {
		var names []string
		for _, e := range events {
			names = append(names, e.Name)
			if e.Session != "page" || e.Anonymous != uid || e.Context["browser"] != "Chrome" && e.Context["browser"] != "Headless Chrome" {
				t.Errorf("%s: %+v", e.Name, e)
			}
		}
		if got := strings.Join(names, " "); got != "jQuery script pixel form multipart json beacon" {
			t.Errorf("the listing has %s", got)
		}
		if city := events[4].Properties["city"]; city != "Zürich" {
			t.Errorf("the city is %q", city)
		}
		var again counts
		s.get("/api/counts?site=default&property=gender", &again)
		if got := showCounts(again.Data); got != want {
			t.Errorf("read back: %s, want %s", got, want)
		}
		var listing struct {
			Rows int
			Data []struct{ Title string }
		}
		s.get("/api/views/events?site=default&property=ti&value=pixel", &listing)
		if listing.Rows != 1 || len(listing.Data) != 1 || listing.Data[0].Title != "pixel" {
			t.Errorf("the pixel in the listing: %+v", listing)
		}
		s.restart()
		events = s.events("dialect=opentracker")
	}
}

// otRow is a row of /api/counts.
type otRow struct {
	Value string
	otTally
}

func showCounts(rows []otRow) string {
	var out []string
	for _, r := range rows {
		out = append(out, fmt.Sprint(r.Value, " ", r.Event, " ", r.Session, " ", r.User))
	}
	return strings.Join(out, ", ")
}
