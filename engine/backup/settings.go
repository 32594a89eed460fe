package backup

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"
)

// This file has what a backup is told.

// Keep says how many snapshots stay: the newest of each of the last so many hours, days and weeks
// that have one. The newest snapshot of all always stays.
type Keep struct{ Hourly, Daily, Weekly int }

// Settings are what an operator sets.
type Settings struct {
	Every       time.Duration // between snapshots
	Keep        Keep
	LogEvery    time.Duration // between objects of the log; 0 = no log
	LogKeep     time.Duration
	Rate        int64         // bytes a second; 0 = as fast as it goes
	VerifyEvery time.Duration // 0 = never
	VerifyMax   int64         // bytes; a larger store is restored to scratch once a week, not once a day
	Passphrase  string        // "" = not encrypted
}

// Defaults are the settings of an empty [backup].
func Defaults() Settings {
	return Settings{Every: time.Hour, Keep: Keep{24, 7, 8}, LogEvery: 10 * time.Second, LogKeep: 72 * time.Hour, VerifyEvery: 24 * time.Hour, VerifyMax: 5 << 30}
}

// Validate returns what is wrong with the settings. The error names the key.
func (s *Settings) Validate() error {
	switch {
	case s.Every < time.Minute || s.Every > 30*24*time.Hour:
		return errors.New(`every must be from "1m" to "30d"`)
	case s.Keep.Hourly < 0, s.Keep.Daily < 0, s.Keep.Weekly < 0, max(s.Keep.Hourly, s.Keep.Daily, s.Keep.Weekly) > 10_000:
		return errors.New("keep must have numbers from 0 to 10000")
	case s.Keep == Keep{}:
		return errors.New("keep would keep no snapshot; use for example keep = {hourly = 24, daily = 7, weekly = 8}")
	case s.LogEvery != 0 && (s.LogEvery < time.Second || s.LogEvery > time.Hour):
		return errors.New(`log_every must be from "1s" to "1h", or "0s" for no log`)
	case s.LogEvery != 0 && s.LogKeep < s.Every:
		return fmt.Errorf("log_keep must be at least every, %v: the log reaches from one snapshot to the next", s.Every)
	case s.Rate != 0 && s.Rate < 16<<10:
		return errors.New(`rate must be at least "16KiB", or 0 for no limit`)
	case s.VerifyEvery != 0 && s.VerifyEvery < time.Hour:
		return errors.New(`verify_every must be at least "1h", or "0s" for never`)
	case s.VerifyMax < 0:
		return errors.New("verify_max must not be negative")
	case s.Passphrase != "" && len(s.Passphrase) < passphraseMin:
		return fmt.Errorf("the passphrase has fewer than %d characters and is easy to guess", passphraseMin)
	}
	return nil
}

const passphraseMin = 12

// Options are what a Backup needs. Bucket, Store, Scratch and Log are required.
type Options struct {
	Settings
	Bucket  Bucket
	Store   Store
	Scratch string // a directory on the file system of the store that is the backup's own; it is removed and made
	Host    string // names this machine to people
	Log     *slog.Logger
	Now     func() time.Time // nil = time.Now

	// NewShipper makes what ships the log; nil = snapshots alone.
	NewShipper func(*Vault) Shipper
	// Replay and Deletions are those of a restore; nil = there is none.
	Replay    Replay
	Deletions Deletions
	// Recount opens a restored data directory and recounts it for about most. It begins where an earlier
	// call ended, which from tells; "" = at the beginning. It returns what tells the next call, and
	// the problems that it found.
	Recount func(ctx context.Context, dir, from string, most time.Duration) (next string, problems []string, err error)
	// Room returns how many bytes a directory's file system has beyond the reserve of the store.
	Room func(dir string) (int64, error)
}
