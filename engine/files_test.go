// Data directories as bytes: the tests of damaged files copy them as often as needed.

package engine_test

import (
	"context"
	"fmt"
	"io"
	"maps"
	"path"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"cairn/engine"
	"cairn/engine/query"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// files is a directory: contents by path, slash-separated, relative.
type files map[string][]byte

// readFiles reads the directory dir.
func readFiles(t testing.TB, fs vfs.FS, dir string) files {
	t.Helper()
	all := files{}
	var walk func(below string)
	walk = func(below string) {
		list, err := fs.List(fs.PathJoin(dir, below))
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range list {
			name = path.Join(below, name)
			info, err := fs.Stat(fs.PathJoin(dir, name))
			if err != nil {
				t.Fatal(err)
			}
			if info.IsDir() {
				walk(name)
				continue
			}
			f, err := fs.Open(fs.PathJoin(dir, name))
			if err != nil {
				t.Fatal(err)
			}
			if all[name], err = io.ReadAll(f); err != nil {
				t.Fatal(err)
			}
			_ = f.Close()
		}
	}
	walk("")
	return all
}

// names lists the files, sorted.
func (f files) names() []string { return slices.Sorted(maps.Keys(f)) }

// with is f with one file changed; nil deletes it.
func (f files) with(name string, data []byte) files {
	g := maps.Clone(f)
	if g[name] = data; data == nil {
		delete(g, name)
	}
	return g
}

// write puts the files below dir.
func (f files) write(t testing.TB, fs vfs.FS, dir string) {
	t.Helper()
	for name, data := range f {
		at := fs.PathJoin(dir, name)
		if err := fs.MkdirAll(fs.PathDir(at), 0o755); err != nil {
			t.Fatal(err)
		}
		w, err := fs.Create(at, vfs.WriteCategoryUnspecified)
		if err != nil {
			t.Fatal(err)
		}
		// In race builds Pebble's file system overwrites what it is given.
		if _, err = w.Write(slices.Clone(data)); err == nil {
			err = w.Close()
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// mem is a file system in memory with the files as the directory "data".
func (f files) mem(t testing.TB) *vfs.MemFS {
	t.Helper()
	fs := vfs.NewMem()
	if err := fs.MkdirAll("data", 0o755); err != nil {
		t.Fatal(err)
	}
	f.write(t, fs, "data")
	return fs
}

// differ names the files in which f and g differ.
func (f files) differ(g files) (names []string) {
	for name, data := range f {
		if other, ok := g[name]; !ok || string(other) != string(data) {
			names = append(names, name)
		}
	}
	for name := range g {
		if _, ok := f[name]; !ok {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// visibleLines returns everything visible of sites in a fixed form: one line for each event, and the
// totals of some counters.
func visibleLines(e *engine.Engine, sites []*engine.Site) (lines []string, err error) {
	for _, site := range sites {
		events, err := walk(e, query.Query{Site: &site.Site, Ascending: true, Limit: 1000})
		for _, ev := range events {
			lines = append(lines, site.Name+" "+show(ev))
		}
		if err != nil {
			return lines, err
		}
		count, err := e.Count(context.Background(), query.Query{Site: &site.Site})
		if err != nil {
			return lines, err
		}
		lines = append(lines, fmt.Sprintf("%s counts %+v", site.Name, count))
		for _, property := range []string{"name", "plan", "request"} {
			page, err := e.Counters(context.Background(), query.CounterQuery{Site: &site.Site, Property: property, Limit: 1000, Sort: "value"})
			if err != nil {
				return lines, err
			}
			lines = append(lines, fmt.Sprintf("%s %s counts %+v", site.Name, property, page))
		}
	}
	return lines, nil
}

// clock is a clock that tests set and engines read.
type clock struct{ millis atomic.Int64 }

func newClock(t time.Time) *clock {
	c := new(clock)
	c.set(t)
	return c
}

func (c *clock) now() time.Time      { return time.UnixMilli(c.millis.Load()).UTC() }
func (c *clock) set(t time.Time)     { c.millis.Store(t.UnixMilli()) }
func (c *clock) add(d time.Duration) { c.millis.Add(d.Milliseconds()) }

// inTime runs do. It reports false when do takes too long.
func inTime(do func()) bool {
	done := make(chan struct{})
	go func() {
		defer close(done)
		do()
	}()
	select {
	case <-done:
		return true
	case <-time.After(30 * time.Second):
		return false
	}
}
