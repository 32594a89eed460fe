package backup_test

import (
	"context"
	"io"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"cairn/engine/backup"
)

// place is where a bucket is. Another one may take its place at any time, as when another disk is
// mounted there.
type place struct{ now atomic.Pointer[backup.Mem] }

func (p *place) Put(ctx context.Context, name string, body io.ReadSeeker, size int64, sum [32]byte, when backup.Condition) (backup.Info, error) {
	return p.now.Load().Put(ctx, name, body, size, sum, when)
}

func (p *place) Get(ctx context.Context, name string) (io.ReadCloser, backup.Info, error) {
	return p.now.Load().Get(ctx, name)
}

func (p *place) Head(ctx context.Context, name string) (backup.Info, error) {
	return p.now.Load().Head(ctx, name)
}

func (p *place) Delete(ctx context.Context, name string) error {
	return p.now.Load().Delete(ctx, name)
}

func (p *place) List(ctx context.Context, prefix string, each func(backup.Info) error) error {
	return p.now.Load().List(ctx, prefix, each)
}

func (p *place) String() string { return "place" }

// content is the names of all objects of backups. The others are of whoever has looked there.
func content(m *backup.Mem) string {
	var names []string
	for _, name := range m.Names("") {
		if name != backup.LeaseName && name != "orphans.json" {
			names = append(names, name)
		}
	}
	return strings.Join(names, " ")
}

// Whatever bucket takes the place of the own one while the server runs: that of another store is left as
// it is, and an empty one gets all that it lacks.
func TestSwappedBucket(t *testing.T) {
	const phrase, otherPhrase = "correct horse battery", "another staple of horses"
	for _, test := range []struct{ name, own, other string }{
		{"neither is encrypted", "", ""},
		{"this one is encrypted", phrase, ""},
		{"the other one is encrypted", "", phrase},
		{"both have one passphrase", phrase, phrase},
		{"both are encrypted", phrase, otherPhrase},
	} {
		t.Run(test.name, func(t *testing.T) {
			run := func(bucket backup.Bucket, passphrase string, events int) (*backup.Backup, func()) {
				w := newWorld(t, bucket)
				w.change = func(o *backup.Options) { o.Passphrase, o.VerifyEvery = passphrase, 0 }
				ingest(t, w.engine, events)
				b, stop := w.start()
				snapshot(t, b)
				return b, stop
			}
			foreign, here := backup.NewMem(), new(place)
			_, stop := run(foreign, test.other, 100)
			stop()
			before := content(foreign)
			here.now.Store(backup.NewMem())
			b, stop := run(here, test.own, 300)
			here.now.Store(foreign)
			for range 3 {
				if _, err := b.SnapshotNow(t.Context(), true); err == nil {
					t.Error("it backs up into the bucket of another store")
				}
			}
			if after := content(foreign); after != before {
				t.Errorf("the bucket of another store had %q, has %q", before, after)
			}
			empty := backup.NewMem()
			here.now.Store(empty)
			eventually(t, "a snapshot", func() bool { _, err := b.SnapshotNow(t.Context(), false); return err == nil })
			stop()
			restored(t, empty, test.own, time.Time{}, 300)
		})
	}
}

// A damaged key is no loss: each manifest has it as well. So is a damaged manifest: the others stay, and
// what is backed up goes on.
func TestDamagedKeyAndManifest(t *testing.T) {
	const phrase = "correct horse battery"
	mem := backup.NewMem()
	w := newWorld(t, mem)
	hour := new(atomic.Int64)
	w.change = func(o *backup.Options) {
		o.Passphrase, o.LogEvery, o.Every = phrase, 0, 30*24*time.Hour
		o.Now = func() time.Time { return time.Now().Add(time.Duration(hour.Load()) * time.Hour) }
	}
	b, stop := w.start()
	ingest(t, w.engine, 300)
	first := snapshot(t, b).Manifest.Name
	hour.Store(1)
	snapshot(t, b)
	stop()
	flip := func(name string) {
		mem.Change(name, func(body []byte) []byte { body[len(body)/2] ^= 1; return body })
	}
	flip(backup.KeyName)
	flip(first)
	restored(t, mem, phrase, time.Time{}, 300)
	if _, err := backup.OpenVault(t.Context(), mem, "not "+phrase, false); err == nil {
		t.Error("another passphrase opens it")
	}
	b, _ = w.start()
	hour.Store(2)
	ingest(t, w.engine, 100)
	snapshot(t, b)
	snapshot(t, b)
	if reasons := strings.Join(b.Troubles(), "; "); !strings.Contains(reasons, "a snapshot in the backup is damaged") {
		t.Errorf("it does not tell of the damage: %q", reasons)
	}
	if s := b.Status(); s.Error != "" {
		t.Errorf("it fails: %s", s.Error)
	}
	restored(t, mem, phrase, time.Time{}, 400)
}

// An object that was read back once and has changed since is found by the next restore to scratch, and
// stored again as well.
func TestDamageAfterVerification(t *testing.T) {
	mem := backup.NewMem()
	w := newWorld(t, mem)
	hours := new(atomic.Int64)
	w.change = func(o *backup.Options) {
		o.Now = func() time.Time { return time.Now().Add(time.Duration(hours.Load()) * time.Hour) }
		o.Every, o.LogEvery, o.VerifyEvery = 30*24*time.Hour, 0, time.Hour
	}
	ingest(t, w.engine, 900)
	b, stop := w.start()
	eventually(t, "a verification", func() bool { return b.Status().LastVerified != nil })
	made := snapshot(t, b)
	stop()
	var object string
	for _, f := range made.Manifest.Files {
		if len(f.Parts) > 0 {
			object = f.Parts[0].Object
		}
	}
	mem.Change(object, func(body []byte) []byte { body[len(body)/2] ^= 1; return body })
	hours.Store(48)
	b, _ = w.start()
	eventually(t, "the damage is found", func() bool { return strings.Contains(b.Status().Error, object) })
	snapshot(t, b)
	restored(t, mem, "", time.Time{}, 900)
}

// Whoever verifies is told of each object that is damaged, and which snapshots it hurts.
func TestVerifyNamesSnapshots(t *testing.T) {
	mem := backup.NewMem()
	w := newWorld(t, mem)
	hours := new(atomic.Int64)
	w.change = func(o *backup.Options) {
		o.LogEvery, o.Now = 0, func() time.Time { return time.Now().Add(time.Duration(hours.Load()) * time.Hour) }
	}
	b, _ := w.start()
	ingest(t, w.engine, 900)
	snapshot(t, b)
	ingest(t, w.engine, 10)
	hours.Store(1)
	snapshot(t, b)
	v, err := backup.OpenVault(t.Context(), mem, "", false)
	if err != nil {
		t.Fatal(err)
	}
	var all []*backup.Manifest
	in := make(map[string][]string) // names of snapshots by object
	for _, name := range mem.Names(backup.SnapPrefix) {
		m, err := backup.ReadManifest(t.Context(), v, name)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, m)
		for _, f := range m.Files {
			for _, p := range f.Parts {
				if names := in[p.Object]; len(names) == 0 || names[len(names)-1] != name {
					in[p.Object] = append(names, name)
				}
			}
		}
	}
	if err := backup.VerifyObjects(t.Context(), v, all, nil); err != nil || len(all) < 2 {
		t.Fatalf("%d snapshots: %v", len(all), err)
	}
	for object, names := range in {
		spoilt := mem.Clone()
		spoilt.Change(object, func(body []byte) []byte { body[len(body)-1] ^= 1; return body })
		v.Bucket = spoilt
		err := backup.VerifyObjects(t.Context(), v, all, nil)
		if err == nil || !strings.Contains(err.Error(), object) || !strings.HasSuffix(err.Error(), "It is part of "+strings.Join(names, ", ")) {
			t.Errorf("%s of %q: %v", object, names, err)
		}
	}
}
