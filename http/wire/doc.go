// Package wire is bytes on a connection: it accepts connections, reads the head and body of
// each request in one strict way, inflates bodies within a bound, and knows the address
// behind a trusted proxy. It is below fasthttp, which sees heads without bodies and nothing
// else. It knows nothing of events, sites or keys.
//
// # What holds
//
// The numbers are those of the room http. This room keeps its part of those promises.
//
// H1. A byte stream has one meaning or none. What two readers of HTTP could frame
// differently is answered 400 once, and nothing after it is read as a request
// (framing.go, body.go).
//
// H2. A body is read when the handler asks for it with ReadAll, and only up to the limit
// that the handler gives.
//
// H3. Whatever clients do, memory is bounded: connections by the Gate, heads by their
// limits, bodies, large answers and long heads together by one Budget. Clients without a
// secret get a share of it (share.go), and few of their large bodies are decompressed at once
// (inflate.go). A client that makes no progress is disconnected, and
// an idle one gives way to a new one.
//
// H5. A stopping Gate wakes idle connections, and lets those that have begun to send
// finish.
//
// H7. Nothing here logs. A refusal is counted under a fixed text of this room.
//
// # The way to read it
//
// framing.go reads a head. conn.go holds it until it is whole and keeps every deadline.
// body.go reads the body after it, and inflate.go undoes the body's Content-Encoding. watch.go
// notices that a client goes away while it is answered.
// gate.go bounds the number of connections, and evict.go chooses which gives way. listen.go (with
// listen_unix.go and listen_other.go) and systemd.go open the addresses to listen on. certs.go chooses the certificate of a connection: tls.go has those of files,
// acme.go those that are fetched, and certcache.go keeps these. proxy.go knows who is behind a proxy,
// and localhost.go which names this machine has.
package wire
