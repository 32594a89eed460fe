package matomo

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"strings"
	"sync"

	"cairn/http/dialect"
)

// This file serves the browser tracker: cairn's own, in the folder snippet, or the
// operator's file. Pages name it without a version, so browsers keep it for a day and then
// ask by its ETag whether it has changed.

//go:embed snippet/*.js
var snippetFiles embed.FS

// snippetParts are the files of the tracker in the order in which they are joined. What is
// used while the script loads comes first; queue comes last and starts the tracker.
var snippetParts = []string{"base", "addresses", "consent", "visitor", "hits", "reports", "clicks", "content", "presence", "tracker", "queue"}

// snippetSource is the tracker with its comments. The parts are in one function, so their
// names are not visible to the page.
func snippetSource() string {
	var b strings.Builder
	b.WriteString("(function () {\n'use strict'\n")
	for _, part := range snippetParts {
		text, err := snippetFiles.ReadFile("snippet/" + part + ".js")
		if err != nil {
			panic(err) // a listed part is missing: such a build fails its tests
		}
		b.Write(text)
	}
	b.WriteString("})()\n")
	return b.String()
}

const (
	scriptType  = "application/javascript; charset=UTF-8"
	scriptCache = "public, max-age=86400, stale-while-revalidate=604800"
)

// scriptPaths are the paths that pages load the tracker from, below any prefix. The vendor's
// older snippets name the folder js, or a file in it that writes the script.
var scriptPaths = []string{"*/matomo.js", "*/piwik.js", "/js/", "/js/index.php", "/js/tracker.php"}

// script is a tracker as it is served.
type script struct {
	plain, packed []byte // packed is plain in gzip
	tag           string
}

// newScript makes a script of a file's text.
func newScript(text []byte) *script {
	digest := sha256.Sum256(text)
	var b bytes.Buffer
	w, _ := gzip.NewWriterLevel(&b, gzip.BestCompression) // the level is a valid one
	_, _ = w.Write(text)                                  // a Buffer takes everything
	_ = w.Close()
	return &script{plain: text, packed: b.Bytes(), tag: hex.EncodeToString(digest[:8])}
}

// ownScript is cairn's own tracker.
var ownScript = sync.OnceValue(func() *script { return newScript(compact(snippetSource())) })

// compact is JavaScript without its indentation, empty lines and lines of comment.
// It knows nothing of the language: the source keeps a comment on lines of its own
// and has no string over several lines.
func compact(source string) []byte {
	var out []byte
	for line := range strings.Lines(source) {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "//") {
			continue
		}
		out = append(append(out, line...), '\n')
	}
	return out
}

// scriptRoutes are the routes of the script. Any page may load it, with crossorigin too.
func scriptRoutes() (routes []dialect.Route) {
	for _, path := range scriptPaths {
		routes = append(routes, dialect.Route{
			Methods: []string{"GET"}, Path: path, Auth: dialect.AuthNone, Reads: true, CORS: dialect.CORSAny,
		})
	}
	return routes
}

// isScript says that the route of a request serves the script.
func isScript(path string) bool {
	return strings.HasSuffix(path, ".js") || strings.HasPrefix(path, "/js/")
}

// read answers with the script, or with 304 to a browser that has it.
func (s *script) read(req *dialect.Request, res *dialect.Response) {
	packed := acceptsGzip(req.Header("Accept-Encoding"))
	tag := `"` + s.tag + `"`
	if packed {
		tag = `"` + s.tag + `-gzip"`
	}
	res.Header = append(res.Header,
		[2]string{"Cache-Control", scriptCache},
		[2]string{"ETag", tag},
		[2]string{"Vary", "Accept-Encoding"},
		[2]string{"X-Content-Type-Options", "nosniff"},
		[2]string{"Cross-Origin-Resource-Policy", "cross-origin"},
	)
	res.ContentType = scriptType
	if known := req.Header("If-None-Match"); known == "*" || strings.Contains(known, `"`+s.tag) {
		res.Status = 304
		return
	}
	res.Status = 200
	if packed {
		res.Header = append(res.Header, [2]string{"Content-Encoding", "gzip"})
		res.Body = append(res.Body[:0], s.packed...)
		return
	}
	res.Body = append(res.Body[:0], s.plain...)
}

// acceptsGzip reads an Accept-Encoding header.
func acceptsGzip(header string) bool {
	for part := range strings.SplitSeq(header, ",") {
		name, weight, _ := strings.Cut(part, ";")
		if strings.EqualFold(strings.TrimSpace(name), "gzip") {
			q := strings.ReplaceAll(strings.TrimSpace(weight), " ", "")
			return strings.Trim(q, "q=0.") != "" || q == ""
		}
	}
	return false
}
