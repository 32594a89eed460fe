// Package engine is the way of an event: it takes events in, gives each its place, makes it
// durable, and turns it into part of a run. Questions are answered by the rooms below it;
// Engine delegates to them.
//
// # Where what is
//
// Read in this order:
//
//	api.go         what http asks of an Engine; options.go how it is configured
//	open.go        opening a store; replay.go what a start learns from the log again
//	engine.go      closing, failing, and what all parts share; memory.go who has which
//	               share of the memory
//	ingest.go      in the request's goroutine: times, enrichment, limits, encoding
//	device.go      finds the sender of an event, for dialects that recognise devices;
//	               visitor.go for dialects that return ids, hit.go for hits. The decision
//	               which session an event is in is in room identity.
//	increment.go   which increments are refused
//	submission.go  what a request brings to the pipeline, and whose its memory is
//	commit.go      the pipeline, invariants I1–I5, and its second stage, the publisher
//	sequencer.go   its first stage; group.go what is committed together
//	dedup.go       keeps the newest message ids in memory; dedup_find.go looks up older ones
//	               in parts and runs, with the help of their filters
//	cardinality.go limits the distinct values of a property on one day, and
//	               cardinality_names.go the names of properties; cardinality_read.go loads
//	               these sets again after they were dropped; deltas.go what a group adds to
//	               sums
//	limits.go      all limits of what is written
//	sitestate.go   a site on its way through the pipeline
//	seal.go        rows in memory and in the log become runs; merge.go runs become fewer
//	               and larger ones
//	broadcast.go   how one goroutine tells others that something has happened
//	stats.go       numbers for /metrics, stats_pebble.go Pebble's; damage.go damage that
//	               is met
//
// # Rooms below
//
//	query     questions, answers and their errors, as types
//	read      answers them from a view
//	table     one site's rows: the part in memory, runs, views
//	identity  who an event is from: persons, sessions, visits, the table of ids
//	store     what lies in a data directory: versions, public ids, snapshots
//	enrich    what is known of an event from its source; privacy
//	check     the recount of a stopped store; sizes on the disk
//	calendar  days, weeks and months of a zone; referrer urls and known sites; ua agents
//	event     events, their records and cells, what they count, rules of each dialect
//
// Below these are wal (the log, and what makes it durable) and index (parts, columns,
// matching, runs).
//
// # One event
//
// Ingest validates, enriches and encodes it in the request's goroutine and
// queues it. The sequencer drops duplicates and gives it a seq, its person, its
// session, and which of its values are over the cap; every decision goes into
// its row, so that nothing has to be decided again. The rows of a group and the
// deltas of its counters are one Pebble batch. While that is synced the rows go
// into the site's part in memory, by column; then they are published and
// the waiters woken. At 65,536 rows the part is sealed: written as a run,
// which is index and rows in one, and its rows leave the log. Sixteen runs are
// merged into one of a million rows, and four of those into one of four million. A merge of
// eight of those would take 60 MiB of memory.
//
// Rows in memory and on their way there take at most half of the memory. The sequencer
// reserves the most that a request may take before it places the first event of it: an
// estimate by sites, cells and text. A request that comes while no rows wait for the sealer
// is taken even if it needs more.
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
//	I7    The runs and the log of a site have every seq from 1 exactly once. If a row is
//	      missing, the store does not open.
//	I8    Rows leave the log only when the ids learnt from them are written. The
//	      changed ids are written in one batch, of a few MB, together with the seq up to
//	      which they are complete. So a replay begins with the ids as they were at that
//	      seq.
//	I9    A counter is the sum over the rows in range of what event.Counts says of
//	      each. Totals of runs and deltas of groups store parts of that sum.
//	I10   A checkpoint is never taken after a run is added and before its rows have left
//	      the log.
//
// # Locks
//
// A lock that stands further down may be taken while one above it is held, never the other
// way round. Locks of one line are never held together.
//
//	store.Snapshots.Install, which is sealer.install: a run takes the place of its rows,
//	  or a checkpoint is taken
//	sealer.mu, merger.mu: what waits to be sealed, or merged
//	Engine.mu: the list of sites
//	table.Table.mu: the parts of a site
//	index.MemPart: appending rows, or taking a snapshot of them
//	index's memory columns: one column's values
//	identity.Links.mu: who is one person
//	Engine.sharing: how the page cache shrinks for filters and links
//	store.Tables.mu: tables that are open
//	index.Cache.mu, read.resultCache.mu, identity's memories, damage.mu, counters.mu,
//	  broadcast.mu, spill.mu: each is held for a few lines that take no other lock
//
// The sequencer's state (the table of ids, dedup, cardinality) and the publisher's have no
// lock: each belongs to one goroutine. Only sealer.install may be held while the disk is
// synced. Callbacks (Links' took, Cache.Corrupt, Pebble's events) are called without
// a lock of the room that calls them.
package engine
