// Count: what "cairn sink check" and the nightly check ask.

package clickhouse

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"cairn/engine/sink"
)

var _ sink.Counter = (*Sink)(nil)

// Count implements sink.Counter: it counts with FINAL.
func (s *Sink) Count(ctx context.Context, site sink.Site, c sink.Count) (f sink.Found, err error) {
	answer, err := s.ask(ctx, "SELECT toString(count()) AS r, toString(uniqExact(seq)) AS s FROM "+s.qualified()+" FINAL WHERE "+among(site, c)+" FORMAT JSONEachRow")
	if err != nil {
		return f, err
	}
	var row struct {
		R, S uint64 `json:",string"`
	}
	if err := json.Unmarshal([]byte(strings.TrimSpace(string(answer))), &row); err != nil {
		return f, unreadable(err)
	}
	return sink.Found{Rows: row.R, Seqs: row.S}, nil
}

// CountPlain counts without FINAL: a row that came twice counts twice until the server has merged it.
func (s *Sink) CountPlain(ctx context.Context, site sink.Site, c sink.Count) (uint64, error) {
	return s.count(ctx, among(site, c))
}

func among(site sink.Site, c sink.Count) string {
	return fmt.Sprintf("%s AND seq BETWEEN %d AND %d", where(c.Store, site), c.First, c.Last)
}
