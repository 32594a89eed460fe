package engine_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"testing"
	"time"

	"cairn/engine"
	"cairn/engine/event"
	"cairn/engine/query"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// filesWith returns the names of all files below dir that have a text.
func filesWith(t *testing.T, fs vfs.FS, dir string, text []byte) (names []string) {
	t.Helper()
	list, err := fs.List(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range list {
		path := fs.PathJoin(dir, name)
		info, err := fs.Stat(path)
		if err != nil {
			continue
		}
		if info.IsDir() {
			names = append(names, filesWith(t, fs, path, text)...)
			continue
		}
		f, err := fs.Open(path)
		if err != nil {
			continue
		}
		b, err := io.ReadAll(f)
		_ = f.Close()
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(b, text) {
			names = append(names, path)
		}
	}
	return names
}

// marker is a text that no compression shortens much: it is found in a file as it is.
const marker = "k7Qz3vXw9LmB2nRt5Yc8"

// When the purge of a person is done, no file of the store has a word of it, sealed or not.
func TestPurgedPersonIsInNoFile(t *testing.T) {
	for _, sealRows := range []int{1 << 16, 64} {
		t.Run(fmt.Sprint(sealRows), func(t *testing.T) {
			fs := vfs.NewMem()
			site := &engine.Site{Site: query.Site{ID: 1, Name: "shop"}}
			opts := engine.Options{Dir: "data", FS: fs, Sites: engine.SitesOf(site), SealRows: sealRows, MergeRuns: 4}
			e, err := engine.Open(opts)
			if err != nil {
				t.Fatal(err)
			}
			const n, users = 1000, 5
			for i := range n {
				ev := event.Event{Dialect: event.Native, Type: event.Track, Name: fmt.Sprintf("name-%d", i%3), User: fmt.Sprintf("u%d", i%users), Anonymous: fmt.Sprintf("a%d", i%users), Time: 1_700_000_000_000 + int64(i)*1000,
					MessageID: fmt.Sprintf("m%d", i)}
				if i%users == 3 {
					ev.User, ev.Anonymous, ev.Session = "user-"+marker, "anonymous-"+marker, fmt.Sprintf("session-%s-%d", marker, i/100)
					ev.MessageID = fmt.Sprintf("message-%s-%d", marker, i)
					ev.Properties = event.Object{{Key: "card", Value: event.Str(marker)}}
				}
				if _, err := e.Ingest(t.Context(), []engine.Record{{Site: site, Record: &event.Record{Event: ev}}}, true, nil); err != nil {
					t.Fatal(err)
				}
			}
			if files := filesWith(t, fs, "data", []byte(marker)); len(files) == 0 {
				t.Fatal("no file has the marker before the deletion")
			}
			r, err := e.Delete(t.Context(), &site.Site, query.Deletion{Kind: query.DeletePerson, Where: []query.Cond{{Field: "user", Values: []string{"user-" + marker}}}, Now: true})
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			done, err := e.WaitPurged(ctx, &site.Site, r.ID)
			if err != nil || done.State != query.DeletionDone || done.DoneAt == 0 {
				t.Fatalf("purge: %+v, %v", done, err)
			}
			if files := filesWith(t, fs, "data", []byte(marker)); len(files) > 0 {
				t.Errorf("the marker is still in %v", files)
			}
			total, err := e.Count(t.Context(), query.Query{Site: &site.Site})
			if err != nil || total.Events != n-n/users {
				t.Errorf("count: %+v, %v", total, err)
			}
			if err := e.Close(); err != nil {
				t.Fatal(err)
			}
			if files := filesWith(t, fs, "data", []byte(marker)); len(files) > 0 {
				t.Errorf("after closing, the marker is in %v", files)
			}
		})
	}
}
