package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"net/url"
	"os/exec"
	"strings"
	"testing"
	"unicode"

	"golang.org/x/text/language"
	"golang.org/x/text/message"
)

// This file tries "cairn report" as people run it: it gives the answers of the API, on a running server
// and on a stopped store.

// reportRun runs "cairn report" for calls of the API.
type reportRun struct {
	t      *testing.T
	server *testServer
	flags  map[string]string // the help of a report
}

// args is the command line of a call: what is no flag of the report is a filter.
func (r *reportRun) args(path string) []string {
	path, query, _ := strings.Cut(path, "?")
	name := strings.TrimPrefix(path, "/api/v1/")
	if r.flags[name] == "" {
		help, err := exec.Command(r.server.options.Exe, "report", name, "-h").Output()
		if err != nil {
			r.t.Fatal(name, err)
		}
		r.flags[name] = string(help)
	}
	args := []string{"report", name, "-data", r.server.options.Dir}
	for part := range strings.SplitSeq(query, "&") {
		if part == "" {
			continue
		}
		key, value, _ := strings.Cut(part, "=")
		key, err := url.QueryUnescape(key)
		if err != nil {
			r.t.Fatal(err)
		}
		if value, err = url.QueryUnescape(value); err != nil {
			r.t.Fatal(err)
		}
		if strings.Contains(r.flags[name], "\n  -"+key+" ") {
			args = append(args, "-"+key, value)
		} else {
			args = append(args, key+"="+value)
		}
	}
	return args
}

// ask is what "cairn report" prints for a call.
func (r *reportRun) ask(path string, flags ...string) []byte {
	r.t.Helper()
	cmd := exec.Command(r.server.options.Exe, append(r.args(path), flags...)...)
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil || errs.Len() > 0 {
		r.t.Errorf("cairn %q: %v %s", cmd.Args[1:], err, errs.String())
	}
	return out
}

// sorted is JSON with its keys sorted.
func sorted(t *testing.T, text []byte) string {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		t.Fatal(err, string(text))
	}
	out, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

// compare looks for the numbers of an answer in the text that "cairn report" prints.
func (r *reportRun) compare(path string, answer any) {
	r.t.Helper()
	text := string(r.ask(path))
	words := make(map[string]bool)
	for _, word := range strings.Fields(text) {
		words[word] = true
	}
	english := message.NewPrinter(language.English)
	n := 0
	var walk func(v any)
	walk = func(v any) {
		switch v := v.(type) {
		case map[string]any:
			for key, inner := range v {
				switch key {
				case "as_of", "compare", "was", "exact", "next", "column", "in", "window", "other", "stopped", "duration", "duration_timed", "duration_median", "time", "median", "p90", "split":
				case "count":
					if _, pages := v["next"]; !pages { // how many rows there are is said where some are left out
						walk(inner)
					}
				default:
					walk(inner)
				}
			}
		case []any:
			for _, inner := range v {
				walk(inner)
			}
		case float64:
			if n++; v == math.Trunc(v) && !words[english.Sprintf("%d", int64(v))] && !words[english.Sprintf("%.2f", v)] && !(v <= 1 && strings.Contains(text, "%")) {
				r.t.Errorf("%s: %v is not in\n%s", path, v, text)
			}
		}
	}
	walk(answer)
	if n == 0 && !strings.Contains(path, "/entities") {
		r.t.Errorf("%s: there is no number in %v", path, answer)
	}
}

// harmful are texts that strangers may send, for every field of an event.
var harmful = []string{"\x1b[2J\x1b]0;gone\x07", "a\r\nb\tc\x00", "\u202egnp.exe", "\u200b\ufeff", "\u009b31m", strings.Repeat("漢", 300), "e" + strings.Repeat("\u0301", 50), "│ 100 % █"}

// sendHarmful sends events that have harmful texts in every field.
func sendHarmful(t *testing.T, s *testServer) {
	t.Helper()
	for _, text := range harmful {
		quoted, err := json.Marshal(text)
		if err != nil {
			t.Fatal(err)
		}
		page := url.PathEscape(text)
		for _, event := range []string{
			`{"type":"page","name":%[1]s,"anonymous":%[1]s,"session":%[1]s,"context":{"url":"https://x.example/%[2]s?utm_source=%[2]s&utm_campaign=%[2]s","path":%[1]s,"title":%[1]s,"referrer":"https://r.example/%[2]s","browser":%[1]s,"os":%[1]s,"device":%[1]s,"city":%[1]s,"region":%[1]s,"language":%[1]s,"country":"DE"}}`,
			`{"name":%[1]s,"user":%[1]s,"value":%[1]s,"message_id":%[1]s,"groups":[%[1]s],"properties":{%[1]s:%[1]s,"plan":%[1]s}}`,
			`{"type":"order","name":%[1]s,"user":%[1]s,"value":3.5,"properties":{"currency":%[1]s,"items":[{"sku":%[1]s,"name":%[1]s,"category":%[1]s,"price":3.5}]}}`,
			`{"type":"identify","user":%[1]s,"anonymous":%[1]s,"properties":{%[1]s:%[1]s}}`,
		} {
			status, answer, err := request("POST", s.url()+"/api/v1/events", secretHeader(s.keys()), fmt.Sprintf(event, quoted, page))
			if err != nil || status != 200 && status != 400 {
				t.Fatalf("%d %s %v", status, answer, err)
			}
		}
	}
}

// harmfulReports are reports that show every field of an event.
var harmfulReports = []string{
	"overview", "visits -by source -by entry -by campaign -by city -by browser -by language", "pages", "pages -of title", "breakdown -by name -interval day", "breakdown -by prop.plan -by user",
	"aggregate -of value -by name", "paths", "live", "shop -by sku", "fields", "values -field name", "counters", "counters -property plan", "events -limit 1000", "sessions", "users",
	"funnel/entities -step type=page -step has=name", "retention/entities -at 2026-11-30 -range all", "site", "sites",
}

// safeText fails when a text has what a terminal obeys, or what nobody sees.
func safeText(t *testing.T, report, text string) {
	t.Helper()
	for _, r := range text {
		if r != '\n' && (unicode.IsControl(r) || unicode.In(r, unicode.Cf, unicode.Zl, unicode.Zp, unicode.Co)) {
			t.Errorf("report %s prints %U", report, r)
			return
		}
	}
}

// No text of an event gets out of its cell.
func TestReportOfHarmfulTexts(t *testing.T) {
	t.Parallel()
	s := startServer(t, t.TempDir())
	sendHarmful(t, s)
	escapes := 0
	for _, report := range harmfulReports {
		args := append(append([]string{"report"}, strings.Fields(report)...), "-data", s.options.Dir)
		out, err := exec.Command(s.options.Exe, args...).CombinedOutput()
		if err != nil && !strings.Contains(report, "retention") {
			t.Errorf("%s: %v %s", report, err, out)
		}
		safeText(t, report, string(out))
		escapes += strings.Count(string(out), `\x1b`) + strings.Count(string(out), `\u202e`)
	}
	if escapes < 20 {
		t.Errorf("only %d escapes are shown", escapes)
	}
}
