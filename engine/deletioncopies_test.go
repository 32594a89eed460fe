package engine_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"cairn/engine"
	"cairn/engine/check"
	"cairn/engine/event"
	"cairn/engine/query"
	"cairn/engine/store"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
)

// copied is a store whose deletions are copied beside its snapshots.
type copied struct {
	*testing.T
	fs   vfs.FS
	site *engine.Site
	n    int
}

func (c *copied) open(dir string) *engine.Engine {
	c.Helper()
	e, err := engine.Open(engine.Options{Dir: dir, FS: c.fs, Sites: engine.SitesOf(c.site), SealRows: 16, DeletionCopies: "snaps/deletions"})
	if err != nil {
		c.Fatal(err)
	}
	return e
}

func (c *copied) send(e *engine.Engine, user string) {
	c.Helper()
	c.n++
	ev := event.Event{Dialect: event.Native, Type: event.Track, Name: fmt.Sprintf("e%d", c.n), User: user}
	if _, err := e.Ingest(c.Context(), []engine.Record{{Site: c.site, Record: &event.Record{Event: ev}}}, true, nil); err != nil {
		c.Fatal(err)
	}
}

func (c *copied) forget(e *engine.Engine, user string) {
	c.Helper()
	if _, err := e.Delete(c.Context(), &c.site.Site, query.Deletion{Kind: query.DeletePerson, Where: []query.Cond{{Field: "user", Values: []string{user}}}}); err != nil {
		c.Fatal(err)
	}
}

func (c *copied) names(e *engine.Engine) string {
	c.Helper()
	page, err := e.List(c.Context(), query.Query{Site: &c.site.Site, Limit: 1000, Ascending: true})
	if err != nil {
		c.Fatal(err)
	}
	var names []string
	for _, ev := range page.Events {
		names = append(names, ev.User+" "+ev.Name)
	}
	return strings.Join(names, ", ")
}

func (c *copied) snapshot(e *engine.Engine, dir string) {
	c.Helper()
	if _, err := e.Snapshot(c.Context(), dir); err != nil {
		c.Fatal(err)
	}
}

func (c *copied) close(e *engine.Engine) {
	c.Helper()
	if err := e.Close(); err != nil {
		c.Fatal(err)
	}
}

// A restore of an older snapshot deletes again what was deleted since. It deletes nothing else: no
// row of another life of the store has a seq of a deleted one, and the deletions of another store
// count for nothing.
func TestRestoreAppliesDeletions(t *testing.T) {
	t.Parallel()
	c := &copied{T: t, fs: vfs.NewMem(), site: &engine.Site{Site: query.Site{ID: 1, Name: "shop"}}}
	if err := c.fs.MkdirAll("snaps", 0o755); err != nil {
		t.Fatal(err)
	}
	e := c.open("data")
	for range 10 {
		c.send(e, "ada")
		c.send(e, "bob")
	}
	c.snapshot(e, "snaps/one")
	for range 3 { // these have seqs that the restored store gives to others
		c.send(e, "ada")
		c.send(e, "eve")
	}
	c.forget(e, "ada")
	c.forget(e, "eve")
	c.snapshot(e, "snaps/two")
	c.close(e)

	restore := func(from, to, copies string) (*engine.Engine, int, uint64) {
		t.Helper()
		applied, err := engine.Restore(c.fs, from, to, copies)
		if err != nil {
			t.Fatal(err)
		}
		return c.open(to), applied.Deletions, applied.Rows
	}
	r, n, rows := restore("snaps/one", "data1", "snaps/deletions")
	if n != 1 || rows != 10 {
		t.Errorf("%d deletions with %d rows were applied, want 1 with 10", n, rows)
	}
	if got := c.names(r); strings.Contains(got, "ada") || strings.Count(got, "bob") != 10 {
		t.Errorf("restored: %s", got)
	}
	for range 4 {
		c.send(r, "kim") // the seqs that ada and eve had in the other life
	}
	c.forget(r, "kim")
	c.send(r, "leo")
	if got := c.names(r); strings.Count(got, "leo") != 1 || strings.Contains(got, "kim") {
		t.Errorf("after more: %s", got)
	}
	c.close(r)
	if report, err := check.Store(t.Context(), c.fs, "data1"); err != nil || len(report.Problems) > 0 {
		t.Errorf("check: %+v, %v", report, err)
	}

	// A snapshot that has the deletions gets none twice, and not the one of the other life.
	r, n, _ = restore("snaps/two", "data2", "snaps/deletions")
	if n != 0 {
		t.Errorf("%d deletions were applied to a snapshot that has them", n)
	}
	if got := c.names(r); strings.Contains(got, "ada") || strings.Contains(got, "eve") || strings.Count(got, "bob") != 10 {
		t.Errorf("restored: %s", got)
	}
	c.close(r)

	// Nor does another store.
	other := c.open("other")
	for range 20 {
		c.send(other, "ada")
	}
	c.snapshot(other, "snaps/other")
	c.close(other)
	r, n, _ = restore("snaps/other", "data3", "snaps/deletions")
	if got := c.names(r); n != 0 || strings.Count(got, "ada") != 20 {
		t.Errorf("another store: %d deletions, %s", n, got)
	}
	c.close(r)

	// Without copies nothing is deleted.
	r, n, _ = restore("snaps/one", "data4", "snaps/nothing")
	if got := c.names(r); n != 0 || strings.Count(got, "ada") != 10 {
		t.Errorf("without copies: %d deletions, %s", n, got)
	}
	c.close(r)

	// A damaged copy is refused: without it, deleted events would come back.
	list, err := c.fs.List("snaps/deletions")
	if err != nil || len(list) != 3 {
		t.Fatalf("copies: %q, %v", list, err)
	}
	slices.Sort(list)
	path := "snaps/deletions/" + list[0]
	text := []byte(readFiles(t, c.fs, "snaps/deletions")[list[0]])
	for i := 0; i < len(text); i += 7 {
		bad := slices.Clone(text)
		bad[i] ^= 1
		writeFile(t, c.fs, path, bad)
		if _, err := engine.Restore(c.fs, "snaps/one", fmt.Sprintf("bad%d", i), "snaps/deletions"); err == nil || !strings.Contains(err.Error(), path) {
			t.Errorf("byte %d: %v", i, err)
		}
	}
}

// A copy that could not be written is written by the next start.
func TestDeletionIsCopiedLater(t *testing.T) {
	t.Parallel()
	c := &copied{T: t, fs: vfs.NewMem(), site: &engine.Site{Site: query.Site{ID: 1, Name: "shop"}}}
	writeFile(t, c.fs, "snaps", []byte("no directory"))
	e := c.open("data")
	c.send(e, "ada")
	c.forget(e, "ada")
	c.close(e)
	if err := c.fs.Remove("snaps"); err != nil {
		t.Fatal(err)
	}
	c.close(c.open("data"))
	if list, err := c.fs.List("snaps/deletions"); err != nil || len(list) != 1 {
		t.Errorf("copies: %q, %v", list, err)
	}
}

func writeFile(t *testing.T, fs vfs.FS, path string, data []byte) {
	t.Helper()
	if err := store.WriteFile(fs, path, data); err != nil {
		t.Fatal(err)
	}
}

// A deletion whose copy cannot be written is copied by a later start, also when its purge is done
// by then.
func TestDeletionIsCopiedAfterItsPurge(t *testing.T) {
	t.Parallel()
	var broken atomic.Bool
	broken.Store(true)
	mem := vfs.NewMem()
	c := &copied{T: t, site: &engine.Site{Site: query.Site{ID: 1, Name: "shop"}}, fs: errorfs.Wrap(mem, errorfs.InjectorFunc(func(op errorfs.Op) error {
		if broken.Load() && strings.HasPrefix(op.Path, "snaps/deletions") {
			return errors.New("the disk of the snapshots is away")
		}
		return nil
	}))}
	e := c.open("data")
	c.send(e, "ada")
	c.snapshot(e, "snaps/one")
	r, err := e.Delete(t.Context(), &c.site.Site, query.Deletion{Kind: query.DeletePerson, Where: []query.Cond{{Field: "user", Values: []string{"ada"}}}, Now: true})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if _, err := e.WaitPurged(ctx, &c.site.Site, r.ID); err != nil {
		t.Fatal(err)
	}
	c.close(e)
	broken.Store(false)
	c.close(c.open("data"))
	if applied, err := engine.Restore(mem, "snaps/one", "other", "snaps/deletions"); err != nil || applied.Rows != 1 {
		t.Errorf("restored: %+v, %v; want one deletion of one event", applied, err)
	}
}
