package e2e

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"cairn/cli"
)

// This file imports a file of each format into the real server, and what a cairn has exported into
// another one.

// cairnCommand runs a command of cairn on the data directory of a server.
func (s *testServer) cairnCommand(name string, args ...string) (stdout string, code int) {
	s.Helper()
	cmd := exec.Command(s.options.Exe, append(append(strings.Fields(name), "-data", s.options.Dir, "-listen", strings.TrimPrefix(s.url(), "http://")), args...)...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		s.Fatal(err)
	}
	if code = cmd.ProcessState.ExitCode(); code == cli.ExitUsage {
		s.Fatalf("%s: %s", cmd, &errs)
	}
	return out.String() + errs.String(), code
}

// events is how many events of a site there are.
func (s *testServer) events() int {
	s.Helper()
	var answer struct{ Events int }
	s.get("/api/v1/count?metrics=events", &answer)
	return answer.Events
}

func TestImportOfEachFormat(t *testing.T) {
	t.Parallel()
	s := startServer(t, t.TempDir())
	dir := filepath.Join(top, "cli", "importer", "testdata")
	total := 0
	for _, c := range []struct {
		file   string
		stored int
		code   int
	}{
		{"goatcounter.csv", 6, cli.ExitOK}, {"goatcounter1.csv", 1, cli.ExitOK}, {"umami/website_event.csv", 3, cli.ExitOK},
		{"plausible.jsonl", 2, cli.ExitOK}, {"plausible.csv", 1, cli.ExitOK}, {"matomo.tsv", 9, cli.ExitOK},
		{"matomo-live.json", 2, cli.ExitOK}, // its six actions are in the table, too, with the same ids
		{"openpanel.jsonl", 2, cli.ExitOK}, {"posthog.jsonl", 6, cli.ExitOK}, {"mixpanel.jsonl", 3, cli.ExitOK},
		{"amplitude.jsonl", 3, cli.ExitOK}, {"ga4.jsonl", 3, cli.ExitOK}, {"segment.jsonl", 3, cli.ExitOK},
		{"access.log", 5, cli.ExitRefused}, {"vhost.log", 2, cli.ExitOK}, {"common.log", 2, cli.ExitOK}, {"caddy.jsonl", 1, cli.ExitOK},
		{"iis.log", 2, cli.ExitOK}, {"cloudfront.log", 1, cli.ExitOK}, {"cairn.ndjson", 3, cli.ExitRefused}, {"cairn.csv", 4, cli.ExitOK},
	} {
		for run := range 2 { // the second one finds everything stored
			out, code := s.cairnCommand("import", filepath.Join(dir, c.file))
			if run == 0 {
				total += c.stored
			}
			if got := s.events(); code != c.code || got != total {
				t.Errorf("%s, run %d: exit code %d, %d events are stored, want %d and %d\n%s", c.file, run, code, got, c.code, total, out)
				total = got
			}
		}
	}
	var bots struct{ Events int }
	if s.get("/api/v1/count?metrics=events&bot=true", &bots); bots.Events != 1 {
		t.Errorf("%d events of bots, want GoatCounter's", bots.Events)
	}
	var linux struct{ Events int }
	if s.get("/api/v1/count?metrics=events&os=Linux&path=/oolong&dialect=native", &linux); linux.Events != 5 {
		t.Errorf("%d views of /oolong with Linux, want those of GoatCounter and of the logs, whose agents are read", linux.Events)
	}
	s.finish()
}

// What is exported as NDJSON and imported into an empty store gives the same answers.
func TestImportOfAnExport(t *testing.T) {
	t.Parallel()
	from := startServer(t, t.TempDir())
	dir := filepath.Join(top, "cli", "importer", "testdata")
	for _, file := range []string{"goatcounter.csv", "matomo.tsv", "segment.jsonl", "access.log", "posthog.jsonl", "ga4.jsonl"} {
		if out, code := from.cairnCommand("import", filepath.Join(dir, file)); code == cli.ExitFailed {
			t.Fatal(out)
		}
	}
	for _, format := range []string{"ndjson", "csv"} {
		file := filepath.Join(t.TempDir(), "events."+format)
		if out, code := from.cairnCommand("export", "-format", format, "-o", file); code != cli.ExitOK {
			t.Fatal(out)
		}
		to := startServer(t, t.TempDir())
		out, code := to.cairnCommand("import", file)
		questions := []string{"/api/v1/series?interval=day&type!=alias&type!=group&metrics=events", "/api/v1/counters?property=items.sku&metrics=events"}
		if format == "csv" { // which has no columns for groups and earlier ids
			if code != cli.ExitRefused || to.events() != from.events()-2 {
				t.Errorf("exit code %d, %d of %d events\n%s", code, to.events(), from.events(), out)
			}
		} else {
			if code != cli.ExitOK || to.events() != from.events() {
				t.Errorf("exit code %d, %d of %d events\n%s", code, to.events(), from.events(), out)
			}
			questions = append(questions, "/api/v1/count", "/api/v1/series?interval=hour&from=2026-03-01&to=2026-03-01", "/api/v1/counters?property=country",
				"/api/v1/counters?property=utm_source", "/api/v1/visits?from=2026-02-28&to=2026-03-03", "/api/v1/pages?from=2026-02-28&to=2026-03-03")
		}
		for _, q := range questions {
			a, b := map[string]any{}, map[string]any{}
			from.get(q, &a)
			to.get(q, &b)
			delete(a, "as_of") // when it was asked
			delete(b, "as_of")
			if want, got := fmt.Sprint(a), fmt.Sprint(b); want != got {
				t.Errorf("%s, %s:\nhad  %s\ngets %s", format, q, want, got)
			}
		}
		to.finish()
	}
	from.finish()
}

// An import during which the server is killed goes on when it is back, and so does one that is
// killed itself and run again. Each line is stored once.
func TestImportWithKills(t *testing.T) {
	t.Parallel()
	s := startServer(t, t.TempDir())
	const lines = 12_000
	var text strings.Builder
	for n := range lines {
		at := time.Date(2026, 3, 1, 0, 0, n, 0, time.UTC)
		fmt.Fprintf(&text, "192.0.2.%d - - [%s] \"GET /page/%d HTTP/1.1\" 200 512\n", n%200, at.Format("02/Jan/2006:15:04:05 -0700"), n)
	}
	file := filepath.Join(t.TempDir(), "access.log")
	if err := os.WriteFile(file, []byte(text.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	cut := exec.Command(s.options.Exe, "import", "-data", s.options.Dir, file)
	if err := cut.Start(); err != nil {
		t.Fatal(err)
	}
	for s.events() == 0 { // it has begun
		time.Sleep(time.Millisecond)
	}
	if err := cut.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	cut.Wait()  // it was killed
	s.restart() // what it sent last is not stored while the next import begins, which has to find the server once

	var out bytes.Buffer
	again := exec.Command(s.options.Exe, "import", "-data", s.options.Dir, file)
	again.Stdout, again.Stderr = &out, &out
	if err := again.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- again.Wait() }()
	for range 2 {
		before := s.events()
		for have := before; have == before && have < lines && len(ended) == 0; have = s.events() {
			time.Sleep(time.Millisecond)
		}
		s.restart()
	}
	if err := <-ended; err != nil {
		t.Fatalf("%v: %s", err, &out)
	}
	if got := s.events(); got != lines {
		t.Errorf("%d events of %d lines\n%s", got, lines, &out)
	}
	s.finish()
}
