//go:build unix

package e2e

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"cairn/cli/bench"
)

// Silent connections must not take the files that the store needs. The process may have 256
// files here, and 300 clients connect and send nothing.
func TestSilentConnectionsLeaveFiles(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	options, err := serveOptions(filepath.Join(dir, "data"))
	if err != nil {
		t.Fatal(err)
	}
	script := filepath.Join(dir, "few-files")
	if err := os.WriteFile(script, []byte("#!/bin/sh\nulimit -n 256 && exec "+options.Exe+" \"$@\"\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	options.Exe = script
	child, err := bench.StartChild(t.Context(), options)
	if err != nil {
		t.Fatal(err)
	}
	s := &testServer{T: t, options: options, child: child}
	t.Cleanup(func() { s.running().Kill() })

	address := strings.TrimPrefix(s.url(), "http://")
	connect := func() {
		c, err := net.Dial("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
	}
	for range 300 {
		connect()
	}
	// Enough for runs to be sealed and merged, which makes tables and log files.
	const batches, size = 40, 5000
	header := http.Header{"Authorization": {"Bearer " + s.keys().SecretKey}, "Content-Type": {"application/x-ndjson"}}
	for b := range batches {
		var body strings.Builder
		for i := range size {
			fmt.Fprintf(&body, `{"name":"e%d","user":"u%d","message_id":"m%d-%d","properties":{"pad":"%s"}}`+"\n", i%10, i, b, i, strings.Repeat("x", 100))
		}
		for tries := 0; ; tries++ {
			connect() // they do not stop coming
			status, answer, err := request("POST", s.url()+"/api/v1/events", header, body.String())
			if err == nil && status == 200 {
				break
			}
			if tries > 20 {
				t.Fatalf("batch %d: %d %.200s %v\n%s", b, status, answer, err, s.running().Log())
			}
			time.Sleep(50 * time.Millisecond)
		}
	}
	var totals struct{ Events int }
	if s.get("/api/v1/count?metrics=events", &totals); totals.Events != batches*size {
		t.Errorf("%d events", totals.Events)
	}
	s.finish()
}
