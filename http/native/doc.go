// Package native is cairn's own JSON interface below /api/v1/: a dialect that takes
// events, answers every question that the engine answers, and makes snapshots.
// Its contract, /openapi.json, is joined from the files in openapi/.
//
// Until the questions and answers of the engine have a room of their own, this one knows
// the engine for them, and asks it itself.
//
// # What holds
//
// The numbers are those of the room http, which keeps the others.
//
// H6. A query may name a site; one that is not the key's is not found. What is asked is
// always the site of the request.
//
// H8. Decode's events alias the body and the memory in Batch.Scratch, until Reply has
// returned. Read's texts are copies (dialect.Request), so a query may hold them.
//
// N1. The contract and the table of routes in native.go say the same: paths, methods,
// rights and parameters (openapi_test.go).
//
// N2. Nothing unknown is passed over: a parameter that its route does not have is 400.
//
// N3. No text of a client becomes part of a path on the disk.
package native
