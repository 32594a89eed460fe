package tables

import (
	"net/url"
	"time"

	"cairn/http/native"
)

// This file has what a report is made of. All texts in it are safe; see Safe.

// Report is the answer of a question.
type Report struct {
	Name     string // of the question, such as "visits", or "overview"
	Title    string // "Visits"
	Site     string // "" where the answer names none
	Zone     *time.Location
	From, To time.Time // of the range; zero where the answer has none
	Until    time.Time // where the answer ends, before To while the range goes on
	AsOf     time.Time // the clock of the answer; zero where it says none
	Compared bool      // numbers have what they were in the compared range
	Stepwise bool      // the steps of the series were asked for, so that they are shown as numbers, too

	Head    []Line // site, range, compared range, filters, as of
	Numbers []Number
	Series  []Series
	Tables  []Table
	Tail    []string // sentences
}

// Days are the first and the last moment of the range in its zone, zero without a range; whole says that they are all of
// some days.
func (r *Report) Days() (first, last time.Time, whole bool) {
	if r.From.IsZero() || !r.To.After(r.From) {
		return first, last, false
	}
	zone := r.Zone
	if zone == nil {
		zone = time.UTC
	}
	from, to := r.From.In(zone), r.To.In(zone)
	return from, to.Add(-time.Nanosecond), beginsDay(from) && beginsDay(to)
}

// beginsDay reports whether a day begins at t, in the zone of t.
func beginsDay(t time.Time) bool { return t.Day() != t.Add(-time.Nanosecond).Day() }

// Line is a line of the head.
type Line struct{ Name, Text string }

// Kind is what a cell holds, and how it is written.
type Kind uint8

// The kinds.
const (
	KindText    Kind = iota
	KindCount        // 1,234
	KindNumber       // 3.8, 0.0125
	KindRate         // 44.4 %, of 0.444
	KindSeconds      // 3m43s, of 223
	KindMoney        // 1,234.50
	KindTime         // 2026-11-30 09:41
)

// Right reports whether cells of the kind end at the right.
func (k Kind) Right() bool { return k != KindText && k != KindTime }

// Cell is a text or a number. The zero Cell is nothing.
type Cell struct {
	Text   string  // as people read it; "–" for a number that there is none of
	Number float64 // of every kind but KindText; of KindTime seconds since 1970
	Has    bool    // there is such a number, or text
	Change Change  // against the compared range
}

// Way is where a number went.
type Way int8

// The ways.
const (
	Down Way = -1
	Same Way = 0
	Up   Way = 1
)

// Change is how a number changed against the compared range. The zero Change says nothing.
type Change struct {
	Text string // "+12.3 %", "-0.6 pt", "+5s", "new", "0 %"; "" = there is nothing to compare with
	Way  Way
	Good int8 // 1 = for the better, -1 = for the worse, 0 = neither
}

// Number is a number of the whole range.
type Number struct {
	Key, Title string // "bounce_rate", "Bounce rate"
	Kind       Kind
	Cell
	Was string // what it was in the compared range, as people read it; "" = nothing
}

// Series is the course of a number.
type Series struct {
	Key, Title string
	Kind       Kind
	Interval   string // minute, hour, day, week or month
	Steps      []Step
	Was        []Step // of the compared range; nil = none
}

// Step is a step of a series.
type Step struct {
	Time    time.Time
	Label   string // "2026-11-30", "09:00"
	Cell    Cell
	Partial bool // it goes on, or the range cuts it
}

// Table is a table.
type Table struct {
	Name    string // such as "channel"; no two tables of a report have the same
	Title   string // "Channels"
	Columns []Column
	Rows    []Row
	Count   int    // rows that there are in all; less than len(Rows) = not known
	Later   bool   // it is a page after the first: Count does not say how many rows follow
	Next    string // what asks for the next page, as after; "" = there is none, or it is no page
	Empty   string // what a table without rows says
}

// Column is a column of a table.
type Column struct {
	Key, Title string
	Kind       Kind
}

// Row is a row of a table. It has a cell for each column.
type Row struct {
	Cells []Cell
	Share float64   // of the bar, 0 … 1; below 0 = the row has no bar
	Spark []float64 // a small series; nil = none
	Faint bool      // it is no row like the others, such as that of all others
}

// Options are what an answer does not say of itself.
type Options struct {
	Zone *time.Location // of the site, for answers that name none; nil = UTC
}

// Ask asks a question and returns the body of its answer, which is JSON.
type Ask func(q *native.Question, query url.Values) ([]byte, error)
