// Bounds: between which event times a site's rows lie.

package read

import (
	"context"
	"math"

	"cairn/engine/event"
	"cairn/engine/query"
	"cairn/engine/table"
)

// Bounds returns the least and the greatest event time of a site, in Unix milliseconds; first >
// last when it has no rows. It reads the descriptors of the runs, and the times of the rows in
// memory.
func (rd *Reader) Bounds(ctx context.Context, site *query.Site) (first, last int64, err error) {
	v := rd.view(ctx, site)
	defer v.Close()
	first, last = math.MaxInt64, math.MinInt64
	for i := range v.Parts {
		p := &v.Parts[i]
		if err := v.budget.check(); err != nil {
			return 0, 0, err
		}
		if r := p.Run; r != nil {
			first, last = min(first, r.TimeMin), max(last, r.TimeMax)
			continue
		}
		lo, hi := table.Bounds(p.Get(), event.IntTime)
		first, last = min(first, lo), max(last, hi)
	}
	return first, last, nil
}
