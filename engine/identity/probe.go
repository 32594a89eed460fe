// Probe: an event of a store whose ids are damaged is refused before any of it is taken in.

package identity

import "cairn/engine/event"

// Damaged says that some of the stored ids cannot be read, so that Probe reads what Assign
// would. It is called before the table has an entry.
func (t *IDs) Damaged() { t.damaged = true }

// Probe fails when an entry that Assign would need for the event cannot be read. It changes
// nothing, and costs nothing unless the stored ids are damaged. A request is probed before any
// of its events is assigned, because an error of Assign leaves it half taken.
func (t *IDs) Probe(site uint32, e *event.Event, q *Question) error {
	if !t.damaged {
		return nil
	}
	for _, id := range []struct {
		kind, dialect byte
		id            string
	}{
		{KindUser, 0, e.User}, {KindUser, 0, e.Previous},
		{KindAnonymous, 0, e.User}, {KindAnonymous, 0, e.Anonymous}, {KindAnonymous, 0, e.Previous},
		{kindSession, DialectNumber(e.Dialect), e.Session}, {kindOrder, 0, e.Name},
		{kindVisitor, 0, visitorOf(e)}, {kindFingerprint, 0, fingerprintOf(e)}, {kindFingerprint, 0, q.Before},
	} {
		if id.id == "" {
			continue
		}
		k, err := t.get(site, id.kind, id.dialect, id.id)
		if err != nil {
			return err
		}
		if k == nil || id.kind != kindVisitor && id.kind != kindFingerprint {
			continue
		}
		for _, l := range k.sessions {
			if _, err := t.visit(site, l.ord); err != nil {
				return err
			}
		}
	}
	return nil
}
