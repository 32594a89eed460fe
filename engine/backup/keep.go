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
func (b *Backup) prune(ctx context.Context, v *Vault, newest *Manifest) ([]*Manifest, error) {
	names, err := Manifests(ctx, v)
	if err != nil {
		return nil, err
	}
	if !slices.Contains(names, newest.Name) {
		return nil, fmt.Errorf("%s does not list %s, which was stored", v, newest.Name)
	}
	var times []time.Time
	for _, name := range names {
		at, _ := snapTime(name)
		times = append(times, at)
	}
	keep := b.Keep.kept(times, b.now())
	useless := make(map[string]bool)
	var kept []*Manifest
	var old []string
	for i, name := range names {
		m := b.manifests[name]
		if m == nil {
			m, err = ReadManifest(ctx, v, name)
			if err != nil && !errors.Is(err, errManifest) {
				return nil, err
			}
			if m != nil {
				if m.Line != b.store.Line() {
					return nil, fmt.Errorf("%s has backups of another store; use another prefix", v)
				}
				b.manifests[name] = m
			}
		}
		switch {
		case !keep[times[i]]:
			old = append(old, name)
		case m == nil:
			useless[name] = true
		default:
			kept = append(kept, m)
		}
	}
	if kept, old, err = b.keepSpans(ctx, v, kept, old); err != nil {
		return nil, err
	}
	for _, name := range old {
		if err := b.delete(ctx, v, name); err != nil {
			return nil, err
		}
		delete(b.manifests, name)
	}
	b.setUseless(useless)
	// A damaged manifest names nobody knows what. No object is deleted while there is one.
	if len(useless) > 0 {
		return kept, nil
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

// spansMost and spanLeast bound how many snapshots stay for the log after them alone, and how much of it
// each has to have.
const (
	spansMost = 24
	spanLeast = 10 * time.Second
)

// keepSpans moves from old to kept the snapshots without which moments that the log still has could not
// be restored: where the log begins, and where it goes on after a gap.
func (b *Backup) keepSpans(ctx context.Context, v *Vault, kept []*Manifest, old []string) ([]*Manifest, []string, error) {
	if b.LogEvery == 0 || len(old) == 0 {
		return kept, old, nil
	}
	all := slices.Clone(kept)
	isOld := make(map[string]bool)
	for _, name := range old {
		if m := b.manifests[name]; m != nil {
			all, isOld[name] = append(all, m), true
		}
	}
	slices.SortFunc(all, func(a, b *Manifest) int { return a.Created.Compare(b.Created) })
	spans, err := Spans(ctx, v, all)
	if err != nil {
		return nil, nil, err
	}
	reached := b.now().Add(-b.LogKeep) // up to when there is nothing to keep
	stays := make(map[string]bool)
	for i, m := range all {
		if isOld[m.Name] {
			if i+1 < len(all) && !all[i+1].Created.After(reached) {
				continue
			}
			to := spans[i].To
			if n := slices.IndexFunc(all[i:], func(m *Manifest) bool { return !isOld[m.Name] }); n >= 0 {
				if next := all[i+n].Created; next.Before(to) {
					to = next
				}
			}
			from := m.Created
			if reached.After(from) {
				from = reached
			}
			if to.Sub(from) < spanLeast || len(stays) == spansMost {
				continue
			}
			stays[m.Name] = true
		}
		if spans[i].To.After(reached) {
			reached = spans[i].To
		}
	}
	kept = slices.DeleteFunc(all, func(m *Manifest) bool { return isOld[m.Name] && !stays[m.Name] })
	return kept, slices.DeleteFunc(old, func(name string) bool { return stays[name] }), nil
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
