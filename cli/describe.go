package cli

import (
	"bytes"
	"flag"
	"io"
	"regexp"
	"slices"
	"strings"
)

// This file asks the commands of the table for their flags, for the manual page and for the
// completion of shells. Flags are made by the command itself, when it runs, so there is no second
// list of them.

// described is a command, or one of its subcommands, with its flags.
type described struct {
	name    string // such as "serve", or "site add"
	args    string // its other arguments
	summary string
	about   string // the text of its help
	flags   []flagInfo
	words   []string // that its first argument may be, such as "add" and "list"
	files   bool     // its arguments are files or directories
}

type flagInfo struct {
	name, value, about, def string
	values                  []string // what it may be; nil = any text
	file                    bool     // it is a file or a directory
}

// describer takes the flags of a command in place of its help.
type describer struct{ flags *flags }

// Write drops help that a command prints itself.
func (*describer) Write(p []byte) (int, error) { return len(p), nil }

var (
	wordLists = regexp.MustCompile(`[a-z][a-z0-9-]*(?:\|[a-z][a-z0-9-]*)+`)
	oneWord   = regexp.MustCompile(`^\[?[a-z][a-z0-9-]*\]?$`)
	fileWords = regexp.MustCompile(`\b([A-Z]+_)?(FILE|DIR|SNAPSHOT)S?\b`)
)

// describe returns all commands that are not hidden, each followed by its subcommands if those
// have flags of their own.
func describe() []described {
	var list []described
	for _, c := range commands {
		if c.summary == "" {
			continue
		}
		d := describeOne(c, nil)
		d.summary = c.summary
		list = append(list, d)
		for _, word := range d.words {
			if sub := describeOne(c, []string{word}); sub.name == c.name+" "+word {
				list = append(list, sub)
			}
		}
	}
	return list
}

// describeOne describes a command, or its subcommand if there are words.
func describeOne(c command, words []string) described {
	d := described{name: c.name, args: c.args}
	var out describer
	if c.name != "help" { // its -h is the help of all commands
		c.run(append(slices.Clone(words), "-h"), &out, io.Discard)
	} else {
		d.about = "Print the list of commands, or the help of a command."
	}
	if f := out.flags; f != nil {
		d.name, d.args, d.about = f.Name(), f.args, f.about
		f.VisitAll(func(fl *flag.Flag) {
			value, about := usageOf(fl)
			info := flagInfo{name: fl.Name, value: value, about: about, file: fileWords.MatchString(value)}
			if b, ok := fl.Value.(interface{ IsBoolFlag() bool }); ok && b.IsBoolFlag() {
				info.value, info.file = "", false
			} else if fl.DefValue != "0" {
				info.def = fl.DefValue
			}
			if list := wordLists.FindString(value); list != "" {
				info.values = strings.Split(list, "|")
			}
			if v, ok := fl.Value.(interface{ words() []string }); ok && len(v.words()) > 0 {
				info.values = v.words()
			}
			d.flags = append(d.flags, info)
		})
	}
	if len(words) == 0 {
		if d.words = wordsOf(c.args); out.flags != nil && out.flags.words != nil {
			d.words = out.flags.words
		}
	}
	d.files = fileWords.MatchString(d.args)
	return d
}

// wordsOf returns the words that the first argument may be, of args such as "[flags] add|list".
func wordsOf(args string) []string {
	if list := wordLists.FindString(args); list != "" {
		return strings.Split(list, "|")
	}
	first, _, _ := strings.Cut(strings.TrimPrefix(args, "[flags] "), " ")
	if oneWord.MatchString(first) && first != "[flags]" {
		return []string{strings.Trim(first, "[]")}
	}
	return nil
}

// paragraphs splits the text of a help where lines are empty.
func paragraphs(text string) []string {
	var list []string
	for p := range bytes.SplitSeq([]byte(text), []byte("\n\n")) {
		if p = bytes.Trim(p, "\n"); len(p) > 0 {
			list = append(list, string(p))
		}
	}
	return list
}
