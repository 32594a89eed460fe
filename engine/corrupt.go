// Damage met while the store is open: whoever asked for what is damaged is told,
// the others go on, and the operator sees it in /healthz, the log and the metrics.

package engine

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"sync"

	"cairn/engine/query"
	"cairn/wal"

	"github.com/cockroachdb/pebble/v2"
)

// storeFile finds Pebble's name of a file in its messages.
var storeFile = regexp.MustCompile(`\b(\d{6,}\.(?:sst|log|blob)|MANIFEST-\d+)\b`)

// Corrupt returns the CorruptError that err is, or nil when it is of another kind.
func Corrupt(err error) *query.Damage {
	var below interface {
		error
		Damaged() (file, what string) // wal's and index's
	}
	var known *query.Damage
	switch {
	case errors.As(err, &known):
		return known
	case errors.As(err, &below):
		file, _ := below.Damaged()
		return &query.Damage{File: file, Err: err}
	case err != nil && pebble.IsCorruptionError(err):
		file := storeFile.FindString(err.Error())
		if file == "" {
			file = StoreName
		}
		return &query.Damage{File: file, Err: err}
	}
	return nil
}

// unreadable says which event's record in the log is not one. The file is named as wal
// names it.
func unreadable(site uint32, seq uint64, err error) error {
	file, _ := (&wal.CorruptError{Site: site}).Damaged()
	return &query.Damage{File: file, Err: fmt.Errorf("event %d: %w", seq, err)}
}

// wayOn is what whoever starts a damaged store can do.
const wayOn = `no command can skip damaged data yet: keep a copy of the directory, then make a new one from the newest snapshot with "cairn restore"`

// damage remembers what was found damaged since the store was opened.
type damage struct {
	mu    sync.Mutex
	count uint64
	files []string // the first damagedMax
}

const damagedMax = 16

// note counts a damaged place and reports whether it is a new one.
func (d *damage) note(file string) (first bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.count++
	if slices.Contains(d.files, file) || len(d.files) == damagedMax {
		return false
	}
	d.files = append(d.files, file)
	return true
}

// snapshot returns the count and the places.
func (d *damage) snapshot() (count uint64, files []string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.count, slices.Clone(d.files)
}

// corrupted notes damage that a read, or Pebble in the background, has met.
func (e *Engine) corrupted(err error) {
	c := Corrupt(err)
	if c == nil {
		return
	}
	if e.damage.note(c.File) {
		e.log.Error("store: damaged data; restore a snapshot", "file", c.File, "error", err)
	}
}
