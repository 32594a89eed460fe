package mcp

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"sync"

	"github.com/modelcontextprotocol/go-sdk/jsonrpc"
	sdk "github.com/modelcontextprotocol/go-sdk/mcp"
)

// This file speaks the protocol over two streams, for clients that start a program.

// Run answers the messages of in, one a line, on out until in or ctx ends. A line that is no message
// is answered with an error of the protocol, and the next one is read. The error is that of a stream.
func (s *Server) Run(ctx context.Context, c *Caller, in io.ReadCloser, out io.WriteCloser) error {
	shared := &sharedWriter{out: out}
	good, lines := io.Pipe()
	go func() { lines.CloseWithError(passLines(in, lines, shared)) }()
	// Whoever waits for the next line of in is left waiting: a read of stdin cannot be ended.
	return s.of(c).Run(withCaller(ctx, c), &sdk.IOTransport{Reader: good, Writer: shared, MaxLineLength: -1})
}

// passLines passes on each line of in that is a message, and answers the others on out. The SDK would
// end at the first of those. The error is nil at the end of in.
func passLines(in io.Reader, good, out io.Writer) error {
	r := bufio.NewReaderSize(in, MessageBytesMax+len("\r\n"))
	for {
		line, err := r.ReadSlice('\n')
		tooLong := false
		for errors.Is(err, bufio.ErrBufferFull) {
			tooLong = true
			_, err = r.ReadSlice('\n')
		}
		line = bytes.TrimSpace(line)
		var refusal []byte
		switch {
		case tooLong:
			refusal = wireError(0, jsonrpc.ID{}, jsonrpc.CodeInvalidRequest, "the message is too long; it may have 64 KB").Body
		case len(line) > 0:
			if reply, refused := refuseMessage(line); refused {
				refusal = reply.Body
			} else if _, werr := good.Write(append(line[:len(line):len(line)], '\n')); werr != nil {
				return werr // nobody reads any more
			}
		}
		if refusal != nil {
			if _, werr := out.Write(append(bytes.TrimSpace(refusal), '\n')); werr != nil {
				return werr
			}
		}
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		}
	}
}

// sharedWriter is a stream on which several write whole lines.
type sharedWriter struct {
	mu  sync.Mutex
	out io.WriteCloser
}

func (w *sharedWriter) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.out.Write(p)
}

func (w *sharedWriter) Close() error { return w.out.Close() }
