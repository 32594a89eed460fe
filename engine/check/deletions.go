// The check of deletions: their records, and the blanks that they have made.

package check

import (
	"fmt"

	"cairn/engine/erase"
	"cairn/engine/event"
	"cairn/engine/identity"
	"cairn/engine/query"
	"cairn/index"

	"github.com/RoaringBitmap/roaring/v2/roaring64"
)

// deletions is what a site has deleted.
type deletions struct {
	records int
	last    uint64            // the newest seq that one of them hides or has looked at
	blank   *roaring64.Bitmap // seqs that no run has any more but as blanks; nil = none are known
	waits   *roaring64.Bitmap // seqs of rows that are hidden; nil = none
	linked  *roaring64.Bitmap // seqs of deletions whose links may still be stored; nil = none

	blanks bool            // some run has blanks, or soon will have
	begun  identity.OrdSet // sessions whose first rows were read, blank or not; only with blanks
}

// readDeletions reads the records.
func (s *siteCheck) readDeletions() {
	err := erase.Each(s.db, s.site, func(r *erase.Record) error {
		d := &s.deleted
		d.records++
		d.last = max(d.last, r.UpTo)
		if r.Seqs == nil || r.Seqs.IsEmpty() {
			if r.State != query.DeletionDone {
				s.problem("deletion %d: it is %s, but it does not say which events it deletes", r.ID, r.State)
			}
			return nil
		}
		if n := r.Seqs.GetCardinality(); n < r.Rows || r.Seqs.Minimum() == 0 || r.Seqs.Maximum() > r.UpTo {
			s.problem("deletion %d: it deletes %d events up to %d, but names %d up to %d", r.ID, r.Rows, r.UpTo, n, r.Seqs.Maximum())
		}
		d.blanks = true // the ids of its rows may be forgotten before they are blanks
		add := func(to **roaring64.Bitmap, is bool) {
			if is && *to == nil {
				*to = roaring64.New()
			}
			if is {
				(*to).Or(r.Seqs)
			}
		}
		add(&d.waits, r.State == query.DeletionHidden)
		add(&d.blank, r.State != query.DeletionHidden)
		add(&d.linked, r.State == query.DeletionHidden || r.State == query.DeletionRewritten)
		return nil
	})
	if err != nil {
		s.problem("%v", err)
	}
}

// hasBlanks reports whether a run has blanks.
func hasBlanks(r *index.Run) bool { return r.Part().Column(index.FieldGone) != nil }

// blank checks what a blank has kept. It returns a text when that is too much.
func blank(ev *event.Event) string {
	kept := event.Event{Dialect: ev.Dialect, Session: ev.Session, User: ev.User, Anonymous: ev.Anonymous, Previous: ev.Previous, MessageID: ev.MessageID,
		Seq: ev.Seq, Time: ev.Time, Received: ev.Received, Day: ev.Day, PersonOrd: ev.PersonOrd, SessionOrd: ev.SessionOrd,
		Uncounted: ev.Uncounted, Late: ev.Late, SessionSent: ev.SessionSent, Imported: ev.Imported}
	if ev.Previous != "" {
		kept.Type = event.Alias
	}
	a, b := event.AppendBody(nil, ev), event.AppendBody(nil, &kept)
	switch {
	case string(a) != string(b):
		return "it is deleted, but has more than what names a person or a session"
	case ev.SessionOf != "" && (ev.SessionOrd != ev.Seq || ev.Session == ""):
		return "it is deleted and begins no session, but has the name of one in another store"
	case (ev.PersonOrd != 0 || ev.SessionOrd != 0) && ev.SessionOrd != ev.Seq && ev.User == "" && ev.Anonymous == "" && ev.Previous == "" && ev.PersonOrd != ev.Seq:
		return fmt.Sprintf("it is deleted and names nobody, but has the person %d and the session %d", ev.PersonOrd, ev.SessionOrd)
	}
	return ""
}

// sessionOf checks, in a site with blanks, that the session of a row begins with a row that has
// kept its name. Nothing else of what was decided can be found out again without all rows. A row
// that waits to be rewritten keeps no session: the run with its first row may be rewritten already.
func (s *siteCheck) sessionOf(ev *event.Event, blank bool) {
	d := &s.deleted
	if ev.SessionOrd == ev.Seq {
		d.begun.Add(ev.Seq)
	} else if waits := d.waits != nil && d.waits.Contains(ev.Seq); !blank && !waits && ev.SessionOrd != 0 && !d.begun.Has(ev.SessionOrd) {
		s.problem("event %d: its session is that of event %d, which begins none", ev.Seq, ev.SessionOrd)
	}
}
