package identity

import (
	"fmt"
	"testing"
	"time"

	"cairn/engine/calendar"
	"cairn/engine/event"

	"pgregory.net/rapid"
)

// A visit is read back as it was written. A form that is cut short or has one more byte is
// damaged.
func TestVisitRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v := &Visit{
			id: rapid.String().Draw(t, "id"), visitor: rapid.String().Draw(t, "visitor"), user: rapid.String().Draw(t, "user"),
			Arrival: Arrival{rapid.String().Draw(t, "campaign"), rapid.String().Draw(t, "keyword"), rapid.Bool().Draw(t, "referred")},
			viewed:  rapid.Bool().Draw(t, "viewed"), first: rapid.Int64().Draw(t, "first"), last: rapid.Int64().Draw(t, "last"),
			known: rapid.SampledFrom([]uint64{0, 0, 7, 1 << 60}).Draw(t, "known"), bare: rapid.SampledFrom([]string{"", "", "f1"}).Draw(t, "bare"),
			actions: rapid.Uint64().Draw(t, "actions"), goals: rapid.SliceOfN(rapid.Int64(), 1, 4).Draw(t, "goals"),
		}
		isReadBack(t, &idEntry{ord: rapid.Uint64().Draw(t, "ord"), visit: v})
	})
}

// The stored form of a visit must stay the same byte by byte. It may change only with a new
// version.
func TestVisitGolden(t *testing.T) {
	k := &idEntry{ord: 300, visit: &Visit{
		id: "0a", visitor: "aaaaaaaaaaaaaaaa", user: "ada", Arrival: Arrival{"spring", "tea", true}, viewed: true,
		first: 1_795_168_800_000, last: 1_795_168_860_000, actions: 2, goals: []int64{7, 1},
	}}
	const want = "02ac020380b4b086bf68c0ddb786bf680202306110616161616161616161616161616161610361646106737072696e6703746561020e02"
	if got := fmt.Sprintf("%x", k.append(nil)); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	k.visit.known, k.visit.bare = 300, "ff"
	united := "02ac0207" + want[8:] + "ac02026666"
	if got := fmt.Sprintf("%x", k.append(nil)); got != united {
		t.Errorf("got  %s\nwant %s", got, united)
	}
}

// Each case tries one rule that decides whether an event belongs to a visit.
func TestVisitAccepts(t *testing.T) {
	noon := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC).UnixMilli()
	visit := Visit{first: noon, last: noon, actions: 3, Arrival: Arrival{Campaign: "spring", keyword: "tea", referred: true}}
	campaign := func(name, keyword string) event.Object {
		return event.Object{{Key: "utm_campaign", Value: event.Str(name)}, {Key: "utm_term", Value: event.Str(keyword)}}
	}
	const idle = 30 * 60 * 1000
	for _, c := range []struct {
		name string
		when int64 // milliseconds after noon
		hit  event.Hit
		with event.Object
		turn func(*Visit)
		want bool
		day  [2]int64 // absent = the 24 hours around noon
	}{
		{"at once", 0, event.Hit{}, nil, nil, true, [2]int64{}},
		{"29:59.999 later", idle - 1, event.Hit{}, nil, nil, true, [2]int64{}},
		{"30:00 later", idle, event.Hit{}, nil, nil, false, [2]int64{}},
		{"earlier", -idle, event.Hit{}, nil, nil, true, [2]int64{}},
		{"asked for a new one", 1, event.Hit{New: true}, nil, nil, false, [2]int64{}},
		{"a heartbeat does not begin a visit", 1, event.Hit{New: true, Ping: true}, nil, nil, true, [2]int64{}},
		{"the last of its actions", 1, event.Hit{}, nil, func(v *Visit) { v.actions = visitActionsMax - 1 }, true, [2]int64{}},
		{"too many actions", 1, event.Hit{}, nil, func(v *Visit) { v.actions = visitActionsMax }, false, [2]int64{}},
		{"the same campaign", 1, event.Hit{}, campaign("Spring", "Tea"), nil, true, [2]int64{}},
		{"another keyword", 1, event.Hit{}, campaign("spring", "cup"), nil, false, [2]int64{}},
		{"another campaign", 1, event.Hit{}, campaign("autumn", "tea"), nil, false, [2]int64{}},
		{"a campaign after an arrival without one", 1, event.Hit{}, campaign("autumn", "tea"), func(v *Visit) { v.Arrival = Arrival{} }, true, [2]int64{}},
		{"the day before", 1, event.Hit{}, nil, nil, false, [2]int64{noon + 1, noon + calendar.DayMillis}},
		{"the day after", -1, event.Hit{}, nil, nil, false, [2]int64{noon - calendar.DayMillis, noon}},
	} {
		v, q := visit, Question{Hit: &c.hit, Day: c.day}
		if c.turn != nil {
			c.turn(&v)
		}
		if q.Day[1] == 0 {
			q.Day = [2]int64{noon - calendar.DayMillis/2, noon + calendar.DayMillis/2}
		}
		if got := v.accepts(&event.Event{Type: event.Page, Time: noon + c.when, Context: c.with}, &q, event.NewestRule(event.Matomo)); got != c.want {
			t.Errorf("%s: the visit goes on: %t, want %t", c.name, got, c.want)
		}
	}
}
