package mcp

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"strings"
	"testing"
)

// A line that is no message is answered, and so is the message after it.
func TestLinesThatAreNoMessages(t *testing.T) {
	in, send := io.Pipe()
	receive, out := io.Pipe()
	ended := make(chan error, 1)
	go func() {
		ended <- New(Options{Version: "test"}).Run(context.Background(), callerOn(&asks{status: 200, body: `{}`}), in, out)
		out.Close()
	}()
	answers := bufio.NewReader(receive)
	ask := func(line string) string {
		go io.WriteString(send, line)
		answer, err := answers.ReadString('\n')
		if err != nil || !json.Valid([]byte(answer)) {
			t.Fatalf("%.80q: %q %v", line, answer, err)
		}
		return answer
	}
	const ping = `{"jsonrpc":"2.0","id":7,"method":"ping"}` + "\n"
	ask(`{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-06-18","capabilities":{},"clientInfo":{"name":"x","version":"1"}}}` + "\n" +
		`{"jsonrpc":"2.0","method":"notifications/initialized"}` + "\n")
	for _, test := range []struct{ line, says string }{
		{"garbage\n", `"code":-32700`},
		{"{\n", `"code":-32700`},
		{"\xff\xfe\x00\n", `"code":-32700`},
		{"{}\n", `"code":-32600`},
		{`{"jsonrpc":"2.0","id":1,"method":"ping"} {}` + "\n", `"code":-32700`},
		{"[" + strings.TrimSpace(ping) + "]\n", "no batches"},
		{`{"a":` + strings.Repeat("[", 1000) + "\n", "too deep"},
		{`{"jsonrpc":"2.0","id":1,"method":"ping","params":{"x":"` + strings.Repeat("x", 3*MessageBytesMax) + `"}}` + "\n", "too long"},
		{`{"jsonrpc":"2.0","id":5,"method":"subscriptions/listen"}` + "\n", `"id":5`},
		{"\n \r\n" + ping, `"id":7`},
	} {
		if answer := ask(test.line); !strings.Contains(answer, test.says) {
			t.Errorf("%.80q: %s", test.line, answer)
		}
		if answer := ask(ping); !strings.Contains(answer, `"id":7`) || strings.Contains(answer, "error") {
			t.Errorf("after %.80q: %s", test.line, answer)
		}
	}
	send.Close()
	if err := <-ended; err != nil {
		t.Errorf("at the end: %v", err)
	}
}
