// Package records keeps small records in the store beside the log: what a start has to know
// and cannot compute from the rows.
//
// # Files
//
//	rules.go  from which seq of a site changed rules apply
//
// It knows keys and bytes, and not what a rule is.
package records
