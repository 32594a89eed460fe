package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"text/tabwriter"
	"time"

	"cairn/cli/config"
	"cairn/engine/sink"
	"cairn/engine/sink/clickhouse"
)

// This file has the commands on sinks, to which the running server carries its events.

const sinkHelp = `  schema    print the statements that make the table in ClickHouse. The server that
            [sink.clickhouse] names is asked for its version, unless -version says it.
  status    ask the running server how far its sinks are, and what is wrong with them.
  check     compare the table in ClickHouse with what it has to be, and count its rows: each
            event that was carried must be there, and once. The exit code is 1 if not.

"status" and "check" show what a sink says of an error. It may quote an event.`

func cmdSink(args []string, stdout, stderr io.Writer) int {
	f := newFlags("sink", "[flags] schema|status|check", sinkHelp)
	var cf config.Flags
	cf.Register(f.FlagSet)
	url := f.String("url", "", "with status and check: reach the server at `URL` (default: through its data directory)")
	version := f.String("version", "", "with schema: print it for this `VERSION` of ClickHouse, such as 25.3, and ask nobody")
	if code, done := f.parse(args, 1, 1, stdout, stderr); done {
		return code
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	run := map[string]func(*config.Config) error{
		"schema": func(cfg *config.Config) error { return sinkSchema(ctx, cfg, *version, stdout) },
		"status": func(cfg *config.Config) error { return sinkStatus(cfg, *url, stdout) },
		"check":  func(cfg *config.Config) error { return sinkCheck(ctx, cfg, *url, stdout) },
	}[f.Arg(0)]
	if run == nil {
		return failUsage(stderr, "sink", fmt.Errorf("%q is none of schema, status and check", f.Arg(0)))
	}
	cfg, _, err := config.Load(cf, os.Environ())
	if err == nil {
		err = run(&cfg)
	}
	if err != nil {
		return fail(stderr, "sink", err)
	}
	return ExitOK
}

// retentionMost is after how many days the last site deletes its events. keeps names a site that never
// does; days is then 0.
func retentionMost(cfg *config.Config) (days int, keeps string) {
	for i := range cfg.Sites {
		s := &cfg.Sites[i]
		if s.RetentionDays == 0 {
			return 0, s.Name
		}
		days = max(days, s.RetentionDays)
	}
	return days, ""
}

// clickHouse returns the sink of the configuration.
func clickHouse(cfg *config.Config) (*clickhouse.Sink, error) {
	c := &cfg.Sink.ClickHouse
	if !c.On() {
		return nil, errors.New(`no ClickHouse is configured; set "url" in [sink.clickhouse]`)
	}
	s, err := clickhouse.New(clickhouse.Options{URL: c.URL, Database: c.Database, Table: c.Table, User: c.User, Password: c.Password(), CA: c.CA})
	if err != nil {
		return nil, fmt.Errorf("sink.clickhouse: %w", err)
	}
	return s, nil
}

// sinkSchema prints the statements that make the table.
func sinkSchema(ctx context.Context, cfg *config.Config, version string, stdout io.Writer) error {
	c := &cfg.Sink.ClickHouse
	v, err := clickhouse.ParseVersion(version)
	if version == "" {
		var s *clickhouse.Sink
		if s, err = clickHouse(cfg); err != nil {
			return fmt.Errorf("%w, or give -version", err)
		}
		defer s.Close()
		if v, err = s.Version(ctx); err != nil {
			return fmt.Errorf("cannot ask ClickHouse for its version; -version says it: %w", err)
		}
	}
	if err != nil {
		return err
	}
	days, keeps := retentionMost(cfg)
	fmt.Fprintf(stdout, "-- for ClickHouse %s and newer\n", v)
	switch {
	case keeps != "":
		fmt.Fprintf(stdout, "-- without a TTL, because site %s keeps its events (retention_days = 0)\n", keeps)
	case days == 0:
		fmt.Fprintln(stdout, "-- without a TTL, because events are kept (retention_days = 0)")
	}
	fmt.Fprintf(stdout, "CREATE DATABASE IF NOT EXISTS %s;\n\n%s;\n", c.Database, clickhouse.Schema(v, c.Database, c.Table, days))
	return nil
}

// askSinks asks the running server for its sinks.
func askSinks(cfg *config.Config, url string, counts bool) ([]sink.Status, error) {
	if err := readAdminToken(cfg); err != nil {
		return nil, err
	}
	server, err := reach(cfg, url)
	if err != nil {
		return nil, err
	}
	path := "/api/v1/admin/sinks"
	if counts {
		path += "?counts=1"
	}
	var answer struct{ Sinks []sink.Status }
	if err := server.ask(http.MethodGet, path, &answer); err != nil {
		if strings.Contains(err.Error(), "answered 404") {
			return nil, errors.New("the server has no sink; set [sink.clickhouse] or [sink.kafka] in its configuration and reload it")
		}
		return nil, err
	}
	return answer.Sinks, nil
}

// sinkStatus prints how far the sinks are.
func sinkStatus(cfg *config.Config, url string, stdout io.Writer) error {
	all, err := askSinks(cfg, url, false)
	if err != nil {
		return err
	}
	for i := range all {
		s := &all[i]
		if i > 0 {
			fmt.Fprintln(stdout)
		}
		fmt.Fprintf(stdout, "%s: %s, %s behind", s.Name, s.State, seconds(s.LagSeconds))
		if s.Deletions > 0 {
			fmt.Fprintf(stdout, ", %s to carry out", plural(uint64(s.Deletions), "deletion"))
		}
		fmt.Fprintln(stdout)
		if s.Code != "" {
			fmt.Fprintf(stdout, "since %s: code %s\n  %s\n", time.UnixMilli(s.Since).UTC().Format(time.RFC3339), s.Code, strings.ReplaceAll(cmp.Or(printable(s.Error), "no text"), "\n", "\n  "))
		}
		w := tabwriter.NewWriter(stdout, 0, 0, 2, ' ', tabwriter.AlignRight)
		fmt.Fprintln(w, "site\tcarried to\tof\tbehind\tmissed\tskipped\tstore\t")
		for _, site := range s.Sites {
			fmt.Fprintf(w, "%s\t%d\t%d\t%s\t%d\t%d\t%d\t\n", printable(site.Site), site.Cursor, site.Last, seconds(site.LagSeconds), site.Missed, site.Skipped, site.Store)
		}
		w.Flush()
		printChecks(s, stdout)
	}
	return nil
}

// printChecks prints what the nightly checks of a sink say.
func printChecks(s *sink.Status, stdout io.Writer) {
	for _, site := range s.Sites {
		switch w := site.Wrong; {
		case w != nil:
			fmt.Fprintf(stdout, "site %s: the nightly check of %s found %s missing and %d too many, between seq %d and %d\n",
				printable(site.Site), time.UnixMilli(w.At).UTC().Format(time.RFC3339), plural(w.Missing, "row"), w.Surplus, w.First, w.Last)
		case site.CheckedAt != 0:
			fmt.Fprintf(stdout, "site %s: the nightly check of %s found each row once, up to seq %d\n",
				printable(site.Site), time.UnixMilli(site.CheckedAt).UTC().Format(time.RFC3339), site.Checked)
		}
	}
}

// seconds shows a time that somebody waits.
func seconds(s float64) string {
	return time.Duration(s * float64(time.Second)).Round(time.Second).String()
}

// printable takes out what a terminal might obey.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' && r != '\n' || r >= 0x7f && r < 0xa0 {
			return '·'
		}
		return r
	}, text)
}

// sinkCheck checks the table and counts its rows.
func sinkCheck(ctx context.Context, cfg *config.Config, url string, stdout io.Writer) error {
	s, err := clickHouse(cfg)
	if err != nil {
		return err
	}
	defer s.Close()
	if err := s.Open(ctx); err != nil {
		return err
	}
	v, err := s.Version(ctx)
	if err != nil {
		return err
	}
	fmt.Fprintf(stdout, "table %s.%s in ClickHouse %s is as it has to be\n", cfg.Sink.ClickHouse.Database, cfg.Sink.ClickHouse.Table, v)
	all, err := askSinks(cfg, url, true)
	if err != nil {
		return err
	}
	wrong := 0
	for _, status := range all {
		if status.Name != s.Name() {
			continue
		}
		for _, site := range status.Sites {
			n, err := checkSite(ctx, s, site, func() (sink.SiteStatus, error) { return againSite(cfg, url, s.Name(), site.Number) }, stdout)
			if err != nil {
				return err
			}
			wrong += n
		}
	}
	if wrong > 0 {
		return fmt.Errorf("%s not right", map[bool]string{true: "a stretch of seqs is", false: fmt.Sprintf("%d stretches of seqs are", wrong)}[wrong == 1])
	}
	return nil
}

// againSite asks the server anew for what the sink must have of a site.
func againSite(cfg *config.Config, url, name string, number uint32) (sink.SiteStatus, error) {
	all, err := askSinks(cfg, url, true)
	for _, s := range all {
		for _, site := range s.Sites {
			if s.Name == name && site.Number == number {
				return site, nil
			}
		}
	}
	return sink.SiteStatus{}, cmp.Or(err, errors.New("the site is gone"))
}

// checkSite compares the rows of a site, stretch by stretch, and returns how many of these are wrong. again
// asks the server anew for what the sink must have.
func checkSite(ctx context.Context, s *clickhouse.Sink, site sink.SiteStatus, again func() (sink.SiteStatus, error), stdout io.Writer) (wrong int, err error) {
	k := sink.Comparison{Sink: s, Site: sink.Site{Number: site.Number, Name: site.Site}, Skipped: site.Skipped}
	rows, repeats := uint64(0), uint64(0)
	for i, c := range site.Counts {
		found, differs, err := k.Compare(ctx, c, func(c sink.Count) (sink.Count, error) {
			anew, err := again()
			if i < len(anew.Counts) && anew.Counts[i].Store == c.Store && anew.Counts[i].First == c.First {
				c = anew.Counts[i]
			}
			return c, err
		})
		if err != nil {
			return wrong, err
		}
		plain, err := s.CountPlain(ctx, k.Site, c)
		if err != nil {
			return wrong, err
		}
		rows, repeats = rows+found.Rows, repeats+plain-min(plain, found.Rows)
		if !differs.None() {
			wrong++
			fmt.Fprintf(stdout, "site %s, store %d, seq %d to %d: %s\n", printable(site.Site), c.Store, c.First, c.Last, differs)
		}
	}
	fmt.Fprintf(stdout, "site %s: %s up to seq %d", printable(site.Site), plural(rows, "row"), site.Cursor)
	if repeats > 0 {
		fmt.Fprintf(stdout, "; %d more are repeats that ClickHouse has not merged yet: ask with FINAL", repeats)
	}
	fmt.Fprintln(stdout)
	return wrong, nil
}
