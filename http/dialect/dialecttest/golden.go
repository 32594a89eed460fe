// Package dialecttest tests a dialect without server or engine. Golden files hold requests, and
// the events and replies that they must produce, as text.
//
// # Golden files
//
// A golden file is a txtar archive. The text before the first marker describes the file. Each
// request is followed by its events, if any, and by its reply. The text after the colon of a
// marker is a comment.
//
//	Created, then found.
//	-- request: the seed's own example --
//	POST /tracking/events
//	Authorization: Bearer secret
//
//	{"eventName":"Purchase","value":250}
//	-- events --
//	{"dialect":"oppizi","type":"track","name":"Purchase","value":250}
//	-- reply --
//	201 application/json; charset=utf-8
//
//	{"success":true,…}
//
// Requests of one file share a Store. The first is received at Start, each later one a
// second after the one before. The line break at the end of a body is not part of it. The
// command
//
//	go test ./http/oppizi -update
//
// rewrites the events and replies; read the diff.
//
// # Credentials
//
// On a route with AuthBearer the keys are "secret" (which has all rights), "read" and "write".
// Other routes accept every credential, and the text of an event shows the credential of its
// record. Request.Find knows every credential except "nobody".
package dialecttest

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"cairn/engine/event"
	"cairn/engine/query"
	"cairn/http/dialect"

	"github.com/rogpeppe/go-internal/txtar"
)

var update = flag.Bool("update", false, "write the golden files of dialects anew")

// Start is the time when the first request of a file is received.
var Start = time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)

// Peer is the address that every request comes from.
var Peer = netip.MustParseAddr("203.0.113.7")

// Golden is a dialect and the site of its requests.
type Golden struct {
	Dialect dialect.Dialect
	Site    *dialect.Site // nil = id 1, name "shop"
}

// Run tests every file that pattern matches.
func (g Golden) Run(t *testing.T, pattern string) {
	files, err := filepath.Glob(pattern)
	if err != nil || len(files) == 0 {
		t.Fatalf("no golden files %s (%v)", pattern, err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) { g.runFile(t, file) })
	}
}

func (g Golden) runFile(t *testing.T, file string) {
	archive, err := txtar.ParseFile(file)
	if err != nil {
		t.Fatal(err)
	}
	got := &txtar.Archive{Comment: archive.Comment}
	s := g.Session()
	for _, section := range archive.Files {
		kind, _, _ := strings.Cut(section.Name, ":")
		switch kind {
		case "request":
		case "events", "reply":
			continue
		default:
			t.Fatalf("%s: the section %q is not a request, events or reply", file, section.Name)
		}
		req, err := ParseRequest(section.Data)
		if err != nil {
			t.Fatalf("%s: %s: %v", file, section.Name, err)
		}
		events, res := s.Do(req)
		got.Files = append(got.Files, section)
		if events != "" {
			got.Files = append(got.Files, txtar.File{Name: "events", Data: []byte(events)})
		}
		got.Files = append(got.Files, txtar.File{Name: "reply", Data: formatResponse(res)})
	}
	if *update {
		if err := os.WriteFile(file, txtar.Format(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	compare(t, file, archive, got)
}

// compare reports the first section that differs.
func compare(t *testing.T, file string, want, got *txtar.Archive) {
	request := ""
	for i := range max(len(want.Files), len(got.Files)) {
		var w, g txtar.File
		if i < len(want.Files) {
			w = want.Files[i]
		}
		if i < len(got.Files) {
			g = got.Files[i]
		}
		if strings.HasPrefix(g.Name, "request") {
			request = g.Name
		}
		if w.Name != g.Name || !bytes.Equal(w.Data, g.Data) {
			t.Fatalf("%s: after %s\n-- want %s --\n%s-- got %s --\n%s", file, request, w.Name, w.Data, g.Name, g.Data)
		}
	}
}

// Session is a dialect with its own Store.
type Session struct {
	Store Store

	dialect dialect.Dialect
	routes  []dialect.Route
	site    *dialect.Site
	batch   dialect.Batch
	now     int64
}

// Session returns a new session with an empty Store.
func (g Golden) Session() *Session {
	site := g.Site
	if site == nil {
		site = &dialect.Site{Site: query.Site{ID: 1, Name: "shop"}}
	}
	return &Session{dialect: g.Dialect, routes: g.Dialect.Routes(), site: site, now: Start.UnixMilli()}
}

// Do handles one request as the server does. It checks route, right and size, then calls Decode,
// the Store and Reply, or only Read. It returns the events as text. Afterwards it overwrites
// the request's body, as the server does with its buffers.
func (s *Session) Do(req *dialect.Request) (events string, res *dialect.Response) {
	req.Site, req.Peer, req.ReceivedUnixMilli = nil, Peer, s.now
	req.Find = s.find
	s.now += time.Second.Milliseconds()
	res = new(dialect.Response)
	result := s.route(req)
	switch {
	case result.Failure != dialect.OK:
	case req.Route.Reads:
		err := s.dialect.(dialect.Reading).Read(context.Background(), req, &s.Store, res)
		if err == nil {
			return "", res
		}
		result = dialect.Result{Failure: failureOf(err), Err: err}
	default:
		events, result = s.write(req)
	}
	s.dialect.Reply(req, res, result)
	for i := range req.Body {
		req.Body[i] = 0xFF
	}
	return events, res
}

// route finds the route of req and checks what the server checks before Decode.
func (s *Session) route(req *dialect.Request) dialect.Result {
	result := dialect.Result{Failure: dialect.NotFound}
	for i := range s.routes {
		if !routeMatches(&s.routes[i], req) {
			continue
		}
		result.Failure = dialect.MethodNotAllowed
		if methodMatches(&s.routes[i], req.Method) && (req.Route == nil || specificity(&s.routes[i]) > specificity(req.Route)) {
			req.Route = &s.routes[i]
		}
	}
	if req.Route == nil {
		return result
	}
	result.Failure = dialect.OK
	switch req.Route.Auth {
	case dialect.AuthBearer:
		key, _ := strings.CutPrefix(req.Header("Authorization"), "Bearer ")
		rights, known := map[string]dialect.Right{"secret": dialect.Read | dialect.Write | dialect.Manage, "read": dialect.Read, "write": dialect.Write}[key]
		switch {
		case !known:
			result.Failure = dialect.Unauthorized
		case rights&req.Route.Right != req.Route.Right:
			result.Failure = dialect.Forbidden
		}
		req.Site = s.site
	case dialect.AuthBody:
		req.Site = nil
	}
	if result.Failure == dialect.OK && req.Route.Body > 0 && int64(len(req.Body)) > req.Route.Body {
		result.Failure = dialect.TooLarge
	}
	return result
}

// find implements dialect.Request.Find.
func (s *Session) find(c dialect.Credential) *dialect.Site {
	if c.ID == "nobody" || c == (dialect.Credential{}) {
		return nil
	}
	return s.site
}

// write decodes req, stores its events and describes each on a line.
func (s *Session) write(req *dialect.Request) (string, dialect.Result) {
	b := &s.batch
	b.Records, b.Partial = b.Records[:0], false
	if err := s.dialect.Decode(req, b); err != nil {
		return "", dialect.Result{Failure: failureOf(err), Err: err}
	}
	var text []byte
	outcomes := make([]dialect.Outcome, len(b.Records))
	refused := (*event.FieldError)(nil)
	for i := range b.Records {
		r := &b.Records[i]
		if r.Err == nil && r.Exclude == "" {
			r.Err = event.Validate(&r.Event)
		}
		if r.Err != nil && refused == nil {
			refused = r.Err
		}
		text = appendRecord(text, r, req)
	}
	if refused != nil && !b.Partial {
		return string(text), dialect.Result{Failure: dialect.BadRequest, Err: refused}
	}
	for i := range b.Records {
		r, o := &b.Records[i], &outcomes[i]
		o.Received = req.ReceivedUnixMilli
		switch {
		case r.Err != nil:
			o.Status, o.Err = event.Rejected, r.Err
		case r.Exclude != "":
			o.Status = event.Excluded
		default:
			if seq := s.Store.Find(r.Event.Dialect, r.Event.MessageID); seq != 0 {
				original := s.Store.events[seq-1]
				o.Status, o.ID, o.Session, o.Received = event.Duplicate, original.ID, original.Session, original.Received
				continue
			}
			id, err := s.Store.Add(&r.Event, req.ReceivedUnixMilli)
			if err != nil {
				return string(text), dialect.Result{Failure: dialect.Internal, Err: err}
			}
			o.ID, o.Session = id, r.Event.Session
		}
	}
	return string(text), dialect.Result{Outcomes: outcomes, Records: b.Records}
}

// appendRecord appends the text of a record: the event in its native form, after lines for
// everything unusual.
func appendRecord(text []byte, r *dialect.Record, req *dialect.Request) []byte {
	if c := r.Credential; c != (dialect.Credential{}) {
		text = fmt.Appendf(text, "credential: %d %q %q\n", c.Kind, c.ID, c.Secret)
	}
	if !reflect.DeepEqual(r.Source, req.Source()) {
		text = fmt.Appendf(text, "source: %+v\n", r.Source)
	}
	if r.Err != nil {
		text = fmt.Appendf(text, "refused: %d: %s\n", r.Err.Index, r.Err)
	}
	if r.Exclude != "" {
		text = fmt.Appendf(text, "excluded: %s\n", r.Exclude)
	}
	return append(event.AppendJSON(text, &r.Event), '\n')
}

// failureOf maps an error of Decode or Read to a failure, as the server does.
func failureOf(err error) dialect.Failure {
	var status *dialect.StatusError
	var field *event.FieldError
	switch {
	case errors.As(err, &status):
		return status.Failure
	case errors.As(err, &field):
		return dialect.BadRequest
	}
	return dialect.Internal
}

// formatResponse returns the text of a reply: status and type, headers, an empty line and the
// body. A body that is not text is quoted.
func formatResponse(res *dialect.Response) []byte {
	head := fmt.Appendf(nil, "%d %s", res.Status, res.ContentType)
	text := append(bytes.TrimRight(head, " "), '\n')
	for _, h := range res.Header {
		text = fmt.Appendf(text, "%s: %s\n", h[0], h[1])
	}
	if len(res.Body) == 0 {
		return text
	}
	text = append(text, '\n')
	if !utf8.Valid(res.Body) {
		return fmt.Appendf(text, "%q\n", res.Body)
	}
	return append(append(text, res.Body...), '\n')
}
