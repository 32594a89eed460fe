// The comparison of stored links with those that the rows give.

package check

import (
	"fmt"
	"iter"
	"slices"

	"cairn/engine/identity"

	"github.com/cockroachdb/pebble/v2"
)

// storedLinks reads the stored links of a site in the order of their events, so that it
// holds those of one event at a time.
type storedLinks struct {
	next  func() (seqLink, bool)
	stop  func()
	ahead *seqLink // read, but its event is still to come
	err   error    // of reading; the links end there
}

// seqLink is a link and the seq of the event that made it.
type seqLink struct {
	seq uint64
	identity.Link
}

// newStoredLinks reads the links of a site. The caller calls stop at the end.
func newStoredLinks(db pebble.Reader, site uint32) *storedLinks {
	s := &storedLinks{}
	s.next, s.stop = iter.Pull(func(yield func(seqLink) bool) {
		s.err = identity.ScanLinks(db, site, func(seq uint64, l identity.Link) bool { return yield(seqLink{seq, l}) })
	})
	return s
}

// compare compares the stored links of the event at seq with those that it should have. It
// reports stored links of earlier events, which have none. Events come in order of seq.
func (s *storedLinks) compare(seq uint64, want []identity.Link, problem func(format string, args ...any)) {
	want = slices.Clone(want)
	for {
		if s.ahead == nil {
			l, ok := s.next()
			if !ok {
				break
			}
			s.ahead = &l
		}
		if s.ahead.seq > seq {
			break
		}
		i := slices.Index(want, s.ahead.Link)
		if s.ahead.seq == seq && i >= 0 {
			want = slices.Delete(want, i, i+1)
		} else {
			problem("the link of event %s should not be stored", linkName(s.ahead.seq, s.ahead.Link))
		}
		s.ahead = nil
	}
	for _, l := range want {
		problem("the link of event %s is missing", linkName(seq, l))
	}
}

// linkName identifies a link in messages.
func linkName(seq uint64, l identity.Link) string { return fmt.Sprintf("%d: %d-%d", seq, l.A, l.B) }
