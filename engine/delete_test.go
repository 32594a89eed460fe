package engine_test

import (
	"errors"
	"fmt"
	"reflect"
	"testing"

	"cairn/engine"
	"cairn/engine/event"
	"cairn/engine/query"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// No listing, no count and no report shows the events of a deleted person, from the answer to
// the deletion on, also after a power cut, sealed or not.
func TestDeletedPersonIsHidden(t *testing.T) {
	for _, sealRows := range []int{1 << 16, 8} {
		t.Run(fmt.Sprint(sealRows), func(t *testing.T) {
			fs := vfs.NewCrashableMem()
			site := &engine.Site{Site: query.Site{ID: 1, Name: "shop"}}
			opts := engine.Options{Dir: "data", FS: fs, Sites: engine.SitesOf(site), SealRows: sealRows}
			e, err := engine.Open(opts)
			if err != nil {
				t.Fatal(err)
			}
			const n, users = 100, 5
			for i := range n {
				ev := event.Event{Dialect: event.Native, Type: event.Track, Name: fmt.Sprintf("name-%d", i%3), User: fmt.Sprintf("u%d", i%users), Time: 1_700_000_000_000 + int64(i)}
				if _, err := e.Ingest(t.Context(), []engine.Record{{Site: site, Record: &event.Record{Event: ev}}}, true, nil); err != nil {
					t.Fatal(err)
				}
			}
			person := query.Deletion{Kind: query.DeletePerson, Where: []query.Cond{{Field: "user", Values: []string{"u3"}}}, By: "secret_key"}
			count := func(e *engine.Engine, want uint64) {
				t.Helper()
				total, err := e.Count(t.Context(), query.Query{Site: &site.Site})
				if err != nil || total.Events != want {
					t.Errorf("count: %+v, %v; want %d", total, err, want)
				}
				page, err := e.List(t.Context(), query.Query{Site: &site.Site, Limit: 1000})
				if err != nil || len(page.Events) != int(want) {
					t.Errorf("list: %d events, %v; want %d", len(page.Events), err, want)
				}
				some, err := e.List(t.Context(), query.Query{Site: &site.Site, Where: person.Where, Limit: 1000})
				if err != nil || len(some.Events) != int(want)-n/users*(users-1) {
					t.Errorf("list of the person: %d events, %v", len(some.Events), err)
				}
			}
			count(e, n)

			dry := person
			dry.DryRun = true
			if r, err := e.Delete(t.Context(), &site.Site, dry); err != nil || r.Rows != n/users || r.ID != 0 {
				t.Errorf("dry run: %+v, %v", r, err)
			}
			count(e, n)
			r, err := e.Delete(t.Context(), &site.Site, person)
			if err != nil || r.ID != 1 || r.Rows != n/users || r.First != 1_700_000_000_003 || r.Last != 1_700_000_000_098 || r.Condition != "user" {
				t.Fatalf("delete: %+v, %v", r, err)
			}
			count(e, n-n/users)
			if _, err := e.Delete(t.Context(), &site.Site, person); !errors.Is(err, query.ErrNotFound) {
				t.Errorf("deleted again: %v", err)
			}

			cut := fs.CrashClone(vfs.CrashCloneCfg{}) // what was not synced is lost
			if err := e.Close(); err != nil {
				t.Fatal(err)
			}
			opts.FS = cut
			if e, err = engine.Open(opts); err != nil {
				t.Fatal(err)
			}
			count(e, n-n/users)
			if all, err := e.Deletions(t.Context(), &site.Site); err != nil || len(all) != 1 || !reflect.DeepEqual(all[0], r) {
				t.Errorf("deletions: %+v, %v; want %+v", all, err, r)
			}
			if err := e.Close(); err != nil {
				t.Fatal(err)
			}
		})
	}
}

// An anonymous id stays that of the person it was linked to first, also when all events of that
// person are deleted: then it is nobody's, although an event of somebody else has it.
func TestIDOfADeletedPersonIsNobodys(t *testing.T) {
	site := &engine.Site{Site: query.Site{ID: 1, Name: "shop"}}
	e, err := engine.Open(engine.Options{Dir: "data", FS: vfs.NewMem(), Sites: engine.SitesOf(site)})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	for _, user := range []string{"ada", "bob"} {
		ev := event.Event{Dialect: event.Native, Type: event.Page, Name: "p", User: user, Anonymous: "x"}
		if _, err := e.Ingest(t.Context(), []engine.Record{{Site: site, Record: &event.Record{Event: ev}}}, true, nil); err != nil {
			t.Fatal(err)
		}
	}
	if u, err := e.User(t.Context(), &site.Site, "x"); err != nil || u.ID != "ada" || u.Events != 1 {
		t.Errorf("before: %+v, %v", u, err)
	}
	ada := query.Deletion{Kind: query.DeletePerson, Where: []query.Cond{{Field: "user", Values: []string{"ada"}}}}
	if r, err := e.Delete(t.Context(), &site.Site, ada); err != nil || r.Rows != 1 {
		t.Fatalf("deleted: %+v, %v", r, err)
	}
	if u, err := e.User(t.Context(), &site.Site, "x"); !errors.Is(err, query.ErrNotFound) {
		t.Errorf("x: %+v, %v; want nobody", u, err)
	}
	if u, err := e.User(t.Context(), &site.Site, "bob"); err != nil || u.Events != 1 {
		t.Errorf("bob: %+v, %v", u, err)
	}
}
