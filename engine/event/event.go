package event

import "net/netip"

// Type says what kind of act an event records.
type Type string

const (
	Track     Type = "track"
	Page      Type = "page"
	Screen    Type = "screen"
	Identify  Type = "identify"
	Group     Type = "group"
	Alias     Type = "alias"
	Increment Type = "increment"
	Download  Type = "download"
	Outlink   Type = "outlink"
	Search    Type = "search"
	Content   Type = "content"
	Goal      Type = "goal"
	Order     Type = "order"
	Cart      Type = "cart"
)

// Types lists every Type in a fixed order; a record stores the index, so the
// list only grows at its end.
var Types = []Type{Track, Page, Screen, Identify, Group, Alias, Increment, Download, Outlink, Search, Content, Goal, Order, Cart}

// Dialect names the protocol an event came in by.
type Dialect string

const (
	Native      Dialect = "native"
	Matomo      Dialect = "matomo"
	Segment     Dialect = "segment"
	OpenPanel   Dialect = "openpanel"
	Opentracker Dialect = "opentracker"
	Oppizi      Dialect = "oppizi"
)

// Dialects lists every Dialect in a fixed order; a record stores the index, so
// the list only grows at its end.
var Dialects = []Dialect{Native, Matomo, Segment, OpenPanel, Opentracker, Oppizi}

// Amount is what an event adds to the total of a property's values instead of 1.
type Amount struct {
	Property string // dotted path
	By       int64
}

// Event is one canonical event. Times are Unix milliseconds. A dialect fills all
// but the fields under "set by the engine"; strings may alias the request's
// buffer, the engine has copied what it keeps when Ingest returns.
type Event struct {
	Dialect   Dialect
	Type      Type
	Name      string // "" = none
	Time      int64  // when it happened; 0 = when it was received
	User      string // a known person's id
	Anonymous string // a device's or visitor's id
	Session   string // as sent; the engine fills it where it keeps sessions
	Previous  string // alias: the id that becomes User
	Groups    []string
	MessageID string // dedup key within (site, dialect); "" = none
	Value     Value  // String or Number

	Properties Object // identify and group: traits
	Context    Object // canonical flat keys only, see ContextKeys
	Extra      Object // what the canonical fields cannot hold, as sent

	Increments []Amount // absent = 1 for each counted property
	Segments   []string // names of properties that split the counters of this event
	Uncounted  bool     // nothing of this event is counted

	Visit Visit // asked of the engine and answered by it; never stored
	Hit   *Hit  // nil in dialects whose visits are not kept; never stored

	// Set by the engine.
	ID       string // public id, 32 lowercase hex
	Seq      uint64 // position in the site's log, from 1
	Site     string
	Received int64 // when the server took it in

	// Decisions taken at ingest and kept with the event, so that a replay asks
	// no clock, no configuration and no database.
	SessionSent bool     // Session came from the client
	SessionOrd  uint64   // seq of the first event of the session; 0 = no session
	PersonOrd   uint64   // seq of the first event of the user, else of the anonymous id; 0 = nobody
	Day         int32    // days since 1970-01-01 of Time in the site's zone, as counted
	Late        bool     // Time was too far from Received: counted on the day of receipt
	NotCounted  []string // dotted paths that are not counted: what the dialect brings, and the site's settings
	Cut         *Cut     // where counting ends, set by Validate; nil = all of the event counts
	Capped      []Term   // counted under Other, the day having too many values; the value Other stands for all of the property's

	// CappedByProperty says that the terms of one property stand together in Capped,
	// Other alone. Older rows do not, and each is written again as it was.
	CappedByProperty bool

	// CappedNames are the names of properties that are not counted, the day having too
	// many: ascending, each once. All together count as Other, once, under the property
	// Other.
	CappedNames []string
}

// Term is one value of one property as counters and filters see it.
type Term struct {
	Property string // dotted path
	Value    string
}

// Other is the value under which a property's values beyond the cap are counted, and the
// property under which names beyond theirs are. A client may have a property of that
// name, or such a value: it is then one with them.
const Other = "(other)"

// Visit is how a dialect whose clients need not name themselves (OpenPanel) asks
// the engine who an event is from, and how it is answered for the reply.
type Visit struct {
	Ask    bool // recognise the device by address and agent, unless Anonymous names it
	Always bool // keep the device's id with the event also where a server sent it
	Nobody bool // keep no device's id with the event: it is of no visitor
	Old    bool // the event comes too late for any session

	Device  string // answer: the device, also where the event is stored without it
	Session string // answer: its session, or what its next one may be called
	Live    bool   // answer: Session is a session that is going on

	JoinOnly bool // set by the engine: a server's event opens no session
}

// Source is what a request says about where an event came from. It serves
// enrichment and is never stored.
type Source struct {
	IP             netip.Addr // the client's, after trusted_proxies and the dialect's own rules
	UserAgent      string
	AcceptLanguage string
	Hints          map[string]string // Sec-CH-UA* by lower-case header name; "uadata" = the same as Matomo's JSON
	Skip           bool              // no detection of any kind (Opentracker's proxy=true)
}

// ContextKeys are the keys Context may hold. All are strings but latitude and
// longitude (numbers) and bot (a bool).
var ContextKeys = []string{
	"url", "path", "title", "referrer", "referrer_host",
	"browser", "browser_version", "os", "os_version", "platform", "device", "brand", "model",
	"language", "country", "region", "city", "timezone", "latitude", "longitude", "asn", "ip",
	"screen", "bot",
	"utm_source", "utm_medium", "utm_campaign", "utm_term", "utm_content",
}

// FieldError refuses an event for one of its fields. Index is the position in
// the request, -1 when there is only one event.
type FieldError struct {
	Index int
	Field string // as the client wrote it
	Msg   string
}

func (e *FieldError) Error() string {
	if e.Field == "" {
		return e.Msg
	}
	return e.Field + ": " + e.Msg
}
