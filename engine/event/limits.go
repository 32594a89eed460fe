package event

// The limits of a record. Whoever writes one keeps to RecordBytesMax, whatever head
// the event gets in its place in the log (see CountedBytes); ScanRecord takes up to
// RecordReadMax. Between the two are records of older cairns, which did not look:
// their events list capped values with the whole path of each.
const (
	RecordBytesMax = 1 << 20
	RecordReadMax  = 1<<24 - 16 // what the log gives back, and less than the longest cell in memory

	// HeadBytesMax bounds what AppendRecord puts before the body, but for the entries
	// of Capped: version, ordinals, the cell of a session's id and the frame of the list.
	HeadBytesMax = 1 + 2*10 + 2 + (1 + MaxIDBytes) + 4 + 3
)

// The limits of a canonical event, whatever dialect it came by. A dialect may
// have narrower ones. Beyond a limit the event is refused, naming the field;
// nothing is cut silently.
const (
	// MaxEventBytes bounds the text of one event, all fields and keys together,
	// in any dialect. It bounds the rows of the store and what one read of them
	// allocates.
	MaxEventBytes = 256 << 10

	// EventBytesMax bounds one event of the native API, as JSON in bytes.
	EventBytesMax = 32 << 10

	MaxIDBytes    = 256       // user, anonymous, session, previous, message_id, each group; in bytes
	MaxNameBytes  = 1024      // name, in bytes
	MaxKeyBytes   = 160       // a key at any depth, in bytes: 40 characters of any kind, which Oppizi takes. The record's format ends at 222.
	KeyBytesMax   = 128       // the same in the native API and Segment
	MaxPathBytes  = 1024      // a dotted path in increments and segments, in bytes
	MaxProperties = 256       // keys of one object at any depth, increments; in number
	MaxGroups     = 64        // groups, in number
	MaxSegments   = 32        // segments, in number: each splits every counter of the event
	MaxDepth      = 32        // arrays and objects open at once, the event itself included
	MaxAmount     = 1<<53 - 1 // an increment, either sign: exact in any JSON reader

	// MinTime and MaxTime bound times, in Unix milliseconds: the years 0001 to
	// 9999, which RFC 3339 can write.
	MinTime = -62135596800000
	MaxTime = 253402300799999
)
