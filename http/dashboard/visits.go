package dashboard

import (
	"slices"
	"time"
)

// This file shows visits: the line of one in a list, and the events of one as a story.

// visitEventsMax is how many events of a visit are shown.
const visitEventsMax = 500

// visitsAnswer is a page of visits of the API.
type visitsAnswer struct {
	Sessions []visitData `json:"sessions"`
	Next     *string     `json:"next"`
}

// visitData is a visit of the API.
type visitData struct {
	ID           string    `json:"id"`
	Key          string    `json:"key"`
	User         string    `json:"user"`
	Anonymous    string    `json:"anonymous"`
	Dialect      string    `json:"dialect"`
	Start        time.Time `json:"start"`
	End          time.Time `json:"end"`
	Duration     float64   `json:"duration"`
	Events       uint64    `json:"events"`
	Actions      uint64    `json:"actions"`
	Entry        string    `json:"entry"`
	Exit         string    `json:"exit"`
	Bounce       bool      `json:"bounce"`
	Referrer     string    `json:"referrer"`
	ReferrerType string    `json:"referrer_type"`
	Campaign     string    `json:"campaign"`
	Goals        []string  `json:"goals"`
	Orders       []string  `json:"orders"`
}

// storyView are the events of a visit, the first one first.
type storyView struct {
	Rows  []storyRow
	More  bool   // it has more of them
	Whole string // address of the visit; "" = this is it
}

// storyRow is an event of a visit.
type storyRow struct {
	eventRowView
	Gap string // how long after the one before; "" = at once
	Now bool   // it is the event that is looked at
	Day string // the day, where another begins
	In  string // the page, where the name says something else
}

// storyOf makes the story of the events of a visit. They come in the order of their receipt.
func (p *page) storyOf(a *eventsAnswer, now string) *storyView {
	slices.SortStableFunc(a.Events, func(x, y eventData) int { return x.Time.Compare(y.Time) })
	v := &storyView{More: len(a.Events) == visitEventsMax && a.Next != nil}
	day := ""
	for i := range a.Events {
		e := &a.Events[i]
		r := storyRow{eventRowView: p.eventRow(e), Now: e.ID == now}
		r.Time = p.locale.Seconds(e.Time)
		if d := p.locale.Date(e.Time); d != day {
			day, r.Day = d, d
		}
		if i > 0 {
			if gap := e.Time.Sub(a.Events[i-1].Time); gap >= time.Second {
				r.Gap = "+" + p.locale.Duration(gap)
			}
		}
		if path := e.about("path"); path != r.What {
			r.In = path
		}
		v.Rows = append(v.Rows, r)
	}
	return v
}
