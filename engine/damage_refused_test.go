// A start that is refused has changed nothing, whatever block of a table is damaged: all that a
// start reads is read before the store is opened for writing.

package engine_test

import (
	"math/rand/v2"
	"strings"
	"testing"

	"cairn/engine"
	"cairn/engine/store"

	"github.com/cockroachdb/pebble/v2"
)

func TestRefusedStartChangesNothing(t *testing.T) {
	t.Parallel()
	w := newWorkload(rand.New(rand.NewPCG(31, 1)))
	fs := files{}.mem(t)
	options := w.options(fs, rand.New(rand.NewPCG(31, 2)))
	options.SealRows, options.HotEvents = 1<<16, 1<<16 // nothing is sealed
	e, err := engine.Open(options)
	if err != nil {
		t.Fatal(err)
	}
	w.run(e, 1, 60, never)
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	// The log goes to a table, as at the next flush.
	db, err := pebble.Open("data/store", &pebble.Options{FS: fs, FormatMajorVersion: store.PebbleFormat, Logger: store.QuietLogger})
	if err == nil {
		err = db.Flush()
	}
	if err == nil {
		err = db.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	good := readFiles(t, fs, "data")
	for name := range good {
		if strings.HasPrefix(name, store.SpareName) {
			delete(good, name) // Pebble has written past the engine
		}
	}
	refused := 0
	for _, name := range good.names() {
		if !strings.HasSuffix(name, ".sst") {
			continue
		}
		for at := 0; at < len(good[name]); at += 150 {
			bad := append([]byte{}, good[name]...)
			bad[at] ^= 1
			fs := good.with(name, bad).mem(t)
			options.FS = fs
			e, err := engine.Open(options)
			if err == nil {
				if err := e.Close(); err != nil {
					t.Fatal(err)
				}
				continue
			}
			refused++
			if !named.MatchString(err.Error()) {
				t.Errorf("%s, byte %d: %v", name, at, err)
			}
			for _, n := range good.with(name, bad).differ(readFiles(t, fs, "data")) {
				if n != "store/LOCK" {
					t.Errorf("%s, byte %d: %s has changed, though the start is refused: %v", name, at, n, err)
				}
			}
		}
	}
	if refused == 0 {
		t.Error("no start was refused")
	}
	t.Logf("%d starts refused", refused)
}
