// Advice: what a refusal tells the operator of a damaged store.

package store

import (
	"fmt"
	"strings"

	"cairn/engine/query"
	"cairn/index"
	"cairn/wal"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// Advice tells the operator of a damaged store, which lies in the data directory dir, what is
// lost at most and what to do next.
func Advice(fs vfs.FS, dir string, d *query.Damage) string {
	if fs == nil {
		fs = vfs.Default
	}
	return fmt.Sprintf("Nothing was changed. %s %q says what can be saved. %q makes a new data directory of it. Or take the newest snapshot: %q",
		loss(fs, dir, d.File), "cairn check "+dir, "cairn repair "+dir+" NEW_DIR", "cairn restore SNAPSHOT NEW_DIR")
}

// losses say what is lost at most when a part of the store is damaged. The first row counts whose
// text is in the name of the part.
var losses = []struct{ in, loss string }{
	{"marker.", "No event is lost: the file says only which of the others are in use."},
	{"MANIFEST-", "No event is lost if the tables and logs are whole: a repair reads them without this list."},
	{"OPTIONS-", "No event is lost: cairn does not need this file."},
	{".sst", "At most the events in this table are lost."},
	{"log of site", "At most the events of this site that are only in the log are lost."},
	{"list of runs", "No event is lost if " + SpareName + " has a copy of the damaged records; otherwise at most the events of their runs are lost."},
	{"list of lost", "No event is lost by it: these were lost before."},
	{"run ", "At most the events of this run are lost."},
	{"heartbeats of site", "No event is lost, only the time that some visitors spent."},
	{"ids of site", "No event is lost: a repair computes the ids again."},
	{"links of site", "No event is lost: a repair computes the links again."},
	{"incarnations", "No event is lost."},
	{"names of the sites", "No event is lost."},
}

// loss says what is lost at most when a file or a part of the store is damaged.
func loss(fs vfs.FS, dir, file string) string {
	if strings.HasSuffix(file, ".log") || file == "the log" {
		return unsealedLoss(fs, dir)
	}
	for _, l := range losses {
		if strings.Contains(file, l.in) {
			return l.loss
		}
	}
	if mark, err := wal.ReadHighWaterMark(fs, dir); err == nil && mark.Events() > 0 {
		return fmt.Sprintf("At most all events are lost, %d of them or a few more.", mark.Events())
	}
	return "At most all events are lost."
}

// unsealedLoss is the loss of a log. The copies of descriptors say how many events are not only
// in the log; they may be a little old, but never say too much.
func unsealedLoss(fs vfs.FS, dir string) string {
	const text = "At most the events that are in no run yet are lost"
	var sealed uint64
	err := SpareRecords(fs, dir, func(key, value []byte) error {
		if d, err := index.ParseDescriptor(key, value); key[0] == index.PrefixDescriptor && err == nil {
			sealed += d.Rows
		}
		return nil
	})
	mark, merr := wal.ReadHighWaterMark(fs, dir)
	if err != nil || merr != nil || mark.Events() <= sealed {
		return text + "."
	}
	return fmt.Sprintf("%s: %d of them, or those of another second more.", text, mark.Events()-sealed)
}

// SnapshotAdvice tells the operator of a damaged snapshot what is lost at most and what to do
// next.
func SnapshotAdvice(dir string) string {
	return fmt.Sprintf("At most what the damaged file has is lost, and only in this snapshot. Take another copy of the snapshot, or another snapshot. Or save what is sound: %q says what that is, %q makes a data directory of it",
		"cairn check "+dir, "cairn repair "+dir+" NEW_DIR")
}
