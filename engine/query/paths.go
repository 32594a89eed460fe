// Paths: where visits go from a row, or where they came from.

package query

// Paths asks which labels visits have one after the other. A label is the page of a view or the
// name of another action, order, goal or cart. Where selects visits as visit reports do: one row
// satisfies all conditions.
type Paths struct {
	Report
	// Start is the first row of a visit from which it is followed, End the last one, from which
	// it is read backwards. At most one of them is given. With neither a visit is followed from
	// its begin.
	Start, End []Cond
	Then       []string // labels of the first columns: visits that went another way are left out; at most Depth
	Depth      int      // columns, 1 to PathsDepthMax
	Of         PathsOf
	Each       bool     // every row that satisfies Start or End is followed, not only the first; unless its label is that of the one before
	Fold       []string // patterns as of OpMatch; a label that matches becomes the first one that it matches
	Limit      int      // labels of a column, 1 to CounterRowsMax
	NoLinks    bool     // leaves the links out
}

// The bounds of paths.
const (
	PathsDepthMax  = 8
	PathsLabelsMax = 512 // labels of one visit that are followed
)

// PathsOf says which rows have a label; "" = PathsPages.
type PathsOf string

// What paths are made of.
const (
	PathsPages  PathsOf = "pages"
	PathsEvents PathsOf = "events"
	PathsBoth   PathsOf = "both"
)

// PathsAnswer is the answer to Paths. It counts visits, or with Each rows.
type PathsAnswer struct {
	Anchored uint64
	Columns  []PathsColumn
	Links    []PathsLink // by column, most first, then by their texts
}

// PathsColumn is where visits went. Rows, Other and Stopped sum up to Rows and Other of the
// column before, or to the count of its label in Then; those of the first to Anchored.
type PathsColumn struct {
	Rows    []PathsRow // most first, then by label
	Other   uint64     // with other labels
	Stopped uint64     // without one
}

// PathsRow is how many visits have a label in a column.
type PathsRow struct {
	Label string
	Count uint64
}

// PathsLink is how many visits have a label in a column and another in the one before it. Before
// column 0 is the row that Start or End found: its label, else its name. From is the label nearer
// to that row.
type PathsLink struct {
	Column int
	From   Text
	To     string
	Count  uint64
}
