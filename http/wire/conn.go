package wire

import (
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/valyala/fasthttp"
)

// phase says what a connection waits for. Only a busy one waits for the server.
const (
	phaseIdle  int32 = iota // for the first byte of a request
	phaseHead               // for the rest of a head
	phaseBusy               // a handler is at work
	phaseBody               // for more of a body
	phaseWrite              // for the client to read the answer
)

// Conn is one client's connection under fasthttp. To fasthttp it is a stream of
// request heads without bodies, at most one at a time; the handler takes the body
// from it with ReadAll, and every deadline is kept here.
//
// Reads and writes come from the one goroutine that serves the connection.
// phase, last, linger, kill and place are shared with the gate.
type Conn struct {
	net.Conn
	gate *Gate
	from netip.Addr
	own  bool // of a listener of GuardOwn
	// bounded says that the connection is counted for its address.
	bounded bool

	buf  []byte // unread input is buf[r:w]
	r, w int

	head     head
	headLeft int // bytes of the head fasthttp has still to take
	body     body
	handled  bool         // the handler has run for the current head
	served   int          // requests
	charged  atomic.Int64 // of the answer being written, see charge
	roomy    atomic.Int64 // charged for a buffer larger than connBytes

	by      time.Time // current read deadline
	byWrite time.Time // current write deadline

	phase  atomic.Int32
	last   atomic.Int64 // ms from began to the last progress
	linger atomic.Bool  // input may be left: see Close
	closed sync.Once

	place place // under the lock of the gate
}

// connBytes is the buffer of a connection that has nothing large to read.
const connBytes = 4 << 10

var connBuffers = sync.Pool{New: func() any { return new([connBytes]byte) }}

func newConn(c net.Conn, g *Gate, peer netip.Addr) *Conn {
	cn := &Conn{Conn: c, gate: g, from: peer, handled: true}
	cn.body.done = true
	cn.buf = connBuffers.Get().(*[connBytes]byte)[:]
	cn.touch()
	return cn
}

// Peer is the address of the other end, without zone and mapping; the zero Addr when
// that is no ip.
func (c *Conn) Peer() netip.Addr { return c.from }

// Own says whether the connection is one of the operator's own programs, see GuardOwn.
func (c *Conn) Own() bool { return c.own }

// Secure says whether the connection is one of TLS.
func (c *Conn) Secure() bool {
	_, ok := c.Conn.(*tls.Conn)
	return ok
}

// Drain has Close read on for a while, so that the answer reaches a client that is
// still sending.
func (c *Conn) Drain() { c.linger.Store(true) }

// began is when the process began. Times since then are monotonic: the wall clock may be set.
var began = time.Now()

// touch notes progress, for the gate's choice of the longest silent.
func (c *Conn) touch() { c.last.Store(time.Since(began).Milliseconds()) }

// readWithin sets the read deadline. A deadline that is nearly right stays, because setting
// a timer costs more than waiting a little longer.
func (c *Conn) readWithin(now time.Time, d time.Duration) {
	if by := now.Add(d); by.Sub(c.by).Abs() > d/16 {
		c.by = by
		c.Conn.SetReadDeadline(by)
	}
}

// Read gives fasthttp the next head, or a part of it. It blocks until the head
// is whole. A head that is refused is answered here, and the stream then ends.
func (c *Conn) Read(p []byte) (int, error) {
	if c.headLeft == 0 && !c.next() {
		return 0, io.EOF
	}
	n := copy(p, c.buf[c.r:c.r+c.headLeft])
	c.r += n
	c.headLeft -= n
	return n, nil
}

// next reads until a whole head lies in the buffer.
func (c *Conn) next() bool {
	// When fasthttp asks for more before the handler ran, it wants more head than there is.
	if !c.handled || !c.body.done {
		return false
	}
	c.uncharge()
	c.phase.Store(phaseIdle)
	c.compact()
	c.head = head{}
	patience := c.gate.Patience.Idle
	if c.served == 0 {
		patience = c.gate.Patience.Head
	}
	c.readWithin(time.Now(), patience)
	for stop := false; ; {
		if c.r < c.w {
			if whole, no := c.head.scan(c.buf[:c.w]); no != nil {
				c.refuse(no)
				return false
			} else if whole {
				break
			}
			if c.phase.CompareAndSwap(phaseIdle, phaseHead) && c.served > 0 {
				c.readWithin(time.Now(), c.gate.Patience.Head)
			}
		}
		// A stopping server still answers what the client has already sent; the
		// gate wakes those who wait here.
		if !stop && c.gate.stopping.Load() {
			stop = true
			c.by = time.Now().Add(StopGrace)
			c.Conn.SetReadDeadline(c.by)
		}
		if !c.makeSpace() {
			c.refuse(refuseMemory)
			return false
		}
		n, err := c.Conn.Read(c.buf[c.w:])
		c.w += n
		if n > 0 {
			c.touch()
		} else if err != nil {
			late := errors.Is(err, os.ErrDeadlineExceeded)
			if late && !stop && c.gate.stopping.Load() {
				continue
			}
			if late && stop && time.Now().Before(c.by) {
				// The gate woke a connection that was awake already.
				c.Conn.SetReadDeadline(c.by)
				continue
			}
			if late && c.phase.Load() == phaseHead {
				c.gate.Refused("slow head")
			}
			return false
		}
	}
	c.r = c.head.start
	c.headLeft = c.head.pos - c.head.start
	c.body.reset(&c.head)
	c.handled = false
	c.phase.Store(phaseBusy)
	if c.served++; c.served == 1 {
		c.gate.asks(c)
	}
	return true
}

// compact moves unread input to the front, and returns to a small buffer when that is
// enough.
func (c *Conn) compact() {
	rest := c.buf[c.r:c.w]
	if len(c.buf) > connBytes && len(rest) <= connBytes/2 {
		small := connBuffers.Get().(*[connBytes]byte)[:]
		c.w = copy(small, rest)
		c.buf = small
		c.unroom()
	} else if c.r > 0 {
		c.w = copy(c.buf, rest)
	}
	c.r = 0
}

// makeSpace makes sure that there is space behind the unread input, and reports whether the
// budget had enough left for it. The head's own limits keep one head below headBytesMax,
// and the budget bounds all large heads together.
func (c *Conn) makeSpace() bool {
	if c.w < len(c.buf) {
		return true
	}
	if c.r > 0 {
		c.w = copy(c.buf, c.buf[c.r:c.w])
		c.r = 0
		return true
	}
	size := min(4*len(c.buf), headBytesMax+connBytes)
	more := int64(size) - c.roomy.Load()
	if !c.gate.heads.take(more) {
		return false
	}
	if !c.gate.budget.take(more) {
		c.gate.heads.give(more)
		return false
	}
	c.roomy.Store(int64(size))
	grown := make([]byte, size)
	c.w = copy(grown, c.buf[:c.w])
	c.dropBuffer()
	c.buf = grown
	return true
}

// unroom gives back what was charged for a large buffer.
func (c *Conn) unroom() {
	n := c.roomy.Swap(0)
	c.gate.heads.give(n)
	c.gate.budget.give(n)
}

func (c *Conn) dropBuffer() {
	if len(c.buf) == connBytes {
		connBuffers.Put((*[connBytes]byte)(c.buf))
	}
	c.buf = nil
}

// refuse answers a broken stream.
func (c *Conn) refuse(no *refusal) {
	c.gate.Refused(no.reason)
	c.Write(plainAnswer(no.status, no.reason))
	c.linger.Store(true)
}

// plainAnswer is a whole answer to what is not yet a request.
func plainAnswer(status int, text string) []byte {
	quoted, _ := json.Marshal(text)
	body := `{"error":` + string(quoted) + `,"status":` + strconv.Itoa(status) + `}`
	more := ""
	if status == 429 || status == 503 {
		more = "Retry-After: 1\r\n"
	}
	return fmt.Appendf(nil, "HTTP/1.1 %d %s\r\nServer: cairn\r\nContent-Type: application/json\r\n%sContent-Length: %d\r\nConnection: close\r\n\r\n%s",
		status, fasthttp.StatusMessage(status), more, len(body), body)
}

// Finish is what the handler calls when it is done with the request. It skips what was not
// read of the body, and reports whether the connection can go on. It is called once for
// each request, before fasthttp writes the answer.
func (c *Conn) Finish() (keep bool) {
	c.handled = true
	if c.skipBody() {
		return !c.head.close
	}
	c.linger.Store(true)
	return false
}

// Charge counts an answer of n bytes against the budget until it is written, and reports
// whether the budget had as much left. A small answer is not counted.
func (c *Conn) Charge(n int64) bool {
	if n <= BodyKeptBytes/16 {
		return true
	}
	if !c.gate.budget.take(n) {
		return false
	}
	c.charged.Add(n)
	return true
}

func (c *Conn) uncharge() {
	if n := c.charged.Swap(0); n > 0 {
		c.gate.budget.give(n)
	}
}

// Write gives the client Patience.Write for each 64 KiB, not for the whole.
func (c *Conn) Write(p []byte) (n int, err error) {
	was := c.phase.Swap(phaseWrite)
	for {
		part := p[n:min(n+64<<10, len(p))]
		d := c.gate.Patience.Write
		if by := time.Now().Add(d); by.Sub(c.byWrite) > d/16 {
			c.byWrite = by
			c.Conn.SetWriteDeadline(by)
		}
		m, err := c.Conn.Write(part)
		n += m
		if m > 0 {
			c.touch()
		}
		if err != nil {
			if errors.Is(err, os.ErrDeadlineExceeded) {
				c.gate.Refused("slow reader")
			}
			return n, err
		}
		if n == len(p) {
			c.phase.Store(was)
			return n, nil
		}
	}
}

// lingerTime and lingerBytes bound how long a closed connection is still read. Closing a
// socket with unread input resets it, and a client that is still sending would lose its
// answer.
const (
	lingerTime  = time.Second
	lingerBytes = 4 << 20
)

// Close ends the connection. It is called by fasthttp in the goroutine that
// served it, or from elsewhere while it is idle.
func (c *Conn) Close() error {
	c.uncharge()
	defer c.unroom()
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok && c.linger.CompareAndSwap(true, false) {
		if half.CloseWrite() == nil {
			c.phase.Store(phaseIdle)
			c.Conn.SetReadDeadline(time.Now().Add(lingerTime))
			var waste [4 << 10]byte
			for total := 0; total < lingerBytes; {
				n, err := c.Conn.Read(waste[:])
				total += n
				if err != nil {
					break
				}
			}
		}
	}
	err := net.ErrClosed
	c.closed.Do(func() {
		c.gate.remove(c)
		err = c.Conn.Close()
	})
	return err
}

// kill closes at once, from any goroutine. Of a TLS connection it closes the socket below,
// because a TLS goodbye may block.
func (c *Conn) kill() {
	c.closed.Do(func() {
		c.gate.remove(c)
		if over, ok := c.Conn.(interface{ NetConn() net.Conn }); ok {
			over.NetConn().Close()
			return
		}
		c.Conn.Close()
	})
}

// SetDeadline does nothing: the deadlines are this type's own.
func (c *Conn) SetDeadline(time.Time) error { return nil }

// SetReadDeadline does nothing, like SetDeadline.
func (c *Conn) SetReadDeadline(time.Time) error { return nil }

// SetWriteDeadline does nothing, like SetDeadline.
func (c *Conn) SetWriteDeadline(time.Time) error { return nil }
