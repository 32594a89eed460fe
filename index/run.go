// Reading a sealed run: pages by number, through the cache.

package index

import (
	"errors"
	"fmt"
	"slices"
	"sort"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/cespare/xxhash/v2"
	"github.com/cockroachdb/pebble/v2"
)

// Run is a sealed part. It is safe for concurrent use; queries ask its Views.
type Run struct {
	Descriptor
	db     pebble.Reader
	cache  *Cache
	format *Format

	once   sync.Once
	header *header
	err    error
	filter atomic.Pointer[[][]byte] // its pages, where they are held
}

// NewRun makes a Run of a descriptor. Nothing is read until it is asked.
func NewRun(d Descriptor, db pebble.Reader, cache *Cache, format *Format) *Run {
	return &Run{Descriptor: d, db: db, cache: cache, format: format}
}

// CorruptError says which page of a run is missing or damaged.
type CorruptError struct {
	Site uint32
	Run  uint64
	What string
}

func (e *CorruptError) Error() string {
	return fmt.Sprintf("run %d of site %d: %s", e.Run, e.Site, e.What)
}

func (r *Run) corrupt(what string) error {
	err := &CorruptError{r.Site, r.Run, what}
	if r.cache != nil && r.cache.Corrupt != nil {
		r.cache.Corrupt(err)
	}
	return err
}

// load returns a page as open makes it of what is stored. Only pages that open has
// accepted come into the cache, so what lies there need not be looked through
// again.
func (r *Run) load(k pageKey, open func([]byte) ([]byte, bool)) (page []byte, err error) {
	if b := r.cache.get(k); b != nil {
		return b, nil
	}
	ok := false
	if err = r.read(k, func(b []byte) { page, ok = open(slices.Clone(b)) }); err != nil {
		return nil, err
	}
	if !ok {
		return nil, r.corrupt(fmt.Sprintf("column %d section %d page %d is damaged", k.col, k.sec, k.page))
	}
	r.cache.put(k, page)
	return page, nil
}

// read calls see with a page as it is stored, which is good until see returns.
func (r *Run) read(k pageKey, see func([]byte)) error {
	v, closer, err := r.db.Get(k.append(make([]byte, 0, 16)))
	if errors.Is(err, pebble.ErrNotFound) {
		return r.corrupt(fmt.Sprintf("column %d section %d page %d is missing", k.col, k.sec, k.page))
	}
	if err != nil {
		return fmt.Errorf("read run %d: %w", r.Run, err)
	}
	see(v)
	if err := closer.Close(); err != nil {
		return fmt.Errorf("read run %d: %w", r.Run, err)
	}
	return nil
}

// loadAny is for pages whose reader copes with anything.
func loadAny(b []byte) ([]byte, bool) { return b, true }

func loadInts(b []byte) ([]byte, bool) {
	_, ok := parseInts(b)
	return b, ok
}

func (r *Run) loadHeader() (*header, error) {
	r.once.Do(func() {
		b, err := r.load(pageKey{run: r.Run, col: colHeader}, loadAny)
		if err == nil {
			r.header, err = parseHeader(b)
		}
		if err == nil && uint64(r.header.rows) != r.Rows {
			err = r.corrupt("header and descriptor differ")
		}
		r.err = err
	})
	return r.header, r.err
}

// View opens the run for one query in one goroutine.
func (r *Run) View() Part {
	v := &runView{run: r}
	h, err := r.loadHeader()
	if err != nil {
		v.err = err
		h = &header{rows: int(r.Rows)}
	}
	v.header = h
	return v
}

// MayHold says whether the filtered column may hold the term: false is certain.
func (r *Run) MayHold(term string) (bool, error) {
	h, err := r.loadHeader()
	if err != nil || h.filter == 0 {
		return false, err
	}
	hash := xxhash.Sum64String(term)
	page := filterPage(hash, h.filter)
	if held := r.filter.Load(); held != nil {
		return filterHas((*held)[page], hash), nil
	}
	// Pages of filters are asked for at random: none is worth keeping.
	may := false
	err = r.read(pageKey{run: r.Run, col: colFilter, page: uint32(page)}, func(b []byte) { may = filterHas(b, hash) })
	return may, err
}

// HoldFilter reads the whole filter, so that MayHold need not look for its pages
// any more. It returns how many bytes it holds.
func (r *Run) HoldFilter() (bytes int, err error) {
	h, err := r.loadHeader()
	if err != nil || h.filter == 0 {
		return 0, err
	}
	pages := make([][]byte, h.filter)
	for i := range pages {
		if pages[i], err = r.load(pageKey{run: r.Run, col: colFilter, page: uint32(i)}, loadAny); err != nil {
			return 0, err
		}
		bytes += len(pages[i])
	}
	r.filter.Store(&pages)
	return bytes, nil
}

// HoldsFilter says whether HoldFilter was called.
func (r *Run) HoldsFilter() bool { return r.filter.Load() != nil }

// Properties lists the properties the run has totals of, sorted.
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

// Totals calls fn with the run's totals of a property on the days from…to, both
// inclusive, by day and value.
func (r *Run) Totals(property string, from, to int32, fn func(Total)) error {
	h, err := r.loadHeader()
	if err != nil {
		return err
	}
	i, ok := slices.BinarySearchFunc(h.totals, property, func(t totalsHeader, p string) int { return strings.Compare(t.property, p) })
	if !ok {
		return nil
	}
	t := &h.totals[i]
	for page, first := range t.days {
		if first > to {
			break
		}
		if page+1 < len(t.days) && t.days[page+1] < from {
			continue
		}
		err := r.totalsPage(t, page, func(t Total) {
			if from <= t.Day && t.Day <= to {
				fn(t)
			}
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// totalsPage calls fn with the totals on one page of a property.
func (r *Run) totalsPage(h *totalsHeader, page int, fn func(Total)) error {
	b, err := r.load(pageKey{run: r.Run, col: colTotals, page: uint32(h.first + page)}, loadAny)
	if err != nil {
		return err
	}
	if err := readTotalsPage(h.property, b, fn); err != nil {
		return r.corrupt(fmt.Sprintf("totals of %s are damaged", h.property))
	}
	return nil
}

type runView struct {
	run    *Run
	header *header
	err    error
}

func (v *runView) First() uint64 { return v.run.First }
func (v *runView) Len() int      { return v.header.rows }
func (v *runView) Err() error    { return v.err }

func (v *runView) fail(err error) {
	if v.err == nil {
		v.err = err
	}
}

func (v *runView) Fields() []string {
	fields := make([]string, len(v.header.columns))
	for i := range v.header.columns {
		fields[i] = v.header.columns[i].name
	}
	return fields
}

func (v *runView) Ints(col int) Ints {
	return &pagedInts{view: v, col: uint16(col), sec: secInts, n: v.header.rows}
}

func (v *runView) Column(field string) Column {
	i, ok := slices.BinarySearchFunc(v.header.columns, field, func(c columnHeader, f string) int {
		return strings.Compare(c.name, f)
	})
	if !ok {
		return nil
	}
	return newRunColumn(v, &v.header.columns[i], uint16(v.header.ints+i))
}

// pagedInts reads integer pages, keeping the one it read last.
type pagedInts struct {
	view *runView
	col  uint16
	sec  section
	n    int
	at   int // number of cur, plus 1; 0 = none
	cur  intPage
}

func (p *pagedInts) page(i int) *intPage {
	if p.at == i+1 {
		return &p.cur
	}
	p.at = i + 1
	p.cur = intPage{}
	b, err := p.view.run.load(pageKey{p.view.run.Run, p.col, p.sec, uint32(i)}, loadInts)
	if err != nil {
		p.view.fail(err)
		return &p.cur
	}
	page := viewInts(b)
	if page.n != min(PageRows, p.n-i*PageRows) {
		p.view.fail(p.view.run.corrupt(fmt.Sprintf("column %d section %d page %d has %d values", p.col, p.sec, i, page.n)))
		return &p.cur
	}
	p.cur = page
	return &p.cur
}

func (p *pagedInts) At(i int) int64 {
	page := p.page(i / PageRows)
	if uint(i%PageRows) >= uint(page.n) { // of a damaged column i may be anything
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

// block decodes the values of a stretch of blockRows.
func (p *pagedInts) block(block int, buf []int64) []int64 {
	const perPage = PageRows / blockRows
	page := p.page(block / perPage)
	first := block % perPage * blockRows
	n := min(blockRows, page.n-first)
	if n <= 0 {
		return nil
	}
	page.decodeFrom(first, buf[:n])
	return buf[:n]
}

// search finds the first of ascending values that is not below v.
func (p *pagedInts) search(v int) int {
	return sort.Search(p.n, func(i int) bool { return p.At(i) >= int64(v) })
}

// sparseInts are the codes of a sparse column, asked by row.
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
