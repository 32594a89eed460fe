// Package event defines cairn's event: the canonical form into which every dialect is
// translated, with its limits, values, stored record and JSON.
//
// The package imports nothing of cairn. It must not learn about HTTP, the log or the
// index. Dialects fill a Record. The engine validates and encodes it in the goroutine of
// the request. The index stores its fields as opaque cells, and reads turn cells back into
// an Event.
//
// # Values and terms
//
// A Value keeps the JSON type and the exact literal that a client sent. Filters and
// counters compare its term (see Value.Term): the text of a string, the shortest plain
// decimal form of a number, "true" or "false". A string whose text is such a decimal form
// has the same term as the number. So 100, 100.0 and "100" have one term, and "0100" has
// another. A query with the text q asks for the terms QueryTerms(q). An array or object has
// no term itself. It has leaves: every scalar inside it, under its dotted path. Elements of
// an array have the path of the array.
//
// # The way of an event
//
// A dialect fills an Event, mostly with a Parser. The Parser's results are valid until it
// is reset. Validate brings the text into one form, so that
//
//	E1  a value has one cell, whatever dialect and spelling it came in, but a large object
//	    of Extra has one for each of its pieces;
//	E2  text is UTF-8 without control characters other than \t \n \r;
//	E3  no object has a key twice, at any depth;
//	E4  every length, count and depth is within a constant of limits.go.
//
// AppendBody writes what is known before the event has its place in the log. AppendRecord
// puts the head before it. ScanRecord takes a record apart into columns; SetInt, SetCell
// and Finish make an Event from them. A large object of Extra is several columns.
//
//	E5  a record gives back the event that it was made of, field by field;
//	E6  what an event counts (Counts) depends on its record alone;
//	E7  bytes that AppendRecord cannot have written are ErrCorrupt, never a panic.
//
// # Reading order
//
//	event.go value.go limits.go            the event, its values and limits
//	import.go                              an imported event
//	arrival.go hit.go outcome.go           what comes with an event, and what became of it
//	rules.go                               how the engine treats each dialect
//	scan.go parse.go compact.go path.go
//	batch.go each.go                       reading JSON
//	skeleton.go                            what holds for all objects with the same keys
//	native.go json.go time.go              the native JSON form, in and out
//	form.go noid.go emptykey.go            form fields, hexadecimal digits, words that are no id,
//	                                       keys that are empty
//	validate.go bounds.go                  checks, and where counting ends
//	term.go decimal.go compare.go
//	leaves.go counts.go                    terms, numbers, leaves and counters
//	cell.go columns.go lists.go capped.go  the event as cells
//	cellout.go                             cells as text, without an event
//	split.go splitter.go join.go           objects of Extra in pieces
//	record.go keyed.go decode.go           the stored record
//	emptied.go poison.go                   memory that is used again
package event
