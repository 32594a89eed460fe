// The limits of what the engine writes. Each is asked before the write, and what
// exceeds it is refused alone, so that nothing is written which cannot be read again.
//
//	what               limit                          asked by                    what exceeds it
//	record             event.RecordBytesMax           submission.add              the event is refused
//	  as it is read    event.RecordReadMax            event.ScanRecord            see event/limits.go
//	names and values   requestCountedMax, a request   submission.add              the event is refused
//	                   groupCountedMax, a group       gather                      the group closes
//	note               wal.NoteBytesMax               wal.AppendNote              cannot be: the two above
//	block              wal.RecordBytesMax             wal.Append                  cannot be: a record is shorter
//	heart beat         pingVarBytesMax                visitVars.set, both sides   the variable is passed over
//	id entry           the fields of its event        event.Validate              the event is refused; any entry can be read
//	links of an event  three of 16 bytes              ids.meet                    cannot be
//	run header         index/limits.go                columnsFit, index           the runs stay apart
//	snapshot manifest  manifestBytesMax               parseManifest, both sides   the snapshot is given up
//
// What "cannot be" is checked all the same: it stops the store before it is written.

package engine

import (
	"strconv"

	"cairn/engine/event"
	"cairn/wal"
)

// The names and values that events count, each value with its whole path, are what a
// group's note holds, and its batch in all: see event.CountedBytes. A request that is
// no attack has a few MB of them.
const (
	requestCountedMax = 64 << 20
	groupCountedMax   = 16 << 20
)

// manifestBytesMax bounds the manifest of a snapshot: some 400,000 files.
const manifestBytesMax = 64 << 20

// What the log takes is more than what an event may need, and what a group may need
// fits a note.
const (
	_ uint = wal.RecordBytesMax - event.RecordReadMax
	_ uint = event.RecordReadMax - event.RecordBytesMax
	_ uint = wal.NoteBytesMax - 2*(requestCountedMax+groupCountedMax)
)

// tooLong refuses an event whose record might not be read again.
func tooLong() *event.FieldError {
	return &event.FieldError{Index: -1, Field: "properties", Msg: "have at most " + strconv.Itoa(event.RecordBytesMax) + " bytes with each value under its whole path"}
}

// tooLongTogether refuses one whose request counts more than a group has room for.
func tooLongTogether() *event.FieldError {
	return &event.FieldError{Index: -1, Field: "properties", Msg: "of one request have at most " + strconv.Itoa(requestCountedMax) + " bytes with each value under its whole path"}
}
