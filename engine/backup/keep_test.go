package backup

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// hourlyFor is a snapshot an hour, ten past, up to a time.
func hourlyFor(end time.Time, hours int) (times []time.Time) {
	for i := range hours {
		times = append(times, end.Add(time.Duration(i-hours+1)*time.Hour))
	}
	return times
}

func TestKeep(t *testing.T) {
	end := time.Date(2026, 11, 30, 14, 10, 0, 0, time.UTC) // a Monday
	for _, c := range []struct {
		what string
		keep Keep
		have []time.Time
		want string
	}{
		{"none", Keep{1, 1, 1}, nil, ""},
		{"one", Keep{0, 0, 0}, hourlyFor(end, 1), "30T14"},
		{"the newest stays whatever the rules say", Keep{0, 0, 0}, hourlyFor(end, 5), "30T14"},
		{"hours", Keep{Hourly: 3}, hourlyFor(end, 50), "30T12 30T13 30T14"},
		{"days", Keep{Daily: 3}, hourlyFor(end, 100), "28T23 29T23 30T14"},
		{"weeks begin on Monday", Keep{Weekly: 2}, hourlyFor(end, 300), "29T23 30T14"},
		{"all rules", Keep{2, 2, 3}, hourlyFor(end, 300), "22T23 29T23 30T13 30T14"},
		{"hours without a snapshot do not count", Keep{Hourly: 2}, []time.Time{end.Add(-300 * time.Hour), end}, "18T02 30T14"},
		{"of a clock that was ahead", Keep{Hourly: 1}, []time.Time{end.Add(-time.Hour), end, end.Add(80 * time.Hour), end.Add(81 * time.Hour)}, "30T14 03T23"},
		{"several in an hour", Keep{Hourly: 2}, []time.Time{end.Add(-time.Hour), end.Add(-2 * time.Minute), end}, "30T13 30T14"},
	} {
		kept := c.keep.kept(c.have, end)
		var got []string
		for _, at := range c.have {
			if kept[at] {
				got = append(got, at.Format("02T15"))
			}
		}
		if strings.Join(got, " ") != c.want {
			t.Errorf("%s: %q, want %q", c.what, got, c.want)
		}
	}
}

// An object goes a day after the last manifest that named it, not earlier.
func TestOrphans(t *testing.T) {
	ctx := t.Context()
	now := time.Date(2026, 11, 30, 14, 0, 0, 0, time.UTC)
	mem := NewMem()
	clock := func() time.Time { return now }
	b := &Backup{Options: Options{Now: clock}, manifests: map[string]*Manifest{}, verified: map[string]time.Time{}, lease: newLease(mem, "one", "", clock)}
	v := &Vault{Bucket: mem}
	put := func(name string) {
		t.Helper()
		if _, err := putObject(ctx, mem, name, []byte("x"), Condition{}); err != nil {
			t.Fatal(err)
		}
	}
	put("obj/named")
	put("obj/orphan")
	kept := []*Manifest{{Files: []File{{Name: "a", Size: 1, Parts: []Part{{Object: "obj/named", Size: 1}}}}}}
	expect := func(want ...string) {
		t.Helper()
		if err := b.pruneObjects(ctx, v, kept); err != nil {
			t.Fatal(err)
		}
		if got := mem.Names(ObjectPrefix); !slices.Equal(got, want) {
			t.Errorf("%q, want %q", got, want)
		}
	}
	expect("obj/named", "obj/orphan")
	now = now.Add(23 * time.Hour)
	put("obj/late")
	expect("obj/late", "obj/named", "obj/orphan")
	now = now.Add(time.Hour)
	expect("obj/late", "obj/named")
	// An object that is named again is no orphan any more.
	again := kept
	kept = append(kept, &Manifest{Files: []File{{Name: "b", Size: 1, Parts: []Part{{Object: "obj/late", Size: 1}}}}})
	now = now.Add(20 * time.Hour)
	expect("obj/late", "obj/named")
	kept = again
	now = now.Add(20 * time.Hour)
	expect("obj/late", "obj/named")
	now = now.Add(25 * time.Hour)
	expect("obj/named")
	// Whoever has lost the lease without knowing it deletes nothing.
	put("obj/counted-on")
	expect("obj/counted-on", "obj/named")
	now = now.Add(25 * time.Hour)
	b.lease.since = b.lease.since.Add(-time.Hour) // the machine was suspended
	if err := newLease(mem, "two", "", clock).hold(ctx, true); err != nil {
		t.Fatal(err)
	}
	var lost *LeaseError
	if err := b.pruneObjects(ctx, v, kept); !errors.As(err, &lost) {
		t.Errorf("without the lease: %v", err)
	}
	if got := mem.Names(ObjectPrefix); len(got) != 2 {
		t.Errorf("%q are left", got)
	}
}

func TestManifestNames(t *testing.T) {
	at := time.Date(2026, 11, 30, 14, 5, 6, 789e6, time.UTC)
	if got, ok := snapTime(snapName(at)); !ok || !got.Equal(at) || snapName(at) != "snap/20261130T140506.789Z.json" {
		t.Errorf("%s, %v", snapName(at), got)
	}
	for _, name := range []string{"snap/x.json", "snap/20261130T140506.789Z", "obj/20261130T140506.789Z.json", "snap/a/20261130T140506.789Z.json"} {
		if _, ok := snapTime(name); ok {
			t.Errorf("%s is taken for a manifest", name)
		}
	}
	for what, m := range map[string]*Manifest{
		"a path above":        {Files: []File{{Name: "../x"}}},
		"a name twice":        {Files: []File{{Name: "x"}, {Name: "x"}}},
		"sizes":               {Files: []File{{Name: "x", Size: 2, Parts: []Part{{Object: "obj/1", Size: 1}}}}},
		"an object elsewhere": {Files: []File{{Name: "x", Size: 1, Parts: []Part{{Object: "lease.json", Size: 1}}}}},
		"sizes that overflow": {Files: []File{{Name: "x", Size: math.MaxInt64, Parts: []Part{{Object: "obj/1", Size: math.MaxInt64}}}, {Name: "y", Size: 2, Parts: []Part{{Object: "obj/2", Size: 2}}}}},
		"a negative part":     {Files: []File{{Name: "x", Size: 1, Parts: []Part{{Object: "obj/1", Size: 2}, {Object: "obj/2", Size: -1}}}}},
	} {
		if m.check() == nil {
			t.Errorf("%s is accepted", what)
		}
	}
}

func TestSettings(t *testing.T) {
	good := Defaults()
	if err := good.Validate(); err != nil {
		t.Fatal(err)
	}
	for want, change := range map[string]func(*Settings){
		"every must":        func(s *Settings) { s.Every = time.Second },
		"keep must":         func(s *Settings) { s.Keep.Daily = -1 },
		"keep would":        func(s *Settings) { s.Keep = Keep{} },
		"log_every must":    func(s *Settings) { s.LogEvery = time.Millisecond },
		"log_keep must":     func(s *Settings) { s.LogKeep = time.Minute },
		"rate must":         func(s *Settings) { s.Rate = 1 },
		"verify_every must": func(s *Settings) { s.VerifyEvery = time.Minute },
		"verify_max must":   func(s *Settings) { s.VerifyMax = -1 },
		"easy to guess":     func(s *Settings) { s.Passphrase = "short" },
	} {
		s := Defaults()
		change(&s)
		if err := s.Validate(); err == nil || !strings.HasPrefix(err.Error(), want) && !strings.HasSuffix(err.Error(), want) {
			t.Errorf("want %q, got %v", want, err)
		}
	}
}

// A request that hangs does not keep a holder at work beyond the end of its lease.
func TestHangingRenewal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mem := NewMem()
		b := &Backup{lease: newLease(mem, "one", "", time.Now)}
		if err := b.lease.hold(t.Context(), false); err != nil {
			t.Fatal(err)
		}
		b.lease.bucket = hanging{mem}
		began := time.Now()
		ctx, stop := context.WithCancelCause(t.Context())
		b.keepLease(ctx, stop, began)
		if took := time.Since(began); took >= leaseEnds || context.Cause(ctx) == nil {
			t.Errorf("after %v: %v", took, context.Cause(ctx))
		}
	})
}

// hanging is a bucket that takes nothing and does not say so.
type hanging struct{ Bucket }

func (hanging) Put(ctx context.Context, _ string, _ io.ReadSeeker, _ int64, _ [32]byte, _ Condition) (Info, error) {
	<-ctx.Done()
	return Info{}, ctx.Err()
}

// A snapshot stays as long as moments can be restored from it alone: where the log begins, and after a gap.
func TestKeepForTheLog(t *testing.T) {
	ctx := t.Context()
	begin := time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)
	minute := func(n int) time.Time { return begin.Add(time.Duration(n) * time.Minute) }
	mem := NewMem()
	chain := newChain("life", minute(4))
	for n := uint64(5); n < 60; n++ {
		h := &logHead{Chain: chain, Number: 2 * n, Before: 2*n - 2, At: minute(int(n)).UnixMilli()}
		if n == 5 {
			h.Before = 0
		}
		if n == 40 {
			h.Before = h.Number - 1 // a gap
		}
		if _, err := putObject(ctx, mem, logName(h), []byte("x"), Condition{}); err != nil {
			t.Fatal(err)
		}
	}
	for _, test := range []struct {
		now    int // minute
		logged bool
		want   string
	}{{56, true, "4 45 55"}, {56, false, "55"}, {6 + 60, true, "4 45 55"}, {38 + 60, true, "20 45 55"}, {200, true, "55"}} {
		b := &Backup{Options: Options{Now: func() time.Time { return minute(test.now) }}, manifests: map[string]*Manifest{}}
		b.LogKeep = time.Hour
		if test.logged {
			b.LogEvery = time.Minute
		}
		var old []string
		var kept []*Manifest
		for _, n := range []int{4, 20, 45, 50, 55} {
			m := &Manifest{Name: snapName(minute(n)), Created: minute(n), Incarnation: "life"}
			if b.manifests[m.Name] = m; n == 55 {
				kept = append(kept, m)
			} else {
				old = append(old, m.Name)
			}
		}
		kept, old, err := b.keepSpans(ctx, &Vault{Bucket: mem}, kept, old)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, m := range kept {
			got = append(got, fmt.Sprint(m.Created.Sub(begin).Minutes()))
		}
		if strings.Join(got, " ") != test.want || len(kept)+len(old) != 5 {
			t.Errorf("after %d minutes %q stay, want %s; %q go", test.now, got, test.want, old)
		}
	}
}
