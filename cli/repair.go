package cli

import (
	"context"
	"fmt"
	"io"
	"path/filepath"
	"slices"

	"cairn/engine/repair"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// This file is "cairn repair", and what "cairn check" says of a damaged store.

// repairStore is "cairn repair".
func repairStore(args []string, stdout, stderr io.Writer) int {
	f := newFlags("repair", "DATA_DIR NEW_DIR", "Make a new data directory of everything that is sound in a damaged one, whose server is\nstopped. NEW_DIR must be empty or not exist yet. Nothing in DATA_DIR changes. What could\nnot be saved is listed, and also written to NEW_DIR/"+repair.ReportName+". Ids, cursors and keys stay\nvalid. \"cairn check DATA_DIR\" says beforehand what can be saved.")
	if code, done := f.parse(args, 2, 2, stdout, stderr); done {
		return code
	}
	from, to := f.Arg(0), f.Arg(1)
	if err := checkStored(from); err != nil {
		return fail(stderr, "repair", err)
	}
	lock, err := lockDir(from, false)
	if err != nil {
		return fail(stderr, "repair", err)
	}
	defer lock.Close()
	report, err := repair.Store(context.Background(), vfs.Default, from, to)
	if err != nil {
		return fail(stderr, "repair", fmt.Errorf("%w. Nothing in %s was changed", err, from))
	}
	for _, line := range slices.Concat(report.Damages, report.Notes, report.Lines()) {
		fmt.Fprintln(stdout, line)
	}
	fmt.Fprintf(stdout, "%s has %s. Verify it with \"cairn check %s\", then run \"cairn serve -data %s\".\n", filepath.Clean(to), plural(report.Events, "event"), to, to)
	return ExitOK
}

// showSurvey prints what a repair of a damaged store would save. It does so as far as it can:
// the caller has already said what is damaged.
func showSurvey(w io.Writer, dir string) {
	report, err := repair.Survey(context.Background(), vfs.Default, dir)
	if err != nil {
		fmt.Fprintf(w, "Nothing can be saved: %v\n", err)
		return
	}
	for _, line := range slices.Concat(report.Damages, report.Notes, report.Lines()) {
		fmt.Fprintln(w, line)
	}
	fmt.Fprintf(w, "%s can be saved: \"cairn repair %s NEW_DIR\" makes a new data directory of them. \"cairn restore SNAPSHOT NEW_DIR\" makes one of a snapshot.\n", plural(report.Events, "event"), dir)
}
