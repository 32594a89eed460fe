// The limits of what the engine writes. Each limit is checked before the write, so that the
// store never holds anything that cannot be read again. docs/limits.md describes the limits
// to operators.
//
//	what               limit                      checked by                  what happens beyond it
//	counted leaves,    event/bounds.go            event.Validate              it is stored and found, not counted
//	paths and names
//	names of a day     NamesPerDayMax             cardinality.name            it counts under event.Other, marked in the row
//	values of a day    ValuesPerDayMax            cardinality.count           the same
//	record             event.RecordBytesMax       sequencer.place             cannot be: bounded by what counts
//	  as it is read    event.RecordReadMax        event.ScanRecord            see event/limits.go
//	names and values   groupBytesMax, a group     sequencer.gather            the group closes
//	  of a request     requestNoteMax             below                       cannot be: bounded by its bytes
//	note               wal.NoteBytesMax           wal.AppendNote              cannot be: the two above
//	block              wal.RecordBytesMax         wal.Append                  cannot be: a record is shorter
//	numbers            event.DecimalLimit         checkIncrement, OpenPanel   the event is refused; a property may have any number
//	heartbeat          pingVarBytesMax            visitVars.Set, both sides   the variable is skipped
//	id entry           the fields of its event    event.Validate              the event is refused; any entry can be read
//	changed ids        identity.PartMax           IDs.Due                     the group writes them
//	links of an event  three of 16 bytes          IDs.register                cannot be
//	run header         index/limits.go            columnsFit, index           the runs are not merged
//	snapshot manifest  manifestBytesMax           parseManifest, both sides   the snapshot fails
//
// The cases marked "cannot be" are checked too; such a write stops the store.

package engine

import (
	"cairn/engine/event"
	"cairn/wal"
)

// requestNoteMax bounds what one request adds to a note. The largest request has 8 MiB and
// 10,000 events. A leaf has at least two bytes in the request. In a note it takes some 20
// bytes besides its name and its value. The names of an event, and the bytes that its
// numbers gain in plain form, have at most 4 KiB plus four times the event's bytes (see
// event.Cut). TestLargestNote checks this.
const (
	requestBytesMax  = 8 << 20
	requestEventsMax = 10_000
	requestNoteMax   = requestEventsMax*(4<<10) + requestBytesMax*(1+4+10)
)

// The log takes longer records than an event may need, and a note has space for what a
// group may need.
const (
	_ uint = wal.RecordBytesMax - event.RecordReadMax
	_ uint = event.RecordReadMax - event.RecordBytesMax
	_ uint = wal.NoteBytesMax - 2*(requestNoteMax+15*groupBytesMax)
)
