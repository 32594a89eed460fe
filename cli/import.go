package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/url"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"

	"cairn/cli/bench"
	"cairn/cli/config"
	"cairn/cli/importer"

	"github.com/dustin/go-humanize"
)

// This file is "cairn import".

// ExitRefused says that an import came to its end, but some records were refused.
const ExitRefused = 3

const importAbout = `Send what other tools have recorded to the running server, as events. FILE may be plain, gzip,
zstd or zip; - is the standard input. An import that broke off is run again with the same command:
what is stored already is not stored again.

Exit codes: 0 everything is stored, 3 some records were refused, 1 the import broke off.

Formats:
`

// importFlags are the flags of the command.
type importFlags struct {
	cf             config.Flags
	url, key, site string
	rejected       string
	quiet          bool
	options        importer.Options
	stdout, stderr io.Writer
}

// cmdImport is "cairn import".
func cmdImport(args []string, stdout, stderr io.Writer) int {
	about := importAbout
	for _, f := range importer.Formats() {
		about += fmt.Sprintf("  %-12s %s\n", f.Name, f.About)
	}
	about += "\ndocs/data.md says for each tool how to get the file."
	f := newFlags("import", "[flags] FILE...", about)
	c := importFlags{stdout: stdout, stderr: stderr}
	o := &c.options
	c.cf.Register(f.FlagSet)
	f.StringVar(&c.url, "url", "", "reach the server at `URL` (default: through its data directory)")
	f.StringVar(&c.key, "key", "", "use the secret_key or admin token `KEY` (default: the admin token of the configuration)")
	f.StringVar(&c.site, "site", "", "import into the site `NAME` (default: the only one)")
	f.StringVar(&o.Format, "format", "auto", "read the files as `FORMAT`, see above")
	f.StringVar(&o.Map, "map", "", "which column is what: `MAP`, for example 'time=ts,name=event,user=uid,prop.*=*'")
	f.StringVar(&o.LogFormat, "log-format", "", "the `FORMAT` of an access log, in the words of nginx or Apache")
	f.StringVar(&o.Host, "host", "", "the `HOST` of the pages, where an access log does not say it")
	f.BoolVar(&o.All, "all", false, "of access logs, also robots, static files, errors and redirects")
	f.BoolVar(&o.Follow, "follow", false, "read on at the end of the last file, an access log, also when it is rotated")
	f.BoolVar(&o.DryRun, "dry-run", false, "store nothing; print the first events, and what would be stored and refused")
	f.StringVar(&c.rejected, "rejected", "", "write refused records with their reasons to `FILE`, as lines of JSON")
	f.BoolVar(&c.quiet, "q", false, "no progress")
	if code, done := f.parse(args, 1, 1<<20, stdout, stderr); done {
		return code
	}
	o.Files, o.Stdin = f.Args(), os.Stdin
	return c.run()
}

// run imports and prints the summary.
func (c *importFlags) run() int {
	o := &c.options
	if err := c.reach(); err != nil {
		return fail(c.stderr, "import", err)
	}
	var rejected *os.File
	if c.rejected != "" {
		f, err := os.OpenFile(c.rejected, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
		if err != nil {
			return fail(c.stderr, "import", err)
		}
		rejected, o.Rejected = f, f
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	begun := time.Now()
	line := progressLine{w: c.stderr, on: !c.quiet && bench.IsTerminal(c.stderr), begun: begun}
	o.Progress = line.show
	o.Notice = func(text string) {
		line.clear()
		fmt.Fprintln(c.stderr, text)
	}
	sum, err := importer.Run(ctx, *o)
	line.clear()
	if rejected != nil {
		err = errors.Join(err, rejected.Close())
	}
	printSummary(c.stdout, sum, o.DryRun, time.Since(begun))
	switch {
	case errors.Is(err, context.Canceled):
		fmt.Fprintln(c.stderr, "cairn import: interrupted; run the same command again to go on")
		return ExitFailed
	case err != nil:
		fail(c.stderr, "import", err)
		if sum.Stored > 0 {
			fmt.Fprintln(c.stderr, "What is stored stays. When the cause is mended, run the same command again: nothing is stored twice.")
		}
		return ExitFailed
	case sum.RefusedTotal() > 0:
		return ExitRefused
	}
	return ExitOK
}

// reach finds the server, unless the run is dry and needs none.
func (c *importFlags) reach() error {
	o := &c.options
	if o.DryRun {
		return nil
	}
	cfg, _, err := config.Load(c.cf, os.Environ())
	if err != nil {
		return err
	}
	if c.key != "" {
		cfg.AdminToken = c.key
	} else if err := readAdminToken(&cfg); err != nil {
		return err
	}
	s, err := reach(&cfg, c.url)
	if err != nil {
		return err
	}
	query := url.Values{"import": {"1"}}
	if c.site != "" {
		query.Set("site", c.site)
	}
	o.Client, o.Header = s.client, s.header
	o.URL = s.base + "/api/v1/events?" + query.Encode()
	o.Compress = c.url != ""
	o.Secret = cfg.AdminToken
	return nil
}

// progressLine is one line on a terminal.
type progressLine struct {
	w     io.Writer
	on    bool
	begun time.Time
	shown time.Time
}

func (p *progressLine) show(now importer.Progress) {
	if !p.on || time.Since(p.shown) < 200*time.Millisecond {
		return
	}
	p.shown = time.Now()
	share := ""
	if now.All > 0 {
		share = fmt.Sprintf("%3d %%  ", min(100*now.Bytes/now.All, 100))
	}
	s := now.Summary
	rate := float64(s.Read) / time.Since(p.begun).Seconds()
	fmt.Fprintf(p.w, "\r\x1b[K%s%s read, %s stored, %s had been stored, %s refused, %s/s", share,
		humanize.Comma(s.Read), humanize.Comma(s.Stored), humanize.Comma(s.Duplicates), humanize.Comma(s.RefusedTotal()), humanize.Comma(int64(rate)))
}

// clear makes room for other lines.
func (p *progressLine) clear() {
	if p.on && !p.shown.IsZero() {
		fmt.Fprint(p.w, "\r\x1b[K")
	}
}

// printSummary prints what became of an import.
func printSummary(w io.Writer, s *importer.Summary, dry bool, took time.Duration) {
	if s.Files == 0 {
		return
	}
	fmt.Fprintf(w, "%s of the format %s, %s read", plural(uint64(s.Files), "file"), strings.Join(s.Formats, " and "), plural(uint64(s.Read), "record"))
	if c := s.Check; c != nil {
		fmt.Fprintf(w, "; this is a dry run, nothing is stored.\n")
		for i, text := range c.First {
			if i == 0 {
				fmt.Fprint(w, "\nThe first events:\n")
			}
			fmt.Fprintln(w, "  "+text)
		}
		fmt.Fprintf(w, "\nWould be sent: %s\n", plural(uint64(s.Events), "event"))
		printCounts(w, c.Types)
		printDays(w, c.Days)
	} else {
		fmt.Fprintf(w, " in %s.\n", took.Round(10*time.Millisecond))
		fmt.Fprintf(w, "%14s stored\n%14s had been stored before\n", humanize.Comma(s.Stored), humanize.Comma(s.Duplicates))
	}
	if len(s.LeftOut) > 0 {
		fmt.Fprintln(w, "Left out:")
		printCounts(w, s.LeftOut)
	}
	if len(s.Refused) > 0 {
		fmt.Fprintf(w, "Refused: %s\n", humanize.Comma(s.RefusedTotal()))
		printCounts(w, s.Refused)
	}
}

// printCounts prints names with their numbers, the largest first.
func printCounts(w io.Writer, counts map[string]int64) {
	names := slices.Sorted(maps.Keys(counts))
	slices.SortStableFunc(names, func(a, b string) int { return int(min(max(counts[b]-counts[a], -1), 1)) })
	for _, name := range names {
		fmt.Fprintf(w, "%14s %s\n", humanize.Comma(counts[name]), name)
	}
}

// printDays prints the first and the last day and how many there are.
func printDays(w io.Writer, days map[string]int64) {
	names := slices.Sorted(maps.Keys(days))
	switch {
	case len(names) == 0:
	case len(names) <= 10:
		for _, day := range names {
			fmt.Fprintf(w, "%14s on %s\n", humanize.Comma(days[day]), day)
		}
	default:
		fmt.Fprintf(w, "on %d days from %s to %s (UTC)\n", len(names), names[0], names[len(names)-1])
	}
}
