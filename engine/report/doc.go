// Package report computes the reports of the read API: visits, pages, funnels and others. It
// reads rows through the types of engine/read (Rows, Selection, Slice, Field) and answers with
// the types of engine/query.
//
// # Words
//
//   - A page view is a row of type page or screen. An action is a row of type page, screen,
//     track, download, outlink or search.
//   - A session is the rows with the same session ordinal, which is the seq of its first row.
//     A visit is a session with at least one action. It begins at the time of that first row.
//   - A report over a span sees the rows in the span alone. A visit counts when its first row
//     is among them. So a closed span never changes by later traffic, and days sum up to weeks.
//   - The visitor of a visit is the person of its first row that has one.
//
// # Files
//
// Shared by all reports:
//
//	report.go     Reports
//	order.go      which rows of a table are shown, and in which order
//	steps.go      in which step of a series a time is
//	tally.go      how often each number was seen, for medians
//	recent.go     pairs that were just added to a set
//
// Reports of rows by fields:
//
//	rowdim.go     what the rows of a slice are told apart by; rowgroups.go the same across slices
//	rowpage.go    which values are shown, and in which order
//	breakdown.go  how many rows each value has; breakdownrows.go what is counted of slices
//	aggregate.go  the numbers under a field; numbers.go and numbercells.go what is kept of them
//	fields.go     which fields there are, and the values of one
//
// Reports by visit:
//
//	scan.go       the pass over slices that puts the rows of each visit together
//	slice.go      the visits of the rows of one slice; partreader.go what is read of a part
//	visit.go      one visit as far as a pass has seen it; origin.go where it came from
//	visitpass.go  the counted visits of a question; filter.go conditions on visits
//	dims.go       what visits are told apart by; table.go the visits of each value
//	lengths.go    how long the visits of each row lasted
//	visits.go     the report of visits; visitsum.go what goroutines count for it
//	pages.go      the report of pages; pagerows.go what goroutines count for it
//	goals.go      how often goals were reached
//
// Of a shop:
//
//	shop.go       the report: orders and refunds for each currency
//	shoprow.go    what a row of a shop says; carts.go abandoned carts; products.go lines of orders
//
// Of the last minutes:
//
//	live.go       what happens now
//
// Reports by person or visit, row after row:
//
//	tuples.go     the rows that such a report looks at; splits.go texts numbered across slices
//	people.go     the persons of rows; members.go what is known of each
//	visitset.go   the sessions that count as visits; visitsplit.go their values of a dimension
//	attempt.go    how deep one gets into a funnel; funnel.go the report;
//	              funnelsum.go the sums
//	retention.go  who comes back
//	paths.go      where visits go; pathsum.go the sums
//	entities.go   the people or visits behind a number
package report
