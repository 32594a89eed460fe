package cli

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"

	"cairn/engine/store"
)

// A supervisor reads the exit code, and a person the one line.
func TestHealthcheck(t *testing.T) {
	answer, status := "", 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/stats/readyz" {
			t.Errorf("%s", r.URL)
		}
		w.WriteHeader(status)
		fmt.Fprint(w, answer)
	}))
	defer server.Close()
	gone := httptest.NewServer(nil)
	gone.Close()
	for _, c := range []struct {
		url    string
		status int
		answer string
		code   int
		want   string
	}{
		{server.URL + "/stats/", 200, `{"status":"ready","reasons":[]}`, ExitOK, "ready"},
		{server.URL + "/stats", 503, `{"status":"unavailable","reasons":["the disk is full","and\nmore"]}`, ExitFailed, "not ready: the disk is full; and more"},
		{server.URL + "/stats", 503, `{"status":"unavailable"}`, ExitFailed, "not ready: the server answered 503"},
		{server.URL + "/stats", 200, `<html>`, ExitFailed, "not ready: something that is not cairn answered 200"},
		{gone.URL, 0, "", ExitFailed, "not ready: cannot reach the server"},
	} {
		answer, status = c.answer, c.status
		var out, errs strings.Builder
		code := run([]string{"healthcheck", "-data", t.TempDir(), "-url", c.url}, &out, &errs)
		if code != c.code || !strings.HasPrefix(out.String(), c.want) || strings.Count(out.String(), "\n") != 1 || errs.Len() > 0 {
			t.Errorf("%d %s: exit code %d, %q %q", c.status, c.answer, code, out.String(), errs.String())
		}
	}
}

func TestVersionAsJSON(t *testing.T) {
	var out, errs strings.Builder
	if code := run([]string{"version", "-json"}, &out, &errs); code != ExitOK {
		t.Fatal(code, errs.String())
	}
	var got map[string]any
	if err := json.Unmarshal([]byte(out.String()), &got); err != nil {
		t.Fatal(err, out.String())
	}
	for key, want := range map[string]any{"go": runtime.Version(), "target": runtime.GOOS + "/" + runtime.GOARCH, "store_version": float64(store.VersionNewest)} {
		if got[key] != want {
			t.Errorf("%s is %v, want %v", key, got[key], want)
		}
	}
	for _, key := range []string{"version", "commit", "date", "modified", "store_version_oldest"} {
		if _, ok := got[key]; !ok {
			t.Errorf("%s is missing: %s", key, out.String())
		}
	}
}
