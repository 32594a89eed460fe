// Package engine takes events in, gives each one its seq, person and session, makes it
// durable, and later writes it into a run. The packages below it answer queries; Engine
// delegates to them.
//
// # Files
//
// Read them in this order:
//
//	api.go         what http needs from an Engine; options.go its options, tune.go those that
//	               change while it runs
//	open.go        opening a store; replay.go what a start reads from the log again
//	engine.go      closing, failing, and what all parts share; memory.go how the memory is
//	               divided
//	ingest.go      in the request's goroutine: times, enrichment, limits, encoding
//	device.go      finds the sender of an event, for dialects that recognise devices;
//	               visitor.go for dialects that return ids, hit.go for hits. The decision
//	               which session an event is in is in room identity.
//	increment.go   which increments are refused
//	submission.go  what a request brings to the pipeline, and who owns its memory
//	commit.go      the pipeline, invariants I1–I5, and the publisher, which is its second
//	               stage
//	sequencer.go   its first stage; group.go what is committed together; job.go what it does
//	               for others in between
//	dedup.go       keeps the newest message ids in memory; dedup_find.go looks up older ones
//	               in parts and runs, with the help of their filters; dedup_window.go says
//	               how old they may be
//	cardinality.go limits the distinct values of a property on one day, and
//	               cardinality_names.go the names of properties; cardinality_memory.go bounds
//	               the memory of these sets, and cardinality_read.go loads them again after
//	               they were dropped; deltas.go what a group adds to sums
//	imported.go    events that another store has had: their window, their heartbeats
//	limits.go      all limits of what is written
//	sitestate.go   a site on its way through the pipeline
//	seal.go        turns rows in memory and in the log into runs; merge.go turns several
//	               runs into one; recount.go counts rows again that are on other days than
//	               those of the site's zone; full.go what happens while the disk has no space,
//	               and pending.go how a start waits for it
//	browsers.go    sessions of browsers at the dashboard
//	keyuses.go     on which day keys were last used
//	shares.go      which share has a token
//	saved.go       filters, goals, shares and other things that a site saves
//	delete.go      deletions: which rows they hide; purge.go how they go on until no file
//	               has the rows, and purgefiles.go and purge_manifest.go how they leave the
//	               files; forget.go removes the ids that nobody else has, which forget_rows.go,
//	               forget_living.go and forget_sessions.go find; roots.go says who still needs
//	               a name; rewrite.go and rewrite_totals.go make blanks of the rows in runs
//	retention.go   deletes what the sites no longer keep; retentionplan.go says so before
//	backups.go     what a backup needs of the running store
//	shipping.go    what a backup ships of the log
//	sinks.go       carries rows to sinks, for which retention waits
//	broadcast.go   how one goroutine tells others that something has happened
//	stats.go       numbers for /metrics; stats_pebble.go those of Pebble; damage.go damage
//	               that is found while the store is open; pagereads.go what queries touch
//
// # Packages below
//
//	query     questions, answers and their errors, as types
//	read      answers them from a view
//	export    writes events as files: NDJSON, CSV, Parquet
//	report    answers with reports: visits, funnels and others
//	table     one site's rows: the part in memory, runs, views
//	identity  who an event is from: persons, sessions, visits, the table of ids
//	store     what is in a data directory: versions, public ids, snapshots
//	erase     deletions and what they leave behind
//	records   small records beside the log: from which seq changed rules apply
//	enrich    what an event's source tells about it; privacy
//	check     the recount of a stopped store; sizes on the disk
//	repair    a new store of what is sound in a damaged one
//	calendar  days, weeks and months of a zone
//	referrer  urls and known sites
//	ua        user agents
//	event     events, their records and cells, what they count, rules of each dialect
//
// Below these are wal (the log, and what makes it durable) and index (parts, columns,
// matching, runs).
//
// # The way of an event
//
// Ingest validates, enriches and encodes it in the request's goroutine and
// queues it. The sequencer drops duplicates and gives it a seq, its person, its
// session, and which of its values are over the cap; every decision goes into
// its row, so that nothing has to be decided again. The rows of a group and the
// deltas of its counters are one Pebble batch. While that is synced the rows go
// into the site's part in memory, by column; then they are published and
// the waiters woken. At 65,536 rows the part is sealed: written as a run,
// which is index and rows in one, and its rows leave the log. Sixteen runs are merged into
// one of a million rows, and four of these into one of four million. Merging eight runs of a
// million rows at once would take 60 MiB of memory.
//
// Rows in memory and on their way there take at most a fifth of the memory. Before the
// sequencer places a request, it estimates from the request's sites, rows, cells and text
// how much memory the rows can take at most, and waits until there is room for that. There
// is one exception: if no rows wait for the sealer, it accepts the request even without room.
//
// The log is the truth, and so are the runs after it. Everything else can be computed from
// them. Persons, profiles and sessions are not stored: each row has the ordinals of its
// person and session, and links say which person ordinals are one person. An ordinal is the
// seq of the first event.
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
//	      each. Totals of runs and deltas of groups store parts of that sum. A range is
//	      one of event times; a day is the event times from its start to the next one's.
//	      A run that names its days has every row on the day of its event time (I9 holds
//	      for each day). Other runs, and rows in memory, answer by event times.
//	I11   An id is stored if and only if a living row or a blank has it. Before the ids of
//	      deleted rows are forgotten, theirs are stored as well.
//	I10   A checkpoint is never taken after a run is added and before its rows have left
//	      the log.
//
// # Locks
//
// A goroutine that holds a lock may take only locks further down in this list. Locks on one
// line are never held together.
//
//	store.Snapshots.Install, which is sealer.install: while a run replaces its rows, or a
//	  checkpoint is taken
//	sealer.mu, merger.mu: the parts that wait to be sealed, the sites that wait to be merged
//	Engine.mu: the list of sites
//	table.Table.mu: the parts of a site
//	index.MemPart: appending rows, or taking a snapshot of them
//	index's memory columns: the values of one column
//	identity.Links.mu: which person ordinals are one person
//	Engine.pool.dividing: how filters, links, rows and pages share memory
//	store.Tables.mu: open tables
//	index.Cache.mu, read.resultCache.mu, the caches of identity, damage.mu, counters.mu,
//	  broadcast.mu, spill.mu, shipping.mu: each is held for a few lines that take no other lock
//
// The sequencer's state (the table of ids, dedup, cardinality) and the publisher's have no
// lock: each belongs to one goroutine. Only sealer.install may be held while the disk is
// synced. Callbacks (Links' took, Cache.Corrupt, Pebble's events) are called without
// a lock of the room that calls them.
package engine
