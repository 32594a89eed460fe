package mcp

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strconv"
	"strings"

	"github.com/modelcontextprotocol/go-sdk/jsonrpc"
	sdk "github.com/modelcontextprotocol/go-sdk/mcp"
)

// This file answers one message that came over HTTP: one POST with one answer, and no session.

// MessageBytesMax is how long a message may be.
const MessageBytesMax = 64 << 10

// levelsMax is how deep a message may be nested.
const levelsMax = 64

// Headers are those of a request that the protocol reads. All others stay away from it.
var Headers = []string{"Accept", "Content-Type", "Mcp-Protocol-Version", "Mcp-Method", "Mcp-Name", "Mcp-Session-Id", "Last-Event-Id"}

// Reply is the answer to a message.
type Reply struct {
	Status      int
	ContentType string
	Body        []byte
}

// Post answers a message. header returns the value of one of Headers. The message and what header
// returns must not change, and may be kept for a moment after Post has returned.
func (s *Server) Post(ctx context.Context, c *Caller, header func(name string) string, message []byte) Reply {
	if reply, refused := refuseMessage(message); refused {
		return reply
	}
	req, err := http.NewRequestWithContext(withCaller(ctx, c), http.MethodPost, "/mcp", io.NopCloser(bytes.NewReader(message)))
	if err != nil {
		return plain(400, err.Error())
	}
	for _, name := range Headers {
		if value := header(name); value != "" {
			req.Header.Set(name, value)
		}
	}
	w := &recorder{header: make(http.Header), status: 200}
	sdk.NewStreamableHTTPHandler(func(*http.Request) *sdk.Server { return s.of(c) }, &sdk.StreamableHTTPOptions{
		Stateless: true, JSONResponse: true, MaxRequestBodyBytes: MessageBytesMax,
		DisableLocalhostProtection: true, // the server has judged Host before
	}).ServeHTTP(w, req)
	if kind := w.header.Get("Content-Type"); strings.HasPrefix(kind, "text/plain") {
		text := strings.TrimSpace(w.body.String())
		if req, ok := request(message); ok && strings.Contains(text, "JSON RPC not handled") {
			return wireError(w.status, req.ID, jsonrpc.CodeMethodNotFound, "there is no method "+strconv.QuoteToASCII(cut(req.Method)))
		}
		return plain(w.status, text)
	}
	return Reply{Status: w.status, ContentType: w.header.Get("Content-Type"), Body: w.body.Bytes()}
}

// refuseMessage refuses what the SDK takes though it should not: several calls in one message, which
// no limit would count, a stream without end, and what is nested so deep that reading it costs much.
func refuseMessage(message []byte) (reply Reply, refused bool) {
	text := bytes.TrimLeft(message, " \t\r\n")
	if len(text) == 0 {
		return wireError(400, jsonrpc.ID{}, jsonrpc.CodeInvalidRequest, "there is no message"), true
	}
	if text[0] == '[' {
		return wireError(400, jsonrpc.ID{}, jsonrpc.CodeInvalidRequest, "send one message at a time; the protocol has no batches any more"), true
	}
	if !shallow(text) {
		return wireError(400, jsonrpc.ID{}, jsonrpc.CodeParseError, "the message is nested too deep"), true
	}
	if !json.Valid(text) {
		return wireError(400, jsonrpc.ID{}, jsonrpc.CodeParseError, "the message is no JSON"), true
	}
	parsed, err := jsonrpc.DecodeMessage(message) // as the SDK reads it
	if err != nil {
		return wireError(400, jsonrpc.ID{}, jsonrpc.CodeInvalidRequest, "the message is no message of JSON-RPC 2.0"), true
	}
	req, ok := parsed.(*jsonrpc.Request)
	if !ok {
		return wireError(400, jsonrpc.ID{}, jsonrpc.CodeInvalidRequest, "the server has asked nothing"), true
	}
	if req.Method == listen {
		return wireError(404, req.ID, errListen.Code, errListen.Message), true
	}
	return Reply{}, false
}

// request is a message that asks for an answer.
func request(message []byte) (req *jsonrpc.Request, ok bool) {
	parsed, err := jsonrpc.DecodeMessage(message)
	if req, ok = parsed.(*jsonrpc.Request); err != nil || !ok {
		return nil, false
	}
	return req, req.ID.IsValid()
}

// shallow reports whether a text of JSON has few levels. Of a text that is no JSON it may report
// anything.
func shallow(text []byte) bool {
	depth, quoted := 0, false
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '{' || c == '[':
			if depth++; depth > levelsMax {
				return false
			}
		case c == '}' || c == ']':
			depth--
		}
	}
	return true
}

// wireError is an error of the protocol.
func wireError(status int, id jsonrpc.ID, code int64, message string) Reply {
	body := map[string]any{"jsonrpc": "2.0", "id": id.Raw(), "error": map[string]any{"code": code, "message": message}}
	return Reply{Status: status, ContentType: "application/json", Body: marshal(body)}
}

// plain is an error before the protocol.
func plain(status int, message string) Reply {
	return Reply{Status: status, ContentType: "application/json", Body: marshal(map[string]any{"error": message, "status": status})}
}

// recorder keeps an answer.
type recorder struct {
	header http.Header
	status int
	wrote  bool
	body   bytes.Buffer
}

func (w *recorder) Header() http.Header { return w.header }

func (w *recorder) WriteHeader(status int) {
	if !w.wrote {
		w.status, w.wrote = status, true
	}
}

func (w *recorder) Write(p []byte) (int, error) {
	w.wrote = true
	return w.body.Write(p)
}

// Flush implements http.Flusher, without which the SDK does not answer.
func (w *recorder) Flush() {}
