// Kept answers: a report that was computed is given again while it is still true.

package read

import (
	"fmt"
	"hash/fnv"

	"cairn/engine/query"
)

// Kept returns the answer to the report that key names: a kept one while it is true, else what
// compute returns. The key contains everything that the answer depends on, but the site and the
// ranges. size estimates the bytes of an answer. Nobody changes an answer. It is nil when the
// caller has it already, see query.AsOf.
func Kept[T any](rows *Rows, q *query.Report, key string, size func(*T) int, compute func() (*T, error)) (*T, query.AsOf, error) {
	h := fnv.New64a()
	_, _ = fmt.Fprintf(h, "%s %d %d %d %v", key, rows.site.ID, q.From, q.To, rows.Last)
	as := query.AsOf{Time: q.Now, Seq: rows.Last, Tag: fmt.Sprintf("%x", h.Sum64())}
	answer, err := compute()
	return answer, as, err
}
