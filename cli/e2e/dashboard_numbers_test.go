package e2e

import (
	"encoding/json"
	"math"
	"testing"
	"time"
)

// This file counts again what was sent to the seeded site, for the numbers that numbers.mjs finds
// on the page. It knows nothing of how cairn counts.

// recount is what numbers.mjs is told.
type recount struct {
	Tiles map[string]float64 `json:"tiles"` // of native visits of 30 days, by title
	Rows  []recountRow       `json:"rows"`  // of tables over 30 days of all protocols
	Day   string             `json:"day"`   // on which the clock changed
	Hours []recountHour      `json:"hours"` // of that day
	// Before is how many visits the day before that one had.
	Before int `json:"before"`
}

type recountRow struct {
	Tab    string  `json:"tab"` // "" = the panel's first
	Panel  string  `json:"panel"`
	Row    string  `json:"row"`
	Column string  `json:"column"`
	Value  float64 `json:"value"`
}

type recountHour struct {
	Time   time.Time `json:"time"`
	Visits int       `json:"visits"`
}

func (s *seed) recount() recount {
	from := s.midnight(-29)
	var visits, views, bounces, seconds, signups, converted float64
	people := map[string]bool{}
	byCountry, byEntry := map[string]map[string]bool{}, map[string]map[string]bool{}
	note := func(m map[string]map[string]bool, key, person string) {
		if m[key] == nil {
			m[key] = map[string]bool{}
		}
		m[key][person] = true
	}
	for _, v := range s.visits {
		if v.begin.Before(from) {
			continue
		}
		visits++
		views += float64(v.views)
		seconds += v.end.Sub(v.begin).Seconds()
		if v.events < 2 {
			bounces++
		}
		if signups += float64(v.signups); v.signups > 0 {
			converted++
		}
		people[v.person] = true
		note(byCountry, v.country, v.person)
		note(byEntry, v.entry, v.person)
	}
	pages, names, whoDid := map[string]float64{}, map[string]float64{}, map[string]map[string]bool{}
	for _, e := range s.events {
		switch {
		case e.at.Before(from):
		case e.typ == "page" && e.page != "":
			pages[e.page]++
		case e.typ == "track" || e.typ == "search":
			names[e.name]++
			note(whoDid, e.name, e.dialect+" "+e.person)
		}
	}
	r := recount{
		Tiles: map[string]float64{"Visitors": float64(len(people)), "Visits": visits, "Page views": views, "Views per visit": told(views/visits, 1), "Bounce rate": told(bounces/visits, 4),
			"Visit duration": told(seconds/visits, 1), "Conversions": signups, "Conversion rate": told(converted/visits, 4)},
		Rows: []recountRow{
			{"", "places", "DE", "Visitors", float64(len(byCountry["DE"]))},
			{"", "places", "JP", "Visitors", float64(len(byCountry["JP"]))},
			{"entry", "pages", "/about", "Visitors", float64(len(byEntry["/about"]))},
			{"", "pages", "/pricing", "Page views", pages["/pricing"]},
			{"", "pages", "/docs", "Page views", pages["/docs"]},
			{"", "pages", "/about", "Page views", pages["/about"]},
			{"", "events", "signup", "Events", names["signup"]},
			{"", "events", "signup", "People", float64(len(whoDid["signup"]))},
			{"", "events", "Purchase", "Events", names["Purchase"]},
			{"search", "events", "install", "Events", names["install"]},
		},
		Day: s.dst.Format(time.DateOnly),
	}
	for hour := s.dst; hour.Before(s.dst.AddDate(0, 0, 1)); hour = hour.Add(time.Hour) {
		n := 0
		for _, v := range s.visits {
			if !v.begin.Before(hour) && v.begin.Before(hour.Add(time.Hour)) {
				n++
			}
		}
		r.Hours = append(r.Hours, recountHour{hour, n})
	}
	for _, v := range s.visits {
		if !v.begin.Before(s.dst.AddDate(0, 0, -1)) && v.begin.Before(s.dst) {
			r.Before++
		}
	}
	return r
}

// told is a quotient with the digits that the API gives, of which the screen rounds again: 0.48146 is
// 0.4815 in the answer and 48.2 % on the screen.
func told(x float64, digits int) float64 {
	unit := math.Pow10(digits)
	return math.Round(x*unit) / unit
}

// env is the variable of the environment that tells numbers.mjs.
func (r recount) env() string {
	text, err := json.Marshal(r)
	if err != nil {
		panic(err)
	}
	return "RECOUNT=" + string(text)
}

// The recount has the digits of the API where these decide what the screen shows: exact, 48.146 % and
// 83.46 s would be 48.1 % and 83 s there.
func TestDashboardRecountRounds(t *testing.T) {
	t.Parallel()
	s := newSeed(time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC))
	for i := range 3425 {
		v := seedVisit{views: 2, events: 2, begin: s.now.Add(-time.Hour), end: s.now.Add(-time.Hour + 83*time.Second)}
		if i < 1649 {
			v.events, v.signups = 1, 1
		}
		if i < 1576 {
			v.end = v.end.Add(time.Second)
		}
		if i < 857 {
			v.views = 3
		}
		s.visits = append(s.visits, v)
	}
	got := s.recount().Tiles
	for title, want := range map[string]float64{"Visits": 3425, "Bounce rate": 0.4815, "Conversion rate": 0.4815, "Visit duration": 83.5, "Views per visit": 2.3} {
		if got[title] != want {
			t.Errorf("%s: %v, want %v", title, got[title], want)
		}
	}
}

// The recount has something to find: a day with one hour more or less than 24, in summer as in winter.
func TestDashboardRecount(t *testing.T) {
	t.Parallel()
	s := newSeed(time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC))
	if got := s.recount(); got.Day != "2026-10-25" || len(got.Hours) != 25 {
		t.Errorf("%+v", got)
	}
	s = newSeed(time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC))
	if got := s.recount(); got.Day != "2026-03-29" || len(got.Hours) != 23 {
		t.Errorf("%+v", got)
	}
}
