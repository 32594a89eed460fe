// Filter: a Bloom filter over the terms of one column. Its no is always right. A term
// sets one bit in each of the eight words of one line, which is a cache line. A large
// filter has one line for 40 terms, 12.8 bits a term; about one wrong yes in three
// hundred follows. Smaller runs will be merged, so their filters may take more space:
// about one wrong yes in five thousand. The hash of a term names a small page of the
// filter, so that one question reads one page. A caller with many questions loads the
// whole filter into memory.

package index

import (
	"encoding/binary"
	"fmt"

	"github.com/cespare/xxhash/v2"
	"github.com/cockroachdb/pebble/v2"
)

const (
	filterLineBytes = 64

	filterLineTerms    = 40
	filterLineTermsFew = 24
	filterFew          = 1 << 19 // fewer terms than this are few

	// filterPageLines is small because most filters are not in memory. With pages of 16
	// KiB one read took twice as long.
	filterPageLines = 16
)

// filterPages is the pages of a filter that is being written. A page is lines of
// little-endian words.
type filterPages [][]byte

// filterLines returns how many lines a filter for that many terms has.
func filterLines(terms int) int {
	perLine := filterLineTerms
	if terms < filterFew {
		perLine = filterLineTermsFew
	}
	return max(1, (terms+perLine-1)/perLine)
}

// newFilter returns an empty filter for that many terms.
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
	for i := range filterWords {
		word := line[8*i : 8*i+8]
		binary.LittleEndian.PutUint64(word, binary.LittleEndian.Uint64(word)|filterBit(h, i))
	}
}

// filterPage returns the page, out of pages, that holds a term with that hash.
func filterPage(h uint64, pages int) int {
	return int((h * 0x9e3779b97f4a7c15 >> 32) * uint64(pages) >> 32)
}

// filterLine returns the line of a page that holds a term with that hash. A page
// without lines has nil.
func filterLine(page []byte, h uint64) []byte {
	at := h >> 32 * uint64(len(page)/filterLineBytes) >> 32 * filterLineBytes
	return page[at:min(at+filterLineBytes, uint64(len(page)))]
}

// filterSalts are odd random numbers. Equal steps would not do: hashes that agree in
// the first words would then agree in all.
var filterSalts = [filterWords]uint64{
	0xbf58476d1ce4e5b9, 0x94d049bb133111eb, 0xd6e8feb86659fd93, 0xa0761d6478bd642f,
	0xe7037ed1a0b428db, 0x8ebc6af09c88c6e3, 0x589965cc75374cc3, 0x1d8e4e27c47d124f,
}

// filterBit returns the bit that a term sets in the i-th word of its line.
func filterBit(h uint64, i int) uint64 { return 1 << (h * filterSalts[i] >> 58) }

// pageMayContain reports whether the filter may hold a term with that hash, which belongs to
// this page. A page without lines answers yes.
func pageMayContain(page []byte, h uint64) bool {
	line := filterLine(page, h)
	for i := range len(line) / 8 {
		if binary.LittleEndian.Uint64(line[8*i:])&filterBit(h, i) == 0 {
			return false
		}
	}
	return true
}

// FilterHash returns the hash that MayContain takes for a term.
func FilterHash(term string) uint64 { return xxhash.Sum64String(term) }

// Filter is the whole filter of one run in memory. It is immutable.
type Filter struct {
	pages  int // of the filter as it is stored
	loaded int // of them in memory: all, or in a folded filter half, each with another laid over it
	size   int // lines of a page

	// words has the first words of all lines, then their second words and so on. Most
	// absent terms fail at one of the first words, and these lie close together.
	words []uint64
}

const filterWords = filterLineBytes / 8

// Bytes returns how many bytes of memory the filter takes.
func (f *Filter) Bytes() int64 { return int64(len(f.words)) * 8 }

// Folded reports whether the filter has at most half of the stored size. About one in
// fifteen of its answers is then a wrong yes, so it is worth asking Run.MayContain as
// well.
func (f *Filter) Folded() bool { return f.loaded <= (f.pages+1)/2 }

// Fold returns a filter of half the size, with the second half laid over the first. A
// folded filter returns itself.
func (f *Filter) Fold() *Filter {
	if f.Folded() {
		return f
	}
	half := &Filter{pages: f.pages, loaded: (f.pages + 1) / 2, size: f.size}
	all, kept := f.loaded*f.size, half.loaded*f.size
	half.words = make([]uint64, filterWords*kept)
	for word := range filterWords {
		from, to := f.words[word*all:(word+1)*all], half.words[word*kept:(word+1)*kept]
		copy(to, from)
		for i, w := range from[kept:] {
			to[i] |= w
		}
	}
	return half
}

// line returns the number of the line of a hash.
func (f *Filter) line(h uint64) int {
	page := filterPage(h, f.pages)
	if page >= f.loaded {
		page -= f.loaded
	}
	return page*f.size + int(h>>32*uint64(f.size)>>32)
}

// MayContain appends to maybe the indexes of those hashes whose terms the filtered column
// may hold. It certainly does not hold the others. MayContain checks the first word of all
// hashes, then the second of those left, and so on. Waiting for memory is most of the
// time, and this way many loads wait at once.
func (f *Filter) MayContain(maybe []int32, hashes []uint64) []int32 {
	if f.pages == 0 {
		return maybe
	}
	first := len(maybe)
	for i := range hashes {
		maybe = append(maybe, int32(i))
	}
	some := maybe[first:]
	lines := f.loaded * f.size
	for word := range filterWords {
		words, n := f.words[word*lines:(word+1)*lines], 0
		for _, i := range some {
			h := hashes[i]
			some[n] = i
			n += int(words[f.line(h)] >> (h * filterSalts[word] >> 58) & 1)
		}
		some = some[:n]
	}
	return maybe[:first+len(some)]
}

// FilterBytesMax returns an upper bound of the bytes that Filter allocates.
func (r *Run) FilterBytesMax() int64 {
	lines := filterLines(int(r.Rows))
	if r.Rows >= filterFew {
		lines = max(lines, filterLines(filterFew-1)) // the terms may be few when many rows share one
	}
	return int64(lines+lines/filterPageLines+1) * filterLineBytes // every page may have one line more than needed
}

// Filter reads the whole filter of the run. Without a filter the result has no pages
// and holds nothing.
func (r *Run) Filter() (*Filter, error) {
	h, err := r.loadHeader()
	if err != nil {
		return nil, err
	}
	f := &Filter{pages: h.filter, loaded: h.filter}
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
	pages, lines := 0, 0
	for ok := it.First(); ok && pages < h.filter; ok = it.Next() {
		page := it.Value()
		if f.words == nil {
			f.size = len(page) / filterLineBytes
			if lines = f.size * h.filter; int64(lines)*filterLineBytes > r.FilterBytesMax() {
				break
			}
			f.words = make([]uint64, filterWords*lines)
		}
		if len(page) == 0 || len(page) != f.size*filterLineBytes {
			break
		}
		for i := range f.size * filterWords {
			f.words[i%filterWords*lines+pages*f.size+i/filterWords] = binary.LittleEndian.Uint64(page[8*i:])
		}
		pages++
	}
	if err := it.Close(); err != nil {
		return nil, fmt.Errorf("read run %d: %w", r.Run, err)
	}
	if pages != h.filter {
		return nil, r.corrupt("the filter is damaged")
	}
	return f, nil
}
