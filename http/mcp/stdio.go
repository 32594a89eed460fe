package mcp

import (
	"context"
	"io"

	sdk "github.com/modelcontextprotocol/go-sdk/mcp"
)

// This file speaks the protocol over two streams, for clients that start a program.

// Run answers the messages of in, one a line, on out until in or ctx ends. The error is that of a
// stream, or of a message that is too long.
func (s *Server) Run(ctx context.Context, c *Caller, in io.ReadCloser, out io.WriteCloser) error {
	return s.of(c).Run(withCaller(ctx, c), &sdk.IOTransport{Reader: in, Writer: out, MaxLineLength: MessageBytesMax})
}
