// Package identity decides who an event is from and which session it is in. What it knows
// is a function of the log: each row has the decision, so a replay repeats it.
//
// An ordinal is the seq of the event in which an id first appeared. It names the person or
// the session in rows.
//
// # Where what is
//
// Read in this order:
//
//	ids.go         the table of ids: since when there is a user, a visitor or a session;
//	               entry.go its entries and their stored form
//	assign.go      Assign decides, Replay repeats what was decided
//	visits.go      the same for dialects whose rule has visits (event.Rule)
//	heartbeats.go  what a browser says while its visitor stays; visitvars.go the
//	               variables of a visit
//	links.go       which ordinals name the same person; linktable.go their memory
//	ordset.go      sets of ordinals, counted as persons; pair.go an ordinal of a row
//	owners.go      who began which session; latest.go the newest event of an id
//	idfilter.go    which ids there are; idpack.go entries not used recently
//
// The table belongs to the sequencer. Links, SessionOwners and LatestEvents are safe for
// concurrent use.
package identity
