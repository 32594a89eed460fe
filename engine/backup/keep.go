package backup

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"
)

// This file deletes what is no longer kept: manifests first, and a day later the objects that no
// manifest names.

// orphanName is the object that says since when objects are named by no manifest.
const (
	orphanName     = "orphans.json"
	orphanBytesMax = 64 << 20
	orphanAge      = 24 * time.Hour
)

// kept returns which snapshots stay. times ascend. Those of a clock that was ahead count on their own:
// otherwise they would take the places of the snapshots that are made now.
func (k Keep) kept(times []time.Time, now time.Time) map[time.Time]bool {
	keep := make(map[time.Time]bool)
	ahead, _ := slices.BinarySearchFunc(times, now.Add(time.Millisecond), time.Time.Compare)
	k.mark(keep, times[:ahead])
	k.mark(keep, times[ahead:])
	return keep
}

// mark adds to keep which of times stay.
func (k Keep) mark(keep map[time.Time]bool, times []time.Time) {
	if n := len(times); n > 0 {
		keep[times[n-1]] = true
	}
	for _, rule := range []struct {
		most   int
		period func(time.Time) time.Time
	}{
		{k.Hourly, func(t time.Time) time.Time { return t.UTC().Truncate(time.Hour) }},
		{k.Daily, func(t time.Time) time.Time { return t.UTC().Truncate(24 * time.Hour) }},
		{k.Weekly, func(t time.Time) time.Time { return t.UTC().Truncate(7 * 24 * time.Hour) }}, // Mondays
	} {
		last, n := time.Time{}, 0
		for _, at := range slices.Backward(times) {
			if p := rule.period(at); n == 0 || !p.Equal(last) {
				if n++; n > rule.most {
					break
				}
				last, keep[at] = p, true
			}
		}
	}
}

// prune deletes old manifests, then objects. The caller holds the lease. It returns the kept manifests,
// oldest first.
func (b *Backup) prune(ctx context.Context, v *Vault) ([]*Manifest, error) {
	names, err := Manifests(ctx, v)
	if err != nil {
		return nil, err
	}
	var times []time.Time
	for _, name := range names {
		at, _ := snapTime(name)
		times = append(times, at)
	}
	keep := b.Keep.kept(times, b.now())
	var kept []*Manifest
	for i, name := range names {
		if !keep[times[i]] {
			if err := b.delete(ctx, v, name); err != nil {
				return nil, err
			}
			delete(b.manifests, name)
			continue
		}
		m := b.manifests[name]
		if m == nil {
			// A damaged manifest names nobody knows what. Nothing is deleted while there is one.
			if m, err = ReadManifest(ctx, v, name); err != nil {
				return nil, fmt.Errorf("no object is deleted: %w", err)
			}
			b.manifests[name] = m
		}
		kept = append(kept, m)
	}
	return kept, b.pruneObjects(ctx, v, kept)
}

// deleteTrust is how long the lease counts as held when something is deleted.
const deleteTrust = 10 * time.Second

// delete deletes an object. A machine that was suspended may have lost the lease without knowing it, and the
// new holder counts on what this one found to be old: so the lease is renewed first.
func (b *Backup) delete(ctx context.Context, v *Vault, name string) error {
	if err := b.lease.heldFor(ctx, deleteTrust); err != nil {
		return err
	}
	return v.Delete(ctx, name)
}

// pruneObjects deletes objects that no manifest has named for a day.
func (b *Backup) pruneObjects(ctx context.Context, v *Vault, kept []*Manifest) error {
	named := make(map[string]bool)
	for _, m := range kept {
		for _, f := range m.Files {
			for _, p := range f.Parts {
				named[p.Object] = true
			}
		}
	}
	since := make(map[string]time.Time)
	text, _, err := v.Text(ctx, orphanName, orphanBytesMax)
	if err == nil {
		_ = json.Unmarshal(text, &since) // a damaged one begins anew: a day is lost, no object
	} else if !errors.Is(err, ErrNotFound) {
		return err
	}
	now := b.now().UTC().Truncate(time.Second)
	next := make(map[string]time.Time)
	var old []string
	if err := v.List(ctx, ObjectPrefix, func(i Info) error {
		if named[i.Name] {
			return nil
		}
		at, ok := since[i.Name]
		if !ok || at.After(now) {
			at = now
		}
		if now.Sub(at) >= orphanAge {
			old = append(old, i.Name)
		} else {
			next[i.Name] = at
		}
		return nil
	}); err != nil {
		return err
	}
	for _, name := range old {
		if err := b.delete(ctx, v, name); err != nil {
			return err
		}
		delete(b.verified, name)
	}
	if len(next) == 0 && len(since) == 0 {
		return nil
	}
	if text, err = json.Marshal(next); err != nil {
		return err
	}
	_, err = v.PutText(ctx, orphanName, text, Condition{})
	return err
}
