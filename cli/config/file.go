package config

import (
	"encoding"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"cairn/http/matomo"

	"github.com/BurntSushi/toml"
)

// This file reads the configuration file and reports what is wrong in it, with the line.
// An unknown key is an error: a server that does not start is better than one that
// silently uses the default in place of a misspelt limit.

// parseConfig decodes text over the defaults. It uses file only in error messages.
func parseConfig(file, text string) (Config, error) {
	cfg := Default()
	cfg.Sites = defaultSites(text)
	return cfg, decode(file, text, &cfg)
}

// defaultSites are the sites of a text with their defaults alone. The decoder fills elements that a
// slice already has, so each [[site]] and each [[site.goal]] is made with its defaults first.
func defaultSites(text string) (sites []Site) {
	var shape struct {
		Sites []struct {
			Goals []map[string]any `toml:"goal"`
		} `toml:"site"`
	}
	if _, err := toml.Decode(text, &shape); err != nil {
		return nil
	}
	for _, s := range shape.Sites {
		site := DefaultSite()
		for range s.Goals {
			site.Goals = append(site.Goals, matomo.DefaultGoal())
		}
		sites = append(sites, site)
	}
	return sites
}

// decode decodes the text of a file. An error has the line.
func decode(file, text string, into any) error {
	meta, err := toml.Decode(text, into)
	if err != nil {
		var at toml.ParseError
		if errors.As(err, &at) {
			return fmt.Errorf("%s:%d: %s%s", file, at.Position.Line, at.Message, sourceLine(text, at.Position.Line, at.Position.Col-1, at.Position.Len))
		}
		return fmt.Errorf("%s: %s", file, strings.TrimPrefix(err.Error(), "toml: "))
	}
	if unknown := meta.Undecoded(); len(unknown) > 0 {
		return unknownKey(file, text, unknown[0])
	}
	return nil
}

// unknownKey is the error for a key that does not exist. It names the line and a similar
// key that exists.
func unknownKey(file, text string, key toml.Key) error {
	table, name := strings.Join(key[:len(key)-1], "."), key[len(key)-1]
	var same, all []string
	home := ""
	for path := range keyPaths() {
		in, last := "", path
		if i := strings.LastIndexByte(path, '.'); i >= 0 {
			in, last = path[:i], path[i+1:]
		}
		if last == name {
			home = in
		}
		all = append(all, last)
		// Collect the keys and the subtables that this table may have.
		if below, ok := strings.CutPrefix("."+path, strings.TrimSuffix("."+table, ".")+"."); ok {
			next, _, _ := strings.Cut(below, ".")
			same = append(same, next)
		}
	}
	slices.Sort(same)
	slices.Sort(all)
	hint := DidYouMean(name, same)
	if hint == "" && slices.Contains(all, name) {
		hint = ": it belongs " + tableName(home)
	} else if hint == "" {
		hint = DidYouMean(name, all)
	}
	line, col := findKey(text, key)
	if line == 0 {
		return fmt.Errorf("%s: unknown key %q%s", file, key.String(), hint)
	}
	return fmt.Errorf("%s:%d: unknown key %q%s%s", file, line, key.String(), hint, sourceLine(text, line, col, len(name)))
}

func tableName(path string) string {
	switch path {
	case "":
		return "at the top of the file, before any [table]"
	case "site", "site.goal":
		return "in [[" + path + "]]"
	}
	return "in [" + path + "]"
}

// keyPaths yields the dotted path of every key the configuration may hold.
func keyPaths() func(yield func(path string) bool) {
	var walk func(t reflect.Type, prefix string, yield func(string) bool) bool
	walk = func(t reflect.Type, prefix string, yield func(string) bool) bool {
		for i := range t.NumField() {
			f := t.Field(i)
			name, ft := f.Tag.Get("toml"), f.Type
			if f.Anonymous {
				if !walk(ft, prefix, yield) {
					return false
				}
				continue
			}
			if name == "" {
				continue
			}
			if ft.Kind() == reflect.Slice {
				ft = ft.Elem()
			}
			if ft.Kind() == reflect.Struct && !reflect.PointerTo(ft).Implements(reflect.TypeFor[encoding.TextUnmarshaler]()) {
				if !walk(ft, prefix+name+".", yield) {
					return false
				}
			} else if !yield(prefix + name) {
				return false
			}
		}
		return true
	}
	return func(yield func(string) bool) { walk(reflect.TypeFor[Config](), "", yield) }
}

// findKey returns the line, from 1, and the byte column, from 0, of key in text. The line
// is 0 when this simple search does not find the key, for example in an inline table. The
// decoder has already accepted the text.
func findKey(text string, key toml.Key) (line, col int) {
	table := ""
	for i, l := range strings.Split(text, "\n") {
		trimmed := strings.TrimSpace(l)
		if strings.HasPrefix(trimmed, "[") {
			end := strings.IndexByte(trimmed, ']')
			if end < 0 {
				continue
			}
			table = plainKey(strings.TrimLeft(trimmed[:end], "["))
			if table == key.String() {
				return i + 1, strings.LastIndex(l[:strings.IndexByte(l, ']')], key[len(key)-1])
			}
			continue
		}
		name, _, ok := strings.Cut(trimmed, "=")
		if !ok {
			continue
		}
		path := plainKey(name)
		if table != "" {
			path = table + "." + path
		}
		if path == key.String() {
			return i + 1, max(strings.Index(l, key[len(key)-1]), 0)
		}
	}
	return 0, 0
}

// plainKey is a key or table name without the quotes and spaces TOML allows.
func plainKey(s string) string {
	parts := strings.Split(s, ".")
	for i := range parts {
		parts[i] = strings.Trim(parts[i], " \t\"'")
	}
	return strings.Join(parts, ".")
}

// sourceLine shows a line of text with carets under n bytes from col.
func sourceLine(text string, line, col, n int) string {
	lines := strings.Split(text, "\n")
	if line < 1 || line > len(lines) {
		return ""
	}
	source := strings.TrimRight(lines[line-1], "\r")
	col = min(max(col, 0), len(source))
	// Tabs before the caret stay tabs, so that the caret is exactly below the key.
	pad := strings.Map(func(r rune) rune {
		if r == '\t' {
			return r
		}
		return ' '
	}, source[:col])
	return fmt.Sprintf("\n%5d | %s\n      | %s%s", line, source, pad, strings.Repeat("^", max(n, 1)))
}

// DidYouMean is the end of an error message about a name that is not one of the words: a
// comma and a question that suggests the most similar word. It is "" when no word is
// similar.
func DidYouMean(name string, words []string) string {
	best, at := 1+min(len(name)/2, 3), ""
	for _, w := range words {
		if d := distance(name, w); d < best {
			best, at = d, w
		}
	}
	if at == "" {
		return ""
	}
	return fmt.Sprintf(", did you mean %q?", at)
}

// distance is the least number of bytes to insert, delete, change or swap with a
// neighbour that turns a into b.
func distance(a, b string) int {
	var before, above []int
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := 1; i <= len(a); i++ {
		before, above = above, row
		row = make([]int, len(b)+1)
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(row[j-1]+1, above[j]+1, above[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
	}
	return row[len(b)]
}
