// Package read answers queries from views of a site's rows. A Reader gets everything that it
// reads in its Options: the tables, the store and the public ids.
//
// A view is the rows of one site at one moment, in parts: sealed runs and the newest rows in
// memory. A part is read in row ranges, several in parallel.
//
// # Where to find what
//
// Start with these questions:
//
//   - Where does a filter become clauses of the index? view.clause in conditions.go.
//   - Where is the time of a query bounded? budget.check in budget.go. It is called before
//     each part. Inside loops, a clock or rangeReader.timedOut in rowrange.go calls it. When
//     the time is over, they return query.ErrQueryTimeout.
//   - Where is the answer of a counter cached, and what makes it void? cached in
//     resultcache.go. An answer is void when its dataVersion differs: the site has new rows
//     or new links between persons. What a row range of a run adds to the answer stays valid;
//     partialCache in partialcache.go keeps it. keptRuns in keptruns.go does the same for
//     counts and series, by whole runs.
//   - Where are users told apart? partialAggregate.register in partialaggregate.go collects
//     the persons of each row of an answer in a pairBag of pairs.go. pairBag.eachPerson
//     counts linked ordinals as one person. Answers with many values use wideCounter.add in
//     widecounter.go. Counts without a property use distinct in count.go,
//     series countSteps in steps.go.
//
// # Files
//
// The reader and what all queries share:
//
//	reader.go            Reader and its Options
//	budget.go            the time and the memory of one query; room.go the memory of reports
//	resultcache.go       the cache of answers, and those that are being computed
//	stilltrue.go         whether a kept answer is what would be computed now
//	turns.go             how many reports are at work at once; processors.go how many slices
//	view.go              the rows that a query sees, and walks through them
//	predicate.go         which rows a query is about
//	conditions.go        from a condition to a clause of the index; visitset.go those that
//	                     speak of visits
//	rowrange.go          row ranges, read in parallel; inturn.go those of reports, which are
//	                     merged in order
//	scan.go              columns read row by row, and lists of names
//	kept.go              reports that were computed, kept while they are true
//	bounds.go            the times between which the rows lie
//	entity.go            under which ids a report lists people and sessions
//	slices.go            what a report of engine/report reads; field.go the terms of a
//	                     field in its rows; whole.go a property with all that is in it
//
// One file for each kind of answer:
//
//	matching.go          which rows a deletion takes
//	carried.go           the rows that a sink takes
//	list.go              listings of events
//	facts.go             what the rows of a site say of it
//	stretches.go         the rows of an export, many at a time
//	tail.go              events in the order of receipt, as they come
//	listings.go          listings for callers who may have them already
//	count.go             events, users and sessions of a query
//	series.go            the same, step by step; steps.go counts the people and sessions
//	quarters.go          counts events of whole runs by quarter of an hour; storedcounts.go
//	                     has those that runs keep of all rows and of names
//	keptruns.go          what runs add to counts and series, kept; keptsteps.go people and
//	                     sessions
//	visits.go            sums over sessions; spans.go puts the rows of each together
//	digest.go            a summary of the events of a query
//	begins.go            which rows are deleted, and which row begins a person or a session
//	                     whose first row is
//	person.go            which ids and events belong to one person
//	firstrows.go         the same for a person with very many ids
//	people.go            profiles and groups; latest.go who was there last
//	traits.go            the object of a profile, merged from events
//	sessions.go          sessions; source.go where they came from
//	counters.go          counters of the values of a property
//	counter_series.go    the same, step by step
//	properties.go        the list of properties; properties_range.go reads it from a row
//	                     range, rowset.go has the rows of one that have a property
//	sharedcells.go       properties in that list that share one column
//
// What counters are made of:
//
//	wide.go              counters with many rows, without partial aggregates; widecounter.go
//	                     counts the rows of one goroutine, widerows.go counts pairs of
//	                     a value and a segment, quickvalues.go reads values by code
//	valuereader.go       which values the rows of a part count under
//	pathcolumn.go        the terms at a path inside the cells of a column
//	capped.go            which of them count under event.Other
//	aggregator.go        counts the rows of one row range
//	partialaggregate.go  what a row range adds to an aggregate
//	partialcache.go      a cache of partial aggregates
//	aggregate.go         the sum of partial aggregates, and totals of runs
//	totals.go            which totals of a run answer for a range of time
//	pairs.go             sets of users and sessions by value
//	room.go              the memory that all reports share
//	spill.go             pairs that exceed memory, in a temporary file
package read
