// The window of deduplication is measured in stored time, which no step of the clock moves.

package engine

import (
	"encoding/binary"
	"fmt"
	"math"
	"time"

	"cairn/engine/store"

	"github.com/cockroachdb/pebble/v2"
)

// dedupWindow says how old an event may be whose message id is still remembered.
//
// Rows have the wall time of their receipt, and the clock may be stepped. So the window is
// measured in stored time: how long servers have had the store open, by a clock that is never
// set. The time between two runs does not count, because nobody knows how long it was; ids
// are then remembered longer. dedupWindow knows by how much the wall clock was ahead of stored
// time, at the least, within the last window. A row is in the window if it was received at
// that distance within the window, or later.
//
// The store has a copy, so that a start knows it. The copy is at most dedupSave behind, and
// has every offset at which rows were received. The window belongs to the sequencer.
type dedupWindow struct {
	length  int64 // milliseconds
	elapsed func() time.Duration
	start   time.Duration // elapsed at the start
	before  int64         // stored time at the start, in milliseconds
	offsets []wallOffset  // by offset, ascending
	saved   int64         // stored time of the copy in the store
	dirty   bool          // an offset is missing in the copy
}

// wallOffset is the distance of the wall clock from stored time, and when it was last seen.
type wallOffset struct {
	offset int64 // milliseconds, a multiple of offsetStep
	seen   int64 // stored time, in milliseconds
}

const (
	offsetStep  = int64(time.Hour / time.Millisecond) // smaller differences are one offset, the lowest
	offsetsMax  = 16                                  // beyond it two neighbours become one
	dedupSave   = int64(time.Minute / time.Millisecond)
	offsetBytes = 16
)

// loadDedupWindow reads the copy in the store. In a store without one, the newest event may
// have been received just now.
func loadDedupWindow(r pebble.Reader, length time.Duration, elapsed func() time.Duration, wall, newest int64) (*dedupWindow, error) {
	w := &dedupWindow{length: length.Milliseconds(), elapsed: elapsed, start: elapsed()}
	v, err := store.Get(r, store.Key("window"))
	if err != nil {
		return nil, err
	}
	if v == nil {
		if newest > 0 {
			w.note(min(wall, newest))
		}
		return w, nil
	}
	if len(v)%offsetBytes != 8 || v[0] > 0x7f { // a negative time
		return nil, fmt.Errorf("damaged record of the window of deduplication: %x", v)
	}
	w.before = int64(binary.BigEndian.Uint64(v))
	for v = v[8:]; len(v) > 0; v = v[offsetBytes:] {
		// Each may have been seen after the copy was written.
		w.offsets = append(w.offsets, wallOffset{int64(binary.BigEndian.Uint64(v)), w.before})
	}
	w.saved = w.before
	return w, nil
}

// now is the stored time in milliseconds.
func (w *dedupWindow) now() int64 { return w.before + (w.elapsed() - w.start).Milliseconds() }

// note is told when events are received, by the wall clock in milliseconds.
func (w *dedupWindow) note(received int64) {
	now := w.now()
	offset := received - now
	offset -= (offset%offsetStep + offsetStep) % offsetStep
	i := 0
	for i < len(w.offsets) && w.offsets[i].offset < offset {
		i++
	}
	if i < len(w.offsets) && w.offsets[i].offset == offset {
		w.offsets[i].seen = now
		return
	}
	w.dirty = true
	w.offsets = append(w.offsets, wallOffset{})
	copy(w.offsets[i+1:], w.offsets[i:])
	w.offsets[i] = wallOffset{offset, now}
	kept := w.offsets[:0]
	for _, o := range w.offsets {
		if o.seen >= now-w.length {
			kept = append(kept, o)
		}
	}
	w.offsets = kept
	if n := len(w.offsets); n > offsetsMax { // the lowest decides, so forget that the two highest differ
		w.offsets[n-2].seen = max(w.offsets[n-2].seen, w.offsets[n-1].seen)
		w.offsets = w.offsets[:n-1]
	}
}

// since returns the lowest time of receipt, by the wall clock in milliseconds, of a row in the
// window.
func (w *dedupWindow) since() int64 {
	now := w.now()
	least := int64(math.MaxInt64)
	for _, o := range w.offsets {
		if o.seen >= now-w.length {
			least = min(least, o.offset)
		}
	}
	if least == math.MaxInt64 {
		return least // no row was received within the window
	}
	return least + now - w.length
}

// due reports whether the copy in the store has to be written with the next group.
func (w *dedupWindow) due() bool { return w.dirty || w.now()-w.saved >= dedupSave }

// save writes the copy.
func (w *dedupWindow) save(b *pebble.Batch) error {
	w.saved, w.dirty = w.now(), false
	v := binary.BigEndian.AppendUint64(nil, uint64(w.saved))
	for _, o := range w.offsets {
		v = binary.BigEndian.AppendUint64(v, uint64(o.offset))
		v = binary.BigEndian.AppendUint64(v, uint64(o.seen))
	}
	return b.Set(store.Key("window"), v, nil)
}
