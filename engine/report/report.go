// Reports: what all of them share.

package report

import (
	"cairn/engine/read"
)

// Reports answers reports. It is safe for any number of goroutines.
type Reports struct{ reader *read.Reader }

// New makes Reports that read through a Reader.
func New(reader *read.Reader) *Reports { return &Reports{reader} }
