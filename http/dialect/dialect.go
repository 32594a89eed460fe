// Package dialect is what every wire protocol of cairn implements: its routes, the way from
// bytes to events, and the way from a result to a reply. A dialect sees neither fasthttp
// nor the store, so tests give it strings and look at rows.
//
// # Adding a dialect
//
//  1. Write http/NAME: a type that implements Dialect, and Reading, Credentialed, Acting or
//     Explaining if it needs them. http/oppizi is the smallest example.
//  2. Add the dialect at the end of event.Dialects (engine/event/event.go): records store its
//     place in that list.
//  3. Add its rule to engine/event/rules.go: whether it returns ids, what a session is, and
//     what is shown of it. A test fails as long as there is none.
//  4. Add it to the list in http/wiring.go.
//  5. A new kind of credential is a CredentialKind here, a case in auth.Registry.Resolve, a
//     key in cli/config/keys.go and in http/options.go.
//  6. Settings of a site are a type in http/NAME/settings.go that cli/config embeds.
//  7. Name it in http/native/openapi/shared.json, cli/keys.go, README.md, docs/NAME.md and
//     docs/server.md.
//  8. Test it with golden requests (dialecttest), its rule (rules_test.go), a fuzz target, and
//     the tables in cli/e2e that list all dialects.
package dialect

import (
	"context"
	"io"
	"net/netip"
	"slices"
	"strings"
	"time"

	"cairn/engine/event"
	"cairn/engine/query"
)

// Route is one path that a dialect answers. A Path that ends in "/*" matches every path
// below it; "*/name" matches name as the last segment under any prefix; a "*" between
// slashes matches one segment. Methods lists the methods that are answered; any other is a
// 405 with Allow.
//
// HEAD is answered wherever a route with Reads answers GET; elsewhere it must be listed.
// The server answers OPTIONS unless it is listed. Routes of the same path may differ by
// method, host or query key. Of those that match, the one with a Host wins, then the one
// with a Query, then that of the dialect wired first.
//
// A body is known late. So a route with a Form, which has neither Host nor Query, takes
// over from another route of its path and method: one that has none of the three and takes
// events. The limits and rates of that route have been applied by then.
type Route struct {
	Methods []string
	Path    string
	Host    string // first label of the Host header, "" = any
	Query   string // "key" or "key=value" that the query string must hold, "" = any
	Form    string // the same of a form-encoded body; see above
	Auth    Auth
	Right   Right
	Body    int64 // bytes of the inflated body at most; 0 = the server's default
	Reads   bool  // GETs of this route are answered by Reading.Read
	Acts    bool  // requests of this route are answered by Acting.Act
	// Kept says that Read may be given answers that are kept. Only what is computed counts
	// as a query of the credential then.
	Kept    bool
	Brief   bool // Read asks the store once or twice: the store's bound on each question is enough
	Streams bool // Read or Act may answer with a Response.Stream: their context ends with that
	// Lasts says that a stream of Read goes on until the client has enough of it. It does not
	// count among the reads of its credential but among its streams, which have a bound of their
	// own, and its context ends some time later. It calls Request.Valid now and then.
	Lasts bool
	// Browser says that the session of a browser counts in place of a key, when the request has no
	// Authorization. Only the native API has such routes, and none of them takes events.
	Browser bool
	CORS    CORS
	Rates   bool // answers say in x-ratelimit-* what is left of the client's rate
	Rest    bool // of a Path that ends in /*: it gives way to any other route of a path
}

// Auth says where the credential of a route is.
type Auth uint8

const (
	AuthBody   Auth = iota // each Record names its own; Decode finds it
	AuthBearer             // Authorization: Bearer, checked before the body is read
	AuthNone               // open
)

// Bearer is the token in an Authorization header, "" when there is none.
func Bearer(header string) string {
	scheme, token, _ := strings.Cut(strings.TrimSpace(header), " ")
	if !strings.EqualFold(scheme, "bearer") {
		return ""
	}
	return strings.TrimSpace(token)
}

// Right is what a credential allows, and what a route needs: one of Read, Write and
// Manage, or Write with Admin. None means Read where a route reads, else Write.
type Right uint8

const (
	// Write is what public keys have: whoever loads a page knows them.
	Write Right = 1 << iota
	Read
	// Admin with another right is of the admin's token alone, which needs to name no site.
	Admin
	// Manage is of private keys that may both read and write: a site's secret key and the
	// admin's token. It is for what a public key must not do, such as deleting, though it
	// may write. Only a key in the header can manage: the route's Auth is AuthBearer.
	Manage
)

// CORS is how a route answers browsers of other origins.
type CORS uint8

const (
	CORSNone CORS = iota
	CORSAny       // Access-Control-Allow-Origin: *
	CORSEcho      // the caller's origin, with credentials
)

// Request is one HTTP request as a dialect sees it. For Decode, Act and Reply all strings
// and bytes are valid until the answer is made; what outlives the request has to be copied.
// For Read they are copies that never change, so a Query may hold them.
type Request struct {
	Method, Host, Path string
	RawQuery           string
	Header             func(name string) string // "" = absent
	Body               []byte                   // inflated
	Peer               netip.Addr               // client ip after trusted_proxies
	Secure             bool                     // the client speaks TLS, to this server or to a trusted proxy
	ReceivedUnixMilli  int64
	Site               *Site // set when the route's Auth is AuthBearer; nil for the admin's token without a site
	// Rights is what the key in the header may do, and Admin says that it is the admin's token.
	// Both are set when the route's Auth is AuthBearer.
	Rights Right
	Admin  bool
	// Key is the name of that key for admin.log. It is set as Rights is.
	Key string
	// Share is the share that the request came by; nil = it came by none.
	Share *Share
	// Find is the site that a credential opens, nil when there is none. Decode calls it
	// for a site's settings. It decides nothing: the server resolves the credential of
	// each record.
	Find func(Credential) *Site
	// Address is the address of a path for the client, with scheme, host and base path.
	Address func(path string) string
	// Valid says whether the key in the header still opens the site. It is set on routes that
	// Last, and may be called until the stream ends.
	Valid func() bool
	Route *Route
	// Server is what the room http keeps of the request.
	Server any
	State  any // the dialect's own: what Decode leaves for Reply; nil before
}

// Share is what a request by a share may ask of the native API.
type Share struct {
	Numbers  bool     // numbers alone, and nothing that tells people apart
	Props    []string // paths of properties that a share of numbers may name
	AllProps bool     // it may name all of them; Props then has "*"
	Filter   string   // query string of the filter that all answers satisfy; "" = none
	// Of an assistant: it asks with a key, and is held to less than the key may. Refusals then do
	// not speak of a share.
	Assistant bool
}

// Called is what refusals call the share.
func (s *Share) Called() string {
	if s.Assistant {
		return "an assistant"
	}
	return "this share"
}

// Property reports whether a share of numbers may name a property.
func (s *Share) Property(path string) bool { return s.AllProps || slices.Contains(s.Props, path) }

// Site is what a dialect may know of a site.
type Site struct {
	query.Site // what a question needs to know of it
	// The public credentials of a site: whoever loads its pages knows them. "" = it has none.
	WriteKey, ClientID string
	Settings           []any // of the dialects that have some: pointers, which SettingsOf tells apart by type
}

// SettingsOf returns the settings of type T of a site; nil when it has none. They never
// change: a site with other settings is another Site.
func SettingsOf[T any](s *Site) *T {
	for _, settings := range s.Settings {
		if t, ok := settings.(*T); ok {
			return t
		}
	}
	return nil
}

// Credential says whose a record is. The zero value means the key of the request
// (AuthBearer).
type Credential struct {
	Kind   CredentialKind
	ID     string // client id, site name, idsite or key
	Secret string
}

// CredentialKind says which protocol the credential is of, and so how it is resolved.
type CredentialKind uint8

const (
	CredentialNone     CredentialKind = iota
	CredentialWriteKey                // Segment
	CredentialClient                  // OpenPanel: client id and secret
	CredentialSiteID                  // Matomo: idsite, secret = token_auth
	CredentialSiteName                // Opentracker: si
	CredentialKey                     // Secret is a key of the native API, ID the name of its site or ""
	CredentialTicket                  // Opentracker: Secret is a Reader's Ticket, ID the name of its site or ""
)

// Record is one event on its way in.
type Record struct {
	event.Record
	Credential Credential
	Err        *event.FieldError // refused by Decode; the others still go in
	// Exclude is why the record is accepted and not stored ("bot", "dnt"); "" = it is
	// stored. It becomes an Excluded outcome and counts in the metrics.
	Exclude string
	Bots    Bots // what becomes of it when a bot sent it

	// The rest serves OpenPanel. Claimed is the address that a record says it comes from:
	// it counts in place of Source.IP when the credential proves a secret, or when the client
	// is one of trusted_proxies. NeedsSecret refuses a record without such a proof as
	// Unauthorized. Within Repeats the same body from the same address, agent and origin is a
	// duplicate. A record with Ask is not stored: only what its Visit asks is answered.
	Claimed     netip.Addr
	NeedsSecret bool
	Ask         bool
	Repeats     time.Duration
}

// Bots is a dialect's policy for what bots send. The User-Agent of the record's Source says
// whether it is a bot.
type Bots uint8

const (
	BotsKept       Bots = iota // stored, with bot in the context
	BotsWithSecret             // excluded unless the credential proves a secret (OpenPanel)
	BotsExcluded               // excluded, with a secret too (Matomo, without its bots=1)
	BotsOnly                   // kept, and all others are excluded (Matomo's recMode)
)

// Batch collects the events of one request, in order.
type Batch struct {
	Records []Record
	// Partial says that good records are stored even if others are refused. Otherwise one
	// refused record refuses the request.
	Partial bool
	// Credential says whose a request is that Decode refuses; it decides nothing. The zero value
	// means the last of Records, or the key of the request.
	Credential Credential
	// Scratch belongs to the dialect and stays with the Batch, which the server uses again
	// for the same dialect: parsers and arenas live here. What a record aliases in it must
	// stay until the next Decode, or until Reset if it is a Resetter.
	Scratch any
}

// Resetter is a Scratch that lets go of a request when its answer is written.
type Resetter interface{ Reset() }

// recordsKept is the largest capacity of Records that a Batch keeps.
const recordsKept = 4096

// Add appends a zero record and returns it. The pointer is valid until the next Add.
func (b *Batch) Add() *Record {
	b.Records = append(b.Records, Record{})
	return &b.Records[len(b.Records)-1]
}

// Reset forgets the records and keeps the memory for those of another request,
// unless it has grown large.
func (b *Batch) Reset() {
	b.Credential = Credential{}
	if b.Partial = false; cap(b.Records) > recordsKept {
		b.Records = nil
	}
	clear(b.Records)
	b.Records = b.Records[:0]
	if s, ok := b.Scratch.(Resetter); ok {
		s.Reset()
	}
}

// Outcome is what became of one record, index for index.
type Outcome struct {
	event.Outcome
	Reason string // with Excluded: Record.Exclude, or bot gpc dnt ip agent; "" = there was nothing to store
	Bot    string // with Reason bot: what the bot calls itself
}

// Failure is why a whole request was refused. It is OK when the request was decoded and
// handed to the engine.
type Failure uint8

const (
	OK               Failure = iota
	BadRequest               // 400: not decodable, or refused whole; see Result.Err
	Unauthorized             // 401
	Forbidden                // 403
	NotFound                 // 404
	MethodNotAllowed         // 405
	Conflict                 // 409
	TooLarge                 // 413
	BadMedia                 // 415
	RateLimited              // 429
	Busy                     // 503: queue full, stopping, failed
	DiskFull                 // 507
	Internal                 // 500
)

// Result is what Reply turns into bytes.
type Result struct {
	Failure  Failure
	Err      error // with a Failure: the text to show, often *event.FieldError
	Outcomes []Outcome
	Records  []Record // what Decode made, index for index with Outcomes; nil with a Failure
}

// Response is filled by Reply and Read. The server adds framing, CORS and
// Retry-After.
type Response struct {
	Status      int
	ContentType string
	Header      [][2]string
	Body        []byte
	// Stream, unless it is nil, writes the body in place of Body, while it is made and
	// however long that takes. The server sends the head, then calls Stream once, unless
	// the request is a HEAD. Whatever can be refused is refused before: the status has been
	// sent when Stream begins.
	//
	// Each Write is sent at once, as one chunk and uncompressed, so a Stream writes some
	// KiB at a time. A client has 15 s to take 64 KiB of it. A failed Write means that the
	// client is gone or the server stops; the Stream returns then. Who is gone is only
	// noticed by writing, so a Stream that waits for news writes something now and then.
	//
	// nil is the end of the body. Any error cuts the connection, so that the client sees
	// a body that breaks off, not one that ends. Request, Site and the context of Read and
	// Act stay valid until Stream returns. On a route that Streams the context has no
	// deadline, and ends when Server.Shutdown begins.
	Stream func(io.Writer) error
}

// Dialect is one wire protocol.
type Dialect interface {
	Name() event.Dialect
	Routes() []Route
	// Decode appends the events of one request to b. It is pure. An error
	// refuses the whole request; *event.FieldError and *StatusError choose how.
	Decode(*Request, *Batch) error
	// Reply answers every request of the dialect's routes that Read and Act do not,
	// failed ones included.
	Reply(*Request, *Response, Result)
}

// Reading is a Dialect that also reads.
type Reading interface {
	Dialect
	Read(context.Context, *Request, Reader, *Response) error
}

// Credentialed is a Reading with routes that read and whose Auth is AuthBody. It says whose
// data a read asks for; the credential needs the right to read.
type Credentialed interface {
	Credential(*Request) Credential
}

// Acting is a Dialect with routes that neither bring events nor read. When Act returns an
// error it has written nothing; Reply then gets the error.
type Acting interface {
	Dialect
	Act(context.Context, *Request, *Response) error
}

// Explaining is a Dialect whose errors hold nothing that a client sent, so logs and metrics
// may have their fields and texts.
type Explaining interface {
	Dialect
	Explains()
}

// StatusError is a failure a dialect or a Reader chooses.
type StatusError struct {
	Failure Failure
	Field   string
	Msg     string
	Plain   string // Msg without names that the client chose; "" = Msg has none but Field
}

func (e *StatusError) Error() string { return e.Msg }

// Plainly returns the message without any name that the client chose.
func (e *StatusError) Plainly() string {
	if e.Plain != "" {
		return e.Plain
	}
	return strings.TrimPrefix(e.Msg, e.Field+": ")
}

// Reader is what a dialect may ask the store. It is bound to the site of the request: it
// sets Site and Shown of a query itself, and events come as they are to be shown. The texts
// of a query must never change, because an answer that is kept holds them.
type Reader interface {
	List(context.Context, query.Query) (query.Page, error)
	Count(context.Context, query.Query) (query.Totals, error)
	// Event is the event of a public id; a StatusError with NotFound for any other.
	Event(ctx context.Context, id string) (*event.Event, error)
	// Counters is one page of counters. FromDay and ToDay are days in Zone.
	Counters(context.Context, query.CounterQuery) (query.CounterPage, error)
	// Digest sums up the events of a query; Limit and After have no part in it.
	Digest(context.Context, query.Query) (query.Digest, error)
	// User is the person of an id; a StatusError with NotFound for any other.
	User(ctx context.Context, id string) (query.User, error)
	// Users and Sessions are listings by first event, newest first; next is "" on
	// the last page. Skip has no part in them.
	Users(context.Context, query.Query) (users []query.User, next string, err error)
	Sessions(context.Context, query.Query) (sessions []query.Session, next string, err error)
	// Visits sums up sessions from From to To, which must be given; interval is
	// minute, hour, day, week or month, in the site's zone.
	Visits(ctx context.Context, q query.Query, interval string) (total query.Visits, steps []query.Visits, err error)
	// Ticket is a credential to read the site for a time; see CredentialTicket.
	Ticket(time.Duration) string
}
