package native

import (
	"context"
	"errors"

	"cairn/engine/query"
	"cairn/http/adminlog"
	"cairn/http/dialect"
)

// This file asks for backups, which the process makes.

// Backups is the backup of the store. The answers are JSON. An error is query.ErrNotFound, wrapped, while
// no backup is configured.
type Backups interface {
	Backups() ([]byte, error)
	// BackUp returns when a snapshot is in the backup. take takes the backup over from another server.
	BackUp(ctx context.Context, take bool) ([]byte, error)
}

// backups is GET /api/v1/admin/backups.
func (n *API) backups(_ context.Context, c *reading) error {
	if n.options.Backups == nil {
		return query.ErrNotFound
	}
	text, err := n.options.Backups.Backups()
	c.out = append(c.out, text...)
	return err
}

// backUp is POST /api/v1/admin/backups. The admin may know what the bucket says, which may be why the
// backup fails.
func (n *API) backUp(ctx context.Context, c *reading) error {
	if n.options.Backups == nil {
		return query.ErrNotFound
	}
	text, err := n.options.Backups.BackUp(ctx, c.query.yes("take"))
	c.out = append(c.out, text...)
	if err == nil {
		n.options.Note(c.req, adminlog.Entry{Action: adminlog.Backup})
	}
	if err != nil && !errors.Is(err, query.ErrNotFound) {
		return &dialect.StatusError{Failure: dialect.Busy, Msg: err.Error()}
	}
	return err
}
