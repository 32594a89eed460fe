// Package httpd is cairn's http room: everything that speaks HTTP. The package
// is not called http so that net/http stays itself.
//
// # The way of a request
//
//	wire.Gate  may it connect: connections in all and of one address
//	wire.Conn  is it HTTP: one strict reading of each head, and every deadline
//	fasthttp   header look-up, writing the answer, goroutines and their memory
//	table      who answers: host, method, path as sent, query key; a form's, once it is read
//	admit      whose key is in the header, and are they within their rates
//	ingest     body (cap, inflate with a cap) → Decode → whose is each record →
//	           engine.Ingest, which returns when it is durable → Reply
//	read       at most four at once a key → Read
//	finish     CORS, Retry-After, metrics, log
//
// # What holds
//
// The room wire keeps H1 and the first half of H3, and helps with H2 and H5; the room
// auth keeps the first half of H6; the server keeps the rest. The dialects, of which the
// native API is one, see neither connections nor keys.
//
// H1. A byte stream has one meaning or none: what two readers of HTTP could frame
// differently is answered 400 once, and nothing behind it is read as a request.
//
// H2. No body is read before the key in the header, the rates, the store's
// readiness and the claimed length have been checked, and none beyond its limit.
//
// H3. Whatever clients do, memory is bounded: connections by the gate, heads by
// their limits, bodies and large answers by one budget, tables by their size. A
// client that stands still is closed, and one that only sits there makes room.
//
// H4. A 2xx to a write means that the engine said it is durable. Any other answer
// to a write that is not a partial one means that nothing of it was stored.
//
// H5. A request that was received whole is answered, also while stopping. A stream that
// the stop ends, or that fails, never looks whole: its chunks have no end.
//
// H6. What is read comes from the site of the key; only the admin's token names
// one. What is written goes to the site its credential opens.
//
// H7. No log line or metric holds a client's address, body, query string or key.
//
// H8. Nothing that outlives a request points into its buffers. A write's texts are
// those of the buffers; a read's are copied before a query is made of them
// (exchange.own). The engine copies what it keeps of an event and of a query. Tests
// overwrite the buffers after each answer (event.Poisoned).
//
// # The way to read it
//
// options.go and server.go say what a server is made of, wiring.go which dialects it
// has, router.go how one is found. exchange.go is a request from its first byte to its
// answer; ingest.go and reads.go are its two ways, failure.go what is said when one ends
// early, stream.go a body that is sent while it is made. tenant.go is what is kept for a site, matomo_settings.go what its dialect asks.
// turnstile.go, exclude.go, repeat.go and ratelimit.go are rules of the first way, and cors.go adds
// what browsers want. health.go, metrics.go, process.go, origin.go and accesslog.go are
// for the operator.
package httpd
