// Recent pairs: what a goroutine has just added to sets, so that it adds each pair once in most
// cases. The rows of a visit are near each other.

package report

// placedPair is a person or session of a row of an answer, and a step of its series.
type placedPair struct {
	place, step int32
	ord         int64
}

// recentPairs has people and sessions.
type recentPairs [2][1 << recentBits]placedPair

const recentBits = 12

// fresh reports whether a pair was not added lately. ord is not 0.
func (r *recentPairs) fresh(k int, p placedPair) bool {
	hash := (uint64(p.ord)*31 + uint64(p.place)*1021 + uint64(p.step)) * 0x9e3779b97f4a7c15
	seen := &r[k][hash>>(64-recentBits)]
	if *seen == p {
		return false
	}
	*seen = p
	return true
}
