// Digests: a summary of the events of a session, a person or any other query.

package read

import (
	"context"
	"slices"
	"strings"

	"cairn/engine/event"
	"cairn/engine/identity"
	"cairn/engine/query"
)

// Digest summarizes the events that q selects: their number, times, users and sessions, the
// newest name, and the newest value of each property and context key. Of two values with
// the same time, the one received later wins.
func (rd *Reader) Digest(ctx context.Context, q query.Query) (query.Digest, error) {
	v := rd.view(ctx, q.Site)
	defer v.Close()
	pred, err := plan(v, q.Where, q.From, q.To)
	if err != nil {
		return query.Digest{}, err
	}
	var d query.Digest
	var named int64
	var persons, sessions identity.OrdSet
	properties, context := newest{byKey: make(map[string]dated)}, newest{byKey: make(map[string]dated)}
	err = v.eachEventOf(pred, func(ev *event.Event) {
		if d.Events == 0 {
			d.First, d.Last = ev.Time, ev.Time
		}
		d.First, d.Last = min(d.First, ev.Time), max(d.Last, ev.Time)
		d.Events++
		if ev.Name != "" && (d.Name == "" || ev.Time >= named) {
			d.Name, named = strings.Clone(ev.Name), ev.Time
		}
		properties.add(ev.Properties, ev.Time)
		context.add(ev.Context, ev.Time)
		persons.Add(ev.PersonOrd)
		sessions.Add(ev.SessionOrd)
	})
	if err != nil {
		return query.Digest{}, err
	}
	p, err := v.persons()
	if err != nil {
		return query.Digest{}, err
	}
	d.Users, d.Sessions = uint64(persons.CountPersons(p)), uint64(sessions.Len())
	d.Properties, d.Context = properties.object(), context.object()
	return d, nil
}

// newest collects the newest value of each key, of at most query.DigestKeysMax keys.
type newest struct{ byKey map[string]dated }

type dated struct {
	value event.Value
	time  int64 // of the event
}

// add adds the members of o, an object of an event at time, and returns copies of those that
// are the newest now.
func (n newest) add(o event.Object, time int64) (kept event.Object) {
	for _, m := range o {
		old, ok := n.byKey[m.Key]
		if ok && old.time > time || !ok && len(n.byKey) == query.DigestKeysMax {
			continue
		}
		m.Key, m.Value.Text = strings.Clone(m.Key), strings.Clone(m.Value.Text)
		n.byKey[m.Key] = dated{m.Value, time}
		kept = append(kept, m)
	}
	return kept
}

// object returns the values, ordered by key.
func (n newest) object() event.Object {
	o := make(event.Object, 0, len(n.byKey))
	for key, d := range n.byKey {
		o = append(o, event.Member{Key: key, Value: d.value})
	}
	slices.SortFunc(o, func(a, b event.Member) int { return strings.Compare(a.Key, b.Key) })
	return o
}
