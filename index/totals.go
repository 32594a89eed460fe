// Totals: sums by (property, day, value). A group commit's deltas and a run's
// totals are the same thing at two sizes.

package index

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
)

// Totals adds up amounts by property, day and value. The zero value is ready.
// It keeps the strings it is given.
type Totals struct {
	days  map[propertyDay]*dayTotals
	all   []*dayTotals
	order []*dayTotals // as the newest events added them: most look like the one before
	at    int          // the next Add's place in order
	n     int
}

type propertyDay struct {
	property string
	day      int32
}

// dayTotals are the sums of one property on one day.
type dayTotals struct {
	propertyDay
	at     map[string]int // place in values and sums
	values []string
	sums   []int64
}

// Total is one sum.
type Total struct {
	Property string
	Day      int32
	Value    string
	Sum      int64
}

// Next says that another event's amounts follow.
func (t *Totals) Next() { t.at = 0 }

// Add adds by, saturating at the ends of int64.
func (t *Totals) Add(property string, day int32, value string, by int64) {
	d := t.of(propertyDay{property, day})
	i, ok := d.at[value]
	if !ok {
		i = len(d.sums)
		d.at[value] = i
		d.values = append(d.values, value)
		d.sums = append(d.sums, 0)
		t.n++
	}
	d.sums[i] = AddSaturating(d.sums[i], by)
}

func (t *Totals) of(k propertyDay) *dayTotals {
	if t.at < len(t.order) && t.order[t.at].propertyDay == k {
		t.at++
		return t.order[t.at-1]
	}
	d := t.days[k]
	if d == nil {
		if t.days == nil {
			t.days = make(map[propertyDay]*dayTotals)
		}
		d = &dayTotals{propertyDay: k, at: make(map[string]int)}
		t.days[k] = d
		t.all = append(t.all, d)
	}
	if t.at < len(t.order) {
		t.order[t.at] = d
	} else if len(t.order) < 256 {
		t.order = append(t.order, d)
	}
	t.at++
	return d
}

// Len is the number of sums.
func (t *Totals) Len() int { return t.n }

// Sorted returns the sums by property, day, value.
func (t *Totals) Sorted() []Total {
	all := make([]Total, 0, t.n)
	for _, d := range t.all {
		for i, v := range d.values {
			all = append(all, Total{d.property, d.day, v, d.sums[i]})
		}
	}
	slices.SortFunc(all, func(a, b Total) int {
		return cmp.Or(strings.Compare(a.Property, b.Property), cmp.Compare(a.Day, b.Day), strings.Compare(a.Value, b.Value))
	})
	return all
}

// Append appends the sums in the form of AppendTotals, in no order but that
// those of one property and day stand together.
func (t *Totals) Append(dst []byte) []byte {
	dst = binary.AppendUvarint(dst, uint64(t.n))
	for i, d := range t.all {
		for j, v := range d.values {
			last := j > 0 || i > 0 && t.all[i-1].property == d.property
			dst = appendTotal(dst, &Total{d.property, d.day, v, d.sums[j]}, last)
		}
	}
	return dst
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

// AppendTotals appends totals: a count, then for each the property (its length
// plus 1, or 0 for that of the one before), the day, the value and the sum.
func AppendTotals(dst []byte, totals []Total) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(totals)))
	for i := range totals {
		dst = appendTotal(dst, &totals[i], i > 0 && totals[i].Property == totals[i-1].Property)
	}
	return dst
}

func appendTotal(dst []byte, t *Total, sameProperty bool) []byte {
	if sameProperty {
		dst = append(dst, 0)
	} else {
		dst = binary.AppendUvarint(dst, uint64(len(t.Property))+1)
		dst = append(dst, t.Property...)
	}
	dst = binary.AppendVarint(dst, int64(t.Day))
	dst = binary.AppendUvarint(dst, uint64(len(t.Value)))
	dst = append(dst, t.Value...)
	return binary.AppendVarint(dst, t.Sum)
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
