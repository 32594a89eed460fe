// Package native is cairn's own JSON interface below /api/v1/: a dialect that takes
// events, answers every question that the engine answers, and makes snapshots.
// Its contract, /openapi.json, is joined from the files in openapi/.
//
// It asks what it needs through its own interface Engine, with the types of engine/query. It
// does not import the engine.
//
// # What holds
//
// The numbers are those of the room http, which keeps the others.
//
// H6. A query may name a site; any but the key's own is not found. Every question is about
// the site of the request.
//
// H8. The events of Decode alias the body and the memory in Batch.Scratch until Reply has
// returned. The texts of Read are copies (dialect.Request), so a query may hold them.
//
// N1. The contract and the table of routes in native.go say the same: paths, methods,
// rights and parameters (openapi_test.go).
//
// N2. Nothing unknown is ignored: a parameter that its route does not have is 400.
//
// N3. No text that a client sent becomes part of a path on the disk.
package native
