// Totals: sums by (property, day, value). A group commit's deltas and a run's
// totals are the same thing at two sizes.

package index

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"sort"
)

// Totals adds up amounts by property, day and value. The zero value is ready.
type Totals struct {
	sums map[totalKey]int64
}

type totalKey struct {
	property, value string
	day             int32
}

// Total is one sum.
type Total struct {
	Property string
	Day      int32
	Value    string
	Sum      int64
}

// Add adds by, saturating at the ends of int64.
func (t *Totals) Add(property string, day int32, value string, by int64) {
	if t.sums == nil {
		t.sums = make(map[totalKey]int64)
	}
	k := totalKey{property, value, day}
	t.sums[k] = AddSaturating(t.sums[k], by)
}

// Len is the number of sums.
func (t *Totals) Len() int { return len(t.sums) }

// Sorted returns the sums by property, day, value.
func (t *Totals) Sorted() []Total {
	all := make([]Total, 0, len(t.sums))
	for k, s := range t.sums {
		all = append(all, Total{k.property, k.day, k.value, s})
	}
	sort.Slice(all, func(i, j int) bool {
		a, b := &all[i], &all[j]
		if a.Property != b.Property {
			return a.Property < b.Property
		}
		if a.Day != b.Day {
			return a.Day < b.Day
		}
		return a.Value < b.Value
	})
	return all
}

// AddSaturating adds without wrapping.
func AddSaturating(a, b int64) int64 {
	s := a + b
	if a > 0 && b > 0 && s < 0 {
		return math.MaxInt64
	}
	if a < 0 && b < 0 && s >= 0 {
		return math.MinInt64
	}
	return s
}

// AppendTotals appends totals sorted as Sorted has them: a count, then for each
// the property (its length 0 meaning "as before", then length+1), the day, the
// value and the sum.
func AppendTotals(dst []byte, totals []Total) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(totals)))
	last := ""
	for i := range totals {
		t := &totals[i]
		if i > 0 && t.Property == last {
			dst = append(dst, 0)
		} else {
			dst = binary.AppendUvarint(dst, uint64(len(t.Property))+1)
			dst = append(dst, t.Property...)
			last = t.Property
		}
		dst = binary.AppendVarint(dst, int64(t.Day))
		dst = binary.AppendUvarint(dst, uint64(len(t.Value)))
		dst = append(dst, t.Value...)
		dst = binary.AppendVarint(dst, t.Sum)
	}
	return dst
}

var errTotals = errors.New("damaged totals")

// ReadTotals calls fn for each total of b. Its strings are freshly allocated.
func ReadTotals(b []byte, fn func(Total)) error {
	bad := false
	uvarint := func() uint64 {
		v, w := binary.Uvarint(b)
		if w <= 0 {
			bad = true
			return 0
		}
		b = b[w:]
		return v
	}
	varint := func() int64 {
		v, w := binary.Varint(b)
		if w <= 0 {
			bad = true
			return 0
		}
		b = b[w:]
		return v
	}
	text := func(n uint64) string {
		if bad || n > uint64(len(b)) {
			bad = true
			return ""
		}
		s := string(b[:n])
		b = b[n:]
		return s
	}
	n := uvarint()
	property := ""
	for i := uint64(0); i < n && !bad; i++ {
		if l := uvarint(); l > 0 {
			property = text(l - 1)
		}
		day := varint()
		t := Total{Property: property, Day: int32(day), Value: text(uvarint())}
		if int64(t.Day) != day {
			bad = true
		}
		t.Sum = varint()
		if !bad {
			fn(t)
		}
	}
	if bad || len(b) != 0 {
		return fmt.Errorf("read totals: %w", errTotals)
	}
	return nil
}
