package importer

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"cairn/engine/event"
)

func newReader(text string) *bufio.Reader { return bufio.NewReader(strings.NewReader(text)) }

// judgeAll imports a text and checks that each event is a line of JSON with an id and valid text,
// and that a second reading gives the same.
func judgeAll(t *testing.T, text, format, mapped string) {
	t.Helper()
	read := func() string {
		out := ""
		sum := &Summary{LeftOut: map[string]int64{}, Refused: map[string]int64{}}
		o := Options{Files: []string{"-"}, Stdin: strings.NewReader(text), Format: format, Map: mapped, Secret: "x", Rejected: io.Discard, Header: http.Header{}}
		batches := make(chan *batch, 1000)
		r := &reader{o: &o, out: batches, ctx: context.Background(), batch: newBatch(), ids: newVisitorIDs("x")}
		if err := r.options(); err != nil {
			return err.Error()
		}
		err := r.all()
		if flushed := r.flush(); flushed != nil {
			t.Fatal(flushed)
		}
		close(batches)
		for b := range batches {
			at := 0
			for i, end := range b.ends {
				line := b.body[at:end]
				at = end
				var e struct {
					ID string `json:"message_id"`
				}
				if slices.Contains(r.kinds, "ndjson") {
					continue // the server judges it
				}
				if jsonErr := json.Unmarshal(line, &e); jsonErr != nil || e.ID == "" || len(e.ID) > event.MaxIDBytes {
					t.Fatalf("event %d: %v: %q", i, jsonErr, line)
				}
			}
			out += string(b.body)
			if settled := sum.settle(b, o.Rejected); settled != nil {
				t.Fatal(settled)
			}
		}
		if err != nil {
			out += err.Error()
		}
		if int64(strings.Count(out, "\n")) < sum.Events {
			t.Fatalf("%d events, and %q", sum.Events, out)
		}
		return out
	}
	if first, second := read(), read(); first != second {
		t.Fatalf("two readings differ:\n%s\n%s", first, second)
	}
}

// seed adds the made-up files of formats.
func seed(f *testing.F, names ...string) {
	f.Helper()
	for _, name := range names {
		text, err := os.ReadFile(filepath.Join("testdata", name))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(text))
	}
}

func FuzzCSVMap(f *testing.F) {
	f.Add("ts,name,x\n1772356504,a,\"b\nc\"\n", "time=ts,name=name,prop.*=*")
	f.Add("ts\tname\n1772356504\ta\\tb\n", "time=ts,name=name,props=x,c.url:=y")
	f.Add(`{"a":{"b":1},"ts":"2026-03-01"}`, "time=ts,value=a.b,contexts=a")
	f.Fuzz(func(t *testing.T, text, mapped string) { judgeAll(t, text, "", mapped) })
}

func FuzzLog(f *testing.F) {
	seed(f, "access.log", "vhost.log", "common.log", "caddy.jsonl", "iis.log", "cloudfront.log")
	f.Fuzz(func(t *testing.T, text string) { judgeAll(t, text, "log", "") })
}

func FuzzLogFormat(f *testing.F) {
	f.Add(`$host [$time_local] "$request" $status`, `a [01/Mar/2026:09:15:04 +0000] "GET / HTTP/1.1" 200`)
	f.Add(`%t "%r" "%{User-Agent}i"`, `[01/Mar/2026:09:15:04 +0000] "GET / HTTP/1.1" "a \"b"`)
	f.Fuzz(func(t *testing.T, format, line string) {
		if p, err := parseLogFormat(format); err == nil {
			p.parse([]byte(line), &hit{})
		}
	})
}

func FuzzAuto(f *testing.F) {
	seed(f, "goatcounter.csv", "umami/website_event.csv", "plausible.csv", "matomo.tsv", "cairn.csv", "cairn.ndjson")
	f.Fuzz(func(t *testing.T, text string) { judgeAll(t, text, "", "") })
}

// fuzzPreset fuzzes one format.
func fuzzPreset(f *testing.F, format, file string) {
	seed(f, file)
	f.Fuzz(func(t *testing.T, text string) { judgeAll(t, text, format, "") })
}

func FuzzPlausible(f *testing.F)  { fuzzPreset(f, "plausible", "plausible.jsonl") }
func FuzzMatomoLive(f *testing.F) { fuzzPreset(f, "matomo", "matomo-live.json") }
func FuzzOpenPanel(f *testing.F)  { fuzzPreset(f, "openpanel", "openpanel.jsonl") }
func FuzzPostHog(f *testing.F)    { fuzzPreset(f, "posthog", "posthog.jsonl") }
func FuzzMixpanel(f *testing.F)   { fuzzPreset(f, "mixpanel", "mixpanel.jsonl") }
func FuzzAmplitude(f *testing.F)  { fuzzPreset(f, "amplitude", "amplitude.jsonl") }
func FuzzGA4(f *testing.F)        { fuzzPreset(f, "ga4", "ga4.jsonl") }
func FuzzSegment(f *testing.F)    { fuzzPreset(f, "segment", "segment.jsonl") }
func FuzzNDJSON(f *testing.F)     { fuzzPreset(f, "ndjson", "cairn.ndjson") }
