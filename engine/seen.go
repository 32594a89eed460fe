// Which message ids may have been there, beyond those that are remembered exactly:
// a filter in layers by age.

package engine

import "slices"

// seen says of many more ids than recent remembers where they may be: a new id,
// which is nearly every one, is then in none of the runs but a few. Layers are lines
// of 512 bits, 40 ids a line, each id with a bit in each of four pairs of words:
// five in a thousand new ids seem to be in a layer. When the memory is used up the
// oldest layers are folded to half their size, at five in a hundred, and when all are,
// the oldest is dropped. It begins empty with the process. It belongs to the
// sequencer.
type seen struct {
	layers     []seenLayer // oldest first
	words, max int
	next       int // lines of the next layer
}

// seenLayer is a part of the filter.
type seenLayer struct {
	words  []uint64
	free   int               // ids it still takes
	from   map[uint32]uint64 // by site, the oldest seq it covers
	folded bool
}

// span is a part of a site's log: the seqs from, from+1, … before to.
type span struct{ from, to uint64 }

func newSeen(bytes int64) *seen {
	s := &seen{max: int(bytes / 8), next: 16}
	for s.next*filterLine*64 <= s.max {
		s.next *= 2
	}
	return s
}

// add makes an id known, by its hash.
func (s *seen) add(site uint32, hash, seq uint64) {
	if len(s.layers) == 0 || s.layers[len(s.layers)-1].free == 0 {
		s.grow()
	}
	l := &s.layers[len(s.layers)-1]
	l.free--
	line := filterLineOf(l.words, hash)
	for i := range seenSalts {
		word, bit := seenBit(hash, i)
		line[word] |= bit
	}
	if _, ok := l.from[site]; !ok {
		l.from[site] = seq
	}
}

// grow begins a layer, twice the one before up to a quarter of the memory.
func (s *seen) grow() {
	for s.words+s.next*filterLine > s.max && len(s.layers) > 0 {
		// The newest stays as it is: most of what comes twice comes twice soon.
		older := s.layers[:len(s.layers)-1]
		if at := slices.IndexFunc(older, func(l seenLayer) bool { return !l.folded && len(l.words) > filterLine }); at >= 0 {
			s.words -= s.layers[at].fold()
			continue
		}
		s.words -= len(s.layers[0].words)
		s.layers = slices.Delete(s.layers, 0, 1)
	}
	s.layers = append(s.layers, seenLayer{words: make([]uint64, s.next*filterLine), free: s.next * filterLineIDs, from: make(map[uint32]uint64)})
	s.words += s.next * filterLine
	if s.next*filterLine*8 <= s.max {
		s.next *= 2
	}
}

// fold lays the upper half of the layer over the lower: a line's number is the lowest
// bits of a hash. It returns how many words that saves.
func (l *seenLayer) fold() int {
	half := len(l.words) / 2
	small := make([]uint64, half)
	for i := range small {
		small[i] = l.words[i] | l.words[half+i]
	}
	l.words, l.folded = small, true
	return half
}

// maybe reports false only for an id that the layer does not have.
func (l *seenLayer) maybe(hash uint64) bool {
	line := filterLineOf(l.words, hash)
	for i := range seenSalts {
		if word, bit := seenBit(hash, i); line[word]&bit == 0 {
			return false
		}
	}
	return true
}

// seenSalts are odd and otherwise at random.
var seenSalts = [4]uint64{0xbf58476d1ce4e5b9, 0x94d049bb133111eb, 0xd6e8feb86659fd93, 0xa0761d6478bd642f}

// seenBit is the bit an id sets in the i-th pair of words of its line.
func seenBit(hash uint64, i int) (word int, bit uint64) {
	at := hash * seenSalts[i] >> 57
	return 2*i + int(at>>6), 1 << (at & 63)
}

// spans appends where in a site's log the id may be, newest first, and what of the
// log is not covered; next is the seq after the newest event. Elsewhere it is not.
func (s *seen) spans(dst []span, site uint32, hash, next uint64) []span {
	// A layer has the ids of the seqs from its first to that of the layer behind it.
	from, to := next, next
	for k := len(s.layers) - 1; k >= 0; k-- {
		l := &s.layers[k]
		first, ok := l.from[site]
		if !ok {
			continue
		}
		if from, to = first, from; l.maybe(hash) {
			dst = append(dst, span{from, to})
		}
	}
	if from > 1 {
		dst = append(dst, span{1, from})
	}
	return dst
}
