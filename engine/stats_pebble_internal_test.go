package engine

import (
	"testing"
	"time"
)

// Metrics that Pebble cannot compute now are answered with the ones before, and one goroutine waits
// for them, not one a question.
func TestMetricsWhileTheStoreDoesNotAnswer(t *testing.T) {
	var p pebbleNumbers
	number := func(m []Metric) float64 {
		if len(m) != 1 {
			t.Fatalf("%d metrics, want 1", len(m))
		}
		return m[0].Value
	}
	answer := func(v float64) func() []Metric {
		return func() []Metric { return []Metric{{"m", "gauge", "", v}} }
	}
	if got := number(p.get(time.Minute, answer(1))); got != 1 {
		t.Fatalf("the first answer is %v", got)
	}
	begun, stuck := make(chan struct{}), make(chan struct{})
	if got := number(p.get(time.Millisecond, func() []Metric { close(begun); <-stuck; return answer(2)() })); got != 1 {
		t.Errorf("while the store does not answer: %v, want the answer before", got)
	}
	<-begun
	if got := number(p.get(time.Millisecond, func() []Metric { t.Error("a second question beside the first"); return nil })); got != 1 {
		t.Errorf("the second while the store does not answer: %v, want the answer before", got)
	}
	close(stuck)
	p.wait()
	if got := number(p.get(time.Minute, answer(3))); got != 3 {
		t.Errorf("after the store answers again: %v, want 3", got)
	}
}
