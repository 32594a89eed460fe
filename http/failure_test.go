package httpd

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"cairn/engine/event"
	"cairn/engine/query"
	"cairn/http/dialect"
	"cairn/http/wire"

	"github.com/cockroachdb/pebble/v2"
)

// What a client sees of each error, also of a wrapped one. It does not see a text that may
// name files.
func TestFailures(t *testing.T) {
	own := &dialect.StatusError{Failure: dialect.Forbidden, Msg: "no"}
	for _, c := range []struct {
		err  error
		want dialect.Failure
		says string
	}{
		{own, dialect.Forbidden, "no"},
		{&event.FieldError{Index: -1, Field: "name", Msg: "missing"}, dialect.BadRequest, "name: missing"},
		{query.ErrBusy, dialect.Busy, query.ErrBusy.Error()},
		{query.ErrStopping, dialect.Busy, query.ErrStopping.Error()},
		{query.ErrFailed, dialect.Busy, query.ErrFailed.Error()},
		{query.ErrQueryTimeout, dialect.Busy, query.ErrQueryTimeout.Error()},
		{query.ErrDiskFull, dialect.DiskFull, query.ErrDiskFull.Error()},
		{query.ErrNotFound, dialect.NotFound, query.ErrNotFound.Error()},
		{query.ErrBadCursor, dialect.BadRequest, query.ErrBadCursor.Error()},
		{query.ErrBadQuery, dialect.BadRequest, query.ErrBadQuery.Error()},
		{context.Canceled, dialect.Busy, query.ErrStopping.Error()},
		{context.DeadlineExceeded, dialect.Busy, query.ErrQueryTimeout.Error()},
		{wire.ErrBodyLarge, dialect.TooLarge, wire.ErrBodyLarge.Error()},
		{wire.ErrBodyMemory, dialect.Busy, wire.ErrBodyMemory.Error()},
		{wire.ErrBodyChunk, dialect.BadRequest, wire.ErrBodyChunk.Error()},
		{wire.ErrPacked, dialect.BadRequest, wire.ErrPacked.Error()},
		{wire.ErrEncoding, dialect.BadMedia, wire.ErrEncoding.Error()},
		{errors.New("open /var/lib/cairn/log: input/output error"), dialect.Internal, "internal error"},
		{&query.Panic{Value: "index out of range"}, dialect.Internal, "internal error"},
		{fmt.Errorf("read run 5: %w", pebble.ErrCorruption), dialect.Internal, "corrupt: store: read run 5: pebble: corruption"},
	} {
		if got := failureOf(c.err); got.Failure != c.want || got.Err.Error() != c.says {
			t.Errorf("%v: %v %q, want %v %q", c.err, got.Failure, got.Err, c.want, c.says)
		}
		if got := failureOf(fmt.Errorf("asked: %w", c.err)); got.Failure != c.want {
			t.Errorf("%v, wrapped: %v, want %v", c.err, got.Failure, c.want)
		}
	}
	for err, status := range map[error]int{wire.ErrBodySlow: 408, wire.ErrBodyTorn: 400, wire.ErrBodyLarge: 0, query.ErrBusy: 0} {
		if got := connectionFault(err); got != status {
			t.Errorf("%v: status %d, want %d", err, got, status)
		}
	}
}

// No answer of any dialect has a text of Go's own: neither when the engine fails nor when a
// request is malformed.
func TestNoTextOfGo(t *testing.T) {
	s := start(t, twoSites)
	own := regexp.MustCompile(`context |deadline|strconv|parsing |invalid (syntax|character|URL escape|UTF)|/var/|no such file|runtime error|goroutine|unexpected (EOF|end)|illegal base64|error parsing regexp|pebble|value out of range|\.go:`)
	_, corrupt := strconv.Atoi("x")
	faults := []error{
		nil,
		context.DeadlineExceeded, context.Canceled,
		fmt.Errorf("read run 5: %w", context.DeadlineExceeded),
		&fs.PathError{Op: "open", Path: "/var/lib/cairn/log", Err: syscall.EIO},
		io.ErrUnexpectedEOF, corrupt,
		fmt.Errorf("open /var/lib/cairn: %w", query.ErrBusy),
		fmt.Errorf("open /var/lib/cairn: %w", query.ErrDiskFull),
		fmt.Errorf("%w: open /var/lib/cairn: no such file", query.ErrFailed),
		&query.Damage{File: "run 5", Err: corrupt},
		&query.Panic{Value: "runtime error", Stack: []byte("goroutine 1")},
	}
	panel := []string{"openpanel-client-id: shop-client", "openpanel-client-secret: shop-client-secret"}
	questions := ownQuestions("00000000000000000000000000000001")
	for _, target := range []string{
		"/api/v1/events?from=2026-13-45", "/api/v1/events?from=x&to=%zz", "/api/v1/events?%zz=1", "/api/v1/events?limit=99999999999999999999",
		"/api/v1/events?after=%00", "/api/v1/events/%zz", "/api/v1/users/%zz", "/api/v1/count?value=0x", "/api/v1/counters?property=a&limit=x",
	} {
		questions = append(questions, owned{method: "GET", target: target, headers: []string{secret}})
	}
	for _, target := range []string{
		"/export/events?projectId=shop&filters=[{", `/export/events?projectId=shop&filters=[{"name":"a","operator":"regex","value":["(("]}]`, "/export/events?projectId=shop&start=x&limit=x&page=x",
		"/insights/%zz/live", "/insights/shop/metrics?range=x", "/insights/shop/metrics?startDate=2026-99-99&endDate=x",
	} {
		questions = append(questions, owned{method: "GET", target: target, headers: panel})
	}
	for _, target := range []string{
		"/tracking/events?limit=x", "/tracking/events?from=x", "/api/counts?site=shop&key=shop-read&from=x&to=y&timezone=Mars/Olympus&limit=x", "/api/views/events?site=shop&key=shop-read&limit=99999999999999999999",
		"/?si=shop&ti=%zz", "/v1/pixel/track?data=%%%", "/v1/pixel/track?data=" + strings.Repeat("!", 20), "/matomo.php?idsite=x&rec=1&cdt=x&h=99999999999999999999", "/v1/projects/%zz/settings",
	} {
		questions = append(questions, owned{method: "GET", target: target, headers: []string{secret}})
	}
	for _, target := range []string{"/api/v1/events", "/tracking/events", "/events", "/track", "/event", "/profile", "/v1/batch", "/v1/track", "/v1/import", "/matomo.php", "/?si=shop", "/opentracker?si=shop"} {
		for _, body := range []string{"", "{", "[", `{"a":`, `{"name":"a","time":"x","type":"track","payload":{"name":"a"}}`, `{"name":"\ud800"}`, "\xff", "[{},{]", `{"value":1e999,"type":"increment","payload":{"value":"x"}}`,
			`{"requests":["?idsite=1&rec=1"]}`, `{"batch":[{"type":"track","event":"a","userId":"u","timestamp":"x"}]}`, `{"event":"a","userId":"u"}`, strings.Repeat("[", 100)} {
			questions = append(questions, owned{method: "POST", target: target, body: body, headers: append([]string{secret}, panel...)})
			questions = append(questions, owned{method: "POST", target: target, body: body, headers: append([]string{"Authorization: Basic c2hvcC13cml0ZTo=", "Content-Type: application/json"}, panel...)})
			questions = append(questions, owned{method: "POST", target: target, body: body, headers: append([]string{secret, "Content-Encoding: gzip"}, panel...)})
		}
	}
	bad := map[string]bool{}
	for _, fault := range faults {
		s.engine.mu.Lock()
		s.engine.fail = fault
		s.engine.mu.Unlock()
		for _, q := range questions {
			a := s.connect().ask(q)
			if a.status < 400 && fault != nil && a.status != 200 {
				continue
			}
			if found := own.FindString(a.body); found != "" && a.status >= 400 && !bad[q.target+found] {
				bad[q.target+found] = true
				t.Errorf("%s %s %.40q with %v: %d %.300s", q.method, q.target, q.body, fault, a.status, a.body)
			}
		}
	}
}
