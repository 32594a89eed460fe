package httpd

import (
	"encoding/json"
	"log/slog"
	"regexp"
	"strings"
	"testing"
)

var ownID = regexp.MustCompile(`^[0-9a-f]{16}$`)

// TestRequestID reads the id of each answer, and believes that of a trusted proxy alone.
func TestRequestID(t *testing.T) {
	log := &syncBuffer{}
	logged := func(o *Options) { o.Log = slog.New(slog.NewJSONHandler(log, nil)) }
	s := start(t, logged)
	seen := map[string]bool{}
	for _, path := range []string{"/healthz", "/nothing", "/api/v1/events", "/matomo.php?idsite=1&rec=1", "/dashboard"} {
		id := s.send("GET", path, "").header["x-request-id"]
		if !ownID.MatchString(id) || seen[id] {
			t.Errorf("%s: id %q", path, id)
		}
		seen[id] = true
	}
	for line := range strings.Lines(log.String()) {
		var is struct {
			ID string `json:"request_id"`
		}
		if err := json.Unmarshal([]byte(line), &is); err != nil || !seen[is.ID] {
			t.Errorf("a line without the id of an answer: %s", line)
		}
		delete(seen, is.ID)
	}
	if len(seen) > 0 {
		t.Errorf("not in the log: %v", seen)
	}

	if id := s.send("GET", "/healthz", "", "X-Request-Id: forged").header["x-request-id"]; !ownID.MatchString(id) {
		t.Errorf("the id of a stranger is believed: %q", id)
	}
	proxied := start(t, strangers)
	for id, believed := range map[string]bool{
		"a3f-proxy_1": true, "Root=1-67891233-abcdef012345678912345678": true, strings.Repeat("x", requestIDMax): true,
		strings.Repeat("x", requestIDMax+1): false, "two words": false, `quo"te`: false, "caf\xc3\xa9": false, "<b>": false,
	} {
		got := proxied.send("GET", "/healthz", "", "X-Request-Id: "+id).header["x-request-id"]
		if believed != (got == id) || !believed && !ownID.MatchString(got) {
			t.Errorf("%q becomes %q", id, got)
		}
	}
}

// TestRequestIDsDiffer makes many ids: none comes twice.
func TestRequestIDsDiffer(t *testing.T) {
	ids, seen := newRequestIDs(), map[string]bool{}
	for range 10_000 {
		id := string(ids.append(nil))
		if seen[id] {
			t.Fatalf("%s comes twice", id)
		}
		seen[id] = true
	}
}
