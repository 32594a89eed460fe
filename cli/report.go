package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"

	"cairn/cli/config"
	"cairn/http/native"
	"cairn/http/tables"
)

// This file is "cairn report": every question of the API, asked from a shell. Its names, flags and
// sentences come from the table of calls. reportask.go asks, reportwatch.go asks again and again,
// http/tables makes the tables.

const reportAbout = `Ask the running server a question, and print the answer as tables. Without a NAME all reports
are listed. "cairn report NAME -h" has the parameters of one.

A flag is a parameter of the API, such as -range 7d, -by source or -compare previous. What is
no flag is a FILTER, written as in the API: 'path~=/blog/*' visit.source=Google.

The server is that of -url or CAIRN_URL, with the key of -key or CAIRN_KEY; else that of
-config or -data, with the keys found there. If no server runs on the data directory, the
stopped store is opened for reading; nothing in it is changed.

On a terminal there are colours, bars and small graphs, as wide as it is. NO_COLOR leaves the
colours out. Elsewhere the tables are plain.

Exit codes: 0 answered, 1 the server refused or was not reached, 2 wrong usage.`

// overviewName is the report that is no question of the API but several.
const overviewName = "overview"

const overviewSentence = "The first screen of the dashboard: numbers, a graph, and what visits came from and looked at"

// reporting is one run of the command.
type reporting struct {
	whom
	name     string
	question *native.Question // nil = the overview
	query    url.Values       // parameters and filters
	format   string           // text, json, csv, ndjson or mail
	watch    time.Duration
	mailTo   string
	mailFrom string
	wait     time.Duration // until an answer begins; 0 = waitMax

	server *server
	dir    string         // the data directory whose server is asked; "" = it is that of a url
	zone   *time.Location // of the site; nil = it was not asked
	out    io.Writer
	seen   bool // out is a terminal
}

// reportNames are all reports.
func reportNames() []string {
	names := []string{overviewName}
	for _, q := range native.Questions() {
		names = append(names, q.Name)
	}
	return names
}

func report(args []string, stdout, stderr io.Writer) int {
	name, rest, code, done := reportName(args, stdout, stderr)
	if done {
		return code
	}
	if name == "" {
		listReports(stdout)
		return ExitOK
	}
	e := &reporting{name: name, query: url.Values{}, out: stdout}
	if name != overviewName {
		q, ok := native.QuestionNamed(name)
		if !ok {
			fmt.Fprintf(stderr, "cairn report: there is no report %q%s\n\"cairn report\" lists them.\n", name, config.DidYouMean(name, reportNames()))
			return ExitUsage
		}
		e.question = &q
	}
	f := e.flags()
	if code, done := f.parse(rest, 0, 1000, stdout, stderr); done {
		return code
	}
	if err := e.read(f); err != nil {
		fmt.Fprintf(stderr, "cairn report %s: %v\nRun \"cairn help report %[1]s\" for its usage.\n", name, err)
		return ExitUsage
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := e.run(ctx); err != nil {
		return fail(stderr, "report "+name, err)
	}
	return ExitOK
}

// reportName finds the name among the arguments, before which flags of any report may stand.
func reportName(args []string, stdout, stderr io.Writer) (name string, rest []string, code int, done bool) {
	if len(args) > 0 && !strings.HasPrefix(args[0], "-") {
		return args[0], args[1:], 0, false
	}
	f := newFlags("report", "[NAME] [flags] [FILTER...]", reportAbout+"\n\nReports:\n\n"+strings.TrimSuffix(reportList(), "\n"))
	f.words = reportNames()
	var e reporting
	e.register(f)
	if len(args) == 1 && (args[0] == "-h" || args[0] == "-help" || args[0] == "--help") {
		code, done = f.parse(args, 0, 0, stdout, stderr)
		return "", nil, code, done
	}
	all := newFlags("report", f.args, f.about)
	e.query = url.Values{}
	e.register(all)
	e.forms(all, true)
	for _, q := range native.Questions() {
		e.params(all, q.Params)
	}
	if err := all.Parse(args); err == nil && all.FlagSet.NArg() > 0 {
		at := len(args) - all.FlagSet.NArg()
		return args[at], slices.Concat(args[:at:at], args[at+1:]), 0, false
	}
	code, done = f.parse(args, 0, 0, stdout, stderr)
	return "", nil, code, done
}

// listReports prints all reports.
func listReports(w io.Writer) {
	fmt.Fprintf(w, "%s\n\"cairn report NAME -h\" prints the parameters of a report, \"cairn help report\" where it asks.\n", reportList())
}

func reportList() string {
	var b strings.Builder
	line := func(name, about string) { fmt.Fprintf(&b, "  %-18s  %s\n", name, about) }
	line(overviewName, overviewSentence)
	for _, q := range native.Questions() {
		line(q.Name, q.About)
	}
	return b.String()
}

// flags are those of the report: where it asks, how it prints, and the parameters of the question.
func (e *reporting) flags() *flags {
	about, params, takesCSV := overviewSentence+".", tables.OverviewParams(), false
	if q := e.question; q != nil {
		about, params, takesCSV = q.About+".", q.Params, q.CSV
		if q.Detail != "" {
			about += "\n\n" + plainText(q.Detail)
		}
	}
	args := "[flags]"
	if slices.ContainsFunc(params, func(p native.Param) bool { return p.Filter }) {
		args += " [FILTER...]"
		about += "\n\nA FILTER is written as in the API, such as country=DE or 'path~=/blog/*'. Its fields are\n" + wrapWords(filterNames(params), 90) + "."
	}
	f := newFlags("report "+e.name, args, about)
	e.register(f)
	e.forms(f, takesCSV)
	e.params(f, params)
	f.unknown = func(name string) error { return unknownParam(params, name) }
	return f
}

// forms are the flags that say how to print.
func (e *reporting) forms(f *flags, takesCSV bool) {
	forms := []string{"text", "json", "ndjson", "mail"}
	short := func(form, about string) {
		f.BoolFunc(form, about, func(string) error { return e.setFormat(form) })
	}
	short("json", "print the answer of the API as it is")
	short("ndjson", "print the rows of the answer, one a line")
	if takesCSV {
		forms = slices.Insert(forms, 3, "csv")
		short("csv", "print one table as CSV, with all of its rows")
	}
	f.StringVar(&e.mailTo, "mail-to", "", "with -format mail: send it to `ADDRESS`, or to several with commas between them")
	f.StringVar(&e.mailFrom, "mail-from", "", "with -format mail: it is from `ADDRESS`")
	f.Func("format", "print the answer as `"+strings.Join(forms, "|")+"` (default text)", func(form string) error {
		if !slices.Contains(forms, form) {
			return fmt.Errorf("there are %s", strings.Join(forms, ", "))
		}
		return e.setFormat(form)
	})
	f.Func("watch", "ask again every `TIME`, such as 5s, until Ctrl-C; a server has to run", func(text string) (err error) {
		if e.watch, err = time.ParseDuration(text); err != nil || e.watch < time.Second || e.watch > 24*time.Hour {
			return errors.New("must be a time from 1s to 24h")
		}
		return nil
	})
}

func (e *reporting) setFormat(form string) error {
	if e.format != "" && e.format != form {
		return fmt.Errorf("the answer is printed as %s already", e.format)
	}
	e.format = form
	return nil
}

// params are the flags of parameters that are no filters. A name that several questions have is
// defined once.
func (e *reporting) params(f *flags, params []native.Param) {
	for _, p := range params {
		if p.Filter || f.Lookup(p.Name) != nil {
			continue
		}
		f.Var(&paramFlag{e.query, p}, p.Name, paramUsage(p))
	}
}

// paramFlag is a parameter as a flag. What it may be, the server says.
type paramFlag struct {
	query url.Values
	param native.Param
}

func (p *paramFlag) Set(text string) error { p.query.Add(p.param.Name, text); return nil }

// String is the default of the parameter.
func (p *paramFlag) String() string {
	if p == nil || p.param.Default == "0" {
		return ""
	}
	return p.param.Default
}

// words are the values that it may have, for the completion of shells.
func (p *paramFlag) words() []string {
	if p.param.Some {
		return nil
	}
	return p.param.Values
}

// valueName is how its value is called in help.
func (p *paramFlag) valueName() string {
	switch n := len(p.param.Values); {
	case p.param.Some:
		return "NAMES"
	case n > 0 && n < 9:
		return strings.Join(p.param.Values, "|")
	case p.param.Field:
		return "FIELD"
	case p.param.Inside:
		return "FILTERS"
	}
	return "VALUE"
}

// paramUsage is the sentence of a parameter as a flag has it.
func paramUsage(p native.Param) string {
	text := plainText(p.About)
	if p.Repeats {
		text = strings.TrimSpace(text + " May be given more than once.")
	}
	return text
}

// plainText is a text of the contract as a command line has it: without the marks of code, and without
// the percent signs that an address needs.
func plainText(text string) string {
	parts := strings.Split(text, "`")
	for i := range parts {
		if plain, err := url.QueryUnescape(parts[i]); err == nil && i%2 == 1 && strings.Contains(parts[i], "%") {
			parts[i] = plain
		}
	}
	return strings.ReplaceAll(strings.Join(parts, ""), "percent-encoded ", "")
}

// filterNames are the fields that filters may name.
func filterNames(params []native.Param) (names []string) {
	for _, p := range params {
		if name := p.Name; p.Filter {
			if strings.HasSuffix(name, ".") {
				name += "PATH"
			}
			names = append(names, name)
		}
	}
	return names
}

// wrapWords puts words into lines of so many characters.
func wrapWords(words []string, wide int) string {
	var b strings.Builder
	at := 0
	for i, word := range words {
		switch {
		case i == 0:
		case at+1+len(word) > wide:
			b.WriteByte('\n')
			at = 0
		default:
			b.WriteByte(' ')
			at++
		}
		b.WriteString(word)
		at += len(word)
	}
	return b.String()
}

// unknownParam says what is wrong with a flag that there is none of.
func unknownParam(params []native.Param, name string) error {
	var names []string
	for _, p := range params {
		if p.Filter && (p.Name == name || strings.HasSuffix(p.Name, ".") && strings.HasPrefix(name, p.Name)) {
			return fmt.Errorf("-%s: %[1]s is a filter: write %[1]s=VALUE, without the dash", name)
		}
		if !p.Filter {
			names = append(names, p.Name)
		}
	}
	if hint := config.DidYouMean(name, names); hint != "" {
		return fmt.Errorf("-%s: no such parameter here%s", name, hint)
	}
	return fmt.Errorf("-%s: no such parameter here; there are %s", name, strings.Join(names, ", "))
}

// read takes over what the command line says, and refuses what does not go together.
func (e *reporting) read(f *flags) error {
	for _, filter := range f.Args() {
		name, value, ok := native.CutFilter(filter)
		if !ok || name == "" {
			return fmt.Errorf("%q is no filter: write FIELD=VALUE", filter)
		}
		if name == "format" {
			return fmt.Errorf("format: how the answer is printed is no filter: write -format %s", value)
		}
		e.query.Add(name, value)
	}
	if e.format == "" {
		e.format = "text"
	}
	if err := e.whom.read(); err != nil {
		return err
	}
	switch {
	case e.watch > 0 && e.format != "text":
		return fmt.Errorf("-watch prints text, not %s", e.format)
	case e.question == nil && e.format == "ndjson":
		return errors.New("the overview has no rows of its own: ask visits, pages or breakdown with -ndjson")
	case e.format == "ndjson" && len(e.query["by"]) > 1 && e.name == "visits":
		return errors.New("-ndjson prints the rows of one table: give one -by")
	case e.format != "mail" && e.mailTo+e.mailFrom != "":
		return errors.New("-mail-to and -mail-from are for -format mail")
	case e.format == "csv":
		e.query.Set("format", "csv")
	case e.format == "mail":
		if err := e.checkMail(); err != nil {
			return err
		}
	}
	return nil
}
