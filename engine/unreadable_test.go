package engine_test

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"testing"

	"cairn/engine"
	"cairn/engine/check"
	"cairn/engine/event"
	"cairn/wal"

	"github.com/cockroachdb/pebble/v2"
)

// When a record cannot be read, a start and a check name its site and event, and the start says
// what to do.
func TestUnreadableRecord(t *testing.T) {
	good, _ := cappedRecord("k", 3)
	long := bytes.Repeat([]byte("x"), event.RecordReadMax+1)
	for name, c := range map[string]struct {
		record []byte
		what   string
	}{
		"too long": {long, "event 24: corrupt event record: 16777201 bytes, where at most 16777200 are read"},
		"cut":      {good[:len(good)-1], "event 24: corrupt event record: field at byte"},
		"version":  {append([]byte{9}, good[1:]...), "event 24: corrupt event record: version 9"},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLimited(t, 0)
			for i := range 23 {
				l.send(&event.Event{Dialect: event.Native, Type: event.Track, Name: fmt.Sprint("e", i), User: "u"})
			}
			// The event's links and deltas are still stored. They are not reported as problems.
			l.send(&event.Event{Dialect: event.Native, Type: event.Alias, User: "u", Previous: "was", Name: "e"})
			if err := l.engine.Close(); err != nil {
				t.Fatal(err)
			}
			rewriteLog(t, l.fs, func(db *pebble.DB) error {
				_, err := wal.Append(db, 1, 24, [][]byte{c.record}, nil)
				return err
			})
			e, err := engine.Open(engine.Options{Dir: "data", FS: l.fs, Sites: engine.SitesOf(l.site), Reserve: -1})
			if err == nil {
				_ = e.Close()
				t.Fatal("the store opens")
			}
			for _, part := range []string{"open store data: ", "log of site 1: " + c.what, "Nothing was changed", `"cairn check data"`, `"cairn repair data NEW_DIR"`, `"cairn restore SNAPSHOT NEW_DIR"`} {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("%q does not say %q", err, part)
				}
			}
			report, err := check.Store(context.Background(), l.fs, "data")
			if err != nil || len(report.Problems) != 1 || !strings.HasPrefix(report.Problems[0], "site 1: "+c.what) {
				t.Errorf("check: %q, %v", report.Problems, err)
			}
		})
	}
}
