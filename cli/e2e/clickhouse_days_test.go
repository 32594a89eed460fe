package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"cairn/engine/sink/clickhouse/clickhousetest"
)

// This file has the bad days of a sink, each with the real binary and a real ClickHouse.

// page sends n events with a name.
func sendPages(t *testing.T, s *testServer, name string, n int) {
	t.Helper()
	var lines strings.Builder
	for i := range n {
		fmt.Fprintf(&lines, `{"type":"page","name":%q,"user":"u-%d"}`+"\n", name, i)
	}
	header := http.Header{"Authorization": {"Bearer " + s.keys().SecretKey}, "Content-Type": {"application/x-ndjson"}}
	if status, body, err := request("POST", s.url()+"/api/v1/events", header, lines.String()); err != nil || status != 200 {
		t.Fatalf("%d %s %v", status, body, err)
	}
}

// rowsIn returns rows and different rows with FINAL.
func rowsIn(t *testing.T, url, database string) string {
	t.Helper()
	return clickhousetest.Query(t, url, "SELECT count(), uniqExact(store, site, seq), uniqExact(store) FROM "+database+".events FINAL")
}

// awaitText waits until what is asked has a text.
func awaitText(t *testing.T, what, text string, ask func() string) {
	t.Helper()
	got := ""
	for end := time.Now().Add(90 * time.Second); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		if got = ask(); strings.Contains(got, text) {
			return
		}
	}
	t.Fatalf("%s has no %q: %s", what, text, got)
}

func health(s *testServer) func() string {
	return func() string {
		_, body, err := request("GET", s.url()+"/healthz", nil, "")
		return fmt.Sprint(string(body), err)
	}
}

// A column goes under way: the sink stops, says so to everybody without quoting a row, and shows the admin
// what the server said. When the column is back, it goes on, and nothing is missing.
func TestClickHouseColumnMissing(t *testing.T) {
	t.Parallel()
	server := clickhousetest.Start(t)
	flags := configured(t, sinkConfig(server.URL, "cairn", `on_bad_row = "skip"`))
	s := startServer(t, t.TempDir(), flags...)
	sendPages(t, s, "before", 10)
	carried(t, s)
	clickhousetest.Query(t, server.URL, "ALTER TABLE cairn.events DROP COLUMN user")
	sendPages(t, s, "secret", 10)
	awaitText(t, "health", "sink clickhouse: stopped with code table", health(s))
	if got := health(s)(); strings.Contains(got, "secret") || strings.Contains(got, "column") {
		t.Errorf("everybody reads %s", got)
	}
	if out, code := s.cairnCommand("sink status", flags...); code != 0 || !strings.Contains(out, "column user is missing") {
		t.Errorf("%d %s", code, out)
	}
	if out, code := s.cairnCommand("sink check", flags...); code != 1 || !strings.Contains(out, "column user is missing") {
		t.Errorf("%d %s", code, out)
	}
	clickhousetest.Query(t, server.URL, "ALTER TABLE cairn.events ADD COLUMN user String")
	s.restart() // it would go on by itself within a minute
	carried(t, s)
	if got := rowsIn(t, server.URL, "cairn"); got != "20\t20\t1" {
		t.Errorf("rows %s: with on_bad_row = skip nothing may be passed over for a column", got)
	}
}

// A row that the server refuses stops the sink, or is passed over and noted.
func TestClickHouseBadRow(t *testing.T) {
	t.Parallel()
	server := clickhousetest.Start(t)
	proxy := clickhousetest.NewProxy(t, func() string { return server.URL })
	proxy.Refuse = func(body string) bool { return strings.Contains(body, "poison") }
	for _, do := range []string{"stop", "skip"} {
		database := "cairn_" + do
		flags := configured(t, sinkConfig(proxy.URL, database, fmt.Sprintf("on_bad_row = %q", do)))
		s := startServer(t, t.TempDir(), flags...)
		sendPages(t, s, "good", 20)
		sendPages(t, s, "poison", 1)
		sendPages(t, s, "good", 20)
		if do == "stop" {
			awaitText(t, "health", "sink clickhouse: stopped with code bad_row:27", health(s))
			if got := health(s)(); strings.Contains(got, "poison") {
				t.Errorf("everybody reads %s", got)
			}
			if out, _ := s.cairnCommand("sink status", flags...); !strings.Contains(out, "poison") {
				t.Errorf("the admin is not shown the row: %s", out)
			}
			if got := rowsIn(t, server.URL, database); got != "20\t20\t1" {
				t.Errorf("rows before the bad one: %s", got)
			}
			continue
		}
		carried(t, s)
		if got := rowsIn(t, server.URL, database); got != "40\t40\t1" {
			t.Errorf("rows without the bad one: %s", got)
		}
		noted, err := os.ReadFile(filepath.Join(s.options.Dir, "sink-bad.ndjson"))
		if err != nil || !strings.Contains(string(noted), "21") || strings.Contains(string(noted), "poison") {
			t.Errorf("noted: %s %v", noted, err)
		}
	}
}

// An older snapshot is restored: the events since then are in ClickHouse alone. What comes new has the same
// seqs and goes under another store number; both are there.
func TestClickHouseOlderSnapshot(t *testing.T) {
	t.Parallel()
	server := clickhousetest.Start(t)
	flags := configured(t, sinkConfig(server.URL, "cairn", ""))
	s := startServer(t, t.TempDir(), flags...)
	sendPages(t, s, "one", 10)
	carried(t, s)
	snapshot, code := s.cairnCommand("snapshot")
	if code != 0 {
		t.Fatal(snapshot)
	}
	sendPages(t, s, "two", 10)
	carried(t, s)
	s.finish()
	restored := filepath.Join(t.TempDir(), "restored")
	if out, code := s.cairnCommand("restore", strings.SplitN(snapshot, "\n", 2)[0], restored); code != 0 {
		t.Fatal(out)
	}
	again := startServer(t, restored, flags...)
	sendPages(t, again, "three", 5)
	carried(t, again)
	awaitText(t, "health", "restored from an older snapshot", health(again))
	if got := rowsIn(t, server.URL, "cairn"); got != "25\t25\t2" {
		t.Errorf("rows, different ones, stores: %s", got)
	}
	if got := clickhousetest.Query(t, server.URL, "SELECT groupArray(concat(name, '=', toString(n))) FROM (SELECT name, count() AS n FROM cairn.events FINAL GROUP BY name ORDER BY name)"); got != "['one=10','three=5','two=10']" {
		t.Errorf("rows by name: %s", got)
	}
	if out, code := again.cairnCommand("sink check", flags...); code != 0 {
		t.Error(out)
	}
}

// Two copies of one data directory have one secret, and give the same seqs and ids to different events. The
// second one to start notices; no row replaces another one's.
func TestClickHouseCopiedMachine(t *testing.T) {
	t.Parallel()
	server := clickhousetest.Start(t)
	flags := configured(t, sinkConfig(server.URL, "cairn", ""))
	first := startServer(t, t.TempDir(), flags...)
	sendPages(t, first, "common", 10)
	carried(t, first)
	first.finish()
	dir := filepath.Join(t.TempDir(), "copy")
	if err := os.CopyFS(dir, os.DirFS(first.options.Dir)); err != nil {
		t.Fatal(err)
	}
	original := startServer(t, first.options.Dir, flags...)
	sendPages(t, original, "original", 7)
	carried(t, original)
	second := startServer(t, dir, flags...)
	sendPages(t, second, "copy", 3)
	carried(t, second)
	if got := clickhousetest.Query(t, server.URL, "SELECT groupArray(concat(name, '=', toString(n))) FROM (SELECT name, count() AS n FROM cairn.events FINAL GROUP BY name ORDER BY name)"); got != "['common=10','copy=3','original=7']" {
		t.Errorf("rows by name: %s", got)
	}
}

// Several cairns in one table are told apart by store, and a deletion in one touches no other.
func TestClickHouseManyCairns(t *testing.T) {
	t.Parallel()
	server := clickhousetest.Start(t)
	var boxes []*testServer
	for i := range 3 {
		s := startServer(t, t.TempDir(), configured(t, sinkConfig(server.URL, "cairn", fmt.Sprintf("store = %d", i+1)))...)
		sendPages(t, s, "same", 10+i)
		boxes = append(boxes, s)
	}
	for _, s := range boxes {
		carried(t, s)
	}
	if got := clickhousetest.Query(t, server.URL, "SELECT groupArray(concat(toString(store), '=', toString(n))) FROM (SELECT store, count() AS n FROM cairn.events FINAL GROUP BY store ORDER BY store)"); got != "['1=10','2=11','3=12']" {
		t.Errorf("rows by store: %s", got)
	}
	if out, code := boxes[1].cairnCommand("forget", "-user", "u-3"); code != 0 {
		t.Fatal(out)
	}
	awaitText(t, "the receipt", "20", func() string { return receiptOf(t, boxes[1])["clickhouse"] })
	if got := clickhousetest.Query(t, server.URL, "SELECT groupArray(concat(toString(store), '=', toString(n))) FROM (SELECT store, count() AS n FROM cairn.events FINAL WHERE user = 'u-3' GROUP BY store ORDER BY store)"); got != "['1=1','3=1']" {
		t.Errorf("rows of the person by store: %s", got)
	}
	var status struct {
		Sinks []struct {
			Sites []struct {
				Store string
			}
		}
	}
	_, body, _ := request("GET", boxes[2].url()+"/api/v1/admin/sinks", http.Header{"Authorization": {"Bearer " + boxes[2].running().Keys.AdminToken}}, "")
	if err := json.Unmarshal(body, &status); err != nil || status.Sinks[0].Sites[0].Store != "3" {
		t.Errorf("%s %v", body, err)
	}
}
