// Client: one request to the server and its answer, both bounded.

package clickhouse

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync"
	"time"

	"cairn/engine/sink"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

const (
	// answerBytesMax bounds an answer. The largest is a count by the million, 100 bytes each.
	answerBytesMax = 16 << 20

	// errorBytesMax bounds what is kept of an error.
	errorBytesMax = 4 << 10

	// askMax is how long a question that reads may take.
	askMax = 5 * time.Minute

	// headerBytesMax bounds the header of an answer.
	headerBytesMax = 64 << 10
)

// client makes requests. Only one goroutine uses it at a time.
type client struct {
	url            *url.URL
	user, password string
	http           *http.Client

	gzip *gzip.Writer
	zstd *zstd.Encoder
	body bytes.Buffer // a compressed body
}

// parseURL checks the address of a server.
func parseURL(text string) (*url.URL, error) {
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return nil, fmt.Errorf("url %q is not the address of a server without user and question mark; use for example http://localhost:8123", redacted(text))
	}
	return u, nil
}

// redacted hides what may be a password in an address.
func redacted(text string) string {
	if scheme, rest, ok := strings.Cut(text, "://"); ok {
		if at := strings.LastIndexByte(rest, '@'); at >= 0 {
			return scheme + "://…" + rest[at:]
		}
	}
	return text
}

func newClient(o *Options) (*client, error) {
	u, err := parseURL(o.URL)
	if err != nil {
		return nil, err
	}
	t := &http.Transport{
		Proxy:                  http.ProxyFromEnvironment,
		DialContext:            (&net.Dialer{Timeout: 10 * time.Second, KeepAlive: 30 * time.Second}).DialContext,
		TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12},
		TLSHandshakeTimeout:    10 * time.Second,
		IdleConnTimeout:        5 * time.Second, // a server closes a connection that is silent for 10 s, or 3
		MaxIdleConns:           2,
		MaxResponseHeaderBytes: headerBytesMax,
		DisableCompression:     true,
	}
	if o.CA != "" {
		text, err := os.ReadFile(o.CA)
		if err != nil {
			return nil, fmt.Errorf("ca: %w", err)
		}
		pool, err := x509.SystemCertPool()
		if err != nil {
			pool = x509.NewCertPool()
		}
		if !pool.AppendCertsFromPEM(text) {
			return nil, fmt.Errorf("ca: %s has no certificate", o.CA)
		}
		t.TLSClientConfig.RootCAs = pool
	}
	return &client{url: u, user: o.User, password: o.Password, http: &http.Client{
		Transport: t,
		// The password would go to wherever the server points.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}, nil
}

// close closes the connections that are open.
func (c *client) close() { c.http.CloseIdleConnections() }

// ask sends a statement and returns the answer, which is whole: the server makes all of it before it
// sends the first byte. most bounds the time.
func (c *client) ask(ctx context.Context, most time.Duration, statement string, settings ...string) ([]byte, error) {
	params := url.Values{"wait_end_of_query": {"1"}}
	addSettings(params, settings)
	return c.do(ctx, most, params, []byte(statement), "")
}

// insert sends an INSERT with a body that write writes, and which encoding compresses: "zstd", "gzip" or "".
func (c *client) insert(ctx context.Context, most time.Duration, statement string, write func(io.Writer) error, encoding string, settings ...string) error {
	params := url.Values{"query": {statement}}
	addSettings(params, settings)
	body, err := c.compress(write, encoding)
	if err != nil {
		return err
	}
	answer, err := c.do(ctx, most, params, body, encoding)
	if err == nil && len(bytes.TrimSpace(answer)) > 0 { // an INSERT has no answer but an error behind the status 200
		return faultOf(http.StatusOK, "", answer)
	}
	return err
}

func addSettings(params url.Values, settings []string) {
	for i := 0; i+1 < len(settings); i += 2 {
		params.Set(settings[i], settings[i+1])
	}
}

// sending is a body that is being sent. A request may have an answer, or may have failed, while the transport
// still reads its body; it closes it then.
type sending struct {
	*bytes.Reader
	end func()
}

func (b *sending) Close() error {
	b.end()
	return nil
}

// do makes one request. When it returns, nobody reads body any more. Errors are *sink.Fault.
func (c *client) do(ctx context.Context, most time.Duration, params url.Values, body []byte, encoding string) ([]byte, error) {
	var open sync.WaitGroup
	defer open.Wait() // the next body has the same memory
	ctx, cancel := context.WithTimeout(ctx, most)
	defer cancel()
	u := *c.url
	u.RawQuery = params.Encode()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, u.String(), nil)
	if err != nil {
		return nil, &sink.Fault{Code: "url", Err: err}
	}
	r.ContentLength = int64(len(body))
	r.GetBody = func() (io.ReadCloser, error) {
		open.Add(1)
		return &sending{bytes.NewReader(body), sync.OnceFunc(open.Done)}, nil
	}
	r.Body, _ = r.GetBody()
	if c.user != "" {
		r.Header.Set("X-ClickHouse-User", c.user)
	}
	if c.password != "" {
		r.Header.Set("X-ClickHouse-Key", c.password)
	}
	r.Header.Set("User-Agent", "cairn")
	if encoding != "" {
		r.Header.Set("Content-Encoding", encoding)
	}
	resp, err := c.http.Do(r)
	if err != nil {
		return nil, unanswered(err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, answerBytesMax+1))
	switch code := resp.Header.Get("X-ClickHouse-Exception-Code"); {
	case resp.StatusCode != http.StatusOK || code != "" && code != "0":
		return nil, faultOf(resp.StatusCode, code, answer)
	case err != nil:
		return nil, unanswered(err)
	case len(answer) > answerBytesMax:
		return nil, &sink.Fault{Code: "answer", Err: errors.New("the answer is longer than any that was asked for")}
	case bytes.Contains(answer[max(0, len(answer)-errorBytesMax):], []byte("DB::Exception")):
		return nil, faultOf(resp.StatusCode, "", answer[max(0, len(answer)-errorBytesMax):])
	}
	return answer, nil
}

// compress returns what write writes, compressed. It is valid until the next call.
func (c *client) compress(write func(io.Writer) error, encoding string) (body []byte, err error) {
	c.body.Reset()
	switch encoding {
	case "":
		err = write(&c.body)
	case "zstd":
		if c.zstd == nil {
			c.zstd, err = zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(1), zstd.WithWindowSize(1<<20))
			if err != nil {
				return nil, err
			}
		}
		c.zstd.Reset(&c.body)
		if err = write(c.zstd); err == nil {
			err = c.zstd.Close()
		}
	default:
		if c.gzip == nil {
			if c.gzip, err = gzip.NewWriterLevel(&c.body, gzip.BestSpeed); err != nil {
				return nil, err
			}
		}
		c.gzip.Reset(&c.body)
		if err = write(c.gzip); err == nil {
			err = c.gzip.Close()
		}
	}
	return c.body.Bytes(), err
}
