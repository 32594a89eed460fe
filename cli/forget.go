package cli

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"cairn/cli/config"
	"cairn/http/native"

	"github.com/dustin/go-humanize"
)

// This file has the commands that delete events: forget, and retention, which shows what will be
// deleted next.

const forgetAbout = `Delete all events of a person, or those that filters select, from the running server. The
events are hidden when the command ends; their bytes are gone from the data directory within
the time of "purge" (24 hours), or at once with -now.

A FILTER is one of GET /api/v1/events, such as name=signup or 'path~=/private/*'. -from and
-to are filters, too. Try it with -dry-run first: a deletion cannot be undone.

Snapshots that were made before still have the events; the receipt names them. "cairn
restore" deletes them again.`

// forgetFlags are the flags of the command.
type forgetFlags struct {
	config.Flags
	url, site, user, anonymous, from, to, reason string
	everything, now, dryRun                      bool
	filters                                      []string
}

// forget is "cairn forget".
func forget(args []string, stdout, stderr io.Writer) int {
	var g forgetFlags
	f := newFlags("forget", "[flags] [FILTER...]", forgetAbout)
	g.Register(f.FlagSet)
	f.StringVar(&g.url, "url", "", "reach the server at `URL` (default: through its data directory)")
	f.StringVar(&g.site, "site", "", "the `NAME` of the site (default: the only one)")
	f.StringVar(&g.user, "user", "", "all events of the person with the user `ID`, and all ids of this person")
	f.StringVar(&g.anonymous, "anonymous", "", "the same for the person with the anonymous `ID`")
	f.StringVar(&g.from, "from", "", "events that happened at `TIME` or later: a date, a time as in RFC 3339 or Unix time")
	f.StringVar(&g.to, "to", "", "events that happened before `TIME`; a date includes that day")
	f.BoolVar(&g.everything, "everything", false, "every event of the site; needs -site")
	f.StringVar(&g.reason, "reason", "", "a `TEXT` for the receipt, which should not name the person")
	f.BoolVar(&g.now, "now", false, "purge at once, message ids too, and wait until no file has the events")
	f.BoolVar(&g.dryRun, "dry-run", false, "count the events and delete nothing")
	if code, done := f.parse(args, 0, 1000, stdout, stderr); done {
		return code
	}
	g.filters = f.Args()
	path, err := g.target()
	f.Visit(func(fl *flag.Flag) { // -to "$DAY" without a DAY would delete more than was meant
		if fl.Value.String() == "" {
			err = fmt.Errorf("-%s has no value", fl.Name)
		}
	})
	if err != nil {
		fmt.Fprintf(stderr, "cairn forget: %v\nRun \"cairn help forget\" for its usage.\n", err)
		return ExitUsage
	}
	if err := g.run(path, stdout, stderr); err != nil {
		return fail(stderr, "forget", err)
	}
	return ExitOK
}

// target is the path and query of the call. Its error says which flags do not go together.
func (g *forgetFlags) target() (string, error) {
	q := url.Values{}
	add := func(name, value string) {
		if value != "" {
			q.Set(name, value)
		}
	}
	yes := func(name string, is bool) {
		if is {
			q.Set(name, "1")
		}
	}
	add("reason", g.reason)
	yes("now", g.now)
	yes("dry_run", g.dryRun)
	ways, narrow := 0, g.from != "" || g.to != "" || len(g.filters) > 0
	for _, is := range []bool{g.user != "", g.anonymous != "", g.everything, narrow} {
		if is {
			ways++
		}
	}
	switch {
	case ways == 0:
		return "", errors.New("say what to delete: -user, -anonymous, filters, or -everything")
	case ways > 1:
		return "", errors.New("give one of -user, -anonymous, -everything, and filters")
	case g.everything && g.site == "":
		return "", errors.New("-everything needs -site")
	case g.everything:
		q.Set("purge", "1")
		q.Set("keep", "1")
		return "/api/v1/admin/sites/" + url.PathEscape(g.site) + "?" + q.Encode(), nil
	}
	add("site", g.site)
	if id := g.user + g.anonymous; id != "" {
		return "/api/v1/users/" + url.PathEscape(id) + "?" + q.Encode(), nil
	}
	add("from", g.from)
	add("to", g.to)
	text := q.Encode()
	for _, filter := range g.filters {
		name, value, ok := native.CutFilter(filter)
		if !ok {
			return "", fmt.Errorf("%q is no filter; write for example name=signup", filter)
		}
		text += "&" + url.QueryEscape(name) + "=" + url.QueryEscape(value)
	}
	return "/api/v1/events?" + strings.TrimPrefix(text, "&"), nil
}

// receipt is what the server says of a deletion.
type receipt struct {
	ID        *uint64  `json:"id"`
	Rows      uint64   `json:"rows"`
	First     string   `json:"first"`
	Last      string   `json:"last"`
	State     string   `json:"state"`
	PurgeBy   string   `json:"purge_by"`
	Snapshots []string `json:"snapshots"`
	Saved     []string `json:"saved"`
}

// run deletes and tells what was deleted.
func (g *forgetFlags) run(path string, stdout, stderr io.Writer) error {
	cfg, _, err := config.Load(g.Flags, os.Environ())
	if err != nil {
		return err
	}
	if err := readAdminToken(&cfg); err != nil {
		return err
	}
	s, err := reach(&cfg, g.url)
	if err != nil {
		return err
	}
	var r receipt
	if err := s.ask(http.MethodDelete, path, &r); err != nil {
		return err
	}
	if g.dryRun {
		fmt.Fprintf(stdout, "%s would be deleted%s. Nothing was changed.\n", plural(r.Rows, "event"), r.times())
		return nil
	}
	fmt.Fprintf(stdout, "%s deleted%s. Deletion %d; no read shows them from now on.\n", plural(r.Rows, "event"), r.times(), *r.ID)
	if len(r.Snapshots) > 0 {
		fmt.Fprintf(stdout, "These snapshots were made before and may have them: %s\n", strings.Join(r.Snapshots, ", "))
	}
	if len(r.Saved) > 0 {
		fmt.Fprintf(stdout, "These saved things name the person: %s\n", strings.Join(r.Saved, ", "))
	}
	if !g.now {
		fmt.Fprintf(stdout, "No file of the store has them after %s at the latest.\n", r.PurgeBy)
		return nil
	}
	return g.await(s, *r.ID, stdout, stderr)
}

func (r *receipt) times() string {
	if r.First == "" {
		return ""
	}
	return " from " + r.First + " to " + r.Last
}

// purgeWait is how long the command waits for a purge.
const purgeWait = 30 * time.Minute

// await waits until no file has the events of a deletion.
func (g *forgetFlags) await(s *server, id uint64, stdout, stderr io.Writer) error {
	path := fmt.Sprintf("/api/v1/admin/deletions/%d", id)
	if g.site != "" {
		path += "?site=" + url.QueryEscape(g.site)
	}
	for end := time.Now().Add(purgeWait); time.Now().Before(end); time.Sleep(200 * time.Millisecond) {
		var r receipt
		if err := s.ask(http.MethodGet, path, &r); err != nil {
			return fmt.Errorf("the events are deleted, and the purge goes on: %w", err)
		}
		if r.State == "done" {
			fmt.Fprintln(stdout, "No file of the store has them. Snapshots that were made before do.")
			return nil
		}
	}
	fmt.Fprintf(stderr, "The purge goes on; %s tells when it is done.\n", path)
	return nil
}

// retention is "cairn retention".
func retention(args []string, stdout, stderr io.Writer) int {
	f := newFlags("retention", "[flags]", "Show what retention will delete next: events older than retention_days. Nothing is changed.\nIf no server runs on the data directory, its store is read: so a new retention_days can be\ntried in the configuration before the start, which deletes at once what is too old.")
	var cf config.Flags
	cf.Register(f.FlagSet)
	address := f.String("url", "", "reach the server at `URL` (default: through its data directory)")
	site := f.String("site", "", "the `NAME` of the site (default: all sites)")
	if code, done := f.parse(args, 0, 0, stdout, stderr); done {
		return code
	}
	if err := showRetention(cf, *address, *site, stdout); err != nil {
		return fail(stderr, "retention", err)
	}
	return ExitOK
}

func showRetention(cf config.Flags, address, site string, w io.Writer) error {
	cfg, _, err := config.Load(cf, os.Environ())
	if err != nil {
		return err
	}
	s, end, err := reachStored(&cfg, address, "") // before a start it shows what that will delete
	if err != nil {
		return err
	}
	defer end()
	names := []string{site}
	if site == "" {
		names = nil
		for i := range cfg.Sites {
			names = append(names, cfg.Sites[i].Name)
		}
	}
	for _, name := range names {
		var p struct {
			Days      uint64 `json:"retention_days"`
			KeepsFrom string `json:"keeps_from"`
			NextAt    string `json:"next_at"`
			Events    uint64 `json:"events"`
			Bytes     uint64 `json:"bytes"`
			First     string `json:"first"`
			Left      string `json:"oldest_left"`
			Runs      []struct {
				Events uint64 `json:"events"`
				Gone   uint64 `json:"gone"`
				AtOnce bool   `json:"at_once"`
			} `json:"runs"`
		}
		if err := s.ask(http.MethodGet, "/api/v1/admin/retention?site="+url.QueryEscape(name), &p); err != nil {
			return fmt.Errorf("site %s: %w", name, err)
		}
		if p.Days == 0 {
			fmt.Fprintf(w, "%s keeps everything (retention_days = 0).\n", name)
			continue
		}
		fmt.Fprintf(w, "%s keeps %s. About %s it will delete the events before %s: ", name, plural(p.Days, "day"), p.NextAt, p.KeepsFrom)
		if p.Events == 0 {
			fmt.Fprintln(w, "there are none.")
			continue
		}
		fmt.Fprintf(w, "%s, the oldest of %s.\n", plural(p.Events, "event"), p.First)
		now, later := 0, 0
		for _, r := range p.Runs {
			if r.AtOnce {
				now++
			} else {
				later++
			}
		}
		fmt.Fprintf(w, "  They take about %s. %s will be written again at once, %d within seven days.\n", humanize.IBytesN(p.Bytes, 3), plural(uint64(now), "file"), later)
		if p.Left != "" {
			fmt.Fprintf(w, "  The oldest day that stays begins %s.\n", p.Left)
		}
	}
	return nil
}
