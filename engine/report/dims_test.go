package report

import (
	"slices"
	"testing"
	"time"

	"cairn/engine/event"
	"cairn/engine/query"
	"cairn/engine/referrer"
)

// The values that a filter may ask for are those that a visit can have.
func TestClosedValues(t *testing.T) {
	var seconds, views []string
	for _, l := range lengths {
		seconds = append(seconds, l.name)
	}
	for _, d := range depths {
		views = append(views, d.name)
	}
	for field, values := range map[string][]string{"length": seconds, "depth": views} {
		if got := query.ClosedValues(field); !slices.Equal(got, values) {
			t.Errorf("%s has %q, and visits %q", field, got, values)
		}
	}
	channels, known := slices.Sorted(slices.Values(query.ClosedValues("channel"))), slices.Sorted(slices.Values(referrer.Channels))
	if !slices.Equal(channels, known) {
		t.Errorf("channels %q and %q", channels, known)
	}
	for at := int64(0); at < 8*24*3600_000; at += 1800_000 {
		for _, field := range []string{"weekday", "hour", "weekhour"} {
			text := clockText(field, at, time.UTC)
			if !slices.Contains(query.ClosedValues(field), text) {
				t.Fatalf("%s of %d is %s", field, at, text)
			}
		}
	}
}

// What is said of the dimensions is what a report takes: each of them, and no other but properties.
func TestDimensionsAreThoseThatAreNamed(t *testing.T) {
	for _, name := range query.VisitDimensions {
		if _, ok := dimOf(name); !ok {
			t.Errorf("%s is no dimension", name)
		}
	}
	for _, name := range append(slices.Clone(event.ContextKeys), "name", "user", "anonymous", "session", "type", "value", "message_id", "page",
		"host", "channel", "source", "medium", "campaign", "term", "content", "group", "dialect", "entry", "exit", "new", "weekday", "hour", "weekhour", "length", "depth") {
		if _, ok := dimOf(name); ok != slices.Contains(query.VisitDimensions, name) {
			t.Errorf("%s is a dimension: %v", name, ok)
		}
	}
}
