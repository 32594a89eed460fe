package event

// The limits of a record. An event that Validate accepts never has a record over
// RecordBytesMax, however many of its values are over the cap: bounds.go bounds what
// counts, and TestLargestRecords holds the two together. ScanRecord reads up to
// RecordReadMax. Records of older versions lie between the two, because they list each
// value over the cap with its whole path.
const (
	RecordBytesMax = 1 << 20
	RecordReadMax  = 1<<24 - 16 // what the log returns; less than the longest cell in memory
)

// The limits of a canonical event of any dialect. A dialect may have narrower ones. An
// event beyond a limit is refused with the field named; nothing is cut silently.
const (
	// MaxEventBytes bounds the text of one event in any dialect, all fields and keys
	// together. It bounds the rows of the store and what one read of them allocates.
	MaxEventBytes = 256 << 10

	// EventBytesMax bounds one event of the native API as JSON, in bytes.
	EventBytesMax = 32 << 10

	MaxIDBytes    = 256       // user, anonymous, session, previous, message_id, each group; in bytes
	MaxNameBytes  = 1024      // name, in bytes
	MaxKeyBytes   = 160       // a key at any depth, in bytes: 40 characters of any kind, which Oppizi accepts. The record's format ends at 222.
	KeyBytesMax   = 128       // the same in the native API and Segment
	MaxPathBytes  = 1024      // a dotted path in increments and segments, in bytes
	MaxProperties = 256       // keys of one object at any depth, increments; in number
	MaxGroups     = 64        // groups, in number
	MaxSegments   = 32        // segments, in number: each splits every counter of the event
	MaxDepth      = 32        // nested arrays and objects, including the event itself
	MaxAmount     = 1<<53 - 1 // an increment, either sign: exact in any JSON reader

	// MinTime and MaxTime bound times, in Unix milliseconds: the years 0001 to 9999,
	// which RFC 3339 can write.
	MinTime = -62135596800000
	MaxTime = 253402300799999

	// FirstTime and LastTime bound the time of an event that a client sends, in Unix
	// milliseconds: the years 1990 to 2100. Anything else is a mistake of its clock or of
	// its unit.
	FirstTime = 631152000000
	LastTime  = 4133980799999
)
