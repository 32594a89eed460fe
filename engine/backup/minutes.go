package backup

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"cairn/engine/erase"
)

// This file says which minutes can be restored, and deletes what no minute needs. It also has the
// copies of deletions.

// Span is a time of which each moment can be restored, beginning with a snapshot.
type Span struct {
	Snapshot string // name of the manifest
	From, To time.Time
}

// Spans returns which moments can be restored, by snapshot, in the order of the manifests. Spans may
// overlap. It looks at the names of the log's objects alone: whether they are whole is found out by a
// restore. A moment after the newest object cannot be named: nobody knows whether the store was there
// then.
func Spans(ctx context.Context, v *Vault, manifests []*Manifest) ([]Span, error) {
	all, err := chains(ctx, v.Bucket, LogPrefix)
	if err != nil {
		return nil, err
	}
	spans := make([]Span, 0, len(manifests))
	for _, m := range manifests {
		s := Span{Snapshot: m.Name, From: m.Created, To: m.Created}
		for _, c := range all {
			if c.Life != m.Incarnation {
				continue
			}
			// An older chain of the incarnation may have ended before the snapshot.
			if to := c.reach(m.Created); to.After(s.To) {
				s.To = to
				break
			}
		}
		spans = append(spans, s)
	}
	return spans, nil
}

// reach returns up to when the objects of a chain follow each other without a hole, from the last one
// before a time on.
func (c *logChain) reach(from time.Time) (to time.Time) {
	next, _ := slices.BinarySearchFunc(c.Objects, from, func(o logObject, at time.Time) int {
		if o.At.After(at) {
			return 1
		}
		return -1
	})
	for i := next; i < len(c.Objects); i++ {
		o := &c.Objects[i]
		if i > 0 && o.Before != c.Objects[i-1].Number {
			break // also where the object before next is missing
		}
		if i == 0 && o.Before != 0 {
			break // what is before it is gone, perhaps with something that the snapshot needs
		}
		if !o.More {
			to = o.At
		}
	}
	return to
}

// clockMargin is how much longer than needed objects stay, since the clock of a store may be set.
const clockMargin = 2 * time.Hour

// Prune implements Shipper. The moments since before can still be restored: what is needed for them
// begins with the newest snapshot that is not younger.
func (s *LogShipper) Prune(ctx context.Context, before time.Time, kept []*Manifest) error {
	limit := before
	for i, m := range kept {
		if i == 0 || !m.Created.After(before) {
			limit = m.Created
		}
	}
	all, err := chains(ctx, s.vault.Bucket, LogPrefix)
	if err != nil {
		return err
	}
	for _, c := range all {
		for i, o := range c.Objects {
			// One stays: by it a listing knows that the next one follows the snapshot, and the store
			// where it goes on.
			next := i + 1
			if next == len(c.Objects) && c.Name == s.pos.Chain || next < len(c.Objects) && !c.Objects[next].At.Before(limit.Add(-clockMargin)) {
				break
			}
			if !o.At.Before(limit.Add(-clockMargin)) {
				break
			}
			if err := s.vault.Delete(ctx, o.Name); err != nil {
				return fmt.Errorf("delete %s: %w", o.Name, err)
			}
		}
	}
	return nil
}

// DeletionPrefix begins the names of the copies of deletions. They are never deleted: a snapshot or a
// minute of long ago must not bring back what was deleted since.
const DeletionPrefix = "deletions/"

// CopiesOf is a Deletions.
func CopiesOf(ctx context.Context, v *Vault, dir string) (n int, err error) {
	var names []string
	if err := v.List(ctx, DeletionPrefix, func(i Info) error {
		names = append(names, i.Name)
		return nil
	}); err != nil {
		return 0, fmt.Errorf("list the deletions: %w", err)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return 0, err
	}
	for _, name := range names {
		base := name[len(DeletionPrefix):]
		if base == "" || base != filepath.Base(base) || !filepath.IsLocal(base) {
			continue // none of cairn's
		}
		text, _, err := v.Text(ctx, name, erase.CopyBytesMax)
		if err != nil {
			return n, fmt.Errorf("%s: %w", name, err)
		}
		if err := os.WriteFile(filepath.Join(dir, base), text, 0o600); err != nil {
			return n, err
		}
		n++
	}
	return n, nil
}

var _ Deletions = CopiesOf
