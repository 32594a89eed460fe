// The limits of a run, for its writer and its reader. The writer refuses a run that
// exceeds one. The reader takes a header or descriptor that exceeds one for damaged.

package index

import (
	"fmt"
	"math"
)

// Limits of one run.
//
//	limit       bounds
//	rowsMax     rows of a run; pages of its filter
//	ColumnsMax  cell columns of a part that clients may invent; the caller folds
//	            the rest into one
//	columnsMax  cell columns of a run: ColumnsMax and those of the caller
//	intsMax     integer columns
//	leavesMax   values inside the arrays and objects of one column, as many as
//	            2^27 events of 256 KB have; nothing is allocated by this number
//
// An int counts rows and leaves. On a 32-bit machine both limits are half of its largest
// int, so that sums with them do not overflow; a larger run comes from a larger machine.
const (
	rowsMax    = min(1<<31, math.MaxInt/2)
	ColumnsMax = 1024
	columnsMax = ColumnsMax + 64
	intsMax    = 64
	leavesMax  = min(1<<44, math.MaxInt/2)
)

// check returns an error when parseHeader would refuse what append writes.
func (h *header) check() error {
	for _, limit := range []struct {
		what    string
		n, most int
	}{{"rows", h.rows, rowsMax}, {"integer columns", h.ints, intsMax}, {"pages of the filter", h.filter, rowsMax}, {"columns", len(h.columns), columnsMax}} {
		if limit.n > limit.most {
			return fmt.Errorf("%d %s, at most %d can be read", limit.n, limit.what, limit.most)
		}
	}
	for i := range h.columns {
		if n := h.columns[i].leaves; n > leavesMax {
			return fmt.Errorf("column %s: %d values inside arrays and objects, at most %d can be read", h.columns[i].name, n, leavesMax)
		}
	}
	return nil
}

// check returns an error when Descriptors would refuse what Put writes.
func (d *Descriptor) check() error {
	if d.First == 0 || d.Rows == 0 || d.Rows > rowsMax {
		return fmt.Errorf("a run of %d rows from seq %d, from 1 to %d can be read", d.Rows, d.First, rowsMax)
	}
	return nil
}
