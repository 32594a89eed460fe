package wire

import (
	"errors"
	"os"
	"time"
)

// This file notices at once that a client goes away while an answer is sent to it that has nothing
// to say for a long time. Without it the next write but one tells.

// longAgo is a deadline that wakes whoever reads.
var longAgo = time.Unix(1, 0)

// Watch calls gone when the client closes the connection, or only its own side of it, while an
// answer is written. It keeps what the client sends meanwhile, and watches no longer after that.
// The caller has to call stop before it gives the connection back. Watch starts one goroutine,
// which stop waits for.
func (c *Conn) Watch(gone func()) (stop func()) {
	if c.r < c.w { // the next request is there, so the client is, too
		return func() {}
	}
	c.r, c.w = 0, 0
	c.by = time.Time{}
	c.Conn.SetReadDeadline(c.by)
	done := make(chan struct{})
	go func() {
		defer close(done)
		n, err := c.Conn.Read(c.buf)
		c.w = n
		switch {
		case n > 0:
			c.touch()
		case err != nil && !errors.Is(err, os.ErrDeadlineExceeded):
			gone()
		}
	}()
	return func() {
		c.Conn.SetReadDeadline(longAgo)
		<-done
	}
}
