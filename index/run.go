// Reading a sealed run: pages by number, through the cache.

package index

import (
	"errors"
	"fmt"
	"math/bits"
	"slices"
	"sort"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2"
)

// Run is a sealed part. It is safe for concurrent use. Each query reads it through a
// View.
//
// A Run counts its holders. Its keys may leave the store when the last holder releases it.
// Whoever reads a run of a store that merges runs must hold it meanwhile.
type Run struct {
	Descriptor
	db     pebble.Reader
	cache  *Cache
	told   *Cache // tells of damage when cache tells nobody; nil = nobody does
	format *Format

	holders atomic.Int64
	freed   func(run uint64) // nil = nobody wants to know

	once   sync.Once
	header *header
	err    error
}

// NewRun returns the run of a descriptor. It reads nothing yet. Nobody holds the run.
func NewRun(d Descriptor, db pebble.Reader, cache *Cache, format *Format) *Run {
	return &Run{Descriptor: d, db: db, cache: cache, format: format}
}

// Hold adds a holder. The caller knows that the run exists or that somebody holds it.
func (r *Run) Hold() { r.holders.Add(1) }

// Release removes a holder. The last one calls what OnFreed has set.
func (r *Run) Release() {
	switch n := r.holders.Add(-1); {
	case n < 0:
		panic(fmt.Sprintf("run %d is released more often than it is held", r.Run))
	case n == 0 && r.freed != nil:
		r.freed(r.Run)
	}
}

// OnFreed sets what the last Release calls with the id of the run. The caller holds the
// run. It is set once, after the run has ceased to exist.
func (r *Run) OnFreed(freed func(run uint64)) { r.freed = freed }

// In returns the same run, read through another cache. It shares the header and keeps
// nothing else of r. It has no holders of its own, so the caller holds r while it reads
// the copy. Where the other cache tells nobody of damage, the cache of r does.
func (r *Run) In(cache *Cache) *Run {
	in := NewRun(r.Descriptor, r.db, cache, r.format)
	in.told = r.cache
	in.once.Do(func() { in.header, in.err = r.loadHeader() })
	return in
}

// CorruptError says which run is missing something or damaged, and where.
type CorruptError struct {
	Site uint32
	Run  uint64
	What string
	Err  error // nil, or the cause
}

// Unwrap returns the cause.
func (e *CorruptError) Unwrap() error { return e.Err }

func (e *CorruptError) Error() string {
	file, what := e.Damaged()
	return file + ": " + what
}

// Damaged names the damaged file in the operator's words and says what is wrong with
// it.
func (e *CorruptError) Damaged() (file, what string) {
	return fmt.Sprintf("run %d of site %d", e.Run, e.Site), e.What
}

func (r *Run) corrupt(what string) error { return r.corruptBy(nil, what) }

func (r *Run) corruptBy(cause error, what string) error {
	err := &CorruptError{r.Site, r.Run, what, cause}
	told := r.cache
	if r.told != nil && told.Corrupt == nil {
		told = r.told
	}
	if told != nil && told.Corrupt != nil {
		told.Corrupt(err)
	}
	return err
}

// load returns a page in the form that open makes of the stored bytes, in memory of its
// own. Only pages that open accepted enter the cache, so a cached page needs no further
// check.
func (r *Run) load(k pageKey, open func(dst, b []byte) ([]byte, bool)) (page []byte, err error) {
	if b := r.cache.get(k); b != nil {
		return b, nil
	}
	if page, err = r.loadInto(nil, k, open); err == nil {
		r.cache.put(k, page)
	}
	return page, err
}

// loadInts is load for a page of integers. It lies in buf where the cache does not take it; then it
// is valid until buf is used again, and a second reader reads it again.
func (r *Run) loadInts(buf *[]byte, k pageKey) (page []byte, err error) {
	if b := r.cache.get(k); b != nil {
		return b, nil
	}
	if !r.cache.late(k) {
		if page, err = r.loadInto(nil, k, openInts); err == nil {
			r.cache.put(k, page)
		}
		return page, err
	}
	if page, err = r.loadInto(*buf, k, openInts); err == nil {
		*buf = page
	}
	return page, err
}

// loadInto is load without the cache. It uses dst when its capacity is enough.
func (r *Run) loadInto(dst []byte, k pageKey, open func(dst, b []byte) ([]byte, bool)) (page []byte, err error) {
	ok := false
	if err = r.read(k, func(b []byte) { page, ok = open(dst, b) }); err != nil {
		return nil, err
	}
	if !ok {
		return nil, r.corrupt(fmt.Sprintf("column %d section %d page %d is damaged", k.col, k.sec, k.page))
	}
	return page, nil
}

// read calls see with a page as it is stored. The page is valid until see returns.
func (r *Run) read(k pageKey, see func([]byte)) error {
	v, closer, err := r.db.Get(k.append(make([]byte, 0, 16)))
	if errors.Is(err, pebble.ErrNotFound) {
		return r.corruptBy(ErrMissing, fmt.Sprintf("column %d section %d page %d is missing", k.col, k.sec, k.page))
	}
	if err != nil {
		return fmt.Errorf("read run %d: %w", r.Run, err)
	}
	r.cache.loaded(k, len(v))
	see(v)
	if err := closer.Close(); err != nil {
		return fmt.Errorf("read run %d: %w", r.Run, err)
	}
	return nil
}

// openAny is for pages whose reader copes with any bytes.
func openAny(dst, b []byte) ([]byte, bool) { return append(dst[:0], b...), true }

func openInts(dst, b []byte) ([]byte, bool) {
	_, ok := parseInts(b)
	return append(dst[:0], b...), ok
}

func (r *Run) loadHeader() (*header, error) {
	r.once.Do(func() {
		b, err := r.loadInto(nil, pageKey{run: r.Run, col: colHeader}, openAny) // Run keeps the parsed form
		if err == nil {
			if r.header, err = parseHeader(b); err != nil {
				err = r.corruptBy(err, "its header is damaged")
			}
		}
		if err == nil && uint64(r.header.rows) != r.Rows {
			err = r.corrupt("header and descriptor differ")
		}
		r.err = err
	})
	return r.header, r.err
}

// Part opens the run for one query in one goroutine.
func (r *Run) Part() Part {
	v := &runPart{run: r}
	h, err := r.loadHeader()
	if err != nil {
		v.err = err
		h = &header{rows: int(r.Rows)}
	}
	v.header = h
	return v
}

// MayContain reports whether the filtered column may hold a term with that hash. It reads
// one page of the filter. The answer false is certain.
func (r *Run) MayContain(hash uint64) (may bool, err error) {
	h, err := r.loadHeader()
	if err != nil || h.filter == 0 {
		return false, err
	}
	// Lookups in filters are random, so no page of one is worth caching.
	k := pageKey{run: r.Run, col: colFilter, page: uint32(filterPage(hash, h.filter))}
	err = r.read(k, func(b []byte) { may = pageMayContain(b, hash) })
	return may, err
}

// Properties returns the properties that have totals in the run, sorted.
func (r *Run) Properties() ([]string, error) {
	h, err := r.loadHeader()
	if err != nil {
		return nil, err
	}
	names := make([]string, len(h.totals))
	for i := range h.totals {
		names[i] = h.totals[i].property
	}
	return names, nil
}

// PropertiesOn calls fn with the properties that have totals on a day, sorted, until fn
// returns false. If the run has several days, it may have to read a page for a
// property. Each read takes one from pages; when none is left, PropertiesOn skips the property.
func (r *Run) PropertiesOn(day int32, pages *int, fn func(property string) bool) error {
	h, err := r.loadHeader()
	if err != nil {
		return err
	}
	for i := range h.totals {
		t := &h.totals[i]
		page, there := slices.BinarySearch(t.days, day) // binary search by first day
		if there = there || r.DayMin == r.DayMax; !there && page > 0 && *pages > 0 {
			*pages--
			if err := r.totalsPage(t, page-1, day, day, cloned, func(Total) { there = true }); err != nil {
				return err
			}
		}
		if there && !fn(t.property) {
			return nil
		}
	}
	return nil
}

// HasTotals reports whether a property has totals on the days from…to, both inclusive. It
// reads at most one page.
func (r *Run) HasTotals(property string, from, to int32) (bool, error) {
	h, err := r.loadHeader()
	if err != nil {
		return false, err
	}
	i, ok := slices.BinarySearchFunc(h.totals, property, func(t totalsHeader, p string) int { return strings.Compare(t.property, p) })
	if !ok {
		return false, nil
	}
	t := &h.totals[i]
	page, _ := slices.BinarySearch(t.days, from) // the first page that begins on from or later
	if page < len(t.days) && t.days[page] <= to {
		return true, nil
	}
	if page == 0 {
		return false, nil
	}
	there := false
	err = r.totalsPage(t, page-1, from, to, cloned, func(Total) { there = true })
	return there, err
}

// Totals calls fn with the totals of a property on the days from…to, both inclusive,
// ordered by day and value.
func (r *Run) Totals(property string, from, to int32, fn func(Total)) error {
	_, err := r.CountedTotals(property, from, to, fn)
	return err
}

// CountedTotals is Totals. It also returns how many pages it read.
func (r *Run) CountedTotals(property string, from, to int32, fn func(Total)) (pages int, err error) {
	h, err := r.loadHeader()
	if err != nil {
		return 0, err
	}
	i, ok := slices.BinarySearchFunc(h.totals, property, func(t totalsHeader, p string) int { return strings.Compare(t.property, p) })
	if !ok {
		return 0, nil
	}
	t := &h.totals[i]
	for page, first := range t.days {
		if first > to {
			break
		}
		if page+1 < len(t.days) && t.days[page+1] < from {
			continue
		}
		pages++
		if err := r.totalsPage(t, page, from, to, cloned, fn); err != nil {
			return pages, err
		}
	}
	return pages, nil
}

// cloned is the text of its own for the value of a total.
func cloned(value []byte) string { return string(value) }

// totalsPage calls fn with the totals on one page of a property that are on the days
// from…to. text makes their values from bytes that are valid during the call.
func (r *Run) totalsPage(h *totalsHeader, page int, from, to int32, text func([]byte) string, fn func(Total)) error {
	b, err := r.load(pageKey{run: r.Run, col: colTotals, page: uint32(h.first + page)}, openAny)
	if err != nil {
		return err
	}
	if err := readTotalsPage(h.property, b, from, to, text, fn); err != nil {
		return r.corrupt(fmt.Sprintf("totals of %s are damaged", h.property))
	}
	return nil
}

type runPart struct {
	run    *Run
	header *header
	err    error
}

func (p *runPart) First() uint64 { return p.run.First }
func (p *runPart) Len() int      { return p.header.rows }
func (p *runPart) Err() error    { return p.err }

// Unreadable is the damage of a part whose row at seq cannot be read, because of err. It names
// the run, or the rows in memory.
func Unreadable(p Part, seq uint64, err error) error {
	what := fmt.Sprintf("event %d: %v", seq, err)
	if run, ok := p.(*runPart); ok {
		return run.run.corruptBy(err, what)
	}
	return &unreadable{seq, err}
}

// unreadable is damage of a row that is only in memory.
type unreadable struct {
	seq uint64
	err error
}

func (e *unreadable) Error() string {
	file, what := e.Damaged()
	return file + ": " + what
}

// Damaged names the place in the operator's words and says what is wrong with it.
func (e *unreadable) Damaged() (file, what string) {
	return "rows in memory", fmt.Sprintf("event %d: %v", e.seq, e.err)
}

// Unwrap returns the cause.
func (e *unreadable) Unwrap() error { return e.err }

func (p *runPart) fail(err error) {
	if p.err == nil {
		p.err = err
	}
}

func (p *runPart) Fields() []string {
	fields := make([]string, len(p.header.columns))
	for i := range p.header.columns {
		fields[i] = p.header.columns[i].name
	}
	return fields
}

func (p *runPart) Ints(col int) Ints {
	return &pagedInts{part: p, col: uint16(col), sec: secInts, n: p.header.rows}
}

func (p *runPart) Column(field string) Column {
	i, ok := slices.BinarySearchFunc(p.header.columns, field, func(c columnHeader, f string) int {
		return strings.Compare(c.name, f)
	})
	if !ok {
		return nil
	}
	return newRunColumn(p, &p.header.columns[i], uint16(p.header.ints+i))
}

// pagedInts reads integer pages. It keeps the page that it read last.
type pagedInts struct {
	part *runPart
	col  uint16
	sec  section
	n    int
	at   int // number of cur plus 1; 0 = none
	cur  intPage
	buf  []byte // memory of cur when the cache does not keep it
}

func (p *pagedInts) page(i int) *intPage {
	if p.at == i+1 {
		return &p.cur
	}
	p.at = i + 1
	p.cur = intPage{}
	if p.part.err != nil { // the answer is lost already
		return &p.cur
	}
	b, err := p.part.run.loadInts(&p.buf, pageKey{p.part.run.Run, p.col, p.sec, uint32(i)})
	if err != nil {
		p.part.fail(err)
		return &p.cur
	}
	page := trustedInts(b)
	if page.n != min(PageRows, p.n-i*PageRows) {
		p.part.fail(p.part.run.corrupt(fmt.Sprintf("column %d section %d page %d has %d values", p.col, p.sec, i, page.n)))
		return &p.cur
	}
	p.cur = page
	return &p.cur
}

func (p *pagedInts) At(i int) int64 {
	page := p.page(i / PageRows)
	if uint(i%PageRows) >= uint(page.n) { // i may be anything when the column is damaged
		return 0
	}
	return page.at(i % PageRows)
}

func (p *pagedInts) Constant(i int) (int64, bool) {
	page := p.page(i)
	return page.base, page.kind == 0 && page.n > 0
}

func (p *pagedInts) Page(i int, buf []int64) []int64 {
	buf = buf[:min(PageRows, p.n-i*PageRows)]
	page := p.page(i)
	if page.n < len(buf) {
		clear(buf)
		return buf
	}
	page.decode(buf)
	return buf
}

// pickMost is up to how many rows of a page are read faster one by one, as they are packed, than
// with all of the page.
const pickMost = PageRows / 2

// Pick returns the values of rows, which ascend and are rows of one page, if reading these alone is
// faster than Ints.Page, else nil. The result lies in to when its capacity is enough.
func Pick(col Ints, rows []int32, to []int64) []int64 {
	p, ok := col.(*pagedInts)
	if !ok || len(rows) == 0 || len(rows) > pickMost {
		return nil
	}
	to = slices.Grow(to[:0], len(rows))[:len(rows)]
	p.page(int(rows[0])/PageRows).pick(rows, to)
	return to
}

// inBlock calls set with the position of each v in a block of blockRows values.
func (p *pagedInts) inBlock(block int, v int64, set func(i int)) {
	const perPage = PageRows / blockRows
	page := p.page(block / perPage)
	first := block % perPage * blockRows
	if first >= page.n {
		return
	}
	var words [blockRows / 64]uint64
	page.equalIn(first, min(first+blockRows, page.n), v, words[:])
	for i, w := range words {
		for ; w != 0; w &= w - 1 {
			set(block*blockRows + i*64 + bits.TrailingZeros64(w))
		}
	}
}

// search finds the first of the values, which ascend, that is at least v.
func (p *pagedInts) search(v int) int {
	return sort.Search(p.n, func(i int) bool { return p.At(i) >= int64(v) })
}

// sparseInts is the codes of a sparse column, read by row.
type sparseInts struct {
	rowset, codes *pagedInts
	rows          int
}

func (s *sparseInts) At(row int) int64 {
	i := s.rowset.search(row)
	if i == s.rowset.n || s.rowset.At(i) != int64(row) {
		return 0
	}
	return s.codes.At(i)
}

func (s *sparseInts) Constant(page int) (int64, bool) {
	i := s.rowset.search(page * PageRows)
	return 0, i == s.rowset.n || s.rowset.At(i) >= int64(page+1)*PageRows
}

func (s *sparseInts) Page(page int, buf []int64) []int64 {
	lo := page * PageRows
	buf = buf[:min(PageRows, s.rows-lo)]
	clear(buf)
	i := s.rowset.search(lo)
	for ; i < s.rowset.n; i++ {
		row := int(s.rowset.At(i)) - lo
		if row < 0 || row >= len(buf) {
			break
		}
		buf[row] = s.codes.At(i)
	}
	return buf
}
