// Exports: all events that a question selects, as a file.

package query

import (
	"context"
	"errors"
	"io"
)

// ExportFormat says what an export writes.
type ExportFormat uint8

// The formats.
const (
	NDJSON  ExportFormat = iota // one event a line, which an import takes again
	CSV                         // RFC 4180
	Parquet                     // only in a build that has it
)

// Export asks for events of one site, oldest first in the order of receipt.
type Export struct {
	Site     *Site
	Format   ExportFormat
	Where    []Cond // all must hold
	From, To int64  // event time, Unix milliseconds, To exclusive; 0 = open

	// After and UpTo are public ids: the export has the events that were received after the
	// first, up to the second. "" = no bound. Both are places in the order of receipt, whether
	// or not the events there are selected or are still there.
	After, UpTo string

	// Columns are the columns of CSV and Parquet after those that every such file has: names
	// of filters, see Cond. nil = those that the plan chooses.
	Columns []string
	NoHead  bool // CSV without its first line

	// Progress, unless it is nil, is called now and then with the number of events written
	// so far, and the public id of the last of them.
	Progress func(events uint64, last string)
}

// ExportPlan is what an export is going to be.
type ExportPlan struct {
	Columns []string // Export.Columns, or those that were chosen
	UpTo    string   // public id of the newest row of the site; "" = it has none
	Rows    uint64   // so many rows are looked at
}

// ExportRun is an export that may run.
type ExportRun interface {
	// Plan returns what the export is going to be.
	Plan() ExportPlan
	// Write writes the export to w, at most 64 KiB at a time. It is called once. An error of w
	// ends it. After an error the last event that was written may be cut off.
	Write(ctx context.Context, w io.Writer) (Exported, error)
}

// Exported is what an export has written.
type Exported struct {
	Events uint64
	Last   string // public id of the last event; "" = there was none
}

// ExportColumnsMax is how many columns an export may ask for.
const ExportColumnsMax = 256

// ExportFixed are the columns that every CSV and Parquet file has, in their order.
var ExportFixed = []string{"id", "received", "time", "type", "name", "user", "anonymous", "session", "dialect", "value"}

// ErrExportsBusy means that as many exports run as may run at once.
var ErrExportsBusy = errors.New("too many exports are running, try again when one has ended") // 503
