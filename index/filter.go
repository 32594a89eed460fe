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
	for i := range filterWords {
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
var filterSalts = [filterWords]uint64{
	0xbf58476d1ce4e5b9, 0x94d049bb133111eb, 0xd6e8feb86659fd93, 0xa0761d6478bd642f,
	0xe7037ed1a0b428db, 0x8ebc6af09c88c6e3, 0x589965cc75374cc3, 0x1d8e4e27c47d124f,
}

// filterBit is the bit a term sets in the i-th word of its line.
func filterBit(h uint64, i int) uint64 { return 1 << (h * filterSalts[i] >> 58) }

// filterHas says whether a term with that hash may be in the filter the page is
// of. A page without a line says that it may.
func filterHas(page []byte, h uint64) bool {
	line := filterLine(page, h)
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
	held  int // of them: all, or in a folded filter half, each laid over another
	size  int // lines of a page

	// words are the first words of all lines, then their second words and so on: most
	// terms that are not there are denied by one of the first, and these lie close
	// together.
	words []uint64
}

const filterWords = filterLineBytes / 8

// Bytes is how much memory the filter takes.
func (f *Filter) Bytes() int64 { return int64(len(f.words)) * 8 }

// Folded says that the filter is not larger than half of that of the run: about one in
// fifteen of its answers is a wrong yes, and it is worth asking the run itself.
func (f *Filter) Folded() bool { return f.held <= (f.pages+1)/2 }

// Fold lays the second half of the filter over the first, unless it is folded already.
func (f *Filter) Fold() *Filter {
	if f.Folded() {
		return f
	}
	half := &Filter{pages: f.pages, held: (f.pages + 1) / 2, size: f.size}
	all, kept := f.held*f.size, half.held*f.size
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

// line is the number of the line of a hash.
func (f *Filter) line(h uint64) int {
	page := filterPage(h, f.pages)
	if page >= f.held {
		page -= f.held
	}
	return page*f.size + int(h>>32*uint64(f.size)>>32)
}

// MayHold appends to maybe which of the hashes, by number, are of terms that the
// filtered column may hold; the others it does not. One word of all is asked for
// before the next, so that the memory of many is waited for at once, which takes most
// of the time.
func (f *Filter) MayHold(maybe []int32, hashes []uint64) []int32 {
	if f.pages == 0 {
		return maybe
	}
	first := len(maybe)
	for i := range hashes {
		maybe = append(maybe, int32(i))
	}
	some := maybe[first:]
	lines := f.held * f.size
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
