package cli

import (
	"strings"
	"testing"
)

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
