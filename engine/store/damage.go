// Damage: which file an error is about.

package store

import (
	"fmt"
	"regexp"

	"cairn/engine/query"
	"cairn/wal"

	"github.com/cockroachdb/pebble/v2"
)

// storeFile matches the name of a file in Pebble's messages.
var storeFile = regexp.MustCompile(`\b(\d{6,}\.(?:sst|log|blob)|MANIFEST-\d+)\b`)

// Damaged returns the damage that err reports, or nil when it reports none. Unlike
// query.DamageOf it also knows Pebble's errors.
func Damaged(err error) *query.Damage {
	if d := query.DamageOf(err); d != nil {
		return d
	}
	if err == nil || !pebble.IsCorruptionError(err) {
		return nil
	}
	file := storeFile.FindString(err.Error())
	if file == "" {
		file = Name
	}
	return &query.Damage{File: file, Err: err}
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

// DamageAdvice tells the operator of a damaged store what to do.
const DamageAdvice = `no command can skip damaged data yet: keep a copy of the directory, then make a new one from the newest snapshot with "cairn restore"`
