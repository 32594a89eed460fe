package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"cairn/cli/bench"
	"cairn/cli/config"
	"cairn/http/native"
)

// This file is "cairn export". It asks the running server, or opens a stopped data directory or a
// snapshot. exportfile.go has the file that it writes, exportlines.go how it goes on where a
// connection broke off.

const exportAbout = `Write the events of a site to a file or to standard output, oldest first. The events come
from the running server. If no server runs on the data directory, or if -data names a
snapshot, they come from there, and nothing in it is changed.

A FILTER is one of GET /api/v1/events, such as country=DE or 'prop.plan!=free'.

-format ndjson has all that cairn knows of an event; "cairn import" takes it again. csv and
parquet are tables: id, received, time, type, name, user, anonymous, session, dialect, value,
then -columns, or the 50 properties and keys of the context that most events have.

-o FILE is written as FILE.part and renamed when it is whole. If the export breaks off,
FILE.part stays, and the command that goes on is printed: the same with -after CURSOR. With
-after and a FILE that is whole, newer events are added to FILE. A Parquet file cannot be
gone on with.

-user writes all that is stored of one person as a zip file: events.ndjson, profile.json and
sessions.ndjson.`

// exportFlags are the flags of the command.
type exportFlags struct {
	config.Flags
	url, site, format, from, to, out, after, columns string
	user, counters                                   string
	users, quiet                                     bool
	filters                                          []string
}

func exportEvents(args []string, stdout, stderr io.Writer) int {
	var e exportFlags
	f := newFlags("export", "[flags] [FILTER...]", exportAbout)
	e.Register(f.FlagSet)
	f.StringVar(&e.url, "url", "", "reach the server at `URL` (default: through its data directory)")
	f.StringVar(&e.site, "site", "", "the `NAME` of the site (default: the only one)")
	f.StringVar(&e.format, "format", "ndjson", "`FORMAT` is ndjson, csv or parquet")
	f.StringVar(&e.from, "from", "", "events that happened at `TIME` or later: a date, a time as in RFC 3339 or Unix time")
	f.StringVar(&e.to, "to", "", "events that happened before `TIME`; a date includes that day")
	f.StringVar(&e.out, "o", "-", "write to `FILE`; - is standard output")
	f.StringVar(&e.after, "after", "", "only events received after the one with the id `CURSOR`")
	f.StringVar(&e.columns, "columns", "", "more columns of csv and parquet, for example prop.plan,country (`NAMES` with commas)")
	f.StringVar(&e.user, "user", "", "all that is stored of the person with the id `ID`, as a zip file")
	f.BoolVar(&e.users, "users", false, "the profiles of all persons as NDJSON, in place of events")
	f.StringVar(&e.counters, "counters", "", "the counters of a `PROPERTY` as CSV, in place of events")
	f.BoolVar(&e.quiet, "q", false, "print no progress")
	if code, done := f.parse(args, 0, 1000, stdout, stderr); done {
		return code
	}
	e.filters = f.Args()
	if err := e.check(stdout); err != nil {
		fmt.Fprintf(stderr, "cairn export: %v\nRun \"cairn help export\" for its usage.\n", err)
		return ExitUsage
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := e.run(ctx, stdout, stderr); err != nil {
		return fail(stderr, "export", err)
	}
	return ExitOK
}

// check refuses flags that do not go together.
func (e *exportFlags) check(stdout io.Writer) error {
	kinds := 0
	for _, is := range []bool{e.user != "", e.users, e.counters != ""} {
		if is {
			kinds++
		}
	}
	events := kinds == 0
	switch {
	case kinds > 1:
		return errors.New("give one of -user, -users and -counters")
	case e.format != "ndjson" && e.format != "csv" && e.format != "parquet":
		return fmt.Errorf("-format %s: must be ndjson, csv or parquet", e.format)
	case !events && (e.format != "ndjson" || e.columns != "" || e.after != ""):
		return errors.New("-format, -columns and -after are for events")
	case e.columns != "" && e.format == "ndjson":
		return errors.New("-columns needs -format csv or parquet")
	case (e.user != "" || e.format == "parquet") && e.out == "-" && bench.IsTerminal(stdout):
		return errors.New("give -o FILE: this is no text for a terminal")
	case e.user != "" && len(e.filters) > 0:
		return errors.New("-user takes no filters")
	}
	_, err := e.query()
	return err
}

// query is the query string of the call, without what is of events alone.
func (e *exportFlags) query() (string, error) {
	var q []string
	add := func(name, value string) {
		if value != "" {
			q = append(q, name+"="+url.QueryEscape(value))
		}
	}
	add("site", e.site)
	add("from", e.from)
	add("to", e.to)
	for _, filter := range e.filters {
		name, value, ok := native.CutFilter(filter)
		if !ok || name == "" || value == "" {
			return "", fmt.Errorf("%q is no filter: write FIELD=VALUE", filter)
		}
		q = append(q, url.QueryEscape(name)+"="+url.QueryEscape(value))
	}
	return strings.Join(q, "&"), nil
}

// run does what the flags say.
func (e *exportFlags) run(ctx context.Context, stdout, stderr io.Writer) error {
	cfg, _, err := config.Load(e.Flags, os.Environ())
	if err != nil {
		return err
	}
	s, end, err := reachStored(&cfg, e.url, "")
	if err != nil {
		return err
	}
	defer end()
	s.client.Timeout = 0 // an export takes as long as it takes
	switch {
	case e.user != "":
		return e.person(ctx, s, stdout, stderr)
	case e.users:
		return e.profiles(ctx, s, stdout)
	case e.counters != "":
		return e.copyCounters(ctx, s, stdout)
	}
	return e.events(ctx, s, stdout, stderr)
}

// get asks the server for something. The caller closes the body. Any status but 200 is an error.
func (s *server) get(ctx context.Context, path string) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, "GET", s.base+path, nil)
	if err != nil {
		return nil, err
	}
	req.Header = s.header.Clone()
	res, err := s.client.Do(req)
	if err != nil {
		return nil, fmt.Errorf("cannot reach the server: %w", err)
	}
	if res.StatusCode == http.StatusOK {
		return res, nil
	}
	defer res.Body.Close()
	body, _ := io.ReadAll(io.LimitReader(res.Body, 1<<20))
	return nil, &refusal{res.StatusCode, fmt.Sprintf("the server answered %s: %s", res.Status, bytes.TrimSpace(body))}
}

// refusal is an answer that is not 200.
type refusal struct {
	status int
	text   string
}

func (r *refusal) Error() string { return r.text }
