package backup

import (
	"context"
	"time"

	"github.com/cockroachdb/pebble/v2"

	"cairn/engine/query"
)

// This file has the seams of the room: what the loop needs of the store, and what the log between
// snapshots does for the loop and for a restore.

// Store is what a backup needs of the running store.
type Store interface {
	// Snapshot makes a snapshot in dir, which must not exist. Tables are linked, not copied.
	Snapshot(ctx context.Context, dir string) (query.Snapshot, error)
	// FlushLog flushes the memory of the store when its live log has more than most bytes.
	FlushLog(most int64) error
	// Acknowledged counts the events that were acknowledged so far.
	Acknowledged() uint64
	// Line names the line of stores, and Incarnation its life since the last restore.
	Line() string
	Incarnation() string
}

// Shipper ships the log between snapshots. The loop of a backup is its only caller, one call at a
// time, and calls it only while it holds the lease.
type Shipper interface {
	// Ship stores what the store has acknowledged since the last Ship. Its error is ErrGap, wrapped,
	// when rows were sealed away before they were shipped: the loop then makes a snapshot at once.
	Ship(ctx context.Context) error
	// Began says that a snapshot is in the bucket that has all that was acknowledged before began.
	Began(ctx context.Context, m *Manifest, began time.Time) error
	// Whole says that all of the log after the newest snapshot is in the bucket, as far as it was shipped.
	Whole() bool
	// Shipped is a time; all that was acknowledged before it is in the bucket. Zero = not known.
	Shipped() time.Time
	// Prune deletes what was shipped before a time and is needed by no snapshot that is kept. The
	// manifests are the kept ones, oldest first.
	Prune(ctx context.Context, before time.Time, kept []*Manifest) error
	// Metrics and Troubles are those of the part of the server.
	Metrics(put func(name, kind, help string, value float64, labels ...string))
	Troubles() []string
}

// Replay appends to a restored store what the bucket's log has beyond it, up to until, which is by
// the time of receipt; zero = all. db is open for nobody else and is not yet a new incarnation.
type Replay func(ctx context.Context, v *Vault, from *Manifest, db *pebble.DB, until time.Time) (Replayed, error)

// Replayed says what a Replay has done.
type Replayed struct {
	Events uint64            // appended
	Until  time.Time         // the store is as it was then; zero = as the snapshot was
	Why    string            // why not further; "" = all is there that was asked for
	Files  map[string][]byte // files of the data directory as they were then, by name; they take the place of the snapshot's
}

// Deletions writes the copies of deletions that are in the bucket to a directory, as
// erase.Apply reads them. It returns how many there are.
type Deletions func(ctx context.Context, v *Vault, dir string) (int, error)
