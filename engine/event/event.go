package event

import "strings"

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

// Types lists every Type in a fixed order. A record stores the index, so the list only
// grows at its end.
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

// Dialects lists every Dialect in a fixed order. A record stores the index, so the list
// only grows at its end.
var Dialects = []Dialect{Native, Matomo, Segment, OpenPanel, Opentracker, Oppizi}

// Amount is what an event adds to the total of a property's values. Without one it adds
// 1.
type Amount struct {
	Property string // dotted path
	By       int64
}

// Event is one canonical event. Times are Unix milliseconds. A dialect fills all fields
// but those under "set by the engine". Strings may alias the request's buffer; when
// Ingest returns, the engine has copied what it keeps.
type Event struct {
	Dialect   Dialect
	Type      Type
	Name      string // "" = none
	Time      int64  // when it happened; 0 = when it was received
	User      string // a known person's id
	Anonymous string // a device's or visitor's id
	Session   string // as sent; the engine fills it where it assigns sessions
	Previous  string // alias: the id that becomes User
	Groups    []string
	MessageID string // dedup key within (site, dialect); "" = none
	Value     Value  // String or Number

	Properties Object // for identify and group: traits
	Context    Object // canonical flat keys only, see ContextKeys
	Extra      Object // what the canonical fields cannot hold, as sent

	Increments []Amount // a counted property without one is incremented by 1
	Segments   []string // names of properties that split the counters of this event
	Uncounted  bool     // nothing of this event is counted

	// Set by the engine.
	ID       string // public id, 32 lowercase hex
	Seq      uint64 // position in the site's log, from 1
	Site     string
	Received int64 // when the server received it

	// Decisions made at ingest and stored with the event, so that a replay needs no
	// clock, no configuration and no database.
	SessionSent bool     // Session came from the client
	Imported    bool     // the store that exported the event decided which session it is in, see Import
	SessionOf   string   // of an imported event: what the exporting store calls its session, 32 hex digits; in rows only of the session's first event; "" = in no session
	SessionOrd  uint64   // seq of the first event of the session; 0 = no session
	PersonOrd   uint64   // seq of the first event of the user, or else of the anonymous id; 0 = nobody
	Day         int32    // days since 1970-01-01 of Time in the site's zone, as counted
	Late        bool     // an older cairn counted the event on the day of receipt, because it was over 30 days old; nothing sets it any more
	NotCounted  []string // dotted paths that are not counted, from the dialect and from the site's settings
	Cut         *Cut     // where counting ends, set by Validate; nil = all of the event counts
	Capped      []Term   // terms counted as Other because the day had too many values; with the value Other, all values of the property

	// CappedByProperty says that the terms of a property are consecutive in Capped, and
	// that Other is the only one of its property. Older rows are not so; they are
	// written again as they were.
	CappedByProperty bool

	// CappedNames are the names of properties that do not count because the day had too
	// many names: ascending, each once. Together they count once as the value Other of
	// the property Other.
	CappedNames []string
}

// Term is one value of one property as counters and filters see it.
type Term struct {
	Property string // dotted path
	Value    string
}

// Other is the value under which values beyond the cap are counted, and the property
// under which names beyond the cap are counted. A property or value of that name that a
// client sends is counted together with them.
const Other = "(other)"

// ContextKeys are the keys that Context may have. Their values are strings, except
// latitude and longitude (numbers) and bot (a bool).
var ContextKeys = []string{
	"url", "path", "title", "referrer", "referrer_host",
	"browser", "browser_version", "os", "os_version", "platform", "device", "brand", "model",
	"language", "country", "region", "city", "timezone", "latitude", "longitude", "asn", "ip",
	"screen", "bot",
	"utm_source", "utm_medium", "utm_campaign", "utm_term", "utm_content", "click_id",
}

// FieldError says why an event is refused and for which field. Index is the position in
// the request, -1 when the request has only one event.
type FieldError struct {
	Index int
	Field string // as the client wrote it
	Msg   string
	// Inside is the fault inside Field that Msg quotes, with names that the client chose; nil =
	// Msg has none.
	Inside *FieldError
}

// Plainly returns the message without any name that the client chose, and without a place in
// what it sent.
func (e *FieldError) Plainly() string {
	if e.Inside != nil {
		return e.Inside.Plainly()
	}
	if after, ok := strings.CutPrefix(e.Msg, invalidAt); ok {
		if _, msg, ok := strings.Cut(after, ": "); ok {
			return "invalid JSON: " + msg
		}
		return "invalid JSON"
	}
	return e.Msg
}

func (e *FieldError) Error() string {
	if e.Field == "" {
		return e.Msg
	}
	return e.Field + ": " + e.Msg
}
