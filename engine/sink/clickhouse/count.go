// Count: what "cairn sink check" asks.

package clickhouse

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"cairn/engine/sink"
)

// Found is how many rows a store and site have of some seqs.
type Found struct {
	Rows  uint64 // in answers with FINAL
	Seqs  uint64 // different seqs; fewer than Rows = some rows are there twice
	Plain uint64 // in answers without FINAL: those that came twice count twice until they are merged
}

// Count counts the rows of the seqs that a Count names.
func (s *Sink) Count(ctx context.Context, site sink.Site, c sink.Count) (f Found, err error) {
	condition := fmt.Sprintf("%s AND seq BETWEEN %d AND %d", where(c.Store, site), c.First, c.Last)
	answer, err := s.ask(ctx, "SELECT toString(count()) AS r, toString(uniqExact(seq)) AS s FROM "+s.qualified()+" FINAL WHERE "+condition+" FORMAT JSONEachRow")
	if err != nil {
		return f, err
	}
	var row struct {
		R, S uint64 `json:",string"`
	}
	if err := json.Unmarshal([]byte(strings.TrimSpace(string(answer))), &row); err != nil {
		return f, unreadable(err)
	}
	f.Rows, f.Seqs = row.R, row.S
	f.Plain, err = s.count(ctx, condition)
	return f, err
}

// Beyond counts the rows of a store and site behind a seq.
func (s *Sink) Beyond(ctx context.Context, store uint64, site sink.Site, seq uint64) (uint64, error) {
	return s.count(ctx, fmt.Sprintf("%s AND seq > %d", where(store, site), seq))
}
