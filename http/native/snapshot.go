package native

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"syscall"

	"cairn/engine/query"
	"cairn/http/dialect"
)

// snapshot has the engine write a copy into a new directory below snapshotDir. The directory
// is named by the time in UTC, so the names sort by age: snapshot-20261121-034500-123.
func (n *API) snapshot(ctx context.Context) (query.Snapshot, error) {
	now := n.now().UTC()
	name := fmt.Sprintf("snapshot-%s-%03d", now.Format("20060102-150405"), now.Nanosecond()/1e6)
	info, err := n.engine.Snapshot(ctx, filepath.Join(n.snapshotDir, name))
	return info, noRoom(n.snapshotDir, err)
}

// noRoom makes an answer of the error that a file system is full.
func noRoom(dir string, err error) error {
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return &dialect.StatusError{Failure: dialect.DiskFull, Msg: fmt.Sprintf("the file system of %s has no room for the snapshot; nothing is left of it", dir)}
	}
	return err
}
