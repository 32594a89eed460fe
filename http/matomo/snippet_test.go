package matomo

import (
	"bytes"
	"compress/gzip"
	"context"
	"io"
	"strings"
	"testing"

	"cairn/http/dialect"
	"cairn/http/dialect/dialecttest"
)

// docs/matomo.md states the size of the tracker.
const packedBytesMax = 10 << 10

func get(t *testing.T, p dialect.Reading, path string, header map[string]string) *dialect.Response {
	t.Helper()
	req, err := dialecttest.NewRequest("GET", path, header, nil)
	if err != nil {
		t.Fatal(err)
	}
	var res dialect.Response
	if err := p.Read(context.Background(), req, nil, &res); err != nil {
		t.Fatal(err)
	}
	return &res
}

func headerOf(res *dialect.Response, name string) string {
	for _, h := range res.Header {
		if h[0] == name {
			return h[1]
		}
	}
	return ""
}

func gunzip(t *testing.T, b []byte) string {
	t.Helper()
	r, err := gzip.NewReader(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestSnippetIsSmall(t *testing.T) {
	s := ownScript()
	t.Logf("%d bytes of source, %d as served, %d in gzip", len(snippetSource()), len(s.plain), len(s.packed))
	if len(s.packed) > packedBytesMax {
		t.Errorf("the tracker has %d bytes in gzip, more than %d", len(s.packed), packedBytesMax)
	}
}

// compact relies on the source: comments stand on their own lines, and no string spans several
// lines.
func TestSnippetCompacts(t *testing.T) {
	if source := snippetSource(); strings.Contains(source, "`") || strings.Contains(source, "/*") {
		t.Error("a template or a block comment may hold lines that look like comments")
	}
	files, err := snippetFiles.ReadDir("snippet")
	if err != nil || len(files) != len(snippetParts) {
		t.Errorf("%d files and %d parts: %v", len(files), len(snippetParts), err)
	}
	for line := range strings.Lines(string(ownScript().plain)) {
		if line == "\n" || strings.HasPrefix(line, " ") || strings.HasPrefix(line, "//") || strings.Contains(line, " // ") {
			t.Errorf("compact kept a line or a comment: %q", line)
		}
	}
	if got := string(compact("\n  // a\n  b('//c') // d\n\n\te\n")); got != "b('//c') // d\ne\n" {
		t.Errorf("compact returns %q", got)
	}
}

func TestSnippetIsServed(t *testing.T) {
	own, operators := New(Options{}), New(Options{Tracker: []byte("their.own()")})
	for _, path := range []string{"/matomo.js", "/piwik.js", "/any/prefix/matomo.js", "/js/", "/js/index.php", "/js/tracker.php"} {
		if res := get(t, own, path, nil); res.Status != 200 || res.ContentType != scriptType || string(res.Body) != string(ownScript().plain) {
			t.Errorf("%s: %d %s, %d bytes", path, res.Status, res.ContentType, len(res.Body))
		}
		if res := get(t, operators, path, nil); string(res.Body) != "their.own()" {
			t.Errorf("%s, with the operator's script: %s", path, res.Body)
		}
	}
	for accept, packed := range map[string]bool{
		"gzip": true, "gzip, deflate, br, zstd": true, "br;q=1.0, GZIP;q=0.5": true, "gzip; q=0.05": true,
		"": false, "identity": false, "br": false, "gzip;q=0": false, "gzip; q=0.000": false, "xgzip": false,
	} {
		res := get(t, own, "/matomo.js", map[string]string{"Accept-Encoding": accept})
		text := string(res.Body)
		if (headerOf(res, "Content-Encoding") == "gzip") != packed {
			t.Errorf("Accept-Encoding %q: Content-Encoding %q", accept, headerOf(res, "Content-Encoding"))
		} else if packed {
			text = gunzip(t, res.Body)
		}
		if text != string(ownScript().plain) || headerOf(res, "Vary") != "Accept-Encoding" {
			t.Errorf("Accept-Encoding %q: the script or Vary is wrong, Vary %q", accept, headerOf(res, "Vary"))
		}
	}
}

// A browser caches the script and asks whether it changed.
func TestSnippetIsKept(t *testing.T) {
	own := New(Options{})
	plain, packed := get(t, own, "/matomo.js", nil), get(t, own, "/matomo.js", map[string]string{"Accept-Encoding": "gzip"})
	a, b := headerOf(plain, "ETag"), headerOf(packed, "ETag")
	if a == "" || a == b || headerOf(plain, "Cache-Control") != scriptCache {
		t.Errorf("ETags %s and %s, Cache-Control %s", a, b, headerOf(plain, "Cache-Control"))
	}
	for known, status := range map[string]int{a: 304, b: 304, "W/" + b: 304, `"other", ` + a: 304, "*": 304, `"other"`: 200, "": 200} {
		res := get(t, own, "/matomo.js", map[string]string{"If-None-Match": known})
		if res.Status != status || status == 304 && len(res.Body) > 0 || headerOf(res, "ETag") == "" {
			t.Errorf("If-None-Match %s: %d with %d bytes", known, res.Status, len(res.Body))
		}
	}
	if other := get(t, New(Options{Tracker: []byte("x")}), "/matomo.js", map[string]string{"If-None-Match": a}); other.Status != 200 {
		t.Error("a different script has the same ETag")
	}
}
