// Saved things: filters, goals, funnels, shares and notes that a site keeps.

package query

// SavedKind says what is saved.
type SavedKind string

// The kinds.
const (
	SavedFilter SavedKind = "filter"
	SavedGoal   SavedKind = "goal"
	SavedFunnel SavedKind = "funnel"
	SavedShare  SavedKind = "share"
	SavedNote   SavedKind = "note"
)

// SavedKinds are all kinds.
var SavedKinds = []SavedKind{SavedFilter, SavedGoal, SavedFunnel, SavedShare, SavedNote}

// Saved is one saved thing of a site.
type Saved struct {
	ID       string // 16 hex digits; never that of an earlier one
	Kind     SavedKind
	Name     string
	Query    string // query string of a call of the native API
	Revision uint64 // from 1; each change adds 1
	Share    *Share // of a share, else nil
	Note     *Note  // of a note, else nil
}

// Share is what a share opens.
type Share struct {
	Scope   string   // "numbers", or "people" as well
	Filter  string   // ID of the saved filter whose conditions all answers satisfy; "" = none
	Props   []string // paths of properties that a share of numbers may name
	Embed   []string // origins whose pages may show it, "*" = any
	Expires int64    // Unix milliseconds; 0 = never
	Token   [32]byte // SHA-256 of its token, which is not kept
}

// Note is a note on the chart.
type Note struct {
	Time int64 // Unix milliseconds
	Text string
}

// SavedMax is how many saved things a site may have.
const SavedMax = 500

// SavedBytesMax is how many bytes a saved thing takes in the store at most.
const SavedBytesMax = 8 << 10
