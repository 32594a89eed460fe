package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// Every example of docs/reports.md answers, and with numbers, and its tool says the same: the events of a few visitors of a
// shop are in the ranges.
func TestReportsPage(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	server := startServer(t, dir, configured(t, assistantsConfig)...)
	var body strings.Builder
	for visitor := range 6 {
		at := time.Now().Add(-time.Hour - time.Duration(visitor)*24*time.Hour)
		line := func(format string, args ...any) {
			at = at.Add(10 * time.Second)
			fmt.Fprintf(&body, `{"anonymous":"a%d","time":%q,%s}`+"\n", visitor, at.Format(time.RFC3339), fmt.Sprintf(format, args...))
		}
		line(`"type":"page","name":"Home","context":{"url":"https://shop.example/?utm_campaign=spring","country":"DE","title":"Home","referrer":"https://www.google.com/"}`)
		line(`"type":"page","name":"Tea","context":{"url":"https://shop.example/tea","title":"Tea"}`)
		line(`"name":"add_to_cart","properties":{"plan":"pro"}`)
		if visitor%2 == 0 {
			line(`"type":"order","name":"o%d","value":19.5,"properties":{"currency":"eur","items":[{"sku":"tea","category":"Tea","price":19.5}]}`, visitor)
		}
	}
	fmt.Fprintf(&body, `{"type":"page","name":"Home","anonymous":"now"}`)
	header := http.Header{"Authorization": {"Bearer " + server.keys().SecretKey}, "Content-Type": {"application/x-ndjson"}}
	if status, answer, err := request("POST", server.url()+"/api/v1/events", header, body.String()); err != nil || status != 200 {
		t.Fatalf("%d %s %v", status, answer, err)
	}
	saved := http.Header{"Authorization": header["Authorization"], "Content-Type": {"application/json"}}
	if status, answer, err := request("POST", server.url()+"/api/v1/saved", saved, `{"kind":"goal","name":"cart","query":"name=add_to_cart"}`); err != nil || status != 200 {
		t.Fatalf("%d %s %v", status, answer, err)
	}
	page, err := os.ReadFile(filepath.Join(top, "docs", "reports.md"))
	if err != nil {
		t.Fatal(err)
	}
	assistants := map[string]*assistant{"over HTTP": overHTTP(t, server, server.keys().ReadKey), "over stdio": overStdio(t, server, nil, "-url", server.url(), "-key", server.keys().ReadKey, "-people")}
	asked := 0
	reporting := &reportRun{t: t, server: server, flags: make(map[string]string)}
	for line := range strings.Lines(string(page)) {
		line, is := strings.CutPrefix(line, `curl -sS "localhost:8080`)
		path, rest, _ := strings.Cut(line, `"`)
		if !is || rest != ` -H "Authorization: Bearer $KEY"`+"\n" {
			continue
		}
		asked++
		path += map[bool]string{true: "&", false: "?"}[strings.Contains(path, "?")] + "max_age=600" // the same answer twice
		status, answer, err := request("GET", server.url()+path, http.Header{"Authorization": {"Bearer " + server.keys().ReadKey}}, "")
		if err != nil || status != 200 {
			t.Errorf("%s: %d %s %v", line, status, answer, err)
			continue
		}
		if strings.Contains(line, "format=csv") {
			if rows := bytes.Count(answer, []byte("\n")); rows < 2 {
				t.Errorf("%s: %d lines: %s", line, rows, answer)
			}
			if got := reporting.ask(path); string(got) != string(answer) {
				t.Errorf("cairn report -csv for %s:\n%s\nwant\n%s", path, got, answer)
			}
			continue
		}
		if question, _, _ := strings.Cut(path, "?"); question != "/api/v1/count" {
			sameAsTools(t, path, func() []byte {
				_, answer, err := request("GET", server.url()+path, http.Header{"Authorization": {"Bearer " + server.keys().ReadKey}}, "")
				if err != nil {
					t.Fatal(err)
				}
				return answer
			}, assistants)
		}
		var got any
		if err := json.Unmarshal(answer, &got); err != nil || !hasNumber(got) {
			t.Errorf("%s: %v, no number but 0 in %s", line, err, answer)
		}
		if json := reporting.ask(path, "-json"); sorted(t, json) != sorted(t, answer) {
			t.Errorf("cairn report -json for %s:\n%s\nwant\n%s", path, json, answer)
		}
		reporting.compare(path, got)
	}
	if asked < 12 {
		t.Errorf("the page has %d examples", asked)
	}
}

// hasNumber reports whether a JSON value has a number that is not 0, outside of as_of, or a list
// of texts.
func hasNumber(v any) bool {
	switch v := v.(type) {
	case float64:
		return v != 0
	case []any:
		for _, e := range v {
			if _, text := e.(string); text || hasNumber(e) {
				return true
			}
		}
	case map[string]any:
		for key, e := range v {
			if key != "as_of" && key != "window" && hasNumber(e) {
				return true
			}
		}
	}
	return false
}
