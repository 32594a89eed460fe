// Damage: which file an error is about.

package store

import (
	"fmt"
	"regexp"

	"cairn/engine/query"
	"cairn/wal"

	"github.com/cockroachdb/pebble/v2"
)

// storeFile matches the name of a file in Pebble's messages, tableNumber the number of a table
// where the message does not have its name.
var (
	storeFile   = regexp.MustCompile(`\b(\d{6,}\.(?:sst|log|blob)|MANIFEST-\d+)\b`)
	tableNumber = regexp.MustCompile(`\b(?:L\d: |file |table )(\d{6,})\b`)
)

// Damaged returns the damage that err reports, or nil when it reports none. Unlike
// query.DamageOf it also knows Pebble's errors.
func Damaged(err error) *query.Damage {
	if d := query.DamageOf(err); d != nil {
		return d
	}
	if err == nil || !pebble.IsCorruptionError(err) {
		return nil
	}
	return &query.Damage{File: fileIn(err), Err: err}
}

// fileIn returns the file of the store that an error of Pebble's is about.
func fileIn(err error) string {
	text := err.Error()
	if file := storeFile.FindString(text); file != "" {
		return Name + "/" + file
	}
	if m := tableNumber.FindStringSubmatch(text); m != nil {
		return Name + "/" + m[1] + ".sst"
	}
	return Name
}

// Named returns err, or damage that names its file, for messages.
func Named(err error) error {
	if d := Damaged(err); d != nil {
		return d
	}
	return damagedStore(err)
}

// DamagedFile returns a *query.Damage: err is what is wrong with a file of the store, or with
// a named part of it.
func DamagedFile(file string, err error) error { return &query.Damage{File: file, Err: err} }

// Unreadable returns a *query.Damage: err is what is wrong with the record of an event in
// the log. The damage names the file as wal does.
func Unreadable(site uint32, seq uint64, err error) error {
	file, _ := (&wal.CorruptError{Site: site}).Damaged()
	return &query.Damage{File: file, Err: fmt.Errorf("event %d: %w", seq, err)}
}

// Missing returns a *query.Damage: the store does not have these events of a site.
func Missing(site uint32, first, last uint64) error {
	file, _ := (&wal.CorruptError{Site: site}).Damaged()
	return &query.Damage{File: file, Err: fmt.Errorf("events %d to %d are missing", first, last)}
}
