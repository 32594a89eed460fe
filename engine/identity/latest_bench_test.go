package identity

import (
	"fmt"
	"testing"

	"cairn/engine/event"
)

// BenchmarkLatestEvents looks up the newest event of a user and then puts a newer one. Ingest
// does this for each event of a recognised device.
func BenchmarkLatestEvents(b *testing.B) {
	for _, c := range []struct {
		name  string
		users int
	}{{"kept", 10_000}, {"forgotten", 200_000}} {
		b.Run(c.name, func(b *testing.B) {
			ids := make([]string, c.users)
			for i := range ids {
				ids[i] = fmt.Sprintf("user-%08d", i)
			}
			s := NewLatestEvents(4 << 20)
			dialect := DialectNumber(event.OpenPanel)
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				k := LatestKey{1, dialect, InSession, ids[i*7919%len(ids)]}
				s.Get(k)
				s.Put(k, Latest{uint64(i) + 1, int64(i)}, true)
			}
		})
	}
}

// BenchmarkSessionOwners looks up the owner of a session and puts the owner again if it is
// forgotten.
func BenchmarkSessionOwners(b *testing.B) {
	for _, c := range []struct {
		name     string
		sessions int
	}{{"kept", 10_000}, {"forgotten", 200_000}} {
		b.Run(c.name, func(b *testing.B) {
			ids := make([]string, c.sessions)
			for i := range ids {
				ids[i] = fmt.Sprintf("session-%08d", i)
			}
			o := NewSessionOwners(4 << 20)
			first := &event.Event{User: "somebody"}
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				id := ids[i*7919%len(ids)]
				if _, known := o.Get(1, 0, id); !known {
					o.Put(1, 0, id, first)
				}
			}
		})
	}
}
