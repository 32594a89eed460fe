package cli

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"
	"unicode"
	"unicode/utf8"

	"cairn/cli/bench"
	"cairn/cli/config"
)

// This file is "cairn tail": the events of a site as they come, from the stream of the server,
// or the events that the server refused.

const tailAbout = `Print the events of a site as they come, until Ctrl-C. On a terminal each is one line: the time
it happened, type, name, person, and page. With -json, or into a file or a pipe, each is one
line of JSON, as GET /api/v1/events shows it. If the connection is lost, tail connects again,
and goes on after the last event that it printed.

A FILTER is one of GET /api/v1/events, such as country=DE or 'prop.plan!=free'.

-rejected prints what the server refused, and why: the last ten, and then those that come. It
says no value that a client sent. The id is the X-Request-Id of the answer to that client.`

const (
	// tailSilence is how long the stream may say nothing. The server sends a comment every 10 s.
	tailSilence = 30 * time.Second
	// tailLineMax is the longest line of the stream: an event has at most 32 KB, and JSON may take six
	// bytes for one.
	tailLineMax = 1 << 20
	// rejectedFirst is how many refused events are printed at first.
	rejectedFirst = 10
)

// How long tail waits before it connects again, and between two questions about refused events.
// Tests wait less.
var (
	tailWaitLeast = time.Second
	tailWaitMost  = 10 * time.Second
	rejectedEvery = time.Second
)

// tailing is one run of the command.
type tailing struct {
	server *server
	query  string
	site   string
	json   bool
	out    io.Writer
	err    io.Writer
	last   string // id of the last message of the stream
}

func cmdTail(args []string, stdout, stderr io.Writer) int {
	f := newFlags("tail", "[flags] [FILTER...]", tailAbout)
	var cf config.Flags
	cf.Register(f.FlagSet)
	url := f.String("url", "", "reach the server at `URL` (default: through its data directory)")
	site := f.String("site", "", "the `NAME` of the site (default: the only one)")
	asJSON := f.Bool("json", false, "print JSON, also on a terminal")
	refused := f.Bool("rejected", false, "print what is refused, in place of events; without -site, of all sites")
	if code, done := f.parse(args, 0, 1000, stdout, stderr); done {
		return code
	}
	query, err := (&exportFlags{site: *site, filters: f.Args()}).query()
	if err == nil && *refused && f.NArg() > 0 {
		err = errors.New("-rejected takes no filters")
	}
	if err != nil {
		fmt.Fprintf(stderr, "cairn tail: %v\nRun \"cairn help tail\" for its usage.\n", err)
		return ExitUsage
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	err = func() error {
		cfg, _, err := config.Load(cf, os.Environ())
		if err != nil {
			return err
		}
		if err := readAdminToken(&cfg); err != nil {
			return err
		}
		s, err := reach(&cfg, *url)
		if err != nil {
			return err
		}
		s.client.Timeout = 0 // a stream lasts
		t := &tailing{server: s, query: query, site: *site, json: *asJSON || !bench.IsTerminal(stdout), out: stdout, err: stderr}
		if *refused {
			return t.rejected(ctx)
		}
		return t.events(ctx)
	}()
	if err != nil && ctx.Err() == nil {
		return fail(stderr, "tail", err)
	}
	return ExitOK
}

// events prints events until ctx is over. Only a stream that has never begun, or that the server
// refuses, is an error: else it connects again.
func (t *tailing) events(ctx context.Context) error {
	return t.again(ctx, func() (bool, error) { return t.stream(ctx) })
}

// again calls once until ctx is over or the server refuses. once says whether the server was
// reached.
func (t *tailing) again(ctx context.Context, once func() (reached bool, err error)) error {
	wait, ever, lost := tailWaitLeast, false, false
	for {
		reached, err := once()
		var refused *refusal
		var output *outputError
		switch {
		case ctx.Err() != nil:
			return nil
		case errors.As(err, &output):
			return err
		case errors.As(err, &refused) && refused.status != http.StatusTooManyRequests && refused.status < 500:
			return err
		case !reached && !ever:
			return err
		}
		ever = true
		if reached {
			wait, lost = tailWaitLeast, false
		}
		if err != nil && !lost {
			fmt.Fprintf(t.err, "The connection is lost: %v. Connecting again.\n", err)
			lost = true
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(wait):
		}
		wait = min(2*wait, tailWaitMost)
	}
}

// outputError is an error of standard output.
type outputError struct{ error }

// print prints one line.
func (t *tailing) print(line []byte) error {
	if _, err := t.out.Write(append(line, '\n')); err != nil {
		return &outputError{err}
	}
	return nil
}

// stream reads one stream until it ends. The server ends it now and then, which is no error.
func (t *tailing) stream(ctx context.Context) (reached bool, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	silence := time.AfterFunc(tailSilence, cancel)
	defer silence.Stop()
	t.server.header.Del("Last-Event-Id")
	if t.last != "" {
		t.server.header.Set("Last-Event-Id", t.last)
	}
	res, err := t.server.get(ctx, "/api/v1/live/stream?"+t.query)
	if err != nil {
		return false, err
	}
	defer res.Body.Close()
	lines := bufio.NewScanner(res.Body)
	lines.Buffer(nil, tailLineMax)
	kind, id := "", ""
	for lines.Scan() {
		silence.Reset(tailSilence)
		field, value, _ := strings.Cut(lines.Text(), ": ")
		switch field {
		case "event":
			kind, id = value, ""
		case "id":
			id = value
		case "data":
			if err := t.message(kind, []byte(value)); err != nil {
				return true, err
			}
			if id != "" {
				t.last = id
			}
		}
	}
	if err = lines.Err(); err != nil && ctx.Err() != nil {
		err = errors.New("the server says nothing")
	}
	return true, err
}

// message prints what one message of the stream says.
func (t *tailing) message(kind string, data []byte) error {
	switch kind {
	case "event":
		if t.json {
			return t.print(data)
		}
		var e tailEvent
		if err := json.Unmarshal(data, &e); err != nil {
			return err
		}
		return t.print([]byte(e.line(t.site)))
	case "skipped":
		var skipped struct{ N uint64 }
		if err := json.Unmarshal(data, &skipped); err != nil {
			return err
		}
		fmt.Fprintf(t.err, "%s more; the server shows at most 50 a second\n", plural(skipped.N, "event"))
	}
	return nil
}

// tailEvent is what a line says of an event.
type tailEvent struct {
	Time                        time.Time
	Type, Name, User, Anonymous string
	Context                     struct{ URL string }
}

// line is the event in one line: time, site if it is known, type, name, person, page.
func (e *tailEvent) line(site string) string {
	who := e.User
	if who == "" {
		who = e.Anonymous
	}
	cells := []string{e.Time.Local().Format("15:04:05")}
	if site != "" {
		cells = append(cells, cell(site, 10))
	}
	cells = append(cells, cell(e.Type, 8), cell(e.Name, 30), cell(who, 24), short(e.Context.URL, 80))
	return strings.TrimRight(strings.Join(cells, "  "), " ")
}

// cell is a text in a column of n characters.
func cell(s string, n int) string {
	s = short(s, n)
	return s + strings.Repeat(" ", max(0, n-utf8.RuneCountInString(s)))
}

// short is at most n characters of a text. What a client sent must not move the cursor of the
// terminal or change its colours.
func short(s string, n int) string {
	out := make([]rune, 0, n)
	for _, r := range s {
		if len(out) == n {
			out[n-1] = '…'
			break
		}
		if !unicode.IsPrint(r) {
			r = '·'
		}
		out = append(out, r)
	}
	return string(out)
}

// rejectedPage is an answer of GET /api/v1/admin/rejected.
type rejectedPage struct {
	Rejected []json.RawMessage
	Cursor   string
	Lost     uint64
}

// rejected prints the last refused events, and then those that come.
func (t *tailing) rejected(ctx context.Context) error {
	cursor := ""
	return t.again(ctx, func() (reached bool, err error) {
		for {
			query, first := "&limit=1000&since="+cursor, cursor == ""
			if first {
				query = fmt.Sprintf("&limit=%d", rejectedFirst)
			}
			res, err := t.server.get(ctx, "/api/v1/admin/rejected?"+t.query+query)
			if err != nil {
				return reached, err
			}
			var page rejectedPage
			err = json.NewDecoder(io.LimitReader(res.Body, 16<<20)).Decode(&page)
			res.Body.Close()
			if err != nil {
				return reached, err
			}
			reached = true
			if page.Lost > 0 {
				fmt.Fprintf(t.err, "%s more; the server keeps the newest 1,000\n", plural(page.Lost, "event"))
			}
			for i := range page.Rejected {
				one := page.Rejected[i]
				if first {
					one = page.Rejected[len(page.Rejected)-1-i]
				}
				if err := t.refused(one); err != nil {
					return true, err
				}
			}
			cursor = page.Cursor
			select {
			case <-ctx.Done():
				return true, nil
			case <-time.After(rejectedEvery):
			}
		}
	})
}

// refused prints one refused event.
func (t *tailing) refused(raw json.RawMessage) error {
	if t.json {
		return t.print(raw)
	}
	var r struct {
		Time        time.Time
		Site, Field string
		Dialect     string
		Reason      string
		ID          string `json:"request_id"`
		More        uint64
	}
	if err := json.Unmarshal(raw, &r); err != nil {
		return err
	}
	reason := r.Reason
	if r.Field != "" {
		reason = r.Field + ": " + reason
	}
	if r.More > 0 {
		reason += fmt.Sprintf(" (and %d like it)", r.More)
	}
	line := strings.Join([]string{r.Time.Local().Format("15:04:05"), cell(r.Site, 12), cell(r.Dialect, 11), cell(r.ID, 16), short(reason, 120)}, "  ")
	return t.print([]byte(line))
}
