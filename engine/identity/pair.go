package identity

// PairRowsMax is how many rows of an answer PairOf can tell apart.
const PairRowsMax = 1 << 24

// PairOf is a row of an answer and an ordinal in one number. Ordinals have 40 bits, rows 24.
func PairOf(row int, ord uint64) uint64 { return uint64(row)<<40 | ord&(1<<40-1) }

// SplitPair returns what PairOf was given.
func SplitPair(p uint64) (row int, ord uint64) { return int(p >> 40), p & (1<<40 - 1) }
