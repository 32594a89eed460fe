// Package records keeps small records in the store beside the log: what cannot be
// computed from the rows.
//
// # Files
//
//	rules.go     from which seq of a site changed rules apply
//	saved.go     filters, goals, funnels, shares and notes that a site has saved
//	browsers.go  sessions of browsers at the dashboard
//	keyuses.go   on which day keys were last used
//	sinks.go     how far sinks have come
//
// It knows keys and bytes. It does not know what a rule is, nor what a saved query asks.
package records
