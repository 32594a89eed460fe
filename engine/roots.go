// Roots: which deleted rows name a person although no event has an id of theirs any more.

package engine

import (
	"time"

	"cairn/engine/event"
	"cairn/engine/table"
	"cairn/index"

	"github.com/RoaringBitmap/roaring/v2/roaring64"
)

// rootSearch finds out of which persons another ordinal than the root is left. The root, which is
// the lowest ordinal, names the person in lists and cursors, so its row has to keep it.
type rootSearch struct {
	*erasure
	pace *pacedSink
	view *table.View
}

// livingRoots returns those rows of t, and of the blanks that will be written again with them,
// that are the root of a person of whom another ordinal is left. It agrees with forgetLinks: a
// root stays as long as its links do.
func (m *merger) livingRoots(t *erasure, runs []*index.Run) (*roaring64.Bitmap, error) {
	if err := t.site.Links.Ready(func(done <-chan struct{}) error { <-done; return nil }); err != nil {
		return nil, err
	}
	roots := roaring64.New()
	s := &rootSearch{erasure: t, pace: &pacedSink{merger: m, since: time.Now()}, view: t.site.View()}
	defer s.view.Close()
	for it := t.rows.Iterator(); it.HasNext(); {
		if err := s.look(it.Next(), roots); err != nil {
			return nil, err
		}
	}
	for _, r := range runs {
		if seqsIn(t.rows, r.First, r.Last()).IsEmpty() {
			continue
		}
		part := r.In(index.NewCache(mergeCache)).Part()
		if part.Column(index.FieldGone) != nil {
			persons := part.Ints(event.IntPerson)
			var err error
			index.NewRawMatcher(part, []index.Clause{has(index.FieldGone)}, nil).Ascend(0, func(row int) bool {
				if seq := r.First + uint64(row); uint64(persons.At(row)) == seq {
					err = s.look(seq, roots)
				}
				return err == nil
			})
			if err != nil {
				return nil, err
			}
		}
		if err := part.Err(); err != nil {
			return nil, err
		}
	}
	return roots, nil
}

// look adds a deleted row to roots if it is the root of a person of whom another ordinal is left.
func (s *rootSearch) look(seq uint64, roots *roaring64.Bitmap) error {
	if err := s.pace.pace(); err != nil {
		return err
	}
	links := s.site.Links
	if links.Find(seq) != seq {
		return nil
	}
	for _, ord := range links.Set(seq)[1:] {
		left, err := s.isLeft(ord)
		if err != nil {
			return err
		}
		if left {
			roots.Add(seq)
			return nil
		}
	}
	return nil
}

// isLeft reports whether an ordinal still has an event, or will be an anchor.
func (s *rootSearch) isLeft(ord uint64) (bool, error) {
	if s.rows.Contains(ord) {
		return s.user.Contains(ord) || s.anonymous.Contains(ord) || s.previous.Contains(ord), nil
	}
	if !s.view.Blank(ord) {
		return true, nil
	}
	e, err := s.view.IDs(ord)
	return e != nil && (e.User != "" || e.Anonymous != "" || e.Previous != ""), err
}
