// Package event is the noun of cairn: the canonical event every dialect is
// translated into, its limits, its values, its stored record and its JSON form.
//
// The package imports nothing of cairn. Dialects fill an Event, the engine
// validates and encodes it in the request's goroutine, the index keeps its
// fields as opaque cells, and reads turn cells back into an Event.
//
// # Values and terms
//
// A Value keeps the JSON type and the exact literal a client sent. What filters
// and counters compare is its term (see Value.Term): the text of a string, the
// shortest plain decimal form of a number, "true" or "false". A string whose
// text already is such a decimal form has the same term as the number, so 100,
// 100.0 and "100" are one term while "0100" is another. A query text q asks for
// the terms QueryTerms(q). An object or array has no term of its own but leaves:
// every scalar inside it under its dotted path, each element of an array under
// the path of the array.
package event
