package native

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"cairn/engine/query"
)

// snapshot has the engine write a copy into a new directory below snapshotDir. The directory
// is named by the time in UTC, so the names sort by age: snapshot-20261121-034500-123.
func (n *API) snapshot(ctx context.Context) (query.Snapshot, error) {
	if err := os.MkdirAll(n.snapshotDir, 0o700); err != nil {
		return query.Snapshot{}, fmt.Errorf("make snapshot directory: %w", err)
	}
	now := n.now().UTC()
	name := fmt.Sprintf("snapshot-%s-%03d", now.Format("20060102-150405"), now.Nanosecond()/1e6)
	return n.engine.Snapshot(ctx, filepath.Join(n.snapshotDir, name))
}
