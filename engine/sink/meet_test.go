package sink

import (
	"log/slog"
	"testing"
	"time"

	"cairn/engine/records"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// named is a sink that is asked nothing but its name.
type named struct{ Sink }

func (named) Name() string { return "memory" }

// meeting is a runner that can meet sites.
func meeting(t *testing.T, sites func() []Site) *Runner {
	t.Helper()
	db, err := pebble.Open("store", &pebble.Options{FS: vfs.NewMem()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	r, err := NewRunner(Config{Sink: named{}}, Source{DB: db, Number: 5, Bytes: 1 << 20, Log: slog.New(slog.DiscardHandler), Now: time.Now,
		Sites:   func() ([]Site, error) { return sites(), nil },
		Last:    func(uint32) uint64 { return 10 },
		Full:    func() bool { return false },
		Between: func(fn func() error) error { return fn() },
	})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// A deletion names the sinks that have a cursor for its site. So a cursor begins between two deletions: one
// under way would neither name the sink nor hide its rows from it yet.
func TestCursorsBeginBetweenDeletions(t *testing.T) {
	r := meeting(t, func() []Site { return []Site{{1, "shop"}, {2, "blog"}} })
	between := 0
	r.src.Between = func(fn func() error) error {
		between++
		cursors, err := records.SinkCursors(r.src.DB)
		if err != nil || len(cursors) > 0 {
			t.Errorf("there are cursors already: %v, %v", cursors, err)
		}
		return fn()
	}
	for range 2 { // the second time no cursor begins
		if err := r.meet(); err != nil {
			t.Fatal(err)
		}
	}
	if cursors, err := records.SinkCursors(r.src.DB); err != nil || len(cursors) != 2 || between != 1 {
		t.Errorf("%d cursors, %d times between deletions, %v", len(cursors), between, err)
	}
}
