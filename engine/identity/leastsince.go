// Least since: what the least of the numbers is that came since a moment.

package identity

import (
	"math"
	"sort"
	"sync"
)

// LeastSince remembers numbers in the order in which they came, so far that it knows the least
// one since any moment. Of long ago it remembers less exactly: the answer may be too low then,
// never too high. The zero LeastSince has no numbers. It is safe for concurrent use.
type LeastSince struct {
	mu    sync.Mutex
	n     uint64 // how many numbers came
	minis []sinceMin
}

// sinceMin says that least is the least number from the one before it in the list up to the end.
// So numbers and places both ascend.
type sinceMin struct{ n, least uint64 }

// leastSinceMax bounds the list. When it is full, pairs of the older half become one.
const leastSinceMax = 2048

// Add takes in a number.
func (s *LeastSince) Add(v uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.n++
	for len(s.minis) > 0 && s.minis[len(s.minis)-1].least >= v {
		s.minis = s.minis[:len(s.minis)-1]
	}
	if len(s.minis) == leastSinceMax {
		for i := range leastSinceMax / 4 {
			s.minis[i] = sinceMin{s.minis[2*i+1].n, s.minis[2*i].least}
		}
		s.minis = append(s.minis[:leastSinceMax/4], s.minis[leastSinceMax/2:]...)
	}
	s.minis = append(s.minis, sinceMin{s.n, v})
}

// Count returns how many numbers have come. It names this moment.
func (s *LeastSince) Count() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.n
}

// Since returns the least number that came after the moment of a count, and this moment. It is
// math.MaxUint64 when none came.
func (s *LeastSince) Since(count uint64) (least, now uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := sort.Search(len(s.minis), func(i int) bool { return s.minis[i].n > count })
	if i == len(s.minis) {
		return math.MaxUint64, s.n
	}
	return s.minis[i].least, s.n
}
