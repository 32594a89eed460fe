package event

// Status is what became of a Record.
type Status uint8

const (
	Stored    Status = iota
	Duplicate        // the site has an event with this message id
	Rejected         // see Outcome.Err
	Excluded         // accepted and not stored: a bot, an opt-out, a ping, a goal that the visit has reached
)

// Outcome is what became of one Record of a request, index for index. Its texts live as
// long as whoever made it says.
type Outcome struct {
	Status   Status
	Live     bool   // of a record that asks, see Visit: Session is a session that is going on
	ID       string // public id of the event; for a duplicate the original's
	Seq      uint64 // of the same event; 0 = none
	Session  string // of the same event; of a record that asks, where that has none, see Device
	Received int64  // Unix milliseconds; for a duplicate the original's, where it can be read

	// Device is the device of a record that asks, also where the event is stored without
	// it. Where the event has no session, Session is one of the device that is going on,
	// or else, without Live, what the device's next may be called.
	Device string

	Err *FieldError // with Rejected; nil when only another record of the request was at fault
}
