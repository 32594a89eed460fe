package check

import (
	"testing"

	"cairn/engine/event"
	"cairn/engine/identity"
	"cairn/engine/store"
)

// Where events are lost, ids are not compared, and none are kept: they would fill the memory, and
// nothing would write them to the scratch file.
func TestNoIDsOfASiteWithLostEvents(t *testing.T) {
	t.Parallel()
	for _, lost := range []store.Lost{nil, {1: {{First: 1, Last: 4}}}} {
		s := &siteCheck{
			checker: &checker{report: &Report{}, lost: lost, memory: 1 << 20},
			site:    1,
			ids:     identity.NewIDs(nil, 1<<20),
			links:   &storedLinks{next: func() (seqLink, bool) { return seqLink{}, false }},
		}
		s.ids.SetRules(1, event.NewRules(nil))
		s.event(&event.Event{Seq: 5, Dialect: event.Native, Type: event.Track, Name: "a", Anonymous: "someone", Time: 1}, false)
		if kept := s.ids.Added(); (kept == 0) != (lost != nil) {
			t.Errorf("with %v lost, the check keeps %d ids", lost, kept)
		}
	}
}
