// Filter: a Bloom filter over the terms of one column, never a wrong no. A term has
// one bit in each of the eight words of one line, which is a cache line. Of many terms
// 40 have a line, 12.8 bits a term, which makes about one wrong yes in three hundred;
// runs of fewer, which will be merged, have room for one in five thousand. It is cut
// into small pages by the terms' hashes, so that asking reads one of them; who asks
// much holds it whole.

package index

import (
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/cespare/xxhash/v2"
	"github.com/cockroachdb/pebble/v2"
)

const (
	filterLineBytes = 64

	filterLineTerms    = 40
	filterLineTermsFew = 24
	filterFew          = 1 << 19 // terms that are few

	// filterPageLines is small since the filters of many rows are in nobody's memory:
	// of pages of 16 KiB, twice as much time went into reading one.
	filterPageLines = 16
)

// filterPages are the pages of a filter that is being filled: lines of words, little
// endian.
type filterPages [][]byte

// filterLines is how many lines a filter for so many terms has.
func filterLines(terms int) int {
	perLine := filterLineTerms
	if terms < filterFew {
		perLine = filterLineTermsFew
	}
	return max(1, (terms+perLine-1)/perLine)
}

// newFilter makes a filter for so many terms.
func newFilter(terms int) filterPages {
	lines := filterLines(terms)
	pages := (lines + filterPageLines - 1) / filterPageLines
	f := make(filterPages, pages)
	for i := range f {
		f[i] = make([]byte, (lines+pages-1)/pages*filterLineBytes)
	}
	return f
}

func (f filterPages) add(term []byte) {
	h := xxhash.Sum64(term)
	line := filterLine(f[filterPage(h, len(f))], h)
	for i := range filterLineBytes / 8 {
		word := line[8*i : 8*i+8]
		binary.LittleEndian.PutUint64(word, binary.LittleEndian.Uint64(word)|filterBit(h, i))
	}
}

// filterPage is the page of a filter of so many in which a term's hash is.
func filterPage(h uint64, pages int) int {
	return int((h * 0x9e3779b97f4a7c15 >> 32) * uint64(pages) >> 32)
}

// filterLine is the line of a page in which a term's hash is, nil of a page without.
func filterLine(page []byte, h uint64) []byte {
	at := h >> 32 * uint64(len(page)/filterLineBytes) >> 32 * filterLineBytes
	return page[at:min(at+filterLineBytes, uint64(len(page)))]
}

// filterSalts are odd and otherwise at random: steps of one number instead would let
// hashes that are alike in the first words be alike in all.
var filterSalts = [filterLineBytes / 8]uint64{
	0xbf58476d1ce4e5b9, 0x94d049bb133111eb, 0xd6e8feb86659fd93, 0xa0761d6478bd642f,
	0xe7037ed1a0b428db, 0x8ebc6af09c88c6e3, 0x589965cc75374cc3, 0x1d8e4e27c47d124f,
}

// filterBit is the bit a term sets in the i-th word of its line.
func filterBit(h uint64, i int) uint64 { return 1 << (h * filterSalts[i] >> 58) }

// filterHas says whether a term with that hash may be in the filter the page is
// of. A page without a line says that it may.
func filterHas(page []byte, h uint64) bool { return lineHas(filterLine(page, h), h) }

func lineHas(line []byte, h uint64) bool {
	for i := range len(line) / 8 {
		if binary.LittleEndian.Uint64(line[8*i:])&filterBit(h, i) == 0 {
			return false
		}
	}
	return true
}

// FilterHash is the hash of a term by which filters are asked.
func FilterHash(term string) uint64 { return xxhash.Sum64String(term) }

// Filter is the filter of one run, whole in memory. It is immutable.
type Filter struct {
	pages int // of the run
	size  int // of a page, in bytes
	held  int // pages there are: all, or of a folded filter half of them
	data  []byte
}

// Bytes is how much memory the filter takes.
func (f *Filter) Bytes() int64 { return int64(len(f.data)) }

// Folded says that the filter is not larger than half of that of the run: about one in
// fifteen of its answers is a wrong yes, and it is worth asking the run itself.
func (f *Filter) Folded() bool { return f.held <= (f.pages+1)/2 }

// Fold lays the second half of the filter over the first, unless it is folded already.
func (f *Filter) Fold() *Filter {
	if f.Folded() {
		return f
	}
	held := (f.pages + 1) / 2
	folded := &Filter{pages: f.pages, size: f.size, held: held, data: slices.Clone(f.data[:held*f.size])}
	for i, b := range f.data[held*f.size:] {
		folded.data[i] |= b
	}
	return folded
}

// line is where in the data a hash has its line.
func (f *Filter) line(h uint64) int {
	page := filterPage(h, f.pages)
	if page >= f.held {
		page -= f.held
	}
	return page*f.size + int(h>>32*uint64(f.size/filterLineBytes)>>32)*filterLineBytes
}

// MayHold appends to maybe which of the hashes, by number, are of terms that the
// filtered column may hold; the others it does not. It asks for one word of each
// first, and of nothing else meanwhile, so that the memory of many is waited for at
// once: that takes most of the time, and half of all are answered with it.
func (f *Filter) MayHold(maybe []int32, hashes []uint64) []int32 {
	if f.pages == 0 {
		return maybe
	}
	first, n := len(maybe), len(maybe)
	maybe = slices.Grow(maybe, len(hashes))[:first+len(hashes)]
	for i, h := range hashes {
		word := binary.LittleEndian.Uint64(f.data[f.line(h):])
		maybe[n] = int32(i)
		n += int(word >> (h * filterSalts[0] >> 58) & 1)
	}
	some := maybe[first:n]
	maybe = maybe[:first]
	for _, i := range some {
		h := hashes[i]
		at := f.line(h)
		if lineHas(f.data[at:at+filterLineBytes], h) {
			maybe = append(maybe, i)
		}
	}
	return maybe
}

// FilterBytesMax is the most memory that Filter takes.
func (r *Run) FilterBytesMax() int64 {
	lines := filterLines(int(r.Rows))
	if r.Rows >= filterFew {
		lines = max(lines, filterLines(filterFew-1)) // when many rows have one term
	}
	return int64(lines+lines/filterPageLines+1) * filterLineBytes // every page may have a line too many
}

// Filter reads the filter of the run.
func (r *Run) Filter() (*Filter, error) {
	h, err := r.loadHeader()
	if err != nil {
		return nil, err
	}
	f := &Filter{pages: h.filter, held: h.filter}
	if h.filter == 0 {
		return f, nil
	}
	it, err := r.db.NewIter(&pebble.IterOptions{
		LowerBound: pageKey{run: r.Run, col: colFilter}.append(nil),
		UpperBound: pageKey{run: r.Run, col: colHeader}.append(nil),
	})
	if err != nil {
		return nil, fmt.Errorf("read run %d: %w", r.Run, err)
	}
	pages := 0
	for ok := it.First(); ok; ok = it.Next() {
		page := it.Value()
		if f.data == nil {
			f.size = len(page)
			f.data = make([]byte, 0, min(int64(f.size)*int64(h.filter), r.FilterBytesMax()))
		}
		if len(page) != f.size {
			break
		}
		f.data = append(f.data, page...)
		pages++
	}
	if err := it.Close(); err != nil {
		return nil, fmt.Errorf("read run %d: %w", r.Run, err)
	}
	if pages != h.filter || f.size == 0 || f.size%filterLineBytes != 0 {
		return nil, r.corrupt("the filter is damaged")
	}
	return f, nil
}
