package engine

// pairOf is a row of an answer and an ordinal in one number. Ordinals have 40 bits, rows 24.
func pairOf(row int, ord uint64) uint64 { return uint64(row)<<40 | ord&(1<<40-1) }

// splitPair returns what pairOf was given.
func splitPair(p uint64) (row int, ord uint64) { return int(p >> 40), p & (1<<40 - 1) }
