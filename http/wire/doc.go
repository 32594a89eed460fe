// Package wire is bytes on a connection: it accepts connections, reads each request's
// head and body in the one strict way that this server has, inflates bodies within a
// bound, and knows the address behind a trusted proxy. It is below fasthttp, which sees
// heads without bodies and nothing else, and it knows nothing of events, sites or keys.
//
// # What holds
//
// The numbers are those of the room http, which this one helps to keep its promises.
//
// H1. A byte stream has one meaning or none: what two readers of HTTP could frame
// differently is answered 400 once, and nothing behind it is read as a request
// (framing.go, body.go).
//
// H2. No body is read before the handler asks for it with ReadAll, and none beyond the
// limit that it gives.
//
// H3. Whatever clients do, memory is bounded: connections by the Gate, heads by their
// limits, bodies, large answers and long heads together by one Budget. A client that
// stands still is closed, and one that only sits there makes room.
//
// H5. Here: a stopping Gate wakes who is idle, and answers who has begun to send.
//
// H7. Nothing here logs; a refusal is counted under a reason of this room's own words.
//
// # The way to read it
//
// framing.go reads a head. conn.go holds it until it is whole and keeps every deadline;
// body.go reads what follows it; inflate.go undoes its Content-Encoding. gate.go bounds
// how many connections there are, and proxy.go and tls.go stand by themselves.
package wire
