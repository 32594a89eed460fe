// Sink: what takes the rows of a store in. This file is the contract between the runner and
// the sinks; each sink is a room below this one.

package sink

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Site is a site of the store. Number is never given again. In a sink Name stays what the site was called when
// the sink met it.
type Site struct {
	Number uint32
	Name   string
}

// Range is the rows First..Last of a site that are shown. It is fixed and written down before it is
// sent: after a crash the same range goes again with the same bytes. Only a deletion in between takes
// rows out of it. Lines, Seqs, IDs and Received belong to the runner and are valid until Send returns.
type Range struct {
	Store       uint64   // the number of this cairn in the sink
	Site        Site     //
	First, Last uint64   // seqs, inclusive; not each has a row
	Lines       []byte   // a JSON object a row, each ends with \n, of the form that the sink asks for
	Ends        []int    // of each line, where it ends in Lines
	Seqs        []uint64 // of each line, growing
	IDs         []string // of each line, the public id of the event
	Received    []int64  // of each line, Unix milliseconds
}

// Len returns how many rows the range has. It is at least 1.
func (r *Range) Len() int { return len(r.Seqs) }

// Line returns a row's line.
func (r *Range) Line(i int) []byte {
	start := 0
	if i > 0 {
		start = r.Ends[i-1]
	}
	return r.Lines[start:r.Ends[i]]
}

// Form is how a row is written.
type Form uint8

// The forms. export.RowColumns lists the columns of the first three. What an event lacks is left out.
const (
	// Columns is an object that has a flat key for each column of ClickHouse's table: times are
	// texts such as "2026-11-30 09:46:11.123" in UTC, objects are objects.
	Columns Form = iota
	// Native is the event as an export in NDJSON has it, without the heartbeat, which is no part of
	// a row.
	Native
	// ColumnsText is Columns with objects as texts, for servers that have no type for JSON.
	ColumnsText
	// ColumnsSeconds is ColumnsText with times in whole seconds, "2026-11-30 09:46:11", and the
	// milliseconds in columns of their own, "time_ms" and "received_ms".
	ColumnsSeconds
)

// Mark names a row that a sink has.
type Mark struct {
	Seq      uint64
	ID       string
	Received int64 // Unix milliseconds
}

// Span is the seqs from First to Last, inclusive.
type Span struct{ First, Last uint64 }

// Sink is a place that rows are carried to. The runner calls it from one goroutine at a time.
// Errors are *Fault where the sink knows whether they pass; another error passes. A method returns
// soon after its context is done.
type Sink interface {
	// Name is the sink's name in records, metrics, health and logs: "clickhouse".
	Name() string

	// Form is how the sink wants its rows. It is asked after Open, before each range.
	Form() Form

	// Open is called before the first call, and again after each error: is all there that is needed?
	Open(ctx context.Context) error

	// Send returns nil when the rows are there for good. The same range again changes no answer.
	// After an error it is not known whether they are there.
	Send(ctx context.Context, r *Range) error

	// Newest returns the newest rows of a store and site whose seq is at most upTo, at most n of
	// them, newest first. A sink that keeps only the end of what it has taken returns that.
	Newest(ctx context.Context, store uint64, site Site, upTo uint64, n int) ([]Mark, error)

	// Delete returns nil when no answer has one of these rows any more, even when a Send whose
	// answer was lost arrives after it. Rows that are not there are no error.
	Delete(ctx context.Context, store uint64, site Site, rows []Span) error

	// DeleteSite is Delete for all rows of a store and site.
	DeleteSite(ctx context.Context, store uint64, site Site) error

	// Close ends the sink. No other call is under way.
	Close() error
}

// Whole is a Sink that has a range whole or not at all, so that its newest row ends a range. Of other
// sinks the newest range is sent again where it is not known whether it came whole.
type Whole interface{ Whole() bool }

// Fault is an error of a sink that says how it ends.
type Fault struct {
	Passes bool   // a retry may succeed; false: somebody has to do something first
	BadRow bool   // the sink refuses a row of this range, and will refuse it again
	Code   string // a few safe characters, which /healthz shows to everybody: "241", "timeout"
	Err    error  // for the admin alone: it may quote a row
}

// Error implements error.
func (f *Fault) Error() string {
	if f.Err == nil {
		return f.Code
	}
	return fmt.Sprintf("%s: %v", f.Code, f.Err)
}

// Unwrap returns the cause.
func (f *Fault) Unwrap() error { return f.Err }

// FaultOf returns what an error says of itself. An error that says nothing passes.
func FaultOf(err error) *Fault {
	if f, ok := errors.AsType[*Fault](err); ok {
		return f
	}
	return &Fault{Passes: true, Code: "unreachable", Err: err}
}

// Config is a sink and how rows are carried to it.
type Config struct {
	Sink     Sink
	FromNow  bool          // begin with the rows that come, not with the first one of the store
	Hold     time.Duration // how long retention waits for the sink with rewriting rows; 0 = HoldDefault
	LagWarn  time.Duration // from which lag on /healthz names the sink; 0 = LagWarnDefault
	SkipBad  bool          // a row that the sink refuses is noted and passed over, not waited for
	StoreNum uint64        // number of this cairn in the sink, for sites that it meets from now on; 0 = from its secret

	// What a range is and how often things are tried. 0 = the default: 100,000 rows, 32 MiB or less by
	// Options.Memory, 5 s, 1 s, 1 h.
	Rows      int
	Bytes     int           // of the lines
	Delay     time.Duration // how long rows wait for others, unless there is a fifth of Rows
	Retry     time.Duration // before the second attempt; it doubles up to 60 times as long, the wait after an error that lasts
	LookEvery time.Duration // how often the newest rows of the sink are compared

	CheckAgain time.Duration // after a nightly check that found a difference, before the second one; 0 = 10 min
}

// Defaults of Config.
const (
	HoldDefault    = 7 * 24 * time.Hour
	LagWarnDefault = 10 * time.Minute
)

// State says what a sink is doing.
type State string

// The states.
const (
	StateRunning State = "running" // rows are carried as they come
	StateRetry   State = "retry"   // an error that passes: the same range goes again
	StateStopped State = "stopped" // an error that lasts: tried again every minute
)

// Status is a sink as GET /api/v1/admin/sinks shows it to the admin.
type Status struct {
	Name  string `json:"name"`
	State State  `json:"state"`

	// Code is the code of the last error, absent while all goes well; Error its text, which may
	// quote a row; Since when it began, in Unix milliseconds.
	Code  string `json:"code,omitempty"`
	Error string `json:"error,omitempty"`
	Since int64  `json:"since,omitempty"`

	LagSeconds float64      `json:"lag_seconds"` // of the site that is furthest behind
	Deletions  int          `json:"deletions"`   // that the sink has not carried out yet
	Sites      []SiteStatus `json:"sites"`
}

// SiteStatus is how far a sink has come with a site.
type SiteStatus struct {
	Site   string `json:"site"` // its name in the sink
	Number uint32 `json:"number"`
	Store  uint64 `json:"store,string"` // the number that rows are sent with now

	Cursor     uint64      `json:"cursor"` // the last seq that the sink has
	Last       uint64      `json:"last"`   // the last seq of the site
	Sending    *StatusSpan `json:"sending,omitempty"`
	LagSeconds float64     `json:"lag_seconds"`
	Missed     uint64      `json:"missed"` // rows that were gone before the sink took them
	Skipped    uint64      `json:"skipped"`

	// Stores has the numbers that rows were sent with, oldest first, and the first seq of each. More
	// than one means that a snapshot was restored, or a copy of the store.
	Stores []StoreSpan `json:"stores"`

	// Checked is the last seq up to which a nightly check found all right, and CheckedAt when the last one
	// did, in Unix milliseconds; absent before. Wrong is what the last one has found.
	Checked   uint64      `json:"checked"`
	CheckedAt int64       `json:"checked_at,omitempty"`
	Wrong     *CheckWrong `json:"wrong,omitempty"`

	// Counts is how many rows the sink must have, by stretches of a million seqs; only when it is
	// asked for with counts=1.
	Counts []Count `json:"counts,omitempty"`
}

// CheckWrong is what a nightly check has found wrong, in stretches of First..Last.
type CheckWrong struct {
	First   uint64 `json:"first"`
	Last    uint64 `json:"last"`
	Missing uint64 `json:"missing"` // rows that the sink lacks
	Surplus uint64 `json:"surplus"` // rows that its answers have once too often
	At      int64  `json:"at"`      // Unix milliseconds
}

// StatusSpan is a Span in a Status.
type StatusSpan struct {
	First uint64 `json:"first"`
	Last  uint64 `json:"last"`
}

// StoreSpan says that a store number stands for the seqs First..Last of a site.
type StoreSpan struct {
	Store uint64 `json:"store,string"`
	First uint64 `json:"first"`
	Last  uint64 `json:"last"`
}

// Count says how many rows of First..Last the sink must have, each once.
type Count struct {
	Store uint64 `json:"store,string"`
	First uint64 `json:"first"`
	Last  uint64 `json:"last"`
	Rows  uint64 `json:"rows"` // rows that cairn has and has sent
	Gone  uint64 `json:"gone"` // seqs without a row that cairn shows: what retention deletes may stay in the sink
}
