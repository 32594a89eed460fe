// Package httpd is the room http: everything of cairn that speaks HTTP. The package is not
// called http, so that net/http keeps its name.
//
// # The way of a request
//
//	wire.Gate  may it connect: connections in all and of one address
//	wire.Conn  is it HTTP: one strict reading of each head, and every deadline
//	fasthttp   header look-up, writing the answer, goroutines and their memory
//	table      finds the dialect and the route by host, method, undecoded path and query key;
//	           some routes also look at a form in the body
//	admit      whose key is in the header, or whose browser it is, and are its rates exceeded
//	ingest     body (cap, inflate with a cap) → Decode → whose is each record →
//	           engine.Ingest, which returns when it is durable → Reply
//	read       at most four at once for each key → Read
//	finish     CORS, Retry-After, metrics, log
//
// # What holds
//
// The room wire keeps H1 and the first half of H3, and helps with H2 and H5; the room
// auth keeps the first half of H6; the server keeps the rest. The dialects, of which the
// native API is one, see neither connections nor keys.
//
// H1. A byte stream has one meaning or none. What two readers of HTTP could frame
// differently is answered 400 once, and nothing after it is read as a request.
//
// H2. A body is read after the key in the header, the rates, the store's readiness and the
// claimed length have been checked, and only up to its limit.
//
// H3. Whatever clients do, memory is bounded: connections by the gate, heads by their
// limits, bodies and large answers by one budget, tables by their size. A client that
// makes no progress is disconnected, and an idle one gives way to a new one.
//
// H4. A 2xx to a write means that the engine has made it durable. Any other answer means
// that nothing of the write was stored, except where a dialect stores the good records of
// a batch (dialect.Batch.Partial).
//
// H5. A request that was received whole is answered, even while the server stops. If a stream
// fails, or the stop of the server ends it, the client can see that it is incomplete, because
// the last chunk is missing.
//
// H6. A read answers from the site of its key. If the request names a site, it must be this
// one; only the admin's token can choose among sites. A write goes to the site that its
// credential opens.
//
// H7. No log line or metric holds a client's address, body, query string or key.
//
// H8. Nothing that outlives a request points into its buffers. In a write, texts point into
// the buffers. In a read, they are copied before they become part of a query (exchange.own).
// The engine copies what it keeps of an event and of a query. Tests overwrite the buffers
// after each answer (event.Poisoned).
//
// # The way to read it
//
// options.go and server.go say what a server is made of, wiring.go which dialects it has,
// target.go and router.go how the dialect of a request is found, addresses.go how clients
// reach the server. redirect.go sends clients of plain HTTP to TLS. exchange.go is a request from
// its first byte to its answer. ingest.go is the way of a write, with the rules in turnstile.go,
// exclude.go, repeat.go, requestid.go and ratelimit.go; reads.go is the way of a read. failure.go turns
// errors into answers, stream.go sends a body while it is made, cors.go adds the headers that
// browsers need. sites.go holds the sites. dashboards.go answers what the pages
// of the dashboard ask, gate.go knows whose a browser is, and shares.go who looks by a share. assistants.go lets
// assistants in and answers their tools. A
// request uses the sites that were configured when
// it began, even if they change in the meantime. The settings of a site for a dialect are in
// that dialect's settings.go. health.go, metrics.go, process.go, origin.go, rejected.go and accesslog.go
// are for the operator, adminlog.go says what a request has administered and
// keyuses.go which keys were used; local.go says which requests need no key for that.
package httpd
