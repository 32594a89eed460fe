package event

import (
	"math"
	"slices"
)

// Rule says how the engine treats the events of one dialect: whose they are, which
// session they are in, and what its answers make of them. The engine consults the rule
// and never the dialect's name. The zero Rule is that of a dialect without sessions.
//
// A Rule is shared, so nobody changes it. Durations are milliseconds of event time.
type Rule struct {
	// From is the first seq of a site's log to which the rule applies. The rule applies
	// from there to the From of the dialect's next rule, for ever: a replay decides
	// about an event as ingest did.
	From uint64

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
	// SessionTypes are the types of events that join or begin the visitor's session when
	// they come without a session id. Events of other types have a session only if they
	// name one.
	SessionTypes []Type
	// Idle is the shortest gap that ends a session.
	Idle int64
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
	// BouncesByViews: a session with fewer than two page views is a bounce; otherwise one
	// with fewer than two actions.
	BouncesByViews bool

	// What a profile shows of its events.

	// DeepTraits: an identify merges nested traits key by key, and null and "" erase
	// nothing. Otherwise a trait replaces the previous one, and null erases it.
	DeepTraits bool
	// ChecksIncrements: an increment of a trait is refused when the newest identify set
	// the trait to something other than a number.
	ChecksIncrements bool
	// ActivePath is the dotted path in Extra where an identify says false when the person
	// was not active. Such an event does not change when the person was last seen. "" =
	// none.
	ActivePath string
	// FirstVisitKey is the key in Extra with the Unix seconds at which the client first
	// saw its visitor. Only the visitor's first event is consulted. "" = none.
	FirstVisitKey string

	// RevenueName is the name of events whose value is revenue, in minor units. "" =
	// none. The newest rule of the dialect applies to all events.
	RevenueName string
}

const minute = 60 * 1000

// rules are the rules of every site, one literal for each dialect. A changed rule is
// added after the one that it replaces, which stays, because it made decisions that the
// log holds. Logs differ in length, so each site then needs Rules of its own, with the
// From at which the changed rule began to apply there.
var rules = newRules(map[Dialect][]Rule{
	Native: {{
		SessionTypes: []Type{Track, Page, Screen},
		Idle:         30 * minute,
		StrayAfter:   30 * minute,
	}},
	Matomo: {{
		Visits:         true,
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
		SessionTypes: Types,
		Idle:         30 * minute,
		StrayAfter:   30 * minute,
	}},
	Oppizi: {{}},
})

// Rules are the rules of all dialects in one site: by the index of the dialect in
// Dialects, and within a dialect by From.
type Rules [][]Rule

// newRules orders rules as Rules has them.
func newRules(byDialect map[Dialect][]Rule) Rules {
	r := make(Rules, len(Dialects))
	for i, d := range Dialects {
		r[i] = byDialect[d]
	}
	return r
}

// noRule is the rule of a dialect that is not in Dialects.
var noRule Rule

// At returns the rule of a dialect for the event with that seq. It is never nil.
func (r Rules) At(d Dialect, seq uint64) *Rule {
	i := slices.Index(Dialects, d)
	if i < 0 {
		return &noRule
	}
	of := r[i]
	for n := len(of) - 1; n >= 0; n-- {
		if of[n].From <= seq {
			return &of[n]
		}
	}
	return &noRule
}

// RuleAt returns the rule of a dialect for the event with that seq. It is never nil.
func RuleAt(d Dialect, seq uint64) *Rule { return rules.At(d, seq) }

// NewestRule returns the rule of a dialect for events without a seq. It is never nil.
func NewestRule(d Dialect) *Rule { return rules.At(d, math.MaxUint64) }

// InSession reports whether an event of the type joins or begins a session when it
// names none.
func (r *Rule) InSession(t Type) bool { return slices.Contains(r.SessionTypes, t) }

// Ends reports whether a gap of so many milliseconds ends a session.
func (r *Rule) Ends(gap int64) bool { return gap >= r.Idle }

// Strays reports whether an event is too old to join a session. It is behind
// milliseconds older than the newest event of the session.
func (r *Rule) Strays(behind int64) bool { return behind > r.StrayAfter }
