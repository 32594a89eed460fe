// Comparing: does a sink have the rows that the store has, each once? "cairn sink check" asks that of all
// rows, the nightly check of those that came since the last one.

package sink

import (
	"context"
	"fmt"
)

// Counter is a Sink that can say how many rows it has.
type Counter interface {
	// Count counts the rows of the store and the seqs that c names. It asks for no longer than other
	// calls of the sink do.
	Count(ctx context.Context, site Site, c Count) (Found, error)
}

// Found is how many rows a sink has of some seqs.
type Found struct {
	Rows uint64 // in its answers
	Seqs uint64 // different seqs; fewer than Rows = some rows are there twice
}

// countSpan is how many seqs a Count has at most.
const countSpan = 1_000_000

// stretchAfter returns the first stretch of a site behind a seq and up to another, without its numbers of
// rows. ok is false where there is none.
func stretchAfter(spans []StoreSpan, after, upTo uint64) (c Count, ok bool) {
	for _, span := range spans {
		first, last := max(span.First, after+1), min(span.Last, upTo)
		if first <= last {
			return Count{Store: span.Store, First: first, Last: min(last, (first-1)/countSpan*countSpan+countSpan)}, true
		}
	}
	return c, false
}

// Difference is how many rows a sink has too few and too many.
type Difference struct {
	Missing uint64 `json:"missing"` // that the store has and the sink lacks
	Twice   uint64 `json:"twice"`   // that answers of the sink have once more than they should
	Strange uint64 `json:"strange"` // that the store never had
}

// None reports whether there is no difference.
func (d Difference) None() bool { return d == Difference{} }

// String says what is wrong; "" = nothing.
func (d Difference) String() (text string) {
	say := func(n uint64, what string) {
		if n == 0 {
			return
		}
		if text != "" {
			text += ", "
		}
		if n == 1 {
			text += "1 row is " + what
		} else {
			text += fmt.Sprintf("%d rows are %s", n, what)
		}
	}
	say(d.Missing, "missing")
	say(d.Twice, "there twice")
	say(d.Strange, "there that this store lacks")
	return text
}

// Comparison compares stretches of a site with a sink, one after the other.
type Comparison struct {
	Sink    Counter
	Site    Site
	Skipped uint64 // rows that the sink refused and that were passed over: as many may be missing in all
}

// Compare compares a stretch. Where it differs, rows may have been deleted between the two counts. So again
// then counts the rows of the store anew, and the sink is asked anew.
func (k *Comparison) Compare(ctx context.Context, c Count, again func(Count) (Count, error)) (f Found, d Difference, err error) {
	for attempt := range 2 {
		if attempt > 0 {
			if c, err = again(c); err != nil {
				return f, d, err
			}
		}
		if f, err = k.Sink.Count(ctx, k.Site, c); err != nil {
			return f, d, err
		}
		if d = k.differs(c, f); d.None() {
			break
		}
	}
	if f.Seqs < c.Rows { // what was allowed for here is not allowed for elsewhere
		k.Skipped -= c.Rows - f.Seqs - d.Missing
	}
	return f, d, nil
}

// differs returns what is wrong with a stretch.
func (k *Comparison) differs(c Count, f Found) (d Difference) {
	d.Twice = f.Rows - min(f.Rows, f.Seqs)
	if f.Seqs < c.Rows {
		d.Missing = c.Rows - f.Seqs
		d.Missing -= min(d.Missing, k.Skipped)
	}
	if most := c.Rows + c.Gone; f.Seqs > most {
		d.Strange = f.Seqs - most
	}
	return d
}
