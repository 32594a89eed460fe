package identity

// PairRowsMax is the number of rows of an answer that PairOf can tell apart.
const PairRowsMax = 1 << 24

// PairOf packs a row of an answer, below PairRowsMax, and an ordinal, of 40 bits, into one
// number.
func PairOf(row int, ord uint64) uint64 { return uint64(row)<<40 | ord&(1<<40-1) }

// SplitPair returns what PairOf has packed.
func SplitPair(p uint64) (row int, ord uint64) { return int(p >> 40), p & (1<<40 - 1) }
