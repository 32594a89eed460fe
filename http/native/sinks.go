package native

import (
	"context"

	"cairn/engine/query"
)

// This file tells how far sinks are, to which the store carries its events.

// Sinks is what carries events elsewhere. The answer is JSON, see Sinks of the contract. The error is
// query.ErrNotFound while no sink is configured. counts asks how many events each sink must have.
type Sinks interface {
	Sinks(ctx context.Context, counts bool) ([]byte, error)
}

// sinks is GET /api/v1/admin/sinks.
func (n *API) sinks(ctx context.Context, c *reading) error {
	if n.options.Sinks == nil {
		return query.ErrNotFound
	}
	text, err := n.options.Sinks.Sinks(ctx, c.query.yes("counts"))
	c.out = append(c.out, text...)
	return err
}
