// Days: on which days the rows of a part are counted.

package table

import (
	"cairn/engine/calendar"
	"cairn/engine/event"
	"cairn/index"
)

// DaysOf returns the days that the descriptor of a run names. known is false when it names
// none: then only the rows themselves say on which day each of them is counted. That is so
// for runs of version 1, and for runs whose rows were counted in more than one zone.
func DaysOf(r *index.Run) (d calendar.Days, known bool) {
	if r.Days == "" {
		return d, false
	}
	d, err := calendar.ParseDays([]byte(r.Days))
	return d, err == nil // damage: event times, which are always right, answer instead
}

// CountedOn reports whether every row of a part is counted on the day of d that its event
// time is in. In older cairns, rows that were too old when they came were counted on the
// day of receipt. The caller checks p.Err.
func CountedOn(p index.Part, d *calendar.Days) bool {
	times, days := p.Ints(event.IntTime), p.Ints(event.IntDay)
	bufTimes, bufDays := make([]int64, index.PageRows), make([]int64, index.PageRows)
	var blanks index.Ints // blanks are on no day
	if col := p.Column(index.FieldGone); col != nil {
		blanks = col.Codes()
	}
	for page := 0; page*index.PageRows < p.Len(); page++ {
		at := times.Page(page, bufTimes)
		for i, day := range days.Page(page, bufDays) {
			if int64(d.Day(at[i])) != day && (blanks == nil || blanks.At(page*index.PageRows+i) == 0) {
				return false
			}
		}
	}
	return true
}

// Recounted returns p with each row counted on the day of d that its event time is in.
func Recounted(p index.Part, d *calendar.Days) index.Part { return recounted{p, d} }

type recounted struct {
	index.Part
	days *calendar.Days
}

func (r recounted) Ints(col int) index.Ints {
	if col == event.IntDay {
		return dayInts{r.Part.Ints(event.IntTime), r.days}
	}
	return r.Part.Ints(col)
}

// dayInts is the days of event times.
type dayInts struct {
	times index.Ints
	days  *calendar.Days
}

func (d dayInts) At(row int) int64 { return int64(d.days.Day(d.times.At(row))) }

func (d dayInts) Page(page int, buf []int64) []int64 {
	times := d.times.Page(page, buf)
	buf = buf[:len(times)]
	for i, at := range times { // buf may be the memory of times
		buf[i] = int64(d.days.Day(at))
	}
	return buf
}

func (dayInts) Constant(int) (int64, bool) { return 0, false }

// countFields are the core fields that event.Counts reads.
var countFields = []string{event.FieldType, event.FieldName, event.FieldIncrements, event.FieldNotCounted, event.FieldCapped, event.FieldCut}

// NewCountReader returns a reader of what rows count. The events that it reads have what
// event.Counts needs, their Day, and little else.
func NewCountReader(p index.Part) *RowReader {
	fields := append([]string(nil), countFields...)
	for _, f := range p.Fields() {
		switch f[:1] {
		case event.PrefixProperty, event.PrefixContext:
			fields = append(fields, f)
		}
	}
	r := newFieldReader(p, fields)
	r.ints[event.IntDay], r.ints[event.IntFlags] = p.Ints(event.IntDay), p.Ints(event.IntFlags)
	return r
}
