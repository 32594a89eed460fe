package mcp

import (
	"cmp"
	"encoding/json"
	"net/url"
	"strings"
	"unicode/utf8"

	"cairn/http/native"
	"cairn/http/tables"
)

// This file writes the text beside an answer: a table for people, and where the same is found.

const (
	contentBytesMax = 8 << 10 // of the whole text
	contentRowsMax  = 50      // of its tables
	linkBytesMax    = 2 << 10 // of an address; a longer one is left out
)

// facts are what most answers say of themselves.
type facts struct {
	Zone, From, To string
	AsOf           struct{ Time string } `json:"as_of"`
}

// describe is the text of a result.
func (c *Caller) describe(q *native.Question, rawQuery string, query url.Values, a Answer, structured []byte) string {
	var end strings.Builder
	var f facts
	_ = json.Unmarshal(a.Body, &f) // what is not there is not said
	line := func(name, text string) {
		if text != "" {
			end.WriteString(name + ": " + text + "\n")
		}
	}
	if f.From != "" && f.To != "" {
		line("Range", cut(f.From+" to "+f.To+", "+f.Zone))
	}
	line("As of", cut(f.AsOf.Time))
	link := func(name, text string) {
		if len(text) <= linkBytesMax {
			line(name, text)
		}
	}
	if c.Dashboard && a.Site != "" {
		link("The same in the dashboard", c.Address(tables.Screen(q, a.Site, query, f.From != "")))
	}
	link("The same by curl", curl(c.Address(q.Path), cmp.Or(a.Query, rawQuery)))

	b := marked + "\n\n"
	left := contentBytesMax - len(b) - end.Len() - 1
	return b + fit(table(q, query, a, structured, max(left, 1<<10)), left) + "\n" + end.String()
}

// table is the table of an answer as text.
func table(q *native.Question, query url.Values, a Answer, structured []byte, bytesMax int) string {
	if r, err := tables.Read(q, query, a.Body, tables.Options{Zone: a.Zone}); err == nil {
		if text := r.Text(tables.Style{RowsMax: contentRowsMax, BytesMax: bytesMax, TextMax: textMax}); text != "" {
			return text
		}
	}
	return string(structured) + "\n"
}

// fit cuts a text after a whole line, or where it has none after a whole character.
func fit(text string, bytesMax int) string {
	if len(text) <= bytesMax {
		return text
	}
	const rest = "… the rest is in the structured answer\n"
	text = text[:max(bytesMax-len(rest)-1, 0)]
	if line := strings.LastIndexByte(text, '\n'); line > len(text)/2 {
		return text[:line+1] + rest
	}
	for len(text) > 0 {
		if r, size := utf8.DecodeLastRuneInString(text); r != utf8.RuneError || size > 1 {
			break
		}
		text = text[:len(text)-1]
	}
	return text + "\n" + rest
}

// curl is the command that gives the answer, with a variable in place of the key. Nothing in it can
// end the quotes: the query is percent-encoded, and so is a quote in the address.
func curl(address, rawQuery string) string {
	if rawQuery != "" {
		address += "?" + rawQuery
	}
	return `curl -sS -H "Authorization: Bearer $CAIRN_KEY" '` + strings.ReplaceAll(tables.Safe(address), "'", "%27") + "'"
}

// safeLines is a text of several lines that is safe to show, cut where it is very long.
func safeLines(text string) string {
	lines := strings.Split(text, "\n")
	for i := range lines {
		lines[i] = tables.Safe(lines[i])
	}
	return fit(strings.Join(lines, "\n"), contentBytesMax)
}
