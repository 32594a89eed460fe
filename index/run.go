// Reading a sealed run: pages by number, through the cache.

package index

import (
	"errors"
	"fmt"
	"slices"
	"sort"
	"strings"
	"sync"

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

// load returns a page as it is stored. Only pages that valid has accepted come
// into the cache, so what lies there need not be looked through again.
func (r *Run) load(k pageKey, valid func([]byte) bool) ([]byte, error) {
	if b := r.cache.get(k); b != nil {
		return b, nil
	}
	v, closer, err := r.db.Get(k.append(make([]byte, 0, 16)))
	if errors.Is(err, pebble.ErrNotFound) {
		return nil, r.corrupt(fmt.Sprintf("column %d section %d page %d is missing", k.col, k.sec, k.page))
	}
	if err != nil {
		return nil, fmt.Errorf("read run %d: %w", r.Run, err)
	}
	b := slices.Clone(v)
	if err := closer.Close(); err != nil {
		return nil, fmt.Errorf("read run %d: %w", r.Run, err)
	}
	if !valid(b) {
		return nil, r.corrupt(fmt.Sprintf("column %d section %d page %d is damaged", k.col, k.sec, k.page))
	}
	r.cache.put(k, b)
	return b, nil
}

// Validators of load.
func validAlways([]byte) bool { return true } // the reader copes with anything

func validInts(b []byte) bool {
	_, ok := parseInts(b)
	return ok
}

func validDict(b []byte) bool {
	_, ok := parseDict(b)
	return ok
}

func (r *Run) loadHeader() (*header, error) {
	r.once.Do(func() {
		b, err := r.load(pageKey{run: r.Run, col: colHeader}, validAlways)
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
	if err != nil || !h.filter {
		return false, err
	}
	b, err := r.load(pageKey{run: r.Run, col: colFilter}, validAlways)
	if err != nil {
		return false, err
	}
	return filterHas(b, term), nil
}

// Properties lists the properties the run has totals of, sorted.
func (r *Run) Properties() ([]string, error) {
	h, err := r.loadHeader()
	if err != nil {
		return nil, err
	}
	return h.totals, nil
}

// Totals calls fn with the run's totals of a property.
func (r *Run) Totals(property string, fn func(Total)) error {
	h, err := r.loadHeader()
	if err != nil {
		return err
	}
	if _, ok := slices.BinarySearch(h.totals, property); !ok {
		return nil
	}
	v, closer, err := r.db.Get(totalsKey(r.Run, property))
	if errors.Is(err, pebble.ErrNotFound) {
		return r.corrupt("totals of " + property + " are missing")
	}
	if err != nil {
		return fmt.Errorf("read totals: %w", err)
	}
	err = ReadTotals(v, fn)
	if cerr := closer.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return fmt.Errorf("run %d: %w", r.Run, err)
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
	h := &v.header.columns[i]
	num := uint16(v.header.ints + i)
	c := &runColumn{view: v, h: h, num: num}
	c.starts = c.ints(secStarts, h.card+1)
	if h.sparse {
		c.codes = &sparseInts{rowset: c.ints(secRowSet, h.present), codes: c.ints(secInts, h.present), rows: v.header.rows}
	} else {
		c.codes = c.ints(secInts, v.header.rows)
	}
	return c
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
	b, err := p.view.run.load(pageKey{p.view.run.Run, p.col, p.sec, uint32(i)}, validInts)
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

// sparseInts are the codes of a sparse column, asked by row.
type sparseInts struct {
	rowset, codes *pagedInts
	rows          int
}

func (s *sparseInts) At(row int) int64 {
	i := sort.Search(s.rowset.n, func(i int) bool { return s.rowset.At(i) >= int64(row) })
	if i == s.rowset.n || s.rowset.At(i) != int64(row) {
		return 0
	}
	return s.codes.At(i)
}

func (s *sparseInts) Page(page int, buf []int64) []int64 {
	lo := page * PageRows
	buf = buf[:min(PageRows, s.rows-lo)]
	clear(buf)
	i := sort.Search(s.rowset.n, func(i int) bool { return s.rowset.At(i) >= int64(lo) })
	for ; i < s.rowset.n; i++ {
		row := int(s.rowset.At(i)) - lo
		if row < 0 || row >= len(buf) {
			break
		}
		buf[row] = s.codes.At(i)
	}
	return buf
}

type runColumn struct {
	view   *runView
	h      *columnHeader
	num    uint16
	codes  Ints
	starts *pagedInts
	rows   *pagedInts
	dictAt int // number of dict, plus 1
	dict   dictPage
}

func (c *runColumn) ints(sec section, n int) *pagedInts {
	return &pagedInts{view: c.view, col: c.num, sec: sec, n: n}
}

func (c *runColumn) Card() int   { return c.h.card }
func (c *runColumn) Codes() Ints { return c.codes }

func (c *runColumn) Count(code uint32) int {
	return int(c.starts.At(int(code)) - c.starts.At(int(code)-1))
}

// Cell returns the cell of a code: it aliases a page and must not be changed.
func (c *runColumn) Cell(code uint32) []byte {
	i := int(code) - 1
	if i < 0 || i >= c.h.card {
		c.view.fail(c.view.run.corrupt(fmt.Sprintf("column %s: no code %d", c.h.name, code)))
		return nil
	}
	page := sort.Search(len(c.h.dict), func(p int) bool { return c.h.dict[p] > i }) - 1
	if c.dictAt != page+1 {
		c.dictAt = page + 1
		c.dict = dictPage{}
		b, err := c.view.run.load(pageKey{c.view.run.Run, c.num, secDict, uint32(page)}, validDict)
		if err != nil {
			c.view.fail(err)
			return nil
		}
		c.dict = viewDict(b)
	}
	i -= c.h.dict[page]
	if i >= c.dict.n {
		if c.view.err == nil {
			c.view.fail(c.view.run.corrupt(fmt.Sprintf("column %s: dictionary page %d is short", c.h.name, page)))
		}
		return nil
	}
	return c.dict.cell(i)
}

func (c *runColumn) Rows(code uint32, yield func(row int)) bool {
	if !c.h.rows {
		return false
	}
	if c.rows == nil {
		c.rows = c.ints(secRows, c.h.present)
	}
	lo, hi := int(c.starts.At(int(code)-1)), int(c.starts.At(int(code)))
	for i := max(lo, 0); i < hi && i < c.h.present; i++ {
		if row := int(c.rows.At(i)); row >= 0 && row < c.view.header.rows {
			yield(row)
		}
	}
	return true
}

func (c *runColumn) Present(yield func(row int, code uint32)) bool {
	s, ok := c.codes.(*sparseInts)
	if !ok {
		return false
	}
	for i := 0; i < s.rowset.n; i++ {
		if row := int(s.rowset.At(i)); row >= 0 && row < c.view.header.rows {
			yield(row, uint32(s.codes.At(i)))
		}
	}
	return true
}

func (c *runColumn) Find(path string, terms []string) []uint32 {
	f := c.view.run.format
	var codes []uint32
	if path == "" {
		var buf []byte
		term := func(i int) string {
			cell := c.Cell(uint32(i + 1))
			if cell == nil {
				return ""
			}
			buf = f.AppendTerm(buf[:0], cell)
			return string(buf)
		}
		for _, t := range terms {
			i := sort.Search(c.h.scalars, func(i int) bool { return term(i) >= t })
			for ; i < c.h.scalars && term(i) == t; i++ {
				codes = append(codes, uint32(i+1))
			}
		}
	}
	if c.h.leaves > 0 {
		hashes, owners := c.ints(secLeaves, c.h.leaves), c.ints(secOwners, c.h.leaves)
		for _, t := range terms {
			h := leafHash(path, t)
			i := sort.Search(c.h.leaves, func(i int) bool { return hashes.At(i) >= h })
			for ; i < c.h.leaves && hashes.At(i) == h; i++ {
				code := uint32(owners.At(i))
				if cell := c.Cell(code); cell != nil && f.hasLeaf(cell, path, terms) {
					codes = append(codes, code)
				}
			}
		}
	}
	slices.Sort(codes)
	return slices.Compact(codes)
}
