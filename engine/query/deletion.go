// Deletions: events that are taken away from a site, and what is known of that afterwards.

package query

// DeletionKind says why events are deleted.
type DeletionKind string

// The kinds.
const (
	DeleteRetention DeletionKind = "retention" // they are older than the site keeps events
	DeletePerson    DeletionKind = "person"    // all events of a person
	DeleteFilter    DeletionKind = "filter"    // those that a filter selects
	DeleteSite      DeletionKind = "site"      // all of a site
)

// Deletion asks for events to be deleted: those that satisfy all conditions, with an event time
// from From to To (Unix milliseconds, To exclusive; 0 = open), and that are stored already.
type Deletion struct {
	Kind     DeletionKind
	Where    []Cond
	From, To int64

	By     string // the kind of key that asks
	Reason string // a text of who asks; "" = none
	DryRun bool   // count them, and delete nothing
	Now    bool   // purge at once, and message ids too
}

// DeletionState says how far a deletion has come.
type DeletionState string

// The states, in their order. No read shows the events from the first on.
const (
	DeletionHidden    DeletionState = "hidden"    // the events are hidden; their bytes are there
	DeletionRewritten DeletionState = "rewritten" // no run has them any more
	DeletionForgotten DeletionState = "forgotten" // nor have ids and links
	DeletionDone      DeletionState = "done"      // no file has them
)

// DeletionStates is all states, in their order.
var DeletionStates = []DeletionState{DeletionHidden, DeletionRewritten, DeletionForgotten, DeletionDone}

// Receipt says what a deletion has done. Times are Unix milliseconds.
type Receipt struct {
	ID        uint64 // of the site's deletions, from 1; 0 = none, because nothing was to be deleted
	Kind      DeletionKind
	Condition string // fields and operators, no values
	By        string
	Reason    string
	Now       bool
	State     DeletionState
	UpTo      uint64 // seq up to which rows were looked at
	Rows      uint64 // deleted events
	First     int64  // their least event time
	Last      int64  // their greatest
	HiddenAt  int64
	PurgeBy   int64
	DoneAt    int64 // 0 = not yet

	// Sinks says what became of the deletion in each sink that may have its events.
	Sinks []SinkReceipt
}

// SinkReceipt says what a sink has done for a deletion.
type SinkReceipt struct {
	Name string
	At   int64 // from when on no answer of the sink has the events; Unix milliseconds, 0 = not yet

	// Beyond are numbers of this cairn in the sink under which there may be rows that this cairn
	// lacks since a restore. The deletion did not reach those.
	Beyond []uint64

	// Passed says that the sink takes no row of the deletion any more. Then it does not need the
	// seqs.
	Passed bool
}
