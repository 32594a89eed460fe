// What whole runs add to counts and series, kept. When a question comes again after new rows
// were added, only the new rows and the changed runs are read. Rows of a run change only when
// they are hidden: a rewritten run is another run, with an id of its own.

package read

import (
	"fmt"

	"cairn/engine/query"
	"cairn/engine/table"
	"cairn/index"
)

// keptRuns finds and stores what runs add to one question. The zero keptRuns keeps nothing.
type keptRuns struct {
	results *partialResults
	query   string // everything that the rows of a run which satisfy the question depend on, except its times
	users   bool   // which rows are those of a user may change with any deletion
	view    *view

	store bool // the question was asked before, perhaps about other times: results are stored
	exact bool // so was the question about the same times
}

// keptRuns is for a question about conditions. what names the question without its times, and
// again says that it was asked before with the same times.
func (rd *Reader) keptRuns(v *view, where []query.Cond, what string, again bool) keptRuns {
	k := keptRuns{results: rd.partials, view: v}
	links := uint64(0)
	for _, c := range where {
		if c.Visit || c.Field == "user" && findsPersons(c.Op) { // new rows change which visits or persons satisfy it
			return keptRuns{}
		}
		if c.Field == "user" { // links decide which rows are those of a person
			links, k.users = v.joins, true
		}
	}
	if rd.partials.max == 0 {
		return keptRuns{}
	}
	k.query = fmt.Sprintf("%d %d %s %q %q", v.site.ID, links, zoneName(v.site.Location), v.site.Hosts, where)
	k.store, k.exact = rd.partials.asked(what+" "+k.query), again
	return k
}

// key names what a run adds. what says of which kind that is.
func (k *keptRuns) key(p *table.Part, what string) string {
	deletions := uint64(0)
	if k.users || p.Hidden() != nil {
		deletions = 1 + k.view.Deletions
	}
	return fmt.Sprintf("run %d %d %s %s", p.Run.Run, deletions, what, k.query)
}

// keeps reports whether what a run adds to a question about the times of pred may be stored. It is
// false for a run that these cut, if they are not those of before: then they may move with each
// question.
func (k *keptRuns) keeps(r *index.Run, pred *predicate) bool {
	return k.results != nil && k.store && (k.exact || pred.timeFrom <= r.TimeMin && r.TimeMax < pred.timeTo)
}

// cutKey is key for what the rows of a run at the times of pred add.
func (k *keptRuns) cutKey(p *table.Part, pred *predicate, what string) string {
	return k.key(p, fmt.Sprintf("%s %d %d", what, max(pred.timeFrom, p.Run.TimeMin), min(pred.timeTo-1, p.Run.TimeMax)))
}

// keptPart returns what the cache has under a key.
func keptPart[T any](k *keptRuns, key string) (value T, ok bool) {
	kept, ok := k.results.get(key)
	if ok {
		value, ok = kept.(T)
	}
	return value, ok
}

// outside reports whether no row of a run has a time of pred.
func (pred *predicate) outside(r *index.Run) bool {
	return r.TimeMax < pred.timeFrom || r.TimeMin >= pred.timeTo || r.TimeMin > r.TimeMax
}

// always returns pred without bounds of event time.
func (pred *predicate) always() *predicate {
	all := *pred
	all.ranges = nil
	all.timeFrom, all.timeTo = newPredicate().timeFrom, newPredicate().timeTo
	return &all
}
