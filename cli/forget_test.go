package cli

import (
	"strings"
	"testing"
)

// A flag of "cairn forget" without a value, such as -to "$DAY" without a DAY, deletes nothing: what
// is left of the command selects more events than were meant.
func TestForgetTakesNoEmptyFlag(t *testing.T) {
	for _, args := range [][]string{{"-to", "", "name=signup"}, {"-from=", "name=signup"}, {"-user", "", "name=signup"}, {"-site", "", "-user", "ada"}} {
		var out, errs strings.Builder
		code := run(append([]string{"forget", "-url", "http://127.0.0.1:1"}, args...), &out, &errs)
		if flag := strings.TrimSuffix(args[0], "="); code != ExitUsage || out.Len() > 0 || !strings.Contains(errs.String(), flag+" has no value") {
			t.Errorf("%q: exit code %d, stdout %q, stderr %q", args, code, out.String(), errs.String())
		}
	}
}
