package event

import "slices"

// Rule says how the engine treats the events of one dialect: whose they are, which
// session they are in, and what its answers make of them. The engine consults the rule
// and never the dialect's name. The zero Rule is that of a dialect without sessions.
//
// What is decided at ingest is decided for ever: a replay decides about an event as ingest
// did, by the rule that held then. What answers show of rows is not stored, so the newest
// rule shows all rows.
//
// A Rule is shared, so nobody changes it. Durations are milliseconds of event time.
type Rule struct {
	// Edition is the edition of the rules that began with this one, see Rules; 0 is the
	// first. Until the dialect's next rule, later editions have this rule as well.
	Edition int

	// Whose an event is, decided at ingest.

	// ReturnsIDs: the reply to an event contains its user and its session, so every
	// event has both. The engine makes those that were not sent. A client may send such
	// an id back as a user's or as a session's.
	ReturnsIDs bool
	// RecognisesDevices: clients send no id of their own. The engine recognises a
	// device by its address and agent (see Visit). It remembers the newest event in a
	// session of each user and device.
	RecognisesDevices bool

	// Which session an event is in, decided at ingest.

	// Visits: the sessions are visits, which hits begin and continue (see Hit). An
	// event with a hit does not need a type of SessionTypes. A visit also ends at
	// midnight of the site's zone, with another campaign, and after a number of
	// actions.
	Visits bool
	// UnitesVisits: one visit is one person. The fingerprint of its hits without an id is
	// linked to the id that its other hits have.
	UnitesVisits bool
	// SessionTypes are the types of events that join or begin the visitor's session when
	// they come without a session id. Events of other types have a session only if they
	// name one.
	SessionTypes []Type
	// Idle is the shortest gap that ends a session.
	Idle int64
	// NamedIdle: a session id that a client sends is a name within its visitor, and a row
	// so much after the last of that name, or before its first, begins another session.
	// 0 = such an id is a name within the site, and its session never ends.
	NamedIdle int64
	// JoinWithin: an event with a user, no anonymous id and no session id joins the newest
	// session of the anonymous id with which the user was last seen, if that session has a
	// row at most so much before or after the event. 0 = it joins the user's own session.
	JoinWithin int64
	// StrayAfter is how much older than the newest event of a session an event may be
	// and still join it.
	StrayAfter int64
	// LateAfter is how old an event of a recognised device may be at receipt and still
	// have a session.
	LateAfter int64
	// ShortSessionIDs: the engine's session ids are 22 characters of base64url;
	// otherwise 32 hex digits.
	ShortSessionIDs bool

	// What a session shows of its events.

	// HeartBeats: a visit lasts until one second after its last act or heart beat. A visit
	// of a single act without heart beats lasts no time.
	HeartBeats bool
	// VisitVariables: events and heart beats carry variables of the whole visit (see
	// engine/identity/visitvars.go).
	VisitVariables bool
	// LateSource: a session that began without a source takes the source of a later
	// event. A referrer counts as a source only when it is another site: the site's own
	// pages refer to each other.
	LateSource bool
	// RowSource: the source of a session is its earliest event that has a campaign or a
	// referrer on another site. Otherwise, without LateSource, it is what the session's
	// first event says.
	RowSource bool
	// BouncesByViews: a session with fewer than two page views is a bounce; otherwise one
	// with fewer than two actions.
	BouncesByViews bool

	// What a profile shows of its events.

	// DeepTraits: an identify merges nested traits key by key, and null and "" erase
	// nothing. Otherwise a trait replaces the previous one, and null erases it.
	DeepTraits bool
	// EventTraits: the properties of a track event are traits of its person, the newest by
	// event time. The newest rule of the dialect applies to all events.
	EventTraits bool
	// ChecksIncrements: an increment of a trait is refused when the trait is something other
	// than a number.
	ChecksIncrements bool
	// ActivePath is the dotted path in Extra where an identify says false when the person
	// was not active. Such an event does not change when the person was last seen. "" =
	// none.
	ActivePath string
	// FirstVisitKey is the key in Extra with the Unix seconds at which the client first
	// saw its visitor. Only the visitor's first event is consulted. "" = none.
	FirstVisitKey string

	// RevenueName is the name of track events whose value is revenue, in minor units: they
	// are orders. "" = none.
	RevenueName string
	// ShopEvents: the track events Order Completed, Order Refunded, Product Added and Product
	// Removed are those of a shop, as Segment's specification has them.
	ShopEvents bool
}

const minute = 60 * 1000

// visitTypes are the types of what visitors do.
var visitTypes = []Type{Track, Page, Screen, Download, Outlink, Search, Content, Goal, Order, Cart}

// editions is the number of editions of the rules. A store learns of a new one when its format
// version is raised, see package records.
const editions = 2

// rules are the rules of each dialect, one literal for each edition that changed them. A
// changed rule is added after the one that it replaces, which stays, because it made
// decisions that the logs hold.
var rules = map[Dialect][]Rule{
	Native: {{
		SessionTypes: []Type{Track, Page, Screen},
		Idle:         30 * minute,
		StrayAfter:   30 * minute,
	}, {
		Edition:      1,
		SessionTypes: visitTypes,
		Idle:         30 * minute,
		StrayAfter:   30 * minute,
		NamedIdle:    24 * 60 * minute,
		JoinWithin:   30 * minute,
		RowSource:    true,
		ShopEvents:   true,
	}},
	Matomo: {{
		Visits:         true,
		Idle:           30 * minute,
		HeartBeats:     true,
		VisitVariables: true,
		LateSource:     true,
		FirstVisitKey:  "_idts",
	}, {
		Edition:        1,
		Visits:         true,
		UnitesVisits:   true,
		Idle:           30 * minute,
		HeartBeats:     true,
		VisitVariables: true,
		LateSource:     true,
		FirstVisitKey:  "_idts",
	}},
	Segment: {{
		SessionTypes: []Type{Track, Page, Screen},
		Idle:         30 * minute,
		StrayAfter:   30 * minute,
		ActivePath:   "context.active",
	}, {
		Edition:      1,
		SessionTypes: visitTypes,
		Idle:         30 * minute,
		StrayAfter:   30 * minute,
		NamedIdle:    24 * 60 * minute,
		JoinWithin:   30 * minute,
		RowSource:    true,
		ActivePath:   "context.active",
		ShopEvents:   true,
	}},
	OpenPanel: {{
		RecognisesDevices: true,
		SessionTypes:      []Type{Track, Page},
		Idle:              30*minute + 1, // a gap of exactly 30 minutes does not end it
		StrayAfter:        30 * minute,
		LateAfter:         15 * minute,
		ShortSessionIDs:   true,
		BouncesByViews:    true,
		DeepTraits:        true,
		ChecksIncrements:  true,
		RevenueName:       "revenue",
	}},
	Opentracker: {{
		ReturnsIDs:   true,
		EventTraits:  true,
		SessionTypes: Types,
		Idle:         30 * minute,
		StrayAfter:   30 * minute,
	}},
	Oppizi: {{}},
}

// Rules are the rules of all dialects in one site, for all seqs of its log: by the index of
// the dialect in Dialects, and within a dialect in the order of the editions. The zero Rules
// have the newest rule of each dialect for every seq.
type Rules [][]ruleFrom

// ruleFrom is a rule and the first seq to which it applies.
type ruleFrom struct {
	from uint64
	*Rule
}

// newest has the newest rule of each dialect in Dialects.
var newest = newestOf(rules)

func newestOf(byDialect map[Dialect][]Rule) []*Rule {
	list := make([]*Rule, len(Dialects))
	for i, d := range Dialects {
		of := byDialect[d]
		list[i] = &of[len(of)-1]
	}
	return list
}

// NewRules returns the rules of a site whose editions begin at starts: the first seq to
// which each edition applies, in ascending order of editions. The first is not read. A
// missing start means that the edition applies to no event.
func NewRules(starts []uint64) Rules {
	if len(starts) == editions && slices.Max(starts) <= 1 {
		return nil // the newest, for every seq
	}
	return rulesOf(rules, starts)
}

func rulesOf(byDialect map[Dialect][]Rule, starts []uint64) Rules {
	r := make(Rules, len(Dialects))
	for i, d := range Dialects {
		of := byDialect[d]
		for j := range of {
			switch edition := of[j].Edition; {
			case edition == 0:
				r[i] = append(r[i], ruleFrom{0, &of[j]})
			case edition < len(starts):
				r[i] = append(r[i], ruleFrom{starts[edition], &of[j]})
			}
		}
	}
	return r
}

// noRule is the rule of a dialect that is not in Dialects.
var noRule Rule

// At returns the rule of a dialect for the event with that seq. It is never nil.
func (r Rules) At(d Dialect, seq uint64) *Rule {
	i := slices.Index(Dialects, d)
	switch {
	case i < 0:
		return &noRule
	case r == nil:
		return newest[i]
	}
	for n := len(r[i]) - 1; n >= 0; n-- {
		if r[i][n].from <= seq {
			return r[i][n].Rule
		}
	}
	return &noRule
}

// NewestRule returns the rule of a dialect for new events, and for what answers show of all
// events. It is never nil.
func NewestRule(d Dialect) *Rule { return Rules(nil).At(d, 0) }

// InSession reports whether an event of the type joins or begins a session when it
// names none.
func (r *Rule) InSession(t Type) bool { return slices.Contains(r.SessionTypes, t) }

// Ends reports whether a gap of so many milliseconds ends a session.
func (r *Rule) Ends(gap int64) bool { return gap >= r.Idle }

// Strays reports whether an event is too old to join a session. It is behind
// milliseconds older than the newest event of the session.
func (r *Rule) Strays(behind int64) bool { return behind > r.StrayAfter }
