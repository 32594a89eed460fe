package bench

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// This file is the HTTP client of the load generator. It keeps one connection open and
// writes requests by hand. This saves CPU time, which it shares with the server.

// answerMax is the largest accepted body of an answer. No working server sends more.
const answerMax = 64 << 20

// Conn is one HTTP/1.1 connection. It is not for concurrent use.
type Conn struct {
	ctx    context.Context
	url    *url.URL
	c      net.Conn
	r      *bufio.Reader
	closes bool // the server has said that it closes the connection
	host   string
	common string // the header lines of every request but those of do
	out    []byte
	body   []byte
}

// Dial connects to the server at base, such as "http://127.0.0.1:8080". Requests carry key
// as bearer token. The connection closes when ctx ends or Close is called.
func Dial(ctx context.Context, base, key string) (*Conn, error) {
	u, err := url.Parse(base)
	if err != nil {
		return nil, err
	}
	conn := &Conn{
		ctx: ctx, url: u, host: u.Host,
		common: "Host: " + u.Host + "\r\nAuthorization: Bearer " + key + "\r\n",
	}
	if err := conn.connect(); err != nil {
		return nil, err
	}
	return conn, nil
}

// connect opens the connection, also in place of one that the server closes.
func (c *Conn) connect() error {
	port := c.url.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[c.url.Scheme]
	}
	var d net.Dialer
	conn, err := d.DialContext(c.ctx, "tcp", net.JoinHostPort(c.url.Hostname(), port))
	if err != nil {
		return err
	}
	if c.url.Scheme == "https" {
		conn = tls.Client(conn, &tls.Config{ServerName: c.url.Hostname()})
	}
	context.AfterFunc(c.ctx, func() { conn.Close() })
	if c.c != nil {
		c.c.Close()
	}
	c.c, c.r, c.closes = conn, bufio.NewReaderSize(conn, 16<<10), false
	return nil
}

// Close closes the connection.
func (c *Conn) Close() error { return c.c.Close() }

// Post sends body and returns the body of the answer, which the next call overwrites. A
// status other than 200 and 201 is an error that begins with "status "; the connection stays usable.
// After any other error it is not usable.
func (c *Conn) Post(path, contentType string, body []byte) ([]byte, error) {
	b := append(c.out[:0], "POST "...)
	b = append(b, path...)
	b = append(b, " HTTP/1.1\r\n"...)
	b = append(b, c.common...)
	b = append(b, "Content-Type: "...)
	b = append(b, contentType...)
	b = append(b, "\r\nContent-Length: "...)
	b = strconv.AppendInt(b, int64(len(body)), 10)
	b = append(b, "\r\n\r\n"...)
	c.out = append(b, body...)
	return c.roundTrip()
}

// do sends a request with more header lines, each with its line end, and returns the body of
// the answer, which the next call overwrites. Its errors are those of Post.
func (c *Conn) do(method, path, header string, body []byte) ([]byte, error) {
	b := fmt.Appendf(c.out[:0], "%s %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: %s\r\n%s", method, path, c.host, mixedAgents[0], header)
	if body != nil {
		b = fmt.Appendf(b, "Content-Length: %d\r\n", len(body))
	}
	c.out = append(append(b, "\r\n"...), body...)
	return c.roundTrip()
}

// errQueryTimeout says that the server stopped a query at its time limit.
var errQueryTimeout = errors.New("the server stopped a query that took too long")

// Get returns the body of the answer, which the next call overwrites. It returns the errors
// of Post, and errQueryTimeout.
func (c *Conn) Get(path string) ([]byte, error) {
	b := append(c.out[:0], "GET "...)
	b = append(b, path...)
	b = append(b, " HTTP/1.1\r\n"...)
	b = append(b, c.common...)
	c.out = append(b, "\r\n"...)
	return c.roundTrip()
}

func (c *Conn) roundTrip() ([]byte, error) {
	if c.closes {
		if err := c.connect(); err != nil {
			return nil, err
		}
	}
	if _, err := c.c.Write(c.out); err != nil {
		return nil, err
	}
	status, length, err := c.readHead()
	if err != nil {
		return nil, err
	}
	if cap(c.body) < length {
		c.body = make([]byte, length)
	}
	c.body = c.body[:length]
	if _, err := io.ReadFull(c.r, c.body); err != nil {
		return nil, err
	}
	if status == 503 && bytes.Contains(c.body, []byte(`"query_timeout"`)) {
		return nil, errQueryTimeout
	}
	if status != 200 && status != 201 {
		return nil, fmt.Errorf("status %d: %s", status, bytes.TrimSpace(c.body[:min(length, 300)]))
	}
	return c.body, nil
}

// readHead reads the status line and the header of an answer.
func (c *Conn) readHead() (status, length int, err error) {
	length = -1
	for first := true; ; first = false {
		line, err := c.r.ReadSlice('\n')
		if err != nil {
			return 0, 0, err
		}
		line = bytes.TrimRight(line, "\r\n")
		switch {
		case first:
			if len(line) < 12 {
				return 0, 0, fmt.Errorf("bad status line %q", line)
			}
			if status, err = strconv.Atoi(string(line[9:12])); err != nil {
				return 0, 0, fmt.Errorf("bad status line %q", line)
			}
		case len(line) == 0:
			if length < 0 || length > answerMax {
				return 0, 0, errors.New("the answer has no usable Content-Length")
			}
			return status, length, nil
		case len(line) > 15 && bytes.EqualFold(line[:15], []byte("Content-Length:")):
			if length, err = strconv.Atoi(string(bytes.TrimSpace(line[15:]))); err != nil {
				return 0, 0, fmt.Errorf("bad Content-Length %q", line)
			}
		case bytes.EqualFold(line, []byte("Connection: close")):
			c.closes = true
		}
	}
}

// latencies is a histogram of durations up to a day. Its error is below 1/100.
type latencies struct {
	hdr *hdrhistogram.Histogram
	max time.Duration // exact
}

func newLatencies() *latencies {
	return &latencies{hdr: hdrhistogram.New(1, int64(24*time.Hour), 2)}
}

func (l *latencies) n() int64 { return l.hdr.TotalCount() }

func (l *latencies) add(d time.Duration) {
	l.max = max(l.max, d)
	l.hdr.RecordValue(int64(d))
}

func (l *latencies) merge(o *latencies) {
	l.max = max(l.max, o.max)
	l.hdr.Merge(o.hdr)
}

// quantile is the duration that a share q of the observations does not exceed.
func (l *latencies) quantile(q float64) time.Duration {
	return min(time.Duration(l.hdr.ValueAtQuantile(100*q)), l.max)
}

// quota hands out n items in portions. Any goroutine may call take. n = 0 means no limit.
type quota struct {
	n, taken atomic.Int64
}

// take takes up to want items. It returns the number of the first one and how many there
// are.
func (q *quota) take(want int) (first int64, got int) {
	limit := q.n.Load()
	end := q.taken.Add(int64(want))
	first = end - int64(want)
	if limit == 0 || end <= limit {
		return first, want
	}
	return first, int(max(limit-first, 0))
}
