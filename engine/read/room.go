// Rooms: the memory of reports. All reports share so many bytes for the rows of their answers,
// the texts in them, and whatever else grows with the question.

package read

import (
	"fmt"
	"sync/atomic"

	"cairn/engine/query"
)

// reportBytes is the memory that all reports share.
type reportBytes struct {
	all  int64
	free atomic.Int64
}

func newReportBytes(all int64) *reportBytes {
	b := &reportBytes{all: all}
	b.free.Store(all)
	return b
}

// Room is what one report has taken of the memory of all. Several goroutines may use it. Whoever
// takes a Room closes it. nil is a room without a bound.
type Room struct {
	of   *reportBytes
	used atomic.Int64 // what the report needs
	held atomic.Int64 // what it has taken
}

// A report needs no room for its first roomFree bytes. Then it takes roomStep at a time.
const (
	roomFree = 256 << 10
	roomStep = 64 << 10
)

// Room returns a room of the memory of all reports. It is closed with the rows at the latest.
func (r *Rows) Room() *Room {
	m := r.reader.room()
	r.roomsMu.Lock()
	r.rooms = append(r.rooms, m)
	r.roomsMu.Unlock()
	return m
}

// Close gives back the view and all rooms.
func (r *Rows) Close() {
	for _, m := range r.rooms {
		m.Close()
	}
	r.view.Close()
}

func (rd *Reader) room() *Room { return rd.reports.room() }

func (b *reportBytes) room() *Room {
	if b == nil {
		return nil
	}
	return &Room{of: b}
}

// Add says that the report needs so many more bytes. The error wraps query.ErrBadQuery when all
// reports together may not have so many, and is query.ErrReportsBusy when others have them now.
func (m *Room) Add(bytes int64) error {
	if m.Try(bytes) {
		return nil
	}
	if m.used.Load()+bytes <= m.of.all {
		return query.ErrReportsBusy
	}
	return query.Bad("range", "the rows of the answer take more than the %s that reports have of memory; ask for fewer days, add a filter or raise memory", sizeText(m.of.all))
}

// Try is Add for those who can do with less. It reports false when there is no such room; then
// nothing was taken.
func (m *Room) Try(bytes int64) bool {
	if m == nil {
		return true
	}
	used := m.used.Add(bytes)
	for {
		held := m.held.Load()
		need := used - roomFree - held
		if need <= 0 {
			return true
		}
		need = (need + roomStep - 1) / roomStep * roomStep
		if m.of.free.Add(-need) < 0 {
			m.of.free.Add(need)
			m.used.Add(-bytes)
			return false
		}
		if m.held.CompareAndSwap(held, held+need) {
			return true
		}
		m.of.free.Add(need)
	}
}

// Spare is Try for what makes a report faster alone: half of the memory stays for other things.
func (m *Room) Spare(bytes int64) bool {
	return m == nil || m.of.free.Load()-bytes >= m.of.all/2 && m.Try(bytes)
}

// Sub says that the report needs so many bytes no longer. It keeps what it has taken for others of
// its needs.
func (m *Room) Sub(bytes int64) {
	if m != nil {
		m.used.Add(-bytes)
	}
}

// Reset gives back all that was added so far.
func (m *Room) Reset() {
	if m == nil {
		return
	}
	m.used.Store(0)
	m.of.free.Add(m.held.Swap(0))
}

// Close gives back all.
func (m *Room) Close() { m.Reset() }

// sizeText writes a number of bytes for people.
func sizeText(n int64) string {
	if n < 1<<20 {
		return fmt.Sprintf("%d KiB", n>>10)
	}
	return fmt.Sprintf("%d MiB", n>>20)
}
