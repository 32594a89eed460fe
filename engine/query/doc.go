// Package query has the questions about a site's events, the answers, and the errors
// that a read or a write can return, and says how texts compare with patterns. Both http and
// the engine use these types, so neither needs copies of them. The package must not learn how
// an answer is computed or sent.
//
// # Files
//
//	question.go what is asked, and the bounds of a question
//	answer.go   what is returned
//	pattern.go  patterns; closed.go the fields whose values are known
//	report.go   what every report is asked, and what its answer says of itself
//	visits.go   reports of visits; pages.go of pages, funnel.go of funnels, retention.go
//	            of who comes back, paths.go of paths, breakdown.go of events by field,
//	            aggregate.go of numbers, fields.go of the fields there are,
//	            goals.go of goals, shop.go of orders, carts and products
//	live.go     what happens now; tail.go the events that have come since
//	export.go   all events of a question as a file
//	facts.go    what a site is
//	browser.go  who has logged in to the dashboard; keyuse.go when a key was used
//	saved.go    what a site has saved; deletion.go what is taken away from it,
//	            retentionplan.go what will be
//	fields.go   which fields and values there are
//	fresh.go    how new an answer is to be
//	sum.go      exact sums of decimals; fold.go comparing texts without case
//	errors.go   why there is no answer
//
// Times are Unix milliseconds. Days are dates, counted from 1970-01-01 in the site's
// zone. The texts of a question belong to the caller, who does not change them during
// the call. The texts of an answer belong to the caller as well: nothing in an answer
// points into memory that is used again.
package query
