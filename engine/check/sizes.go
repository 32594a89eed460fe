// Sizes: how much of the disk a store takes up, field by field.

package check

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"cairn/engine/event"
	"cairn/engine/store"
	"cairn/engine/table"
	"cairn/index"
	"cairn/wal"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// Sizes is how much of the disk a store takes up. All sizes are in bytes, compressed.
type Sizes struct {
	Events  uint64 // number of all events
	Sealed  uint64 // number of events in runs
	Runs    int
	Fields  []FieldSize // of the runs, largest first
	Totals  uint64      // of the runs: counters
	Filters uint64      // of the runs: filters of message ids
	Headers uint64      // of the runs
	Counts  uint64      // of the runs: events by quarter of an hour, see table.QuarterMillis, and by pairs of values
	Log     uint64      // rows and deltas that are not sealed
	IDs     uint64      // what ingest knows about users, visitors and sessions, and links
	Tables  uint64      // all tables of Pebble, including all of the above
	WAL     uint64      // files of the write-ahead log
}

// FieldSize is how much of the disk the runs take up for one field, in bytes.
type FieldSize struct {
	Field string // as conditions name it, or an integer column: received, time …
	Rows  uint64 // the value or code of each row
	Cells uint64 // the distinct values, and how many rows have each
	Lists uint64 // which rows have each value, and what is inside the values
}

// Total is the sum of a field's sizes.
func (f *FieldSize) Total() uint64 { return f.Rows + f.Cells + f.Lists }

var intNames = [event.NumInts]string{"received", "time", "session number", "person number", "day", "flags"}

// FieldNames are the core fields as conditions name them.
var FieldNames = map[string]string{
	event.FieldType: "type", event.FieldDialect: "dialect", event.FieldName: "name", event.FieldUser: "user",
	event.FieldAnonymous: "anonymous", event.FieldSession: "session", event.FieldPrevious: "previous", event.FieldGroups: "group",
	event.FieldMessageID: "message_id", event.FieldValue: "value", event.FieldIncrements: "increments", event.FieldSegments: "segments",
	event.FieldNotCounted: "not counted", event.FieldCapped: "capped", event.FieldCut: "cut",
	event.PrefixProperty: "prop.*", event.PrefixContext: "context.*", event.PrefixExtra: "extra.*",
}

// fieldName returns the name of a column's field.
func fieldName(field string) string {
	if name := FieldNames[field]; name != "" || field == "" {
		return name
	}
	switch field[:1] {
	case event.PrefixProperty:
		return "prop." + field[1:]
	case event.PrefixExtra:
		return "extra." + strings.ReplaceAll(field[1:], event.KeySep, ".")
	}
	return field[1:]
}

// Measure measures the store in a data directory. fs may be nil for the disk. No server may
// have the store open; Measure changes nothing.
func Measure(fs vfs.FS, dir string) (s Sizes, err error) {
	if fs == nil {
		fs = vfs.Default
	}
	db, err := store.OpenPebble(store.Dir(fs, dir), store.ReadOnlyOptions(fs))
	if err != nil {
		return s, fmt.Errorf("measure: %w", err)
	}
	defer db.Close()
	last, err := store.LastSeqs(db)
	if err != nil {
		return s, fmt.Errorf("measure: %w", err)
	}
	for _, n := range last {
		s.Events += n
	}
	fields := make(map[string]*FieldSize)
	of := func(name string) *FieldSize {
		if fields[name] == nil {
			fields[name] = &FieldSize{Field: name}
		}
		return fields[name]
	}
	cache := index.NewCache(1 << 20)
	err = index.Descriptors(db, func(d index.Descriptor) error {
		s.Runs++
		s.Sealed += d.Rows
		return index.NewRun(d, db, cache, table.Format).Sizes(db, func(ints int, field string, part index.SizePart, share float64) {
			bytes := uint64(share)
			switch name := fieldName(field); {
			case ints >= 0:
				of(intNames[ints]).Rows += bytes
			case part == index.SizeTotals:
				s.Totals += bytes
			case part == index.SizeFilter:
				s.Filters += bytes
			case part == index.SizeHeader:
				s.Headers += bytes
			case part == index.SizeCounts:
				s.Counts += bytes
			case part == index.SizeRows:
				of(name).Rows += bytes
			case part == index.SizeCells:
				of(name).Cells += bytes
			case part == index.SizeLists:
				of(name).Lists += bytes
			}
		})
	})
	if err != nil {
		return s, fmt.Errorf("measure: %w", err)
	}
	for _, f := range fields {
		s.Fields = append(s.Fields, *f)
	}
	slices.SortFunc(s.Fields, func(a, b FieldSize) int {
		return cmp.Or(cmp.Compare(b.Total(), a.Total()), cmp.Compare(a.Field, b.Field))
	})
	for _, r := range []struct {
		bytes    *uint64
		from, to byte
	}{{&s.Log, wal.PrefixBlock, wal.PrefixNote + 1}, {&s.IDs, store.PrefixID, store.PrefixLink + 1}} {
		if *r.bytes, err = db.EstimateDiskUsage([]byte{r.from}, []byte{r.to}); err != nil {
			return s, fmt.Errorf("measure: %w", err)
		}
	}
	m := db.Metrics()
	total := m.Total()
	s.Tables, s.WAL = uint64(total.TablesSize), m.WAL.PhysicalSize
	return s, nil
}
