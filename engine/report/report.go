// Reports: what all of them share.

package report

import (
	"cairn/engine/read"
)

// Reports answers reports. It is safe for any number of goroutines.
type Reports struct {
	reader      *read.Reader
	tuples      int
	lengthBytes int // of the lengths of visits that one report counts in one pass, see lengthBytes
}

// New makes Reports that read through a Reader. tuples is how many rows or people a report of
// people or paths has in memory, a power of two.
func New(reader *read.Reader, tuples int) *Reports {
	return &Reports{reader, tuples, min(lengthBytes, 32*tuples)}
}
