// Kept answers: an answer that was computed is given again while it is still true.

package read

import (
	"encoding/binary"
	"fmt"
	"hash/fnv"
	"strings"

	"cairn/engine/query"
)

// Kept returns the answer to the report that key names: a kept one while it is true, else what
// compute returns. The key contains everything that the answer depends on, but the site with its
// settings, the ranges and steps, and the conditions in q. size estimates the bytes of an answer. Nobody changes an answer. It is
// nil when the caller has it already, see query.AsOf.
//
// An answer is true as long as no row has come whose time is in the range or the compared range,
// no heartbeat of a visit that began before their ends, and no link between persons of whom the
// answer knows both. Rules add to that, and so does an answer that is Timed. With MaxAge an answer of that age will do.
//
// The same question at the same time is computed once. Compute may call Kept for a part of the
// answer, such as the compared range: that part is one that is true now, and never nil.
func Kept[T any](rows *Rows, q *query.Report, key string, size func(*T) int, compute func() (*T, error), rules ...Rule) (*T, query.AsOf, error) {
	spans := []query.Span{q.Span}
	if q.Compare != nil {
		spans = append(spans, *q.Compare)
	}
	steps := fnv.New64a()
	_ = binary.Write(steps, binary.LittleEndian, append(q.Steps[:len(q.Steps):len(q.Steps)], q.CompareSteps...))
	ask := newQuestion(rows.site, fmt.Sprintf("%s %v %v %x", key, spans, q.Where, steps.Sum64()), spans, q.Where, rules)
	fresh := query.Fresh{Now: q.Now, MaxAge: q.MaxAge, Tag: q.Tag}
	if ask.turns = rows.reader.turns; rows.working.Load() > 0 {
		ask.part = true
		fresh.MaxAge, fresh.Tag = 0, "" // it becomes a part of an answer that is true now
	}
	answer, err := keep(rows.reader.results, rows.view, ask, &fresh, func(t *T) int {
		if t == nil {
			return 0
		}
		return size(t)
	}, func() (*T, error) {
		rows.working.Add(1)
		defer rows.working.Add(-1)
		return compute()
	})
	return answer, fresh.AsOf, err
}

// Timed is an answer that time alone makes untrue, although no row comes.
type Timed interface {
	// TrueUntil returns from when on the answer is not true any more, in Unix milliseconds; 0 =
	// time changes nothing.
	TrueUntil() int64
}

// Rule says what else makes a kept answer void.
type Rule uint8

const (
	// BeforeTo: any row before the end of a range, such as that of a person's first event.
	BeforeTo Rule = 1 << iota
	// AnyJoin: any link between persons. An answer that looks for a person by an id needs it:
	// the id may become one of a person that is there. Conditions of query.Report.Where are
	// looked at without it; RulesOf has the rules of others.
	AnyJoin
	// AnyRow: any row, heartbeat or link.
	AnyRow
	// Clock: the time, until the ranges are over. The answer depends on query.Report.Now.
	Clock
)

// question is what the caller of keep asks.
type question struct {
	key   string // everything the answer depends on
	spans []query.Span
	rules Rule
	// listing says that the answer itself is too large to be kept. It is computed again
	// unless the caller has it.
	listing bool
	turns   *turns // of which computing takes one; nil = none
	part    bool   // it is a part of an answer whose computing has its turn
}

// newQuestion completes a key by the site and its settings.
func newQuestion(site *query.Site, key string, spans []query.Span, where []query.Cond, rules []Rule) question {
	ask := question{
		key:   fmt.Sprintf("%d %q %q %s", site.ID, zoneName(site.Location), site.Hosts, key),
		spans: spans,
	}
	for _, r := range append(RulesOf(where), rules...) {
		ask.rules |= r
	}
	return ask
}

// RulesOf returns the rules of an answer that depends on conditions. One that looks for persons
// by an id has another answer when that id becomes one of a person. One that compares ids
// otherwise looks at all rows: any of them may name a person whose other rows are in the range.
func RulesOf(lists ...[]query.Cond) (rules []Rule) {
	for _, list := range lists {
		for _, c := range list {
			switch {
			case c.Field != "user":
			case findsPersons(c.Op):
				rules = append(rules, AnyRow)
			default:
				rules = append(rules, AnyJoin)
			}
		}
	}
	return rules
}

// findsPersons reports whether a condition on user with this operator is about the persons of
// whom some row has an id that satisfies it; see personsWith.
func findsPersons(op query.Op) bool {
	switch op {
	case "", query.OpNot, query.OpHas, query.OpHasNot:
		return false
	}
	return true
}

// holdsTag reports whether a list of tags, separated by commas, has a tag.
func holdsTag(tags, tag string) bool {
	for one := range strings.SplitSeq(tags, ",") {
		if one == tag && tag != "" {
			return true
		}
	}
	return false
}
