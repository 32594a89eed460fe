package e2e

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"cairn/http/native"

	"github.com/modelcontextprotocol/go-sdk/mcp"
)

// assistant is the SDK's client, over one of the two ways to cairn.
type assistant struct {
	*testing.T
	*mcp.ClientSession
}

func connect(t *testing.T, transport mcp.Transport) *assistant {
	t.Helper()
	session, err := mcp.NewClient(&mcp.Implementation{Name: "test", Version: "1"}, nil).Connect(t.Context(), transport, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { session.Close() })
	return &assistant{t, session}
}

// withKey adds an Authorization to each request.
type withKey string

func (k withKey) RoundTrip(req *http.Request) (*http.Response, error) {
	req = req.Clone(req.Context())
	req.Header.Set("Authorization", "Bearer "+string(k))
	return http.DefaultTransport.RoundTrip(req)
}

// overHTTP asks /mcp of a server with a key.
func overHTTP(t *testing.T, s *testServer, key string) *assistant {
	t.Helper()
	return connect(t, &mcp.StreamableClientTransport{Endpoint: s.url() + "/mcp", HTTPClient: &http.Client{Transport: withKey(key)}, DisableStandaloneSSE: true})
}

// overStdio starts "cairn mcp".
func overStdio(t *testing.T, s *testServer, env []string, args ...string) *assistant {
	t.Helper()
	cmd := exec.Command(s.options.Exe, append([]string{"mcp"}, args...)...)
	cmd.Env = append(os.Environ(), env...)
	return connect(t, &mcp.CommandTransport{Command: cmd})
}

// tool calls a tool.
func (a *assistant) tool(name string, arguments map[string]any) (structured any, text string, refused bool) {
	a.Helper()
	res, err := a.CallTool(a.Context(), &mcp.CallToolParams{Name: name, Arguments: arguments})
	if err != nil {
		a.Fatalf("%s: %v", name, err)
	}
	for _, part := range res.Content {
		text += part.(*mcp.TextContent).Text
	}
	return res.StructuredContent, text, res.IsError
}

// argumentsOf are the arguments of a tool for a query of the API.
func argumentsOf(t *testing.T, q *native.Question, rawQuery string) map[string]any {
	t.Helper()
	arguments := map[string]any{}
	add := func(name, value string) {
		list, _ := arguments[name].([]string)
		arguments[name] = append(list, value)
	}
	for pair := range strings.SplitSeq(rawQuery, "&") {
		key, value, ok := strings.Cut(pair, "=")
		if !ok {
			continue
		}
		name, err := url.QueryUnescape(key)
		text, err2 := url.QueryUnescape(value)
		if err != nil || err2 != nil {
			t.Fatal(pair)
		}
		if p := q.Param(strings.TrimRight(name, "!~<>")); p == nil || p.Filter {
			add("filters", name+"="+text)
		} else {
			add(name, text)
		}
	}
	for name, value := range arguments {
		if list := value.([]string); len(list) == 1 && name != "filters" {
			arguments[name] = list[0]
		}
	}
	return arguments
}

// without is an answer with sorted keys, and without the moment at which it was given.
func without(t *testing.T, answer any) string {
	t.Helper()
	if text, ok := answer.([]byte); ok {
		answer = nil
		if err := json.Unmarshal(text, &answer); err != nil {
			t.Fatalf("%s: %v", text, err)
		}
	}
	if object, ok := answer.(map[string]any); ok {
		delete(object, "until")
		if asOf, ok := object["as_of"].(map[string]any); ok {
			delete(asOf, "time")
		}
	}
	text, err := json.Marshal(answer)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// sameAsTools asks a path of the API and both kinds of tools, and compares. A moment that changes the
// API's answer meanwhile does not count.
func sameAsTools(t *testing.T, path string, api func() []byte, assistants map[string]*assistant) {
	t.Helper()
	call, rawQuery, _ := strings.Cut(strings.TrimPrefix(path, "/api/v1/"), "?")
	q, ok := native.QuestionNamed(call)
	if !ok {
		t.Fatalf("%s is no question", call)
	}
	for way, a := range assistants {
		for {
			before := without(t, api())
			got, text, refused := a.tool(strings.ReplaceAll(call, "/", "_"), argumentsOf(t, &q, rawQuery))
			if without(t, api()) != before {
				continue
			}
			if refused || without(t, got) != before {
				t.Errorf("%s, %s: %t\n%s\nthe API says\n%s\n%s", path, way, refused, without(t, got), before, text)
			}
			break
		}
	}
}

// assistantsConfig lets assistants in.
const assistantsConfig = "[mcp]\nenabled = true\npeople = true\n"

// "cairn mcp" asks the server of a data directory with its admin token, or another one with a key. It
// keeps people to itself unless it is told otherwise.
func TestAssistantOverStdio(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	server := startServer(t, dir)
	header := http.Header{"Authorization": {"Bearer " + server.keys().SecretKey}, "Content-Type": {"application/json"}}
	if status, answer, err := request("POST", server.url()+"/api/v1/events", header, `{"name":"signup","user":"ada@example.com","properties":{"plan":"pro","mail":"m"}}`); err != nil || status != 200 {
		t.Fatalf("%d %s %v", status, answer, err)
	}
	key := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(key, []byte(server.keys().ReadKey+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	ways := map[string]*assistant{
		"the data directory": overStdio(t, server, nil, "-data", dir, "-props", "plan"),
		"a key in a file":    overStdio(t, server, nil, "-url", server.url(), "-key", "@"+key, "-props", "plan"),
		"the environment":    overStdio(t, server, []string{"CAIRN_URL=" + server.url(), "CAIRN_KEY=" + server.keys().ReadKey}, "-props", "plan", "-site", "default"),
	}
	for way, a := range ways {
		if got, text, refused := a.tool("breakdown", map[string]any{"by": "prop.plan"}); refused || !strings.Contains(text, "pro") || got == nil {
			t.Errorf("%s: %s", way, text)
		}
		if _, text, _ := a.tool("breakdown", map[string]any{"by": "name"}); !strings.Contains(text, "/dashboard/site/default?range=30d\n") || !strings.Contains(text, "/api/v1/breakdown?by=name") {
			t.Errorf("%s: %s", way, text)
		}
		for name, arguments := range map[string]map[string]any{"breakdown": {"by": "prop.mail"}, "visits": {"filters": "user=ada@example.com"}, "counters": nil} {
			if _, text, refused := a.tool(name, arguments); !refused || !strings.Contains(text, "an assistant") {
				t.Errorf("%s: %s %v: %s", way, name, arguments, text)
			}
		}
		if got, text, refused := a.tool("site", nil); refused || strings.Contains(without(t, got), "write_key") {
			t.Errorf("%s: %s", way, text)
		}
		tools, err := a.ListTools(t.Context(), nil)
		if err != nil || slices.ContainsFunc(tools.Tools, func(tool *mcp.Tool) bool { return tool.Name == "events" }) {
			t.Errorf("%s: %v, tools %+v", way, err, tools)
		}
	}
	people := overStdio(t, server, nil, "-data", dir, "-people")
	if _, text, refused := people.tool("events", nil); refused || !strings.Contains(text, "ada@example.com") {
		t.Errorf("with -people: %s", text)
	}
	wrong := overStdio(t, server, nil, "-url", server.url(), "-key", "wrong")
	if _, text, refused := wrong.tool("visits", nil); !refused || !strings.HasPrefix(text, "the server at "+server.url()+" does not know the key") {
		t.Errorf("a wrong key: %s", text)
	}
	// A server that stops is said so, and one that starts again is asked again.
	server.running().Kill()
	if _, text, refused := ways["the data directory"].tool("visits", nil); !refused || !strings.Contains(text, "cannot reach the server at http://127.0.0.1:") || !strings.Contains(text, `"cairn serve" starts it`) {
		t.Errorf("without a server: %s", text)
	}
	for name, args := range map[string][]string{"-url": {"-url", "nonsense"}, "-key": {"-key", "@/does/not/exist"}, "-props": {"-props", "prop.x"}, "unexpected argument": {"x"}} {
		cmd := exec.CommandContext(t.Context(), server.options.Exe, append([]string{"mcp"}, args...)...)
		out, err := cmd.CombinedOutput()
		if cmd.ProcessState.ExitCode() != 2 || !strings.Contains(string(out), name) {
			t.Errorf("%q: %v %s", args, err, out)
		}
	}
	nowhere := exec.CommandContext(t.Context(), server.options.Exe, "mcp", "-data", t.TempDir())
	if out, _ := nowhere.CombinedOutput(); nowhere.ProcessState.ExitCode() != 1 || !strings.Contains(string(out), "-url and -key") {
		t.Errorf("without keys: %s", out)
	}
}

// [mcp] is off by default, and a reload turns it on and off.
func TestAssistantsAreTurnedOn(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := filepath.Join(t.TempDir(), "cairn.toml")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("# off\n")
	server := startServer(t, dir, "-config", file)
	ask := func(want int, says string) {
		t.Helper()
		header := http.Header{"Authorization": {"Bearer " + server.keys().ReadKey}, "Content-Type": {"application/json"}, "Accept": {"application/json, text/event-stream"}}
		status, answer, err := request("POST", server.url()+"/mcp", header, `{"jsonrpc":"2.0","id":1,"method":"tools/list"}`)
		if err != nil || status != want || !strings.Contains(string(answer), says) {
			t.Errorf("%d %.300s %v, want %d %s", status, answer, err, want, says)
		}
	}
	reload := func(text string) {
		t.Helper()
		write(text)
		if out, err := exec.CommandContext(context.Background(), server.options.Exe, "reload", "-config", file, "-data", dir).CombinedOutput(); err != nil {
			t.Fatalf("%v %s", err, out)
		}
	}
	ask(404, "there is nothing here")
	reload("[mcp]\nenabled = true\n")
	ask(200, `"name":"visits"`)
	if _, answer, _ := request("POST", server.url()+"/mcp", nil, "{}"); !strings.Contains(string(answer), "Unauthorized") {
		t.Errorf("without a key: %s", answer)
	}
	reload(assistantsConfig)
	ask(200, `"name":"retention_entities"`)
	reload("# off\n")
	ask(404, "there is nothing here")
}

// The set-up lines of docs/assistants.md are what they seem, and its table has the tools that there
// are.
func TestAssistantsPage(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(filepath.Join(top, "docs", "assistants.md"))
	if err != nil {
		t.Fatal(err)
	}
	page := string(text)
	exe := startServer(t, t.TempDir()).options.Exe
	blocks := 0
	for block := range strings.SplitSeq(page, "```json\n") {
		block, _, _ = strings.Cut(block, "```")
		if !strings.HasPrefix(block, "{") {
			continue
		}
		blocks++
		var lines map[string]json.RawMessage
		if err := json.Unmarshal([]byte(block), &lines); err != nil {
			t.Errorf("%v: %s", err, block)
		}
		var one struct {
			Cairn struct {
				Command, URL string
				Args         []string
			}
		}
		for _, name := range []string{"mcpServers", "servers", "context_servers"} {
			if lines[name] != nil {
				if err := json.Unmarshal(lines[name], &one); err != nil {
					t.Errorf("%v: %s", err, block)
				}
			}
		}
		switch c := one.Cairn; {
		case c.URL == "https://stats.example/mcp" && c.Command == "":
		case c.Command != "cairn" || len(c.Args) == 0:
			t.Errorf("%+v: %s", c, block)
		default:
			if out, err := exec.CommandContext(t.Context(), exe, append(c.Args, "-h")...).CombinedOutput(); err != nil || !strings.Contains(string(out), "Usage: cairn mcp") {
				t.Errorf("%v: %v %s", c.Args, err, out)
			}
		}
	}
	if blocks < 5 {
		t.Errorf("the page has %d blocks", blocks)
	}
	_, table, _ := strings.Cut(page, "## The tools\n")
	table, _, _ = strings.Cut(table, "\n\nThe arguments")
	for _, q := range native.Questions() {
		if name := "`" + strings.ReplaceAll(q.Name, "/", "_") + "`"; strings.Contains(table, name) != (!q.Admin && q.Name != "count") {
			t.Errorf("the table of tools and %s", name)
		}
	}
}
