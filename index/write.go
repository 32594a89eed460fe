// Writing a run from parts that follow one another, column by column in one stream.
// Memory is bounded by a few pages for each part and a few bytes for each distinct
// cell. Sealing writes one part in memory; merging writes several runs.

package index

import (
	"fmt"
	"slices"
	"strings"
	"unsafe"
)

// Sink takes the keys of a run in ascending order, with their values. An sstable writer
// is one. Key and value are valid until Set returns.
type Sink interface {
	Set(key, value []byte) error
}

// source is a part from which a run is written.
type source interface {
	rows() int
	// ints calls yield with the values of an integer column, page by page.
	ints(col int, yield func(values []int64))
	// intsPage returns a page of an integer column, in buf or elsewhere. The values of blanks
	// need not be those of ints. It returns none when the page cannot be read.
	intsPage(col, page int, buf []int64) []int64
	fields() []string                  // sorted
	column(field string) *columnSource // nil when no row has the field
	totals() []totalsCursor            // together they are the totals of the source
	err() error
}

// totalsCursor walks totals ordered by (property, day, value).
type totalsCursor interface {
	next() (t Total, ok bool) // its value is valid until the next call
	end()                     // frees what the cursor holds
}

// runWriter writes one run.
type runWriter struct {
	w        Sink
	run      uint64
	format   *Format
	filter   string // field of the column with a filter
	pass     int    // listPass
	version  byte   // format version of the run
	counted  Counted
	bounds   bool   // the bounds of its pages of integers are written
	paired   string // the field of which pairs are counted; "" = none
	sources  []source
	firsts   []int  // first row of each source, then the number of all rows
	blanks   bitmap // those of the run, which are not counted; empty = there are none
	header   header
	counting *countsWriter
	pairing  *pairsWriter
	err      error
	key      []byte
	*scratch
}

// newRunWriter returns a writer of run id. The rows are those of the sources, in their
// order.
func newRunWriter(w Sink, id uint64, format *Format, filterField string, s *scratch, sources []source) *runWriter {
	b := &runWriter{w: w, run: id, format: format, filter: filterField, pass: listPass, version: RunVersion,
		counted: format.Counted, bounds: format.Counted.Unit > 0, sources: sources, firsts: []int{0}, scratch: s}
	if b.bounds {
		b.paired = format.Counted.Field
	}
	return b
}

func (b *runWriter) write(numInts int) error {
	for _, s := range b.sources {
		b.firsts = append(b.firsts, b.firsts[len(b.firsts)-1]+s.rows())
	}
	b.header = header{version: b.version, rows: b.firsts[len(b.sources)], ints: numInts}
	if b.version < 2 || b.counted.Ints >= numInts {
		b.counted, b.bounds, b.paired = Counted{}, false, ""
	}
	b.findBlanks()
	b.counting, b.pairing = newCountsWriter(b), newPairsWriter(b)
	for col := range numInts {
		b.ints(col)
	}
	var fields []string
	for _, s := range b.sources {
		fields = append(fields, s.fields()...)
	}
	slices.Sort(fields)
	var filter filterPages
	for _, field := range slices.Compact(fields) {
		c := b.column(field)
		if c == nil {
			continue
		}
		if field == b.filter {
			filter = newFilter(c.h.present)
			c.filter = filter
		}
		c.write()
		b.header.columns = append(b.header.columns, c.h)
	}
	b.counting.write()
	b.pairing.write()
	b.totals()
	b.header.filter = len(filter)
	for i, page := range filter {
		b.set(pageKey{run: b.run, col: colFilter, page: uint32(i)}, page)
	}
	if err := b.header.check(); err != nil && b.err == nil {
		b.err = err
	}
	b.set(pageKey{run: b.run, col: colHeader}, b.header.append(nil))
	b.check()
	if b.err != nil {
		return fmt.Errorf("write run %d: %w", b.run, b.err)
	}
	return nil
}

// findBlanks finds the blanks of all sources, if anything is counted.
func (b *runWriter) findBlanks() {
	if b.counted.Unit == 0 && b.paired == "" {
		return
	}
	for i, s := range b.sources {
		col := s.column(FieldGone)
		if col == nil || col.present == 0 {
			continue
		}
		if b.blanks.n == 0 {
			b.blanks.reset(b.header.rows)
		}
		col.codes(func(st *stretch) {
			for k, code := range st.codes {
				row := st.first + k
				if st.at != nil {
					row = int(st.at[k])
				}
				if row += b.firsts[i]; code != 0 && row < b.blanks.n {
					b.blanks.set(row)
				}
			}
		})
	}
}

// check replaces the error by that of a source, which is the cause of any other.
func (b *runWriter) check() {
	for _, s := range b.sources {
		if err := s.err(); err != nil {
			b.err = err
			return
		}
	}
}

func (b *runWriter) set(k pageKey, value []byte) {
	if b.err == nil {
		b.key = k.append(b.key[:0])
		b.err = b.w.Set(b.key, value)
	}
}

func (b *runWriter) ints(col int) {
	out := b.pages(uint16(col), secInts)
	add := out.addAll
	if col == b.counted.Ints && (b.bounds || b.counted.Unit > 0) {
		add = func(values []int64) {
			b.counting.add(values)
			out.addAll(values)
		}
	}
	for _, s := range b.sources {
		s.ints(col, add)
	}
	out.flush()
	if col == b.counted.Ints {
		b.counting.end()
	}
}

// pages returns a writer of the integer pages of one section.
func (b *runWriter) pages(col uint16, sec section) *intsWriter {
	return &intsWriter{scratch: b.scratch, emit: func(page uint32, data []byte) { b.set(pageKey{b.run, col, sec, page}, data) }}
}

// setPages writes pages that keepPages kept.
func (b *runWriter) setPages(col uint16, sec section, pages [][]byte) {
	for page, data := range pages {
		b.set(pageKey{b.run, col, sec, uint32(page)}, data)
	}
}

// intsWriter cuts integers into pages.
type intsWriter struct {
	*scratch
	emit   func(page uint32, data []byte) // data is valid until emit returns
	page   uint32
	n      int     // number of values so far
	values []int64 // nil before the first value; capacity PageRows
}

// keepPages returns an intsWriter that appends its pages to kept.
func keepPages(s *scratch, kept *[][]byte) *intsWriter {
	return &intsWriter{scratch: s, emit: func(_ uint32, data []byte) { *kept = append(*kept, slices.Clone(data)) }}
}

func (w *intsWriter) add(v int64) {
	if w.values == nil {
		w.values = w.take()
	}
	w.values[w.n] = v
	if w.n++; w.n == PageRows {
		w.cut()
	}
}

func (w *intsWriter) addAll(vs []int64) {
	for len(vs) > 0 {
		if w.values == nil {
			w.values = w.take()
		}
		n := copy(w.values[w.n:], vs)
		vs = vs[n:]
		if w.n += n; w.n == PageRows {
			w.cut()
		}
	}
}

// constant writes all pages: n times v.
func (w *intsWriter) constant(v int64, n int) {
	for ; n > 0; n -= PageRows {
		w.encoded = appendConstant(w.encoded[:0], v, min(n, PageRows))
		w.emit(w.page, w.encoded)
		w.page++
	}
}

func (w *intsWriter) zeros(n int) {
	for ; n > 0; n-- {
		w.add(0)
	}
}

// cut ends a page.
func (w *intsWriter) cut() {
	w.encoded = appendInts(w.encoded[:0], w.values[:w.n])
	w.emit(w.page, w.encoded)
	w.page, w.n = w.page+1, 0
}

// flush ends the last page.
func (w *intsWriter) flush() {
	if w.n > 0 {
		w.cut()
	}
	if w.values != nil {
		w.give(w.values)
		w.values = nil
	}
}

// totals writes the sums of the totals of all sources.
func (b *runWriter) totals() {
	var heads []struct {
		totalsCursor
		Total
	}
	pull := func(i int) {
		t, ok := heads[i].next()
		if !ok {
			heads = slices.Delete(heads, i, i+1)
			return
		}
		heads[i].Total = t
	}
	for _, s := range b.sources {
		for _, c := range s.totals() {
			defer c.end()
			heads = append(heads, struct {
				totalsCursor
				Total
			}{totalsCursor: c})
			pull(len(heads) - 1)
		}
	}
	page := totalsPage{}
	var value []byte
	number := uint32(0)
	flush := func() {
		if len(page.data) > 0 {
			b.set(pageKey{run: b.run, col: colTotals, page: number}, page.data)
			number++
		}
		page = totalsPage{data: page.data[:0], value: page.value[:0]}
	}
	for len(heads) > 0 && b.err == nil {
		least := 0
		for i := range heads {
			if CompareTotals(&heads[i].Total, &heads[least].Total) < 0 {
				least = i
			}
		}
		t := heads[least].Total
		value = append(value[:0], t.Value...) // which the next total of the same cursor overwrites
		t.Value = unsafe.String(unsafe.SliceData(value), len(value))
		pull(least)
		for i := len(heads) - 1; i >= 0; i-- {
			if CompareTotals(&heads[i].Total, &t) == 0 {
				t.Sum = AddSaturating(t.Sum, heads[i].Sum)
				pull(i)
			}
		}
		known := b.header.totals
		if len(known) == 0 || known[len(known)-1].property != t.Property {
			flush()
			b.header.totals = append(known, totalsHeader{property: strings.Clone(t.Property), first: int(number)})
		}
		if len(page.data) >= totalsPageBytes {
			flush()
		}
		if len(page.data) == 0 {
			last := &b.header.totals[len(b.header.totals)-1]
			last.days = append(last.days, t.Day)
		}
		page.add(&t)
	}
	flush()
}
