package cli

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/signal"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"cairn/cli/config"
	httpd "cairn/http"
	"cairn/http/mcp"
	"cairn/http/native"
)

// This file is "cairn mcp": it answers an assistant over its standard streams, and asks the running
// server for that.

const mcpAbout = `Answer an assistant that has started this command: over stdin and stdout, in the Model Context
Protocol. It asks the running server for reports, and can change nothing. docs/assistants.md
has the lines that set assistants up.

The server is that of -url or CAIRN_URL, with the key of -key or CAIRN_KEY; else that of
-config or -data, with the admin token found there. A read_key is enough.

Without -people the assistant gets numbers alone: it sees no person and can name none.`

// assisting is one run of the command.
type assisting struct {
	whom
	site   string // "" = the only one
	people bool
	props  []string
	cfg    *config.Config // nil when nothing of this machine is asked
	server *server

	turns chan struct{} // one for each question that is asked now

	mu    sync.Mutex // guards what was learnt of sites
	known map[string]siteFacts
}

// askedAtOnce is how many questions are asked at once. The server refuses more of one key, and assistants
// do not try again.
const askedAtOnce = 4

func newAssisting() *assisting {
	return &assisting{turns: make(chan struct{}, askedAtOnce), known: map[string]siteFacts{}}
}

// siteFacts are what a site says of itself.
type siteFacts struct{ Name, Zone string }

func cmdMCP(args []string, stdout, stderr io.Writer) int {
	f := newFlags("mcp", "[flags]", mcpAbout)
	a := newAssisting()
	a.register(f)
	f.StringVar(&a.site, "site", "", "the `NAME` of the site (default: that of the key, or the only one)")
	f.BoolVar(&a.people, "people", false, "the assistant may see people: events, sessions, users")
	props := f.String("props", "", "properties that it may name without -people: `A,B`, or * for all")
	if code, done := f.parse(args, 0, 0, stdout, stderr); done {
		return code
	}
	for name := range strings.SplitSeq(*props, ",") {
		if name = strings.TrimSpace(name); name != "" {
			a.props = append(a.props, name)
		}
	}
	err := a.read()
	if err == nil {
		err = checkProps(a.props)
	}
	if err != nil {
		fmt.Fprintf(stderr, "cairn mcp: %v\nRun \"cairn help mcp\" for its usage.\n", err)
		return ExitUsage
	}
	if a.server, a.cfg, err = a.reach(); err != nil {
		return fail(stderr, "mcp", err)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	server := mcp.New(mcp.Options{Version: version, People: a.people})
	err = server.Run(ctx, a.caller(stderr), os.Stdin, keepOpen{stdout})
	if err != nil && ctx.Err() == nil && !errors.Is(err, io.EOF) {
		return fail(stderr, "mcp", err)
	}
	return ExitOK
}

// checkProps refuses what the server would refuse at each question.
func checkProps(props []string) error {
	if err := config.CheckProps(props); err != nil {
		return fmt.Errorf("-props: %w", err)
	}
	if n := len(httpd.AssistantLimits(props)); n > httpd.AssistantLimitsMax {
		return fmt.Errorf("-props: all together are too long: they take %d bytes of a header that may have %d. * is every property", n, httpd.AssistantLimitsMax)
	}
	return nil
}

// keepOpen is a stream that others close.
type keepOpen struct{ io.Writer }

func (keepOpen) Close() error { return nil }

// caller is the assistant. Its tools have the argument site where the key may open several.
func (a *assisting) caller(stderr io.Writer) *mcp.Caller {
	base, dashboard := a.server.base, true
	if a.cfg != nil {
		base, dashboard = cmp.Or(a.url, a.cfg.PublicURL, baseURL(a.cfg, a.cfg.Listen[:min(1, len(a.cfg.Listen))])), a.cfg.Dashboard
	}
	base = strings.TrimSuffix(base, "/")
	return &mcp.Caller{
		Asker: a, Sites: a.site == "" && a.key == "", Calls: new(atomic.Int64), Dashboard: dashboard,
		Address: func(path string) string { return base + path },
		Failed:  func(what any, stack []byte) { fmt.Fprintf(stderr, "cairn mcp: panic: %v\n%s", what, stack) },
	}
}

// Ask implements mcp.Asker.
func (a *assisting) Ask(ctx context.Context, q *native.Question, rawQuery string) mcp.Answer {
	asked, _ := url.ParseQuery(rawQuery)
	name := asked.Get("site")
	if a.site != "" {
		if asked.Has("site") && !slices.Equal(asked["site"], []string{a.site}) {
			return mcp.Answer{Body: []byte("site: whoever set this up lets it ask " + a.site + " alone")}
		}
		if name = a.site; !asked.Has("site") {
			rawQuery = strings.TrimPrefix(rawQuery+"&site="+url.QueryEscape(name), "&")
		}
	}
	answer := a.get(ctx, q.Path, rawQuery, !a.people)
	if answer.Status != http.StatusOK {
		return a.named(ctx, answer)
	}
	facts := a.facts(ctx, name)
	answer.Site, answer.Query = facts.Name, rawQuery
	if zone, err := time.LoadLocation(facts.Zone); err == nil {
		answer.Zone = zone
	}
	return answer
}

// get asks for a path of the API; limited: within the limits of an assistant. An answer of a server that does
// not know them is no answer: it may name people.
func (a *assisting) get(ctx context.Context, path, rawQuery string, limited bool) mcp.Answer {
	address := a.server.base + path
	if rawQuery != "" {
		address += "?" + rawQuery
	}
	failed := func(err error) mcp.Answer { return mcp.Answer{Body: []byte(err.Error())} }
	select {
	case a.turns <- struct{}{}:
		defer func() { <-a.turns }()
	case <-ctx.Done():
		return failed(a.unreached(ctx.Err()))
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return failed(err)
	}
	req.Header = a.server.header.Clone()
	if limited {
		req.Header.Set(httpd.AssistantHeader, httpd.AssistantLimits(a.props))
	}
	res, err := a.server.client.Do(req)
	if err != nil {
		return failed(a.unreached(err))
	}
	defer res.Body.Close()
	body, err := io.ReadAll(io.LimitReader(res.Body, answerMax+1))
	switch {
	case err != nil:
		return failed(a.unreached(err))
	case len(body) > answerMax:
		return failed(errors.New("the answer is too long"))
	case res.StatusCode == http.StatusOK && limited && res.Header.Get(httpd.AssistantHeader) == "":
		return failed(errors.New("the server is too old to answer an assistant without showing it people; update it, or start this command with -people"))
	case res.StatusCode == http.StatusUnauthorized:
		return failed(fmt.Errorf("the server at %s does not know the key: whoever set this up has to give another one with -key or CAIRN_KEY", a.to))
	}
	return mcp.Answer{Status: res.StatusCode, Body: body}
}

// named adds the names of the sites to an answer that refuses the site, if the key opens all sites.
func (a *assisting) named(ctx context.Context, refused mcp.Answer) mcp.Answer {
	var said refusedBody
	if _ = json.Unmarshal(refused.Body, &said); !said.ofSite() {
		return refused
	}
	answer := a.get(ctx, allSitesPath, "", false)
	names := siteNames(answer.Body)
	if answer.Status != http.StatusOK || names == nil {
		return refused
	}
	return mcp.Answer{Body: []byte("site: must be one of " + strings.Join(names, ", "))}
}

// facts are those of a site by its name, "" = that of the key. They are asked for once.
func (a *assisting) facts(ctx context.Context, name string) siteFacts {
	a.mu.Lock()
	facts, ok := a.known[name]
	a.mu.Unlock()
	if ok {
		return facts
	}
	query := ""
	if name != "" {
		query = "site=" + url.QueryEscape(name)
	}
	answer := a.get(ctx, "/api/v1/site", query, !a.people)
	if answer.Status != http.StatusOK || json.Unmarshal(answer.Body, &facts) != nil {
		return siteFacts{}
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.known) < 1024 {
		a.known[name] = facts
	}
	return facts
}
