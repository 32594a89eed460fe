package cli

import (
	"fmt"
	"io"
	"strings"
	"time"
)

// This file is "cairn man", which prints the manual page in roff. It is made from the table of
// commands. Packages install it.

func man(args []string, stdout, stderr io.Writer) int {
	f := newFlags("man", "", "Print the manual page. Read it with \"cairn man | man -l -\".")
	if code, done := f.parse(args, 0, 0, stdout, stderr); done {
		return code
	}
	writeManual(stdout, thisBuild(), describe())
	return ExitOK
}

// writeManual writes the manual page of a build. The build's date is the date of the page.
func writeManual(w io.Writer, b build, list []described) {
	date := ""
	if t, err := time.Parse(time.RFC3339, b.Date); err == nil {
		date = t.UTC().Format(time.DateOnly)
	}
	fmt.Fprintf(w, ".TH CAIRN 1 \"%s\" \"cairn %s\" \"User Commands\"\n", date, roff(b.Version))
	fmt.Fprint(w, `.SH NAME
cairn \- store events and answer questions about them, over HTTP
.SH SYNOPSIS
.B cairn
.I COMMAND
.RI [ arguments ]
.SH DESCRIPTION
cairn is a server that stores the events of websites and programs on your own machine. It speaks
the protocols of Matomo, Segment, RudderStack, MetaRouter, OpenPanel, Opentracker and Oppizi.
It is one program with one data directory.
.PP
Flags may stand before and behind the other arguments.
.B \-\-
ends them.
.SH COMMANDS
`)
	shared := make(map[string]bool)
	for _, d := range list {
		fmt.Fprintf(w, ".SS \"cairn %s\"\n", roff(strings.TrimSpace(d.name+" "+d.args)))
		about := d.about
		if about == "" {
			about = strings.ToUpper(d.summary[:1]) + d.summary[1:] + "."
		}
		for i, p := range paragraphs(about) {
			if i > 0 {
				fmt.Fprint(w, ".PP\n")
			}
			manParagraph(w, p)
		}
		var same []string
		for _, f := range d.flags {
			if strings.HasPrefix(d.name, "report ") { // what a report shares with one before is said once
				if said := shared[f.name+" "+f.value+" "+f.about]; said {
					same = append(same, "\\fB"+roff("-"+f.name)+"\\fR")
					continue
				}
				shared[f.name+" "+f.value+" "+f.about] = true
			}
			fmt.Fprintf(w, ".TP\n\\fB\\-%s\\fR", roff(f.name))
			if f.value != "" {
				fmt.Fprintf(w, " \\fI%s\\fR", roff(f.value))
			}
			fmt.Fprintf(w, "\n%s", roff(f.about))
			if f.def != "" {
				fmt.Fprintf(w, " (default %s)", roff(f.def))
			}
			fmt.Fprintln(w)
		}
		if len(same) > 0 {
			fmt.Fprintf(w, ".PP\nAs in reports above:\n%s.\n", strings.Join(same, ",\n"))
		}
	}
	fmt.Fprint(w, `.SH EXIT STATUS
.TP
0
success
.TP
1
failure
.TP
2
wrong usage
.TP
3
an import refused records
.TP
70
the store can no longer accept writes
.SH ENVIRONMENT
Each key of the configuration can be set by a variable: CAIRN_ and the key in capitals, such as
CAIRN_LISTEN. A flag wins over a variable, and a variable wins over the file.
.TP
CAIRN_URL, CAIRN_KEY
the server that
.B cairn report
asks, and the key
.TP
NO_COLOR
.B cairn report
prints no colours
.TP
CAIRN_CONFIG
the configuration file, where
.B \-config
is not given
.SH FILES
.TP
.I /etc/cairn/config.toml
the configuration of the service that packages install
.TP
.I /var/lib/cairn
its data directory
.SH SIGNALS
SIGTERM and SIGINT stop the server within 10 seconds. SIGHUP has it read its configuration again, as
.B cairn reload
does; the log says what has changed, or why nothing has.
`)
}

// manParagraph writes a paragraph of a help. Indented lines stay as they are.
func manParagraph(w io.Writer, text string) {
	kept := false
	for line := range strings.SplitSeq(text, "\n") {
		if indented := strings.HasPrefix(line, " ") || strings.HasPrefix(line, "\t"); indented != kept {
			fmt.Fprintln(w, map[bool]string{true: ".nf", false: ".fi"}[indented])
			kept = indented
		}
		fmt.Fprintln(w, roffLine(line))
	}
	if kept {
		fmt.Fprintln(w, ".fi")
	}
}

var roffEscapes = strings.NewReplacer(`\`, `\e`, "-", `\-`, "'", `\(aq`, `"`, `\(dq`, "^", `\(ha`, "~", `\(ti`, "`", `\(ga`)

// roff escapes a text for a place inside a line.
func roff(text string) string { return roffEscapes.Replace(text) }

// roffLine escapes a text for a line of its own, which must not begin as a request does.
func roffLine(text string) string {
	if text = roff(text); strings.HasPrefix(text, ".") {
		return `\&` + text
	}
	return text
}
