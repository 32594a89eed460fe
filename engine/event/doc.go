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
//
// # The way of an event
//
// A dialect fills an Event, most with a Parser, whose results live until it is
// reset. Validate brings text into one form, so that
//
//	E1  one value has one cell, whatever dialect and spelling brought it;
//	E2  text is UTF-8 without control characters but \t \n \r;
//	E3  a key is there once in its object, at every depth;
//	E4  every length, count and depth is within a constant of limits.go.
//
// AppendBody writes what is known before the event has its place in the log,
// AppendRecord puts the head before it. ScanRecord takes a record apart into
// columns, SetInt, SetCell and Finish put an Event together from them.
//
//	E5  a record gives back the event it was made of, field by field;
//	E6  what an event counts (Counts) is a function of its record alone;
//	E7  bytes that AppendRecord cannot have written are ErrCorrupt, never a panic.
package event
