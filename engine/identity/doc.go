// Package identity decides who an event is from and which session it is in. What it knows
// is a function of the log: each row carries what was decided, so that a replay finds it
// again.
//
// # Where what is
//
// Read in this order:
//
//	ids.go         the table of ids: since when there is a user, a visitor or a session;
//	               entry.go what is stored of an id
//	assign.go      Assign decides who and which session, Replay repeats what was decided
//	visits.go      the sessions of a dialect whose rule has visits (event.Rule)
//	heartbeats.go  what a browser says while its visitor stays; visitvars.go the
//	               variables of a visit
//	links.go       which ordinals name one person, in the memory of linktable.go
//	ordset.go      sets of ordinals, counted as persons; pair.go an ordinal of a row
//	owners.go      who began which session, for what is asked of each event
//	latest.go      the newest event of an id, likewise
//	idfilter.go    which ids there are at all; idpack.go entries not used recently
//
// An ordinal is the seq of the event in which an id first appeared: it names the person
// or the session. The table belongs to the sequencer; links, owners and latest events are
// safe for any number of goroutines.
package identity
