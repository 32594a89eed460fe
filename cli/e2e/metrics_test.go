package e2e

import (
	"flag"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"
)

var updateMetrics = flag.Bool("metrics.update", false, "write testdata/metrics.txt")

// Alert rules and dashboards rely on the names, types, labels and bucket bounds of the
// metrics. testdata/metrics.txt holds all lines of /metrics without their values.
func TestMetricNames(t *testing.T) {
	t.Parallel()
	server := startServer(t, t.TempDir(), configured(t, "trusted_proxies = [\"127.0.0.1\"]\n[[site]]\nname = \"default\"\norigins = [\"https://shop.example\"]\n")...)
	keys := server.keys()
	send := func(method, path, body string, headers ...string) {
		t.Helper()
		header := http.Header{}
		for _, h := range headers {
			name, value, _ := strings.Cut(h, ": ")
			header.Set(name, value)
		}
		if _, _, err := request(method, server.url()+path, header, body); err != nil {
			t.Fatal(err)
		}
	}

	// Requests of every dialect, a bot, a body that is not JSON, a refused origin, and bytes
	// that are not HTTP.
	for i, v := range []whereVisitor{whereVisitors[0], whereBot} {
		for _, s := range whereSends(v, i, keys) {
			send(s.method, s.path, s.body, append([]string{"User-Agent: " + v.agent, "X-Forwarded-For: " + v.ip}, s.headers...)...)
		}
	}
	send("POST", "/api/v1/events", `{`, "Authorization: Bearer "+keys.SecretKey)
	send("POST", "/track", `{"type":"track","payload":{"name":"a"}}`, "openpanel-client-id: "+keys.ClientID, `Origin: https://else"where.example`)
	send("GET", "/healthz", "")
	c, err := net.Dial("tcp", strings.TrimPrefix(server.url(), "http://"))
	if err != nil {
		t.Fatal(err)
	}
	c.Write([]byte("no request\r\n\r\n"))
	c.Read(make([]byte, 1))
	c.Close()

	status, text, err := request("GET", server.url()+"/metrics", nil, "")
	if err != nil || status != 200 {
		t.Fatalf("%d %v", status, err)
	}
	value := regexp.MustCompile(` (\d+(\.\d+)?(e[-+]\d+)?)$`)
	build := regexp.MustCompile(`version="[^"]+",go="[^"]+"`)
	var got []string
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSuffix(line, "\n")
		if !strings.HasPrefix(line, "#") {
			if !value.MatchString(line) {
				t.Errorf("not a sample: %q", line)
			}
			line = build.ReplaceAllString(value.ReplaceAllString(line, ""), `version="…",go="…"`)
		}
		got = append(got, line)
	}
	file := filepath.Join(top, "testdata", "metrics.txt")
	if *updateMetrics {
		if err := os.WriteFile(file, []byte(strings.Join(got, "\n")+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	golden, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	want := strings.Split(strings.TrimSuffix(string(golden), "\n"), "\n")
	if runtime.GOOS != "linux" { // without /proc
		want = slices.DeleteFunc(want, func(line string) bool {
			return strings.Contains(line, "process_") && !strings.Contains(line, "process_start_time")
		})
	}
	for i := range max(len(got), len(want)) {
		if i >= len(got) || i >= len(want) || got[i] != want[i] {
			t.Fatalf("from line %d on, /metrics differs from testdata/metrics.txt (-metrics.update writes it anew):\n%q\n%q", i+1, got[min(i, len(got)):min(i+1, len(got))], want[min(i, len(want)):min(i+1, len(want))])
		}
	}
}
