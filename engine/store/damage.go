// Damage: which file an error is about.

package store

import (
	"fmt"
	"regexp"

	"cairn/engine/query"
	"cairn/wal"

	"github.com/cockroachdb/pebble/v2"
)

// storeFile finds Pebble's name of a file in its messages.
var storeFile = regexp.MustCompile(`\b(\d{6,}\.(?:sst|log|blob)|MANIFEST-\d+)\b`)

// Damaged returns the damage that err tells of, or nil when it tells of none. It knows
// Pebble's errors too, which query.DamageOf does not.
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

// Wrap returns err as the damage that it tells of, or as it is. Whoever hands an error of
// Pebble's to http wraps it.
func Wrap(err error) error {
	if d := Damaged(err); d != nil {
		return d
	}
	return err
}

// DamagedFile says what is wrong with a file of the store, or with a part of it.
func DamagedFile(file string, err error) error { return &query.Damage{File: file, Err: err} }

// Unreadable says which event's record in the log is not one. The file is named as wal
// names it.
func Unreadable(site uint32, seq uint64, err error) error {
	file, _ := (&wal.CorruptError{Site: site}).Damaged()
	return &query.Damage{File: file, Err: fmt.Errorf("event %d: %w", seq, err)}
}

// WayOn is what whoever starts a damaged store can do.
const WayOn = `no command can skip damaged data yet: keep a copy of the directory, then make a new one from the newest snapshot with "cairn restore"`
