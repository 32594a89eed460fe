// The limits of what the engine writes. Each is asked before the write, so that nothing
// is written which cannot be read again. docs/limits.md says it to operators.
//
//	what               limit                      asked by                    what exceeds it
//	counted leaves,    event/bounds.go            event.Validate              is stored and found, not counted
//	paths and names
//	names of a day     NamesPerDayMax             cardinality.name            counts under event.Other, marked in the row
//	values of a day    ValuesPerDayMax            cardinality.count           the same
//	record             event.RecordBytesMax       sequencer.place             cannot be: bounded by what counts
//	  as it is read    event.RecordReadMax        event.ScanRecord            see event/limits.go
//	names and values   groupBytesMax, a group     gather                      the group closes
//	  of a request     requestNoteMax             below                       cannot be: bounded by its bytes
//	note               wal.NoteBytesMax           wal.AppendNote              cannot be: the two above
//	block              wal.RecordBytesMax         wal.Append                  cannot be: a record is shorter
//	numbers            event.DecimalLimit         checkIncrement, OpenPanel   the event is refused; as a property any is stored
//	heartbeats         heartbeatVarBytesMax       visitVars.Set, both sides   the variable is skipped
//	id entry           the fields of its event    event.Validate              the event is refused; any entry can be read
//	changed ids        identity.PartMax           IDs.Due                     the group writes them
//	links of an event  three of 16 bytes          IDs.register                cannot be
//	run header         index/limits.go            columnsFit, index           the runs stay apart
//	snapshot manifest  manifestBytesMax           parseManifest, both sides   the snapshot is given up
//
// The cases marked "cannot be" are checked too; such a write stops the store.

package engine

import (
	"cairn/engine/event"
	"cairn/wal"
)

// requestNoteMax bounds what one request adds to a note. Its largest is 8 MiB of 10,000
// events. A leaf has two bytes at least, and takes some 20 in a note beside its name and
// its value; the names of an event, with what numbers grow by, have 4 KiB and four times
// its bytes at most (event.Cut). TestLargestNote measures it.
const (
	requestBytesMax  = 8 << 20
	requestEventsMax = 10_000
	requestNoteMax   = requestEventsMax*(4<<10) + requestBytesMax*(1+4+10)
)

// What the log takes is more than what an event may need, and what a group may need
// fits a note.
const (
	_ uint = wal.RecordBytesMax - event.RecordReadMax
	_ uint = event.RecordReadMax - event.RecordBytesMax
	_ uint = wal.NoteBytesMax - 2*(requestNoteMax+15*groupBytesMax)
)
