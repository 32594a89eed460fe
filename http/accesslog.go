package httpd

import (
	"context"
	"log/slog"
	"strconv"
	"sync"
	"time"
)

// This file writes the access log. A line holds no address, no body, no query
// string and no id of a person: paths are logged as the route's pattern. Where
// there is no route, the client's own bytes are quoted and cut.

const (
	linesPerSecond = 10  // of one kind
	clientBytesMax = 256 // of what a client wrote, in a line
)

// lineLimit lets linesPerSecond lines of each kind through.
type lineLimit struct {
	mu    sync.Mutex
	kinds map[string]*lineCount
}

type lineCount struct {
	second  int64
	lines   int
	dropped int
}

func (l *lineLimit) allow(kind string, now time.Time) bool {
	ok, _ := l.count(kind, now)
	return ok
}

// count reports whether a line may be written, and how many lines of its kind were left
// out since the last one.
func (l *lineLimit) count(kind string, now time.Time) (ok bool, dropped int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	c := l.kinds[kind]
	if c == nil {
		if l.kinds == nil {
			l.kinds = map[string]*lineCount{}
		}
		c = new(lineCount)
		l.kinds[kind] = c
	}
	if second := now.Unix(); second != c.second {
		c.second, c.lines = second, 0
	}
	if c.lines >= linesPerSecond {
		c.dropped++
		return false, 0
	}
	c.lines++
	dropped, c.dropped = c.dropped, 0
	return true, dropped
}

// logAccess writes the line of a request whose answer has size bytes. whole is false when
// the answer broke off. A line's kind is dialect and status class, so that a flood of one
// kind of request hides no other.
func (s *Server) logAccess(x *exchange, size int64, took time.Duration, whole bool) {
	name := "server"
	if x.route != nil && x.route.wire != nil {
		name = string(x.route.wire.Name())
	}
	level := slog.LevelInfo
	if x.res.Status >= 500 {
		level = slog.LevelWarn
	}
	if x.c.Own() && x.res.Status == 200 && x.route != nil && (x.route.name == "/healthz" || x.route.name == "/readyz") {
		return // the watchdog and "cairn healthcheck", again and again
	}
	ctx := context.Background()
	if !s.log.Enabled(ctx, level) {
		return
	}
	kind := logKind{name, x.res.Status / 100}
	ok, dropped := s.lines.count(kind.String(), x.started.Add(took)) // a stream may have begun long ago
	if !ok {
		return
	}
	attrs := make([]slog.Attr, 0, 8)
	attrs = append(attrs,
		slog.String("dialect", name),
		slog.String("method", cut(x.req.Method)),
		slog.Int("status", x.res.Status),
		slog.Float64("seconds", took.Seconds()),
		slog.Int64("bytes", size),
		slog.String("request_id", string(x.id)))
	if x.route != nil {
		attrs = append(attrs, slog.String("route", x.route.name))
	} else {
		attrs = append(attrs, slog.String("path", cut(x.req.Path)))
	}
	if !whole {
		attrs = append(attrs, slog.Bool("broken_off", true))
	}
	if dropped > 0 {
		attrs = append(attrs, slog.Int("unlogged", dropped))
	}
	s.log.LogAttrs(ctx, level, "request", attrs...)
}

type logKind struct {
	dialect string
	class   int
}

var logClasses = [...]string{"0", "1", "2", "3", "4", "5"}

func (k logKind) String() string { return k.dialect + logClasses[min(k.class, 5)] }

// cut makes what a client wrote fit for a log: it is quoted and at most clientBytesMax long.
func cut(s string) string {
	if len(s) > clientBytesMax {
		s = s[:clientBytesMax]
	}
	q := strconv.QuoteToASCII(s)
	return q[1 : len(q)-1]
}
