// Totals: sums by (property, day, value). The delta of one group commit and the totals
// of a whole run have the same form.

package index

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"unsafe"
)

// Totals adds up amounts by property, day and value. The zero value is ready. It copies
// the strings it keeps.
type Totals struct {
	days map[propertyDay]*dayTotals
	all  []*dayTotals
	last *dayTotals // what the last Add changed: stored totals are grouped by day
	n    int
}

type propertyDay struct {
	property string
	day      int32
}

// dayTotals is the sums of one property on one day.
type dayTotals struct {
	propertyDay
	at     map[string]int // by value: index in values and sums
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

// Add adds by. A sum saturates at the ends of int64.
func (t *Totals) Add(property string, day int32, value string, by int64) {
	d := t.of(propertyDay{property, day})
	i, ok := d.at[value]
	if !ok {
		value = strings.Clone(value)
		i = len(d.sums)
		d.at[value] = i
		d.values = append(d.values, value)
		d.sums = append(d.sums, 0)
		t.n++
	}
	d.sums[i] = AddSaturating(d.sums[i], by)
}

func (t *Totals) of(k propertyDay) *dayTotals {
	if t.last != nil && t.last.propertyDay == k {
		return t.last
	}
	d := t.days[k]
	if d == nil {
		if t.days == nil {
			t.days = make(map[propertyDay]*dayTotals)
		}
		k.property = strings.Clone(k.property)
		d = &dayTotals{propertyDay: k, at: make(map[string]int)}
		t.days[k] = d
		t.all = append(t.all, d)
	}
	t.last = d
	return d
}

// AddNote adds the totals of a note. A note is the number of totals, as uvarint, and
// then each total as AppendTotal writes it.
func (t *Totals) AddNote(b []byte) error {
	return ReadTotals(b, func(x Total) { t.Add(x.Property, x.Day, x.Value, x.Sum) })
}

// Sorted returns the sums ordered by property, day and value.
func (t *Totals) Sorted() []Total {
	all := make([]Total, 0, t.n)
	for _, d := range t.all {
		for i, v := range d.values {
			all = append(all, Total{d.property, d.day, v, d.sums[i]})
		}
	}
	slices.SortFunc(all, func(a, b Total) int { return CompareTotals(&a, &b) })
	return all
}

// AddSaturating returns a + b, saturated at the ends of int64.
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

// AppendTotal appends one total of a note: its property, day, value and sum. The
// property is its length plus 1 and its bytes, or 0 when it is that of the total
// before; sameProperty says so. Totals may be in any order.
func AppendTotal(dst []byte, t *Total, sameProperty bool) []byte {
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

// ReadTotals calls fn with each total of a note. The strings alias b.
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
		s := unsafe.String(unsafe.SliceData(b), int(n))
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

// totalsPageBytes is about how many bytes a page of a run's totals has.
const totalsPageBytes = 16 << 10

// totalsPage is one page of the totals of a property, ordered by day and value. Each
// total is the number of days since the one before, the number of bytes its value
// shares with the one before, the rest of the value with its length, and the sum.
type totalsPage struct {
	data  []byte
	day   int32
	value []byte // of the last total
}

func (p *totalsPage) add(t *Total) {
	shared := 0
	for shared < len(t.Value) && shared < len(p.value) && t.Value[shared] == p.value[shared] {
		shared++
	}
	p.data = binary.AppendVarint(p.data, int64(t.Day)-int64(p.day))
	p.data = binary.AppendUvarint(p.data, uint64(shared))
	p.data = binary.AppendUvarint(p.data, uint64(len(t.Value)-shared))
	p.data = append(p.data, t.Value[shared:]...)
	p.data = binary.AppendVarint(p.data, t.Sum)
	p.day, p.value = t.Day, append(p.value[:shared], t.Value[shared:]...)
}

// readTotalsPage calls fn with the totals of a page of the property that are on the days
// from…to. text makes their values from bytes that are valid during the call. It does not read
// what follows them.
func readTotalsPage(property string, b []byte, from, to int32, text func([]byte) string, fn func(Total)) error {
	t := Total{Property: property}
	var value []byte
	for len(b) > 0 {
		days, w := binary.Varint(b)
		if w <= 0 {
			return errTotals
		}
		b = b[w:]
		var shared, rest uint64
		for _, v := range []*uint64{&shared, &rest} {
			if *v, w = binary.Uvarint(b); w <= 0 {
				return errTotals
			}
			b = b[w:]
		}
		day := int64(t.Day) + days
		if int64(int32(day)) != day || shared > uint64(len(value)) || rest > uint64(len(b)) {
			return errTotals
		}
		if t.Day = int32(day); t.Day > to {
			return nil
		}
		value = append(value[:shared], b[:rest]...)
		b = b[rest:]
		if t.Sum, w = binary.Varint(b); w <= 0 {
			return errTotals
		}
		b = b[w:]
		if t.Day >= from {
			t.Value = text(value)
			fn(t)
		}
	}
	return nil
}

// CompareTotals orders totals by property, day and value.
func CompareTotals(a, b *Total) int {
	return cmp.Or(strings.Compare(a.Property, b.Property), cmp.Compare(a.Day, b.Day), strings.Compare(a.Value, b.Value))
}
