package native

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"cairn/engine/query"
	"cairn/http/dialect"
)

// This file writes the table of calls as the last part of docs/reports.md: a head a call, with its own
// parameters, and each group of parameters that many calls have once.

var update = flag.Bool("update", false, "write the part of docs/reports.md that the table of calls gives")

// The marks between which the page is written.
const (
	referenceBegin = "<!-- From here on the page is made of the table of calls: go test ./http/native -run TestReference -update -->\n"
	referenceEnd   = "<!-- The end of what is made. -->\n"
)

var referencePage = filepath.Join("..", "..", "docs", "reports.md")

func TestReference(t *testing.T) {
	page, err := os.ReadFile(referencePage)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, begins := bytes.Cut(page, []byte(referenceBegin))
	was, after, ends := bytes.Cut(rest, []byte(referenceEnd))
	if !begins || !ends {
		t.Fatal("docs/reports.md lacks the marks")
	}
	made := madePart()
	if string(was) == made {
		return
	}
	if !*update {
		t.Fatal("docs/reports.md does not say what the table of calls does: run this test with -update")
	}
	if err := os.WriteFile(referencePage, slices.Concat(before, []byte(referenceBegin), []byte(made), []byte(referenceEnd), after), 0o644); err != nil {
		t.Fatal(err)
	}
}

// shared are the groups of parameters in the order of the page, each with what the page says of it.
var shared = []struct{ name, head, about string }{
	{"range", "The range", "Which time the answer is about."},
	{"compare", "Comparison", "Each number then has one of the other range beside it: rows have `was`, and the answer `compare`."},
	{"series", "The series", "Each step has its time and its numbers. A step that is not over, or that the range cuts, has `\"partial\":true`."},
	{"rows", "Rows", "Which rows of a table the answer has. `sort` is among the parameters of a call, because it depends on the numbers that the rows have."},
	{"csv", "CSV", ""},
	{"site", "The site", ""},
	{"filters", "Filters", "Conditions on events, each a parameter that may be repeated. [Filters](api.md#filters) shows the operators."},
}

// madePart is the part of the page between the marks.
func madePart() string {
	var b strings.Builder
	b.WriteString("\n")
	for _, r := range table {
		if r.isQuestion() {
			r.section(&b)
		}
	}
	b.WriteString("## What many calls take\n\n")
	for _, s := range shared {
		fmt.Fprintf(&b, "### %s\n\n", s.head)
		if s.about != "" {
			fmt.Fprintf(&b, "%s\n\n", s.about)
		}
		var list paramList
		for _, g := range groups {
			if g.name != s.name {
				continue
			}
			for _, p := range g.list {
				if !slices.Contains(list, p) {
					list = append(list, p)
				}
			}
		}
		parameterTable(&b, list)
	}
	return b.String()
}

// section writes a call.
func (r *route) section(b *strings.Builder) {
	fmt.Fprintf(b, "### `%s`\n\n%s.", strings.TrimPrefix(r.path, "/api/v1/"), r.about)
	if r.detail != "" {
		b.WriteString(" " + r.detail)
	}
	if r.names {
		b.WriteString(" The answer names people.")
	}
	if r.right&dialect.Admin != 0 && !strings.Contains(r.detail, "admin token") {
		b.WriteString(" Needs the admin token.")
	}
	b.WriteString("\n\n")
	own, of := r.own, ""
	for _, other := range table { // funnel/entities takes what funnel does
		if other != r && strings.HasPrefix(r.path, other.path+"/") && other.isQuestion() {
			of = strings.TrimPrefix(other.path, "/api/v1/")
			var names []string
			own = slices.DeleteFunc(slices.Clone(own), func(p *param) bool {
				same := slices.Contains(other.own, p)
				if same {
					names = append(names, "`"+p.name+"`")
				}
				return same
			})
			fmt.Fprintf(b, "As of [`%s`](#%s): %s.\n\n", of, anchor(of), strings.Join(names, ", "))
		}
	}
	parameterTable(b, own)
	var takes []string
	for _, s := range shared {
		for _, g := range groups {
			if g.name == s.name && r.takes&g.takes != 0 {
				takes = append(takes, fmt.Sprintf("[%s](#%s)", strings.ToLower(strings.TrimPrefix(strings.TrimPrefix(s.head, "The "), "CSV"))+map[bool]string{true: "CSV"}[s.head == "CSV"], anchor(s.head)))
			}
		}
	}
	if takes != nil {
		fmt.Fprintf(b, "Takes also: %s.\n\n", strings.Join(takes, ", "))
	}
}

// anchor is the address of a head within the page.
func anchor(head string) string {
	return strings.ReplaceAll(strings.ToLower(strings.ReplaceAll(head, "/", "")), " ", "-")
}

// parameterTable writes parameters.
func parameterTable(b *strings.Builder, list paramList) {
	if len(list) == 0 {
		return
	}
	b.WriteString("| parameter | may be | meaning |\n|---|---|---|\n")
	for _, p := range list {
		var names []string
		for _, name := range p.stands() {
			if strings.HasSuffix(name, ".") {
				name += "…"
			}
			names = append(names, "`"+name+"`")
		}
		if twice := slices.ContainsFunc(list, func(o *param) bool { return o != p && o.name == p.name }); twice {
			names = append(names, "of "+strings.Join(takers(p), " "))
		}
		about := p.about
		if p.required {
			about += " Needed."
		}
		if p.absent != "" && !strings.Contains(about, "when absent") {
			about += " `" + p.absent + "` when absent."
		}
		fmt.Fprintf(b, "| %s | %s | %s |\n", strings.Join(names, " "), p.mayBe(), strings.ReplaceAll(about, "|", `\|`))
	}
	b.WriteString("\n")
}

// takers are the calls that take a parameter.
func takers(p *param) (names []string) {
	for _, r := range table {
		if r.isQuestion() && slices.Contains(r.params, p) {
			names = append(names, "`"+strings.TrimPrefix(r.path, "/api/v1/")+"`")
		}
	}
	return names
}

// mayBe says in a few words what a value is.
func (p *param) mayBe() string {
	code := func(texts []string) string { return "`" + strings.Join(texts, "` `") + "`" }
	text := "a text"
	if p.kind == filterKind {
		if values := query.ClosedValues(p.name); values != nil {
			text = code(values)
		}
	}
	switch {
	case p.some:
		text = "some of " + code(p.values) + ", separated by commas"
	case p.values != nil:
		text = code(p.values)
	case p.number && p.most == countMost:
		text = "a number"
	case p.number:
		text = strconv.FormatInt(p.least, 10) + " to " + strconv.FormatInt(p.most, 10)
	case p.filter:
		text = "a filter"
	case p.examples != nil:
		text = code(p.examples)
	case p.field && p.bytesMax == 0:
		text = "a field"
	case p.format == "date":
		text = "a date"
	case p.ref == "Moment":
		text = "a time"
	case p.ref == "EventID", p.name == "after":
		text = "a cursor"
	}
	switch {
	case p.kind != listKind:
	case p.countMin > 0:
		text += ", " + strconv.Itoa(p.countMin) + " to " + strconv.Itoa(p.countMax) + " times"
	case p.countMax > 1:
		text += ", up to " + strconv.Itoa(p.countMax) + " times"
	case p.countMax == 0:
		text += ", any number of times"
	}
	return text
}
