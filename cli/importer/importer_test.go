package importer

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
)

// rewrite writes the golden files anew.
var rewrite = flag.Bool("rewrite", false, "write the golden files anew")

// fake is a server that stores events by message id in memory.
type fake struct {
	*httptest.Server
	mu       sync.Mutex
	body     bytes.Buffer // of all requests, without duplicates
	ids      map[string]bool
	requests int
	before   func(n int, w http.ResponseWriter) bool // true = it has answered
	after    func(n int, w http.ResponseWriter) bool // the same, once the events are stored
	refuse   func(line []byte) string
}

func newFake(t testing.TB) *fake {
	f := &fake{ids: map[string]bool{}}
	f.Server = httptest.NewServer(http.HandlerFunc(f.serve))
	t.Cleanup(f.Close)
	return f
}

func (f *fake) serve(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.requests++
	body, err := io.ReadAll(r.Body)
	if err != nil {
		panic(err)
	}
	if f.before != nil && f.before(f.requests, w) {
		return
	}
	accepted, duplicates := 0, 0
	rejected := []map[string]any{}
	for i, line := range bytes.Split(bytes.TrimSuffix(body, []byte("\n")), []byte("\n")) {
		if f.refuse != nil {
			if why := f.refuse(line); why != "" {
				rejected = append(rejected, map[string]any{"index": i, "error": why})
				continue
			}
		}
		var e struct {
			ID string `json:"message_id"`
		}
		if err := json.Unmarshal(line, &e); err != nil || e.ID == "" {
			rejected = append(rejected, map[string]any{"index": i, "error": fmt.Sprint("invalid JSON, or no id: ", err)})
			continue
		}
		if accepted++; f.ids[e.ID] {
			accepted--
			duplicates++
			continue
		}
		f.ids[e.ID] = true
		f.body.Write(line)
		f.body.WriteByte('\n')
	}
	if f.after != nil && f.after(f.requests, w) {
		return
	}
	status := 200
	answer := map[string]any{"accepted": accepted, "duplicates": duplicates, "rejected": rejected}
	if len(rejected) > 0 && accepted+duplicates == 0 {
		status = 400
		answer["error"], answer["status"] = "no event was accepted", status
	} else if len(rejected) > 0 {
		status = 207
	}
	w.WriteHeader(status)
	if err := json.NewEncoder(w).Encode(answer); err != nil {
		panic(err)
	}
}

// options are those of an import into f.
func (f *fake) options(files ...string) Options {
	return Options{Files: files, Client: f.Client(), URL: f.URL, Header: http.Header{}, Secret: "secret"}
}

// textOfSummary is a summary as text.
func textOfSummary(s *Summary) string {
	var b strings.Builder
	fmt.Fprintf(&b, "format %s, read %d, events %d, stored %d, duplicates %d\n", strings.Join(s.Formats, " "), s.Read, s.Events, s.Stored, s.Duplicates)
	for _, m := range []struct {
		name   string
		counts map[string]int64
	}{{"left out", s.LeftOut}, {"refused", s.Refused}} {
		for _, why := range slices.Sorted(maps.Keys(m.counts)) {
			fmt.Fprintf(&b, "%s %d: %s\n", m.name, m.counts[why], why)
		}
	}
	return b.String()
}

// Each format gives the events that its golden file has, and is recognised by its first lines.
func TestFormats(t *testing.T) {
	for _, c := range []struct {
		file, format string
		change       func(*Options)
	}{
		{"goatcounter.csv", "goatcounter", nil},
		{"goatcounter1.csv", "goatcounter", nil},
		{"umami/website_event.csv", "umami", nil},
		{"plausible.jsonl", "plausible", nil},
		{"plausible.csv", "plausible", nil},
		{"matomo.tsv", "matomo", nil},
		{"matomo-live.json", "matomo", nil},
		{"openpanel.jsonl", "openpanel", nil},
		{"posthog.jsonl", "posthog", nil},
		{"mixpanel.jsonl", "mixpanel", nil},
		{"amplitude.jsonl", "amplitude", nil},
		{"ga4.jsonl", "ga4", nil},
		{"segment.jsonl", "segment", nil},
		{"access.log", "log", nil},
		{"vhost.log", "log", nil},
		{"common.log", "log", func(o *Options) { o.Host = "tea.example" }},
		{"caddy.jsonl", "log", nil},
		{"iis.log", "log", nil},
		{"cloudfront.log", "log", nil},
		{"cairn.ndjson", "ndjson", nil},
		{"cairn.csv", "csv", nil},
	} {
		t.Run(c.file, func(t *testing.T) {
			t.Parallel()
			for _, format := range []string{"auto", c.format} {
				f := newFake(t)
				o := f.options(filepath.Join("testdata", c.file))
				o.Format = format
				if c.change != nil {
					c.change(&o)
				}
				sum, err := Run(context.Background(), o)
				if err != nil {
					t.Fatal(err)
				}
				got := f.body.String() + "# " + strings.ReplaceAll(strings.TrimSpace(textOfSummary(sum)), "\n", "\n# ") + "\n"
				golden := filepath.Join("testdata", "golden", strings.ReplaceAll(c.file, "/", "-")+".txt")
				if *rewrite {
					if err := os.MkdirAll(filepath.Dir(golden), 0o777); err != nil {
						t.Fatal(err)
					}
					if err := os.WriteFile(golden, []byte(got), 0o666); err != nil {
						t.Fatal(err)
					}
				}
				want, err := os.ReadFile(golden)
				if err != nil {
					t.Fatal(err)
				}
				if got != string(want) {
					t.Errorf("as %s: got\n%s\nwant\n%s", format, got, want)
				}
				// What would be sent is what a server takes.
				o.DryRun = true
				dry, err := Run(context.Background(), o)
				if err != nil {
					t.Fatal(err)
				}
				if dry.Events != sum.Events || len(dry.Refused) > 0 != (len(sum.Refused) > 0) || len(dry.Check.First) == 0 {
					t.Errorf("a dry run has %d events and refuses %v, the import %d and %v", dry.Events, dry.Refused, sum.Events, sum.Refused)
				}
			}
		})
	}
}
