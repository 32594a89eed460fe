// Live: what happens on a site right now.

package query

// Live asks what happens now, at Report.Now. Of Report neither Span nor Steps nor Compare have a
// part in it: the rows are those of the minute of Now and of the 29 before it, up to Now.
type Live struct{ Report }

// LiveMinutes is how many minutes an answer has, and LiveLast how long "now" is for the visitors
// and the tables, in milliseconds.
const (
	LiveMinutes = 30
	LiveLast    = 5 * 60_000
)

// LiveRowsMax is how many rows a table has at most.
const LiveRowsMax = 10

// LiveNumbers count rows, page views and people.
type LiveNumbers struct{ Events, Views, Visitors uint64 }

// LiveRow is a row of a table.
type LiveRow struct {
	Value    string
	Visitors uint64
}

// LiveAnswer says what happens now.
type LiveAnswer struct {
	AsOf
	Visitors uint64                   // people of the last 5 minutes
	Total    LiveNumbers              // of all minutes
	Start    int64                    // of the first minute
	Minutes  [LiveMinutes]LiveNumbers // the last one is not over

	// People of the last 5 minutes, most first, then by value: by the page of a page view, by the
	// source and the country of any row, and by the name of a row that is no page view. Rows that
	// have none are left out: a page that was reached from another page of the site has no source.
	Pages, Sources, Countries, Names []LiveRow
}
