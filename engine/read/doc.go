// Package read answers queries from views of a site's rows. A Reader is handed all that it
// asks: the tables, the store, the public ids.
//
// # Where what is
//
// Read in this order:
//
//	reader.go     what a Reader asks, and its bounds; budget.go the time and memory of one
//	              query; resultcache.go answers that are kept while they are true
//	predicate.go  from the conditions of a query to clauses of the index
//	view.go       the rows that a query sees; rowrange.go these cut into pieces that are
//	              read side by side; scan.go columns read row by row
//	list.go       listings; count.go counts; series.go counts step by step; visits.go sums
//	              over sessions; digest.go what events say together
//	people.go     persons, profiles and groups; traits.go how a profile comes about;
//	              sessions.go sessions
//	counters.go   counters and their splits; counter_series.go these step by step;
//	              valuereader.go what a row counts under; capped.go what counts as
//	              (other); aggregator.go the rows of a range; aggregate.go adding these up
//	              and pairs.go users and sessions of each value; spill.go pairs that
//	              memory has no room for; partialaggregate.go what is kept of a range;
//	              properties.go the list of what is counted; eachname.go its properties
//	              that share columns
//
// Each query has a budget: it ends with query.ErrQueryTimeout when its time is over.
package read
