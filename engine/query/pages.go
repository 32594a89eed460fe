// Pages: what a report of pages is asked and answers.

package query

// PagesQuery asks for the page views of a range by what they were views of. A row of the log
// counts when it satisfies all conditions.
type PagesQuery struct {
	Report
	Of   string // page, url, title or host
	Rows Rows
}

// PageNumbers are the numbers of some page views. Entries, Exits, Bounces and the time are those
// of counted visits (see VisitsQuery) whose first or last page view is one of them.
type PageNumbers struct {
	Views, Visits, Visitors uint64 // Visits are the sessions that had such a view
	Entries, Exits, Bounces uint64
	Milliseconds            int64  // on the page
	Timed                   uint64 // views of which the time is known and more than 0
}

// AddVisits adds what the visits of another part of the views have; Views, Visits and Visitors stay.
func (n *PageNumbers) AddVisits(o *PageNumbers) {
	n.Entries += o.Entries
	n.Exits += o.Exits
	n.Bounces += o.Bounces
	n.Milliseconds += o.Milliseconds
	n.Timed += o.Timed
}

// PageRow is one row of a table of pages.
type PageRow struct {
	Value Text
	PageNumbers
	Was *PageNumbers // in the compared range; nil without one
}

// PagesAnswer is a report of pages.
type PagesAnswer struct {
	AsOf
	Total    PageNumbers
	Rows     []PageRow
	Count    int // rows that Search and AtLeast leave
	More     bool
	Compared *PageNumbers
}
