// Package engine is the life of an event: it takes events in, gives each its
// place, makes it durable, and answers what was asked of all of them.
//
// # Where what is
//
//	ingest.go     in the request's goroutine: times, enrichment, limits, encoding
//	submission.go what a request brings to the pipeline, and whose its memory is
//	commit.go     the pipeline: sequencer → publisher, invariants I1–I5
//	group.go      what is committed together
//	dedup.go      message ids: the newest exactly; dedup_find.go all others, in parts
//	              and runs, by the filters of these
//	ids.go        what ingest knows of users, visitors and sessions; idfilter.go which
//	              there are at all, idpack.go entries not used recently, packed
//	hits.go       visits of Matomo's hits; pings.go and visitvars.go what heart beats add
//	caps.go       how many names of properties, and values of each, a day counters tell
//	              apart
//	site.go       what of a site is published, in memory and sealed; views of it
//	seal.go       rows in memory and in the log become runs
//	merge.go      runs become fewer and larger ones
//	tables.go     pages of runs, read past Pebble's levels
//	where.go      from the conditions of a query to clauses of the index
//	device.go     who an OpenPanel event is from; sightings.go what it asks for most
//	query.go      listing and counting; series.go the same step by step; visits.go
//	              sums over sessions
//	slices.go     the rows of a view, read side by side; answers.go what queries
//	              asked lately were answered
//	scan.go       columns read row by row, or at many rows of a page at once
//	counters.go   counters and their splits: counted.go what a row counts under,
//	              tallier.go the rows of a slice, tally.go and pairs.go adding up,
//	              spill.go what memory has no room for, partials.go what is kept of it
//	              by slice, properties.go the list of what is counted,
//	              eachname.go its properties that are in cells with others
//	people.go     persons, profiles, groups; sessions.go sessions: read out of the log
//	links.go      which ordinals name one person, in the memory of linktable.go
//	publicid.go   public event ids, which are cursors too
//	snapshot.go   snapshots and restoring them; check.go the recount of everything
//	store.go      versions, secret, the look before opening; corrupt.go damage that is met
//
// # One event
//
// Ingest validates, enriches and encodes it in the request's goroutine and
// queues it. The sequencer drops duplicates and gives it a seq, its person, its
// session, and which of its values are over the cap; every decision goes into
// its row, so that nothing has to be decided again. The rows of a group and the
// deltas of its counters are one Pebble batch. While that is synced the rows go
// into the site's open part, in memory by column; then they are published and
// the waiters woken. At 65,536 rows the open part is sealed: written as a run,
// which is index and rows in one, and its rows leave the log. Sixteen runs become
// one of a million rows, and four of those one of four million: a merge of twice as
// many would take 60 MiB.
//
// Rows in memory and on their way there take half of the memory at most: what a
// request may take is asked for before it is placed, by its sites, its cells and its
// text. One that comes while no rows wait for the sealer is taken even if it needs more.
//
// So the truth is the log, and after it the runs; all else is a function of
// them. Persons, profiles and sessions are not stored at all: rows carry the
// ordinal of their person and session (the seq of its first event), and links
// say which ordinals are one person.
//
// # Invariants
//
//	I1–I5 the pipeline: see commit.go. Where a failed fsync goes (I5): see wal/doc.go
//	I6    An id handed out names one event for ever, also after a restore.
//	I7    Runs and the log of a site tile its seqs from 1; an absent row refuses
//	      the start.
//	I8    Rows leave the log only when the ids learnt from them are written. All that
//	      has changed of the ids and the seq they cover are written in one batch, a few
//	      MB: a replay finds them as they were at that seq.
//	I9    A counter is the sum over the rows in range of what event.Counts says of
//	      each; totals of runs and deltas of groups are that sum, kept.
//	I10   A checkpoint is never taken between the coming of a run and the going of
//	      its rows.
package engine
