package cli

import (
	"strings"
	"testing"
)

// Flags may stand before, between and behind the other arguments. "--" ends them.
func TestFlagsAnywhere(t *testing.T) {
	for _, c := range []struct{ line, want string }{
		{"-o x a b", "x a,b"}, {"a -o x b", "x a,b"}, {"a b -o x", "x a,b"}, {"a b -o=x", "x a,b"},
		{"a -- -o x", " a,-o,x"}, {"-- a", " a"}, {"a -o - b", "- a,b"}, {"-o x", "x "},
	} {
		f := newFlags("try", "", "")
		o := f.String("o", "", "")
		var errs strings.Builder
		_, done := f.parse(strings.Fields(c.line), 0, 9, &errs, &errs)
		if got := *o + " " + strings.Join(f.Args(), ","); done || got != c.want || f.NArg() != len(f.Args()) {
			t.Errorf("%s: %q, want %q; %s", c.line, got, c.want, errs.String())
		}
	}
	var errs strings.Builder
	if code, _ := newFlags("try", "", "").parse([]string{"a", "-no"}, 0, 9, &errs, &errs); code != ExitUsage {
		t.Errorf("an unknown flag behind an argument: %d", code)
	}
}

// Every command of the table prints its help on stdout with exit code 0. For an unknown
// flag it prints an error on stderr, with exit code 2.
func TestEveryCommandHasHelp(t *testing.T) {
	for _, c := range commands {
		if c.name == "help" {
			continue
		}
		var out, errs strings.Builder
		if code := run([]string{c.name, "-h"}, &out, &errs); code != ExitOK || !strings.Contains(out.String(), "Usage: cairn "+c.name) || errs.Len() > 0 {
			t.Errorf("%s -h: exit code %d, stdout %q, stderr %q", c.name, code, out.String(), errs.String())
		}
		out.Reset()
		if code := run([]string{c.name, "-no-such-flag"}, &out, &errs); code != ExitUsage || out.Len() > 0 || !strings.Contains(errs.String(), "no-such-flag") {
			t.Errorf("%s -no-such-flag: exit code %d, stdout %q, stderr %q", c.name, code, out.String(), errs.String())
		}
	}
}
