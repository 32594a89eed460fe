// Delete: rows go by mutations, which rewrite the parts that have them. A mutation runs when it likes, so
// it is awaited, and the rows are counted: what counts is that none is left.

package clickhouse

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"cairn/engine/sink"

	"github.com/cespare/xxhash/v2"
)

const (
	// conditionBytesMax bounds the text of one mutation. The server takes 262,144 bytes.
	conditionBytesMax = 200_000

	// conditionNumbersMax and conditionRangesMax bound what the server makes of it: 50,000 nodes at most.
	conditionNumbersMax, conditionRangesMax = 20_000, 500

	// spanMin is from how many seqs on a span is a range. A number in a list costs one look into a table
	// of hashes, however long the list is; each range costs a comparison for every row.
	spanMin = 64

	// mutationMax is how long one call waits for a mutation. The next call goes on waiting.
	mutationMax = 10 * time.Minute
)

// conditions returns conditions that select the rows of spans, each short enough for one mutation.
func conditions(spans []sink.Span) (list []string) {
	var numbers, ranges []string
	bytes := 0
	flush := func() {
		var parts []string
		if len(numbers) > 0 {
			parts = append(parts, "seq IN ("+strings.Join(numbers, ",")+")")
		}
		parts = append(parts, ranges...)
		if len(parts) > 0 {
			list = append(list, "("+strings.Join(parts, " OR ")+")")
		}
		numbers, ranges, bytes = nil, nil, 0
	}
	room := func(n int) {
		if bytes += n; bytes > conditionBytesMax || len(numbers) >= conditionNumbersMax || len(ranges) >= conditionRangesMax {
			flush()
			bytes = n
		}
	}
	for _, s := range spans {
		if s.Last-s.First >= spanMin {
			text := fmt.Sprintf("seq BETWEEN %d AND %d", s.First, s.Last)
			room(len(text) + len(" OR "))
			ranges = append(ranges, text)
			continue
		}
		for n := range s.Last - s.First + 1 {
			seq := s.First + n
			text := strconv.FormatUint(seq, 10)
			room(len(text) + 1)
			numbers = append(numbers, text)
		}
	}
	flush()
	return list
}

// Delete implements sink.Sink.
func (s *Sink) Delete(ctx context.Context, store uint64, site sink.Site, rows []sink.Span) error {
	var list []string
	for _, c := range conditions(rows) {
		list = append(list, where(store, site)+" AND "+c)
	}
	return s.delete(ctx, list)
}

// DeleteSite implements sink.Sink.
func (s *Sink) DeleteSite(ctx context.Context, store uint64, site sink.Site) error {
	return s.delete(ctx, []string{where(store, site)})
}

// delete deletes what each condition selects, and again what an INSERT has brought that was lost.
func (s *Sink) delete(ctx context.Context, list []string) error {
	for _, condition := range list {
		if err := s.mutate(ctx, condition); err != nil {
			return err
		}
	}
	wait := s.lost.Sub(s.now())
	if wait <= 0 {
		return nil
	}
	if err := sleep(ctx, wait); err != nil {
		return err
	}
	for _, condition := range list {
		if err := s.mutate(ctx, condition); err != nil {
			return err
		}
	}
	return nil
}

// mutate deletes what a condition selects, and returns when nothing of it is left.
func (s *Sink) mutate(ctx context.Context, condition string) error {
	left, err := s.count(ctx, condition)
	if err != nil || left == 0 && !s.table.several() {
		return err
	}
	// The mark finds the mutation again: after an answer that was lost, or a start of cairn, it is under
	// way already.
	mark := "cairn-" + strconv.FormatUint(xxhash.Sum64String(condition), 16)
	begun, end := false, s.now().Add(mutationMax)
	for pause := 20 * time.Millisecond; ; pause = min(2*pause, 5*time.Second) {
		under, seen, err := s.underWay(ctx, mark)
		if err != nil {
			return err
		}
		if !under && (seen || !begun) { // a row that arrived behind one mutation needs another
			if err := s.alter(ctx, condition+" AND "+literal(mark)+" != ''"); err != nil {
				return err
			}
			begun = true
		}
		if err := sleep(ctx, pause); err != nil {
			return err
		}
		if left, err = s.count(ctx, condition); err != nil || left == 0 {
			return err
		}
		if s.now().After(end) {
			return &sink.Fault{Passes: true, Code: "mutation", Err: fmt.Errorf("the server has not carried out a mutation within %s; %d rows are left", mutationMax, left)}
		}
		if err := s.failed(ctx, mark); err != nil {
			return err
		}
	}
}

// alter begins a mutation.
func (s *Sink) alter(ctx context.Context, condition string) error {
	target, settings := s.qualified(), []string(nil)
	if s.table.cluster != "" {
		target = name(s.table.localDatabase) + "." + name(s.table.localTable) + " ON CLUSTER " + name(s.table.cluster)
	}
	if s.table.several() && s.server.settings["mutations_sync"] {
		settings = []string{"mutations_sync", "2"} // until every replica has carried it out
	}
	_, err := s.client.ask(ctx, mutationMax, "ALTER TABLE "+target+" DELETE WHERE "+condition, settings...)
	return err
}

// count counts rows.
func (s *Sink) count(ctx context.Context, condition string) (uint64, error) {
	return s.number(ctx, "SELECT count() FROM "+s.qualified()+" WHERE "+condition)
}

// mutationsOf is a question about the mutations with a mark. ok is false where they cannot be seen from
// here.
func (s *Sink) mutationsOf(what, mark string) (question string, ok bool) {
	if s.table.cluster != "" {
		return "", false
	}
	return "SELECT " + what + " FROM system.mutations WHERE database = " + literal(s.o.Database) + " AND table = " + literal(s.o.Table) +
		" AND is_done = 0 AND position(command, " + literal(mark) + ") > 0", true
}

// underWay reports whether the mutation with a mark is under way. seen is false where that cannot be seen.
func (s *Sink) underWay(ctx context.Context, mark string) (under, seen bool, err error) {
	question, ok := s.mutationsOf("count()", mark)
	if !ok {
		return false, false, nil
	}
	n, err := s.number(ctx, question)
	if codeOf(err) == codeAccessDenied {
		return false, false, nil // the rows are counted all the same
	}
	return n > 0, err == nil, err
}

// failed returns why the mutation with a mark does not come on.
func (s *Sink) failed(ctx context.Context, mark string) error {
	question, ok := s.mutationsOf("any(latest_fail_reason)", mark)
	if !ok || !s.server.version.hasFailReason() {
		return nil
	}
	answer, err := s.ask(ctx, question+" FORMAT TabSeparatedRaw")
	reason := strings.TrimSpace(string(answer))
	if err == nil && reason != "" {
		return &sink.Fault{Passes: true, Code: "mutation", Err: errors.New(shorten([]byte(reason)))}
	}
	if codeOf(err) == codeAccessDenied {
		return nil
	}
	return err
}
