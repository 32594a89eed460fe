package httpd

import (
	"testing"
	"time"
)

// A read of a dialect asks the store more than once. All questions together end in time.
func TestReadsOfDialectsEndTogether(t *testing.T) {
	s := start(t, nil)
	before := time.Now()
	if a := s.send("GET", "/tracking/events", "", secret); a.status != 200 {
		t.Fatalf("%d %s", a.status, a.body)
	}
	end, bounded := s.engine.asked.Deadline()
	if !bounded || end.Before(before) || end.After(time.Now().Add(readMax)) {
		t.Errorf("the store may take until %v (%v)", end, bounded)
	}
	if s.engine.asked.Err() == nil {
		t.Error("the time is kept after the answer")
	}
}
