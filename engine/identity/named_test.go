package identity

import (
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// A named session is read back as it was written.
func TestNamedSessionRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := &namedSession{name: rapid.String().Draw(t, "name")}
		for range rapid.IntRange(1, 20).Draw(t, "rows") {
			s.take(rapid.Int64Range(0, 1000).Draw(t, "time"), 10)
		}
		isReadBack(t, &idEntry{ord: rapid.Uint64().Draw(t, "ord"), session: s})
	})
}

// The stretches of a session say for each time whether a row is near, as a list of all rows does.
func TestStretches(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		const within = 10
		var s namedSession
		rows := rapid.SliceOfN(rapid.Int64Range(0, 150), 1, 30).Draw(t, "rows")
		for _, at := range rows {
			s.take(at, 2*within)
		}
		if s.first != slices.Min(rows) || s.last() != slices.Max(rows) {
			t.Fatalf("from %d to %d: %v", s.first, s.last(), rows)
		}
		for at := int64(-20); at <= 170; at++ {
			want := slices.ContainsFunc(rows, func(row int64) bool { return row-at <= within && at-row <= within })
			if got := s.near(at, within); got != want {
				t.Fatalf("near %d: %v, want %v; rows %v, stretches %v", at, got, want, rows, s.stretches)
			}
		}
	})
}

// Only the newest stretches are remembered. The first row is not forgotten.
func TestOldStretchesAreForgotten(t *testing.T) {
	var s namedSession
	for i := range int64(2 * stretchesMax) {
		s.take(100*i, 20)
	}
	if len(s.stretches) != stretchesMax || s.first != 0 || s.near(0, 10) || !s.near(100*stretchesMax, 10) {
		t.Errorf("%+v", s)
	}
	s.take(50, 20) // older than all that are remembered
	if len(s.stretches) != stretchesMax || s.near(50, 10) {
		t.Errorf("%+v", s)
	}
}

// The key of a name within an id is known from its parts, also for long ids.
func TestNameKey(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.SampledFrom([]string{"", "a", "b", "ab", "ba", string(make([]byte, 200)), string(make([]byte, 256))})
		id, name := text.Draw(t, "id"), text.Draw(t, "name")
		key := string(appendNameKey(nil, 7, 2, KindUser, id, name))
		if !isNameKey(key, 2, id, name) || isNameKey(key, 1, id, name) || isNameKey(key, 2, id, name+"x") || isNameKey(key, 2, id, "x"+name) {
			t.Fatalf("%q", key)
		}
	})
}
