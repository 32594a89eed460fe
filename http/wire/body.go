package wire

import (
	"bytes"
	"errors"
	"io"
	"os"
	"strconv"
	"sync/atomic"
	"time"
)

// This file reads what follows a head: a body of known length or a chunked one, within a
// limit of bytes, a limit of time, and a budget of memory for all requests.

// What ReadAll and Inflate return. After ErrBodySlow, ErrBodyTorn and ErrBodyChunk the
// stream has no further meaning: the connection ends with the answer.
var (
	ErrBodyLarge  = errors.New("the body is too large")
	ErrBodySlow   = errors.New("the body came too slowly")
	ErrBodyTorn   = errors.New("the connection ended before the body did")
	ErrBodyChunk  = errors.New("malformed chunked body")
	ErrBodyMemory = errors.New("too many large bodies at once, try again")
	ErrBodyShare  = errors.New("too many large bodies at once without a key in the header or from this address, try again")
)

// chunkOverheadMax bounds what a chunked body may spend on chunk extensions and
// trailers, which nobody reads.
const chunkOverheadMax = 4 << 10

// chunkLineMax bounds one line of chunked framing.
const chunkLineMax = 256

// body is the state of the body of the request being handled.
type body struct {
	chunked  bool
	begun    bool
	done     bool
	broken   bool  // an error was met: nothing after it has a meaning
	waits    bool  // the client waits for 100 Continue
	left     int64 // bytes of the body, or of the current chunk, still to come
	overhead int   // bytes spent on chunk extensions and trailers

	deadline time.Time // for the whole body
	span     time.Time // end of the current span of patience.pace
	spanRead int
	spans    int  // that have ended
	charged  bool // what was read takes memory of the budget
}

// reset makes b the body that h announces.
func (b *body) reset(h *head) {
	*b = body{chunked: h.chunked, waits: h.expect}
	if !h.chunked {
		b.left = max(h.length, 0)
		b.done = b.left == 0
	}
}

// BodyDone says whether nothing of the body is left to read, as when there is none.
func (c *Conn) BodyDone() bool { return c.body.done }

// BodyLength is how many bytes of the body are still to come, -1 when it is chunked.
func (c *Conn) BodyLength() int64 {
	if c.body.chunked {
		return -1
	}
	return c.body.left
}

// Abandon gives the body up: no more of it is read, and the connection ends with the
// answer.
func (c *Conn) Abandon() { c.body.broken = true }

// readBody reads the next bytes of the body into p, without its chunked framing;
// io.EOF is its proper end. The errors are ErrBodySlow, ErrBodyChunk and
// ErrBodyTorn.
func (c *Conn) readBody(p []byte) (int, error) {
	b := &c.body
	if b.done {
		return 0, io.EOF
	}
	n, err := c.readBodyOnce(p)
	if err != nil && err != io.EOF {
		b.broken = true
	}
	return n, err
}

func (c *Conn) readBodyOnce(p []byte) (int, error) {
	b := &c.body
	if !b.begun {
		b.begun = true
		now := time.Now()
		b.deadline, b.span = now.Add(c.gate.Patience.Body), now.Add(c.gate.Patience.Pace)
		if b.waits && c.r == c.w {
			if _, err := c.Write([]byte("HTTP/1.1 100 Continue\r\n\r\n")); err != nil {
				return 0, err
			}
		}
	}
	if b.chunked && b.left == 0 {
		if err := c.nextChunk(); err != nil || b.done {
			if err == nil {
				err = io.EOF
			}
			return 0, err
		}
	}
	n, err := c.bodyBytes(p[:min(int64(len(p)), b.left)])
	b.left -= int64(n)
	if err != nil {
		return n, err
	}
	if b.left == 0 {
		if b.chunked {
			err = c.chunkEnd()
		} else {
			b.done = true
		}
	}
	return n, err
}

// bodyBytes reads raw bytes of the body: what is buffered, else what comes.
func (c *Conn) bodyBytes(p []byte) (int, error) {
	if c.r < c.w {
		n := copy(p, c.buf[c.r:c.w])
		c.r += n
		return n, nil
	}
	return c.bodyRead(p)
}

// bodyRead reads from the network and holds the client to the pace.
func (c *Conn) bodyRead(p []byte) (int, error) {
	b := &c.body
	for {
		now := time.Now()
		c.readWithin(now, min(b.span.Sub(now), b.deadline.Sub(now)))
		c.phase.Store(phaseBody)
		n, err := c.Conn.Read(p)
		c.phase.Store(phaseBusy)
		if n > 0 {
			c.touch()
			b.spanRead += n
			return n, nil
		}
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded):
			now = time.Now()
			if now.Before(b.span) && now.Before(b.deadline) {
				c.by = time.Time{} // the gate woke the connection for a stop; the body has time left
				continue
			}
			if b.spanRead < b.pace(c.gate.Patience.PaceBytes) || !now.Before(b.deadline) {
				c.gate.Refused("slow body")
				return 0, ErrBodySlow
			}
			b.span, b.spanRead = now.Add(c.gate.Patience.Pace), 0
			b.spans++
		case err != nil:
			return 0, ErrBodyTorn
		}
	}
}

// paceRises is how often the pace of a body that takes memory of the budget doubles.
const paceRises = 3

// pace is how many bytes the current span must bring. A body that takes memory of the budget
// has to come faster with each span, up to eight times least: others wait for that memory.
func (b *body) pace(least int) int {
	if !b.charged {
		return least
	}
	return least << min(b.spans, paceRises)
}

// nextChunk reads the size line of a chunk. After the last one it reads the
// trailers, which are checked and dropped, and sets done.
func (c *Conn) nextChunk() error {
	b := &c.body
	line, err := c.chunkLine()
	if err != nil {
		return err
	}
	digits, _, _ := bytes.Cut(line, []byte(";"))
	size, err := strconv.ParseUint(string(digits), 16, 32)
	if err != nil || len(digits) > 8 {
		return ErrBodyChunk
	}
	if b.left = int64(size); size > 0 {
		return b.spend(len(line) - len(digits))
	}
	for range HeaderLinesMax {
		line, err := c.chunkLine()
		if err != nil {
			return err
		}
		if len(line) == 0 {
			b.done = true
			return nil
		}
		if h := (head{}); h.header(line) != nil || h.chunked || h.length > 0 || h.hosts > 0 {
			return ErrBodyChunk
		}
		if err := b.spend(len(line)); err != nil {
			return err
		}
	}
	return ErrBodyChunk
}

func (b *body) spend(n int) error {
	b.overhead += n
	if b.overhead > chunkOverheadMax {
		return ErrBodyChunk
	}
	return nil
}

// chunkEnd reads the CR LF behind a chunk.
func (c *Conn) chunkEnd() error {
	line, err := c.chunkLine()
	if err == nil && len(line) > 0 {
		err = ErrBodyChunk
	}
	return err
}

// chunkLine reads one line of chunked framing, without its CR LF. It is valid
// until the next read.
func (c *Conn) chunkLine() ([]byte, error) {
	for {
		if i := bytes.IndexByte(c.buf[c.r:c.w], '\n'); i >= 0 {
			line := c.buf[c.r : c.r+i]
			c.r += i + 1
			if i == 0 || line[i-1] != '\r' || i > chunkLineMax {
				return nil, ErrBodyChunk
			}
			line = line[:i-1]
			for _, ch := range line {
				if ch < 0x20 && ch != '\t' || ch == 0x7f {
					return nil, ErrBodyChunk
				}
			}
			return line, nil
		}
		if c.w-c.r > chunkLineMax {
			return nil, ErrBodyChunk
		}
		if !c.makeSpace() {
			return nil, ErrBodyMemory
		}
		n, err := c.bodyRead(c.buf[c.w:])
		if err != nil {
			return nil, err
		}
		c.w += n
	}
}

// skipBytesMax and skipTime bound what is read of an unwanted body to keep a
// connection. The answer waits for it.
const (
	skipBytesMax = 64 << 10
	skipTime     = 100 * time.Millisecond
)

// skipBody skips what is left of the body, and reports whether the stream now stands at the
// next head. It is over when the length is unknown, and when the client still waits for
// 100 Continue: nobody can know whether that client sends its body.
func (c *Conn) skipBody() bool {
	b := &c.body
	if b.done {
		return true
	}
	if b.broken || b.chunked || b.waits && !b.begun || b.left > skipBytesMax {
		return false
	}
	b.left -= int64(c.skip(b.left))
	if b.left > 0 {
		c.by = time.Time{}
		c.Conn.SetReadDeadline(time.Now().Add(skipTime))
		n, err := io.CopyN(io.Discard, c.Conn, b.left)
		if b.left -= n; err != nil {
			return false
		}
	}
	b.done = true
	return true
}

// skip drops up to n buffered bytes.
func (c *Conn) skip(n int64) int {
	have := int(min(n, int64(c.w-c.r)))
	c.r += have
	return have
}

// Budget bounds the memory that bodies, answers and long heads of all requests hold
// together, in bytes. The zero value has nothing to give; any goroutine may use it.
type Budget struct{ left atomic.Int64 }

// Set gives the budget n bytes. It is called once, before the budget is used.
func (b *Budget) Set(n int64) { b.left.Store(n) }

// Available is how many bytes are left.
func (b *Budget) Available() int64 { return b.left.Load() }

func (b *Budget) take(n int64) bool {
	if b.left.Add(-n) >= 0 {
		return true
	}
	b.left.Add(n)
	return false
}

func (b *Budget) give(n int64) { b.left.Add(n) }

// bodyFreeBytes is the size up to which a buffer is not charged to the budget.
const bodyFreeBytes = 16 << 10

// BodyKeptBytes is the size of the largest buffer, of a body or an answer, that is kept
// for the next request.
const BodyKeptBytes = 1 << 20

// Buffer is a byte buffer whose growth is charged to a budget. It serves one request
// after another: Release ends what it holds for the one.
type Buffer struct {
	B       []byte  // what was read; Release and the next read write over it
	Budget  *Budget // who pays; never nil once the buffer is used
	Share   *Share  // the client's part of the budget; nil = all of it
	charged int64
}

// grow makes room for n more bytes and at most limit in all.
func (f *Buffer) grow(n, limit int) error {
	if cap(f.B)-len(f.B) >= n {
		return nil
	}
	size := max(2*cap(f.B), len(f.B)+n, 4<<10)
	if size > limit-limit/8 { // the last step: not another one for a few bytes more
		size = max(limit, len(f.B)+n)
	}
	if size > bodyFreeBytes {
		if err := f.reserve(int64(size)); err != nil {
			return err
		}
	}
	grown := make([]byte, len(f.B), size)
	copy(grown, f.B)
	f.B = grown
	return nil
}

// reserve charges the buffer for size bytes in all, before it has as many. The errors are
// ErrBodyShare and ErrBodyMemory.
func (f *Buffer) reserve(size int64) error {
	more := size - f.charged
	if more <= 0 {
		return nil
	}
	if !f.Share.take(more) {
		return ErrBodyShare
	}
	if !f.Budget.take(more) {
		f.Share.give(more)
		return ErrBodyMemory
	}
	f.charged = size
	return nil
}

// shrink cuts the buffer to n bytes and gives the rest of its memory back.
func (f *Buffer) shrink(n int) {
	f.B = append([]byte(nil), f.B[:n]...)
	f.settle()
}

// settle gives back what was charged beyond the size of the buffer.
func (f *Buffer) settle() {
	if rest := f.charged - int64(cap(f.B)); rest > 0 {
		f.charged -= rest
		f.Budget.give(rest)
		f.Share.give(rest)
	}
}

// Leave gives the bytes away: nothing writes over them any more. They stay charged until
// Release. B is nil afterwards.
func (f *Buffer) Leave() { f.B = nil }

// Release empties the buffer for its next use, which writes over its bytes, and gives
// back what was charged. Releasing it twice does nothing more.
func (f *Buffer) Release() {
	f.Budget.give(f.charged)
	f.Share.give(f.charged)
	f.charged = 0
	if cap(f.B) > BodyKeptBytes {
		f.B = nil
	}
	f.B = f.B[:0]
}

// ReadAll reads the body into f, at most limit bytes. A Content-Length beyond the limit is
// refused before anything is read. Memory grows with the bytes that arrive, not with the
// length that is claimed. The errors are those named ErrBody…; ErrBodyMemory means that the
// budget of f has nothing left, and ErrBodyShare the same of the client's share.
func (c *Conn) ReadAll(f *Buffer, limit int64) error {
	if !c.body.chunked && c.body.left > limit {
		return ErrBodyLarge
	}
	hint, most := bodyFreeBytes, int(limit)+1
	if !c.body.chunked {
		hint, most = min(int(c.body.left), 64<<10), int(c.body.left)
	}
	if err := f.grow(hint, most); err != nil {
		return err
	}
	for !c.body.done {
		if len(f.B) == cap(f.B) {
			if err := f.grow(1, most); err != nil {
				return err
			}
		}
		c.body.charged = f.charged > 0
		n, err := c.readBody(f.B[len(f.B):cap(f.B)])
		f.B = f.B[:len(f.B)+n]
		if int64(len(f.B)) > limit {
			return ErrBodyLarge
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
	return nil
}
