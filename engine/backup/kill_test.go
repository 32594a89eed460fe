package backup_test

import (
	"bufio"
	"context"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"cairn/engine"
	"cairn/engine/backup"
	"cairn/engine/backup/dir"
	"cairn/engine/check"
	"cairn/engine/event"
	"cairn/engine/query"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// This file burns a machine: a process that takes events and backs up is killed, and its data
// directory is removed.

var burnSite = &engine.Site{Site: query.Site{ID: 1, Name: "shop"}}

func burnOptions(dir string) engine.Options {
	return engine.Options{Dir: dir, Sites: engine.SitesOf(burnSite), Reserve: -1}
}

// burnDir is set for the process that is killed.
const burnDir = "CAIRN_TEST_BURN"

// tellingShipper prints how many events were acknowledged before a Ship that succeeded.
type tellingShipper struct {
	*backup.LogShipper
	acked *atomic.Int64
}

func (s tellingShipper) Ship(ctx context.Context) error {
	n := s.acked.Load()
	err := s.LogShipper.Ship(ctx)
	if err == nil {
		fmt.Println("shipped", n)
	}
	return err
}

// TestBurning is the process that is killed.
func TestBurning(t *testing.T) {
	top := os.Getenv(burnDir)
	if top == "" {
		t.Skip("for TestMachineBurns")
	}
	e, err := engine.Open(burnOptions(filepath.Join(top, "data")))
	if err != nil {
		t.Fatal(err)
	}
	bucket, err := dir.Open(filepath.Join(top, "bucket"))
	if err != nil {
		t.Fatal(err)
	}
	src, err := e.LogSource()
	if err != nil {
		t.Fatal(err)
	}
	var acked atomic.Int64
	o := backup.Options{Settings: backup.Defaults(), Bucket: bucket, Store: e, Scratch: filepath.Join(top, "data", "backup.tmp"), Log: slog.New(slog.DiscardHandler),
		NewShipper: func(v *backup.Vault) backup.Shipper {
			return tellingShipper{backup.NewShipper(v, src, false, slog.New(slog.DiscardHandler)), &acked}
		}}
	o.LogEvery, o.VerifyEvery = time.Second, 0
	b, err := backup.New(o)
	if err != nil {
		t.Fatal(err)
	}
	go b.Run(context.Background())
	for i := 1; ; i++ {
		ev := event.Event{Dialect: event.Native, Type: event.Track, Name: fmt.Sprintf("e%d", i), Anonymous: fmt.Sprintf("a%d", i%50), Session: fmt.Sprintf("s%d", i/7)}
		if i%11 == 0 {
			ev.Type, ev.Name, ev.User = event.Identify, "", fmt.Sprintf("u%d", i%13)
		}
		if _, err := e.Ingest(context.Background(), []engine.Record{{Site: burnSite, Record: &event.Record{Event: ev}}}, true, nil); err != nil {
			t.Fatal(err)
		}
		page, err := e.List(context.Background(), query.Query{Site: &burnSite.Site, Limit: 1})
		if err != nil {
			t.Fatal(err)
		}
		fmt.Println("acked", i, page.Events[0].ID, page.Events[0].Session)
		acked.Store(int64(i))
		time.Sleep(time.Millisecond)
	}
}

// When a machine burns, the bucket has every event that was acknowledged before the last object of the
// log was begun: with its id and its session. Objects follow each other each log_every, so what is
// lost is what came within log_every and one PUT.
func TestMachineBurns(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes some seconds")
	}
	t.Parallel()
	top := t.TempDir()
	cmd := exec.Command(os.Args[0], "-test.run=^TestBurning$")
	cmd.Env = append(os.Environ(), burnDir+"="+top)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	acked := make(map[string]string) // id by name
	session := make(map[string]string)
	shipped, ships, more := 0, 0, 0
	lines := bufio.NewScanner(out)
	for more < 50 && lines.Scan() {
		var i, n int
		var id, of string
		if k, _ := fmt.Sscan(strings.TrimPrefix(lines.Text(), "acked "), &i, &id, &of); strings.HasPrefix(lines.Text(), "acked ") && k >= 2 {
			acked[id], session[id] = fmt.Sprint(i), of
			if ships >= 3 {
				more++
			}
		}
		if k, _ := fmt.Sscanf(lines.Text(), "shipped %d", &n); k == 1 {
			shipped, ships = n, ships+1
		}
	}
	if err := cmd.Process.Kill(); err != nil { // SIGKILL
		t.Fatal(err)
	}
	for lines.Scan() {
	}
	_ = cmd.Wait()
	if ships < 3 || shipped == 0 {
		t.Fatalf("%d objects with %d events were shipped", ships, shipped)
	}
	if err := os.RemoveAll(filepath.Join(top, "data")); err != nil {
		t.Fatal(err)
	}
	bucket, err := dir.Open(filepath.Join(top, "bucket"))
	if err != nil {
		t.Fatal(err)
	}
	v, err := backup.OpenVault(t.Context(), bucket, "", false)
	if err != nil {
		t.Fatal(err)
	}
	data := filepath.Join(top, "restored")
	r, err := backup.Restore(t.Context(), v, backup.RestoreOptions{Dir: data, Replay: backup.ReplayLog, Deletions: backup.CopiesOf})
	if err != nil {
		t.Fatal(err)
	}
	if r.Replayed.Events == 0 || r.Replayed.Why != "" {
		t.Errorf("%d events came from the log: %s", r.Replayed.Events, r.Replayed.Why)
	}
	report, err := check.Store(t.Context(), vfs.Default, data)
	if err != nil || len(report.Problems) > 0 {
		t.Fatalf("check: %v %v", err, report.Problems)
	}
	e, err := engine.Open(burnOptions(data))
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	there := make(map[string]string)
	for after := ""; ; {
		page, err := e.List(t.Context(), query.Query{Site: &burnSite.Site, Limit: 1000, Ascending: true, After: after})
		if err != nil {
			t.Fatal(err)
		}
		for _, ev := range page.Events {
			there[ev.ID] = fmt.Sprint(ev.Seq)
			if of, known := session[ev.ID]; known && of != ev.Session {
				t.Errorf("event %d is in session %q, was in %q", ev.Seq, ev.Session, of)
			}
		}
		if after = page.Next; after == "" {
			break
		}
	}
	if len(there) < shipped {
		t.Errorf("%d events are restored, %d were shipped", len(there), shipped)
	}
	maps.DeleteFunc(acked, func(id, n string) bool { return there[id] == n })
	for id, n := range acked {
		if i := 0; func() bool { _, err := fmt.Sscan(n, &i); return err != nil || i <= shipped }() {
			t.Errorf("event %s, with the id %s, was shipped and is not there", n, id)
		}
	}
	t.Logf("%d events restored, %d of them from the log; %d were acknowledged and not shipped", len(there), r.Replayed.Events, len(acked))
}
