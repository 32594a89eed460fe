package identity

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"cairn/engine/event"
	"cairn/engine/store"

	"github.com/cockroachdb/pebble/v2"
)

// BenchmarkAssignMany assigns events of many visits under way at a time, whose entries do not fit
// into the memory of the table. One visit in eight events is a new one, mostly of a new user.
func BenchmarkAssignMany(b *testing.B) {
	const visits, users = 20_000, 1_000_000
	o := store.ScratchOptions()
	db, err := pebble.Open(b.TempDir(), o)
	if err != nil {
		b.Fatal(err)
	}
	defer db.Close()
	ids := NewIDs(db, 7<<20)
	if err := ids.LoadFilter(8 << 20); err != nil {
		b.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(1, 2))
	zipf := rand.NewZipf(rng, 1.05, 500, users-1)
	type visit struct{ user, session string }
	under := make([]visit, visits)
	begin := func(v *visit) {
		*v = visit{fmt.Sprintf("user-%016x", zipf.Uint64()*0x9e3779b97f4a7c15), fmt.Sprintf("%016x", rng.Uint64())}
	}
	for i := range under {
		begin(&under[i])
	}
	events := make([]event.Event, TouchMax) // of a request
	q := Question{}
	seq := uint64(0)
	assign := func() {
		if seq%TouchMax == 0 {
			for i := range events {
				v := &under[rng.IntN(visits)]
				if rng.IntN(8) == 0 {
					begin(v)
				}
				events[i] = event.Event{Dialect: event.Native, Type: event.Track, SessionSent: true, User: v.user, Session: v.session, Time: int64(seq)}
				ids.Touch(1, &events[i])
			}
			ids.Touched()
		}
		e := &events[seq%TouchMax]
		seq++
		if _, err := ids.Assign(1, seq, e, &q, nil); err != nil {
			b.Fatal(err)
		}
		if seq%1000 != 0 {
			return
		}
		if ids.Due() {
			if err := ids.write(db, pebble.NoSync); err != nil {
				b.Fatal(err)
			}
		} else {
			ids.Evict()
		}
	}
	for range 400_000 {
		assign()
	}
	b.ReportAllocs()
	for b.Loop() {
		assign()
	}
}

// BenchmarkAssign assigns events of many visitors, all of which are in memory.
func BenchmarkAssign(b *testing.B) {
	const visitors = 20_000
	for _, c := range []struct {
		name  string
		d     event.Dialect
		named bool
		user  bool
	}{{"native", event.Native, false, false}, {"named", event.Segment, true, false}, {"named+user", event.Segment, true, true}, {"matomo", event.Matomo, false, false}} {
		b.Run(c.name, func(b *testing.B) {
			d := c.d
			ids := NewIDs(nil, 1<<30)
			names := make([]string, visitors)
			for i := range names {
				names[i] = fmt.Sprintf("%016x", i)
			}
			session := func(event.Dialect) string { return "0123456789abcdef0123456789abcdef" }
			e := event.Event{Dialect: d, Type: event.Page, Time: 1_000_000, SessionSent: c.named}
			q := Question{}
			if d == event.Matomo {
				q = Question{Hit: &event.Hit{}, Day: [2]int64{0, 1 << 40}}
			}
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				e.Anonymous = names[i*7919%visitors]
				if e.Time++; c.named {
					e.Session = e.Anonymous
				}
				if c.user {
					e.User = e.Anonymous
				}
				if _, err := ids.Assign(1, uint64(i)+1, &e, &q, session); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkParseEntry reads the stored form of a visitor and of a visit.
func BenchmarkParseEntry(b *testing.B) {
	visitor := idEntry{ord: 300, sessions: []sessionRef{{1, "0123456789abcdef0123456789abcdef", 7, 1_795_168_800_000, 1_795_168_800_000}}}
	visit := idEntry{ord: 300, visit: &Visit{id: "0123456789abcdef", visitor: "aaaaaaaaaaaaaaaa", first: 1_795_168_800_000, last: 1_795_168_860_000, actions: 2}}
	for name, k := range map[string]*idEntry{"visitor": &visitor, "visit": &visit} {
		b.Run(name, func(b *testing.B) {
			form := k.append(nil)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := parseEntry(form); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
