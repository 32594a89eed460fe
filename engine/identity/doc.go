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
//	assign.go      Assign decides the person and the session, Replay repeats what was decided
//	probe.go       refuses events whose ids are damaged
//	visits.go      the same for hits, which are events of dialects with visits (Matomo)
//	named.go       the same for sessions that clients name, and for events that join one
//	imported.go    the same for events whose session another store has decided
//	heartbeats.go  what a browser says while its visitor stays; visitvars.go the
//	               variables of a visit
//	links.go       which ordinals name the same person; linktable.go their memory
//	ordset.go      sets of ordinals, and how many persons they are; ordpage.go their pages
//	leastsince.go  the least of the numbers that came since a moment
//	pair.go        an ordinal and the row of an answer that it belongs to, in one number
//	owners.go      keeps in memory who began each session, because every event may ask
//	latest.go      keeps in memory the newest event of an id, for the same reason
//	idtable.go     finds the entries that are in memory
//	touch.go       loads entries that are needed soon
//	idfilter.go    says quickly that an id does not exist
//	forget.go      takes out ids that no event has any more
//	idpack.go      keeps entries that were not used recently, in a packed form
//
// How long a session lasts, and which events have one, is in engine/event/rules.go, one rule
// a dialect. Package engine asks the question for Assign in device.go, visitor.go and hit.go.
//
// The table belongs to the sequencer. Links, SessionOwners and LatestEvents are safe for
// concurrent use.
package identity
