package event

import (
	"math"
	"slices"
)

// Rule says how the engine judges the events of one dialect: whose they are, which
// session they are in, and what its answers make of them. The engine asks the rule and
// never the dialect's name. The zero Rule is that of a dialect without sessions.
//
// A Rule is shared by all who ask: nobody changes it. Durations are milliseconds of event
// time.
type Rule struct {
	// From is the first seq of a site's log that the rule judges. It judges all events
	// from there to the From of the dialect's next rule, for ever: a replay decides about
	// an event as ingest did.
	From uint64

	// Whose an event is, decided at ingest.

	// ReturnsIDs: the answer to an event names its user and its session. So every event
	// has both. The engine makes what was not sent, and an id that it made may be sent
	// back, as a user's or as a session's.
	ReturnsIDs bool
	// RecognisesDevices: clients send no id of their own. The engine knows a device by its
	// address and agent (see Visit) and remembers the newest event of each user and device
	// that is in a session.
	RecognisesDevices bool

	// Which session an event is in, decided at ingest.

	// Visits: the sessions are visits, which hits begin and continue (see Hit). An event
	// with a hit needs no type of SessionTypes. A visit also ends at midnight of the
	// site's zone, with another campaign and after a number of actions.
	Visits bool
	// SessionTypes are the types of events that join the visitor's session, or begin one,
	// when they come without a session id. Others have a session only if they name it.
	SessionTypes []Type
	// Idle is the shortest gap that ends a session.
	Idle int64
	// StrayAfter is how much older than the newest event of a session an event may be to
	// join it.
	StrayAfter int64
	// LateAfter is how old an event of a recognised device may be at receipt to have a
	// session.
	LateAfter int64
	// ShortSessionIDs: the engine names a session by 22 characters of base64url; otherwise
	// by 32 hex digits.
	ShortSessionIDs bool

	// What a session shows of its events.

	// HeartBeats: a visit lasts until its last heart beat, and for a second more than the
	// time between two acts.
	HeartBeats bool
	// VisitVariables: events and heart beats carry variables of the visit as a whole (see
	// engine/visitvars.go).
	VisitVariables bool
	// LateSource: a session that began without a source takes that of a later event. The
	// referrer of the first event counts only if another site is known by it.
	LateSource bool
	// BouncesByViews: a session with fewer than two page views is a bounce; otherwise one
	// with fewer than two actions.
	BouncesByViews bool

	// What a profile shows of its events.

	// DeepTraits: an identify merges objects inside of traits key by key, and null and ""
	// erase nothing. Otherwise a trait replaces the one before, and null erases it.
	DeepTraits bool
	// ChecksIncrements: an increment of a trait that the newest identify gave as something
	// else than a number is refused.
	ChecksIncrements bool
	// ActivePath is the dotted path in Extra at which an identify says false if the person
	// was not there. Such an event does not move when the person was last seen. "" = none.
	ActivePath string
	// FirstVisitKey is the key in Extra of the Unix seconds at which the client first saw
	// its visitor. Asked of the visitor's first event alone. "" = none.
	FirstVisitKey string

	// RevenueName is the name of events whose value is revenue, in minor units. "" = none.
	// The newest rule of the dialect says it for all events.
	RevenueName string
}

const minute = 60 * 1000

// rules are the rules of every site, a literal for each dialect. A changed rule stands
// behind the one it follows, which stays: the log holds what that one decided. Since logs
// differ in length, each site then needs Rules of its own, with the From at which the
// changed rule began to hold there.
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
		Idle:              30*minute + 1, // a gap of just 30 minutes is within
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

// Rules are the rules of all dialects in one site: by the dialect's place in Dialects,
// those of a dialect by their From.
type Rules [][]Rule

// newRules orders rules as Rules has them.
func newRules(byDialect map[Dialect][]Rule) Rules {
	r := make(Rules, len(Dialects))
	for i, d := range Dialects {
		r[i] = byDialect[d]
	}
	return r
}

// noRule is that of a dialect that is not in Dialects.
var noRule Rule

// At returns the rule of a dialect for the event with that seq; never nil.
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

// RuleAt returns the rule of a dialect for the event with that seq; never nil.
func RuleAt(d Dialect, seq uint64) *Rule { return rules.At(d, seq) }

// NewestRule returns the rule of a dialect for events that have no seq yet; never nil.
func NewestRule(d Dialect) *Rule { return rules.At(d, math.MaxUint64) }

// InSession says whether an event of the type that names no session joins or begins one.
func (r *Rule) InSession(t Type) bool { return slices.Contains(r.SessionTypes, t) }

// Ends says whether a gap of so many milliseconds ends a session.
func (r *Rule) Ends(gap int64) bool { return gap >= r.Idle }

// Strays says whether an event that is so many milliseconds older than the newest one of
// a session is too old to join it.
func (r *Rule) Strays(behind int64) bool { return behind > r.StrayAfter }
