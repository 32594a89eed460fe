package identity

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"cairn/engine/event"
)

// LatestEvents knows whether the log has an event of a user from some rank on. Its answer is
// never wrong, even if it has forgotten entries and if events come late.
func TestLatestEvents(t *testing.T) {
	for seed := range uint64(20) {
		rng := rand.New(rand.NewPCG(seed, 1))
		most := (1 + rng.IntN(6)) * (latestOverhead + len("u0"))
		s := NewLatestEvents(most)
		now := int64(1_000_000)
		log := map[string][]int64{} // ranks by user
		looked := 0
		for op := range 3000 {
			now += rng.Int64N(200)
			id := fmt.Sprint("u", rng.IntN(8))
			if rng.IntN(2) == 0 {
				ev := &event.Event{Dialect: event.OpenPanel, User: id, Received: now, Time: now}
				if rng.IntN(3) == 0 {
					ev.Time -= rng.Int64N(900)
				}
				log[id] = append(log[id], ev.Time)
				s.Published(1, ev, uint64(op+1), "session", false)
				continue
			}
			from := now - 1800 - rng.Int64N(900)
			there := false
			for _, rank := range log[id] {
				there = there || rank >= from
			}
			key := LatestKey{1, DialectNumber(event.OpenPanel), InSession, id}
			switch l, known := s.Get(key); {
			case !known || l.Seq == 0 && from < l.Rank:
				looked++
				if !there {
					s.Put(key, Latest{0, from}, true)
				}
			case (l.Seq != 0 && l.Rank >= from) != there:
				t.Fatalf("seed %d, op %d: %s from rank %d: the answer is %+v, and the log has the ranks %v", seed, op, id, from, l, log[id])
			}
		}
		if looked == 0 || looked > 1400 {
			t.Errorf("seed %d: %d of about 1500 questions had no answer", seed, looked)
		}
		if n := s.entries.Len(); n*latestOverhead > 2*most {
			t.Errorf("seed %d: %d entries in %d bytes", seed, n, 2*most)
		}
	}
}
