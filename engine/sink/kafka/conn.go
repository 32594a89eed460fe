//go:build !nosinks

package kafka

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"cairn/engine/sink"

	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/sasl"
	"github.com/twmb/franz-go/pkg/sasl/plain"
	"github.com/twmb/franz-go/pkg/sasl/scram"
)

// This file is a connection to one broker: it connects, agrees on versions, logs in, and asks.

// Bounds of a connection.
const (
	dialMax    = 10 * time.Second
	requestMax = 40 * time.Second // a broker may take brokerMax of it
	brokerMax  = 30 * time.Second
	answerMax  = 32 << 20        // bytes of an answer; what is asked for has at most a quarter
	idleMax    = 2 * time.Minute // an older connection may be closed on the way: it is made anew
	loginMax   = 10              // messages of a login
)

// clientID is how brokers know cairn in their logs and quotas.
const clientID = "cairn"

// versions are the newest versions that are asked with. All have the older form of headers, and
// brokers from Kafka 2.1 on have them.
var versions = map[int16]int16{
	kmsg.Produce.Int16():            8,
	kmsg.Fetch.Int16():              11,
	kmsg.ListOffsets.Int16():        5,
	kmsg.Metadata.Int16():           8,
	kmsg.FindCoordinator.Int16():    2,
	kmsg.SASLHandshake.Int16():      1,
	kmsg.ApiVersions.Int16():        0,
	kmsg.CreateTopics.Int16():       4,
	kmsg.InitProducerID.Int16():     1,
	kmsg.AddPartitionsToTxn.Int16(): 2,
	kmsg.EndTxn.Int16():             2,
	kmsg.DescribeConfigs.Int16():    3,
	kmsg.SASLAuthenticate.Int16():   1,
}

// conn is a connection. It answers in the order in which it is asked. One goroutine uses it.
type conn struct {
	net     net.Conn
	in      *bufio.Reader
	broker  string                // its address
	known   map[int16]apiVersions // of the broker; nil before it was asked
	format  *kmsg.RequestFormatter
	out     []byte
	asked   int32     // requests so far
	heard   int32     // answers so far
	used    time.Time // last
	until   time.Time // when the login ends; zero = never
	failure error     // after which the connection is of no use
}

type apiVersions struct{ least, most int16 }

// dial makes a connection that can be asked.
func dial(ctx context.Context, o *Options, secure *tls.Config, broker string) (*conn, error) {
	connect := o.Dial
	if connect == nil {
		connect = new(net.Dialer).DialContext
	}
	bounded, cancel := context.WithTimeout(ctx, dialMax)
	defer cancel()
	raw, err := connect(bounded, "tcp", broker)
	if err != nil {
		return nil, networkFault(ctx, broker, err)
	}
	if secure != nil {
		own := secure.Clone()
		own.ServerName, _, _ = net.SplitHostPort(broker)
		t := tls.Client(raw, own)
		if err := t.HandshakeContext(bounded); err != nil {
			raw.Close()
			return nil, networkFault(ctx, broker, err)
		}
		raw = t
	}
	c := &conn{net: raw, in: bufio.NewReaderSize(raw, 64<<10), broker: broker, format: kmsg.NewRequestFormatter(kmsg.FormatterClientID(clientID)), used: time.Now()}
	if err := c.greet(ctx, o); err != nil {
		c.close(err)
		return nil, err
	}
	return c, nil
}

// greet asks for versions and logs in.
func (c *conn) greet(ctx context.Context, o *Options) error {
	resp, err := ask[*kmsg.ApiVersionsResponse](ctx, c, kmsg.NewPtrApiVersionsRequest())
	if err != nil {
		return err
	}
	if f := codeOf(resp.ErrorCode, "ask for versions"); f != nil {
		return f
	}
	c.known = make(map[int16]apiVersions, len(resp.ApiKeys))
	for _, k := range resp.ApiKeys {
		c.known[k.ApiKey] = apiVersions{k.MinVersion, k.MaxVersion}
	}
	if o.SASL == "" {
		return nil
	}
	return c.logIn(ctx, mechanism(o))
}

func mechanism(o *Options) sasl.Mechanism {
	switch o.SASL {
	case "scram-sha-256":
		return scram.Auth{User: o.User, Pass: o.Password}.AsSha256Mechanism()
	case "scram-sha-512":
		return scram.Auth{User: o.User, Pass: o.Password}.AsSha512Mechanism()
	}
	return plain.Auth{User: o.User, Pass: o.Password}.AsMechanism()
}

func (c *conn) logIn(ctx context.Context, m sasl.Mechanism) error {
	hello := kmsg.NewPtrSASLHandshakeRequest()
	hello.Mechanism = m.Name()
	shaken, err := ask[*kmsg.SASLHandshakeResponse](ctx, c, hello)
	if err != nil {
		return err
	}
	if f := codeOf(shaken.ErrorCode, fmt.Sprintf("log in by %s", m.Name())); f != nil {
		f.Passes = false
		return f
	}
	session, message, err := m.Authenticate(ctx, c.broker)
	if err != nil {
		return lasting("sasl", "log in: %w", err)
	}
	for range loginMax {
		req := kmsg.NewPtrSASLAuthenticateRequest()
		req.SASLAuthBytes = message
		resp, err := ask[*kmsg.SASLAuthenticateResponse](ctx, c, req)
		if errors.Is(err, io.EOF) {
			return passes("sasl", "log in: broker %s has closed the connection; are user and password right?", c.broker)
		}
		if err != nil {
			return err
		}
		if f := codeOf(resp.ErrorCode, "log in"); f != nil {
			f.Passes = false
			return f
		}
		if resp.SessionLifetimeMillis > 0 {
			c.until = time.Now().Add(time.Duration(resp.SessionLifetimeMillis) * time.Millisecond * 3 / 4)
		}
		done, next, err := session.Challenge(resp.SASLAuthBytes)
		if err != nil {
			return lasting("sasl", "log in: %w", err)
		}
		if done {
			return nil
		}
		message = next
	}
	return lasting("sasl", "log in: the broker asks for more than %d messages", loginMax)
}

// stale says whether a connection should be made anew before it is asked.
func (c *conn) stale(now time.Time) bool {
	return c.failure != nil || now.Sub(c.used) > idleMax || !c.until.IsZero() && now.After(c.until)
}

// ask sends a request and returns the answer. Answers that nobody has waited for are dropped.
func ask[R kmsg.Response](ctx context.Context, c *conn, req kmsg.Request) (answer R, err error) {
	for c.failure == nil && c.heard < c.asked {
		if _, err := c.frame(ctx); err != nil {
			return answer, err
		}
	}
	if err := c.send(ctx, req); err != nil {
		return answer, err
	}
	return receive[R](ctx, c, req)
}

// receive returns the answer to the oldest request that has none yet, which is req.
func receive[R kmsg.Response](ctx context.Context, c *conn, req kmsg.Request) (answer R, err error) {
	resp, err := c.receive(ctx, req)
	if err != nil {
		return answer, err
	}
	return resp.(R), nil
}

// bound gives a read or a write its time. The caller calls the result.
func (c *conn) bound(ctx context.Context) func() bool {
	c.net.SetDeadline(time.Now().Add(requestMax))
	return context.AfterFunc(ctx, func() { c.net.SetDeadline(time.Unix(1, 0)) })
}

// send sends a request. Its bytes are gone when it returns.
func (c *conn) send(ctx context.Context, req kmsg.Request) error {
	if c.failure != nil {
		return c.failure
	}
	version := versions[req.Key()]
	if c.known != nil {
		has, ok := c.known[req.Key()]
		if version = min(version, has.most); !ok || version < has.least {
			return lasting("UNSUPPORTED_VERSION", "broker %s takes request %d in the versions %d to %d, cairn has %d", c.broker, req.Key(), has.least, has.most, versions[req.Key()])
		}
	}
	req.SetVersion(version)
	c.out = c.format.AppendRequest(c.out[:0], req, c.asked)
	defer c.bound(ctx)()
	if _, err := c.net.Write(c.out); err != nil {
		return c.close(networkFault(ctx, c.broker, err))
	}
	c.asked++
	return nil
}

func (c *conn) receive(ctx context.Context, req kmsg.Request) (kmsg.Response, error) {
	if c.failure != nil {
		return nil, c.failure
	}
	body, err := c.frame(ctx)
	if err != nil {
		return nil, err
	}
	resp := req.ResponseKind()
	resp.SetVersion(req.GetVersion())
	if err := resp.ReadFrom(body); err != nil {
		return nil, c.close(passes("protocol", "broker %s: answer to request %d: %w", c.broker, req.Key(), err))
	}
	return resp, nil
}

// frame reads the next answer.
func (c *conn) frame(ctx context.Context) ([]byte, error) {
	defer c.bound(ctx)()
	var head [8]byte
	if _, err := io.ReadFull(c.in, head[:]); err != nil {
		return nil, c.close(networkFault(ctx, c.broker, err))
	}
	size, number := int32(binary.BigEndian.Uint32(head[:])), int32(binary.BigEndian.Uint32(head[4:]))
	if size < 4 || size > answerMax || number != c.heard {
		return nil, c.close(passes("protocol", "broker %s answers %d bytes to request %d, expected was %d", c.broker, size, number, c.heard))
	}
	body := make([]byte, size-4)
	if _, err := io.ReadFull(c.in, body); err != nil {
		return nil, c.close(networkFault(ctx, c.broker, err))
	}
	c.heard++
	c.used = time.Now()
	return body, nil
}

// close ends the connection because of an error, which it returns.
func (c *conn) close(err error) error {
	if c.failure == nil {
		if c.failure = err; err == nil {
			c.failure = &sink.Fault{Passes: true, Code: "closed", Err: net.ErrClosed}
		}
		c.net.Close()
	}
	return err
}
