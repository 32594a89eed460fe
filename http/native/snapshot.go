package native

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"syscall"

	"cairn/engine/query"
	"cairn/http/adminlog"
	"cairn/http/dialect"
)

// makeSnapshot is POST /api/v1/admin/snapshot, which only the admin's token may ask for. The
// snapshot is named by the time, so no text that a client sent becomes part of a path.
func (n *API) makeSnapshot(ctx context.Context, c *reading) error {
	dir := n.options.SnapshotDir()
	if dir == "" {
		return &dialect.StatusError{Failure: dialect.BadRequest, Msg: "no snapshot_dir is configured"}
	}
	if !n.snapshots.TryLock() {
		return &dialect.StatusError{Failure: dialect.Busy, Msg: "a snapshot is being made"}
	}
	defer n.snapshots.Unlock()
	info, err := n.snapshot(ctx, dir)
	note := adminlog.Entry{Action: adminlog.Snapshot, Failed: err != nil}
	if err == nil {
		note.What = filepath.Base(info.Path)
	}
	n.options.Note(c.req, note)
	c.out = appendSnapshot(c.out, info)
	return err
}

// snapshot has the engine write a copy into a new directory below dir. The directory
// is named by the time in UTC, so the names sort by age: snapshot-20261121-034500-123.
func (n *API) snapshot(ctx context.Context, dir string) (query.Snapshot, error) {
	now := n.now().UTC()
	name := fmt.Sprintf(snapshotPrefix+"%s-%03d", now.Format("20060102-150405"), now.Nanosecond()/1e6)
	info, err := n.engine.Snapshot(ctx, filepath.Join(dir, name))
	return info, noRoom(dir, err)
}

// snapshotPrefix begins the names of snapshots.
const snapshotPrefix = "snapshot-"

// noRoom makes an answer of the error that a file system is full.
func noRoom(dir string, err error) error {
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return &dialect.StatusError{Failure: dialect.DiskFull, Msg: fmt.Sprintf("the file system of %s has no room for the snapshot; nothing is left of it", dir)}
	}
	return err
}
