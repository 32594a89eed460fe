// Answers: what a question returns.

package query

import (
	"cmp"
	"slices"
	"strings"

	"cairn/engine/event"
)

// Page is one page of events. Next is the cursor of the next page, "" when there is
// none.
type Page struct {
	Events []*event.Event
	Next   string
	Full   bool // it ended at Query.Bytes
}

// Totals are exact counts.
type Totals struct {
	Events   uint64 `json:"events"`
	Users    uint64 `json:"users"`
	Sessions uint64 `json:"sessions"`
}

// Bucket is one step of a series. Time is its start, Unix milliseconds.
type Bucket struct {
	Time int64
	Totals
}

// CounterRow has the totals of one value. In a list of properties, Value is the
// property and Values its number of values.
type CounterRow struct {
	Value    string
	Segment  string
	Time     int64 // start of the row's step in a series, Unix milliseconds
	Values   uint64
	Events   int64
	Sessions uint64
	Users    uint64
}

// SortCounters orders rows by what the Sort of a question names, greatest first; ties by value,
// then segment.
func SortCounters(rows []CounterRow, by string) {
	slices.SortFunc(rows, func(a, b CounterRow) int {
		c := 0
		switch by {
		case "", "events":
			c = cmp.Compare(b.Events, a.Events)
		case "sessions":
			c = cmp.Compare(b.Sessions, a.Sessions)
		case "users":
			c = cmp.Compare(b.Users, a.Users)
		}
		return cmp.Or(c, strings.Compare(a.Value, b.Value), strings.Compare(a.Segment, b.Segment))
	})
}

// CounterPage is one page of counters. Total covers all rows; its users and sessions
// are distinct, not sums.
type CounterPage struct {
	Rows  []CounterRow
	Total CounterRow
	More  bool
	Count int // rows before Limit and Offset
}

// Digest summarises a set of events. For each property and each key of the context it
// has the newest value by event time.
type Digest struct {
	Totals
	First, Last         int64  // event times; 0 without events
	Name                string // the newest name
	Properties, Context event.Object
}

// User is one person.
type User struct {
	ID                  string
	Properties          event.Object
	Aliases             []string // other user ids of the same person
	Anonymous           []string
	Groups              []string
	FirstSeen, LastSeen int64
	Events, Sessions    uint64
	Cursor              string // public id of the person's first event, for paging /users
}

// Session is one session, computed from its events. Several sessions may have the same ID.
type Session struct {
	ID, User, Anonymous              string
	Dialect                          event.Dialect
	Start, End                       int64 // Unix milliseconds
	Events, Actions                  uint64
	Entry, Exit                      string // url, path or name of the first and last page or screen
	Beyond                           int64  // milliseconds that it is known to have lasted after End
	Bounce                           bool
	Referrer, ReferrerType, Campaign string
	Goals, Orders                    []string
	Cart                             string
	Properties                       event.Object // of a Matomo visit: the newest value of each of its dimensions, and of its variables in _cvar
	Groups                           []string     // groups of its events
	Cursor                           string       // its key: the public id of its first event; also for paging /sessions
}

// Group is one group.
type Group struct {
	ID, Type, Name string
	Properties     event.Object
	Members        []string // user ids
}

// Snapshot describes a finished snapshot.
type Snapshot struct {
	Path   string `json:"path"`
	Events uint64 `json:"events"`
	Bytes  int64  `json:"bytes"`
}

// Visits counts the sessions that began in a step, and the users and events in it.
type Visits struct {
	Time         int64 // start of the step, Unix milliseconds
	Users        uint64
	Sessions     uint64
	Bounces      uint64 // sessions with fewer than two pages or screens
	Views        uint64 // pages and screens
	Timed        uint64 // sessions with events later than their first
	Milliseconds int64  // total length of these
	Revenue      int64  // sum of the values of revenue events, in minor units; saturated at the ends of int64
}
