// Days: which day each instant of a range is in, known without the time zone. Sealed rows
// keep it, because the rules of a zone can change later.

package calendar

import (
	"encoding/binary"
	"errors"
	"slices"
	"sort"
	"time"
)

// Days says which day each instant of a range is in, as days since 1970-01-01. The zero
// Days knows no range.
type Days struct {
	// Zone is the name of the time zone from which the periods were taken. It is for
	// people; the periods decide.
	Zone    string
	periods []period
}

// period is a stretch of time in which the wall clock differs from UTC by the same amount.
type period struct {
	from   int64 // its first instant, Unix milliseconds
	offset int64 // what the wall clock adds to UTC, in milliseconds
	first  int32 // the day that from is in; no later instant is in an earlier day
}

// periodsMax bounds the periods of a Days. A zone has about two a year.
const periodsMax = 1000

// DaysOf returns the days of the instants from…to, both inclusive, in loc; nil is UTC. ok
// is false when the clock changes more than periodsMax times meanwhile.
func DaysOf(from, to int64, loc *time.Location) (d Days, ok bool) {
	if loc == nil {
		loc = time.UTC
	}
	d.Zone = loc.String()
	for at := from; ; {
		t := time.UnixMilli(at).In(loc)
		_, seconds := t.Zone()
		p := period{at, int64(seconds) * 1000, Day(at, loc)}
		if n := len(d.periods); n == 0 || d.periods[n-1].offset != p.offset {
			if len(d.periods) == periodsMax {
				return Days{}, false
			}
			d.periods = append(d.periods, p)
		}
		_, end := t.ZoneBounds()
		if !end.IsZero() && !end.After(t) { // so ZoneBounds answers at the end of leap years after 2037
			end = t.Truncate(24 * time.Hour).Add(24 * time.Hour)
		}
		if end.IsZero() || end.UnixMilli() > to {
			return d, true
		}
		at = end.UnixMilli()
	}
}

// Known reports whether d knows any range.
func (d *Days) Known() bool { return len(d.periods) > 0 }

// Day returns the day of an instant in the range.
func (d *Days) Day(unixMilli int64) int32 {
	p := &d.periods[0]
	if len(d.periods) > 1 && unixMilli >= d.periods[1].from {
		p = &d.periods[sort.Search(len(d.periods), func(i int) bool { return d.periods[i].from > unixMilli })-1]
	}
	return max(p.first, dayAt(unixMilli+p.offset))
}

// Begins reports whether a day begins at an instant. The instant and the one before it are
// in the range.
func (d *Days) Begins(unixMilli int64) bool { return d.Day(unixMilli-1) < d.Day(unixMilli) }

// Same reports whether d and o put each instant of the same range into the same day.
func (d *Days) Same(o *Days) bool { return slices.Equal(d.periods, o.periods) }

// Append appends d, which ParseDays reads:
//
//	length of the zone's name | name | number of periods | for each: its first instant (for
//	all but the first period as the difference from the period before), offset in
//	milliseconds, and how many days its first day is after the one on the wall clock
//
// All numbers are varints; instants and offsets are signed.
func (d *Days) Append(dst []byte) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(d.Zone)))
	dst = append(dst, d.Zone...)
	dst = binary.AppendUvarint(dst, uint64(len(d.periods)))
	before := int64(0)
	for _, p := range d.periods {
		dst = binary.AppendVarint(dst, p.from-before)
		dst = binary.AppendVarint(dst, p.offset)
		dst = binary.AppendUvarint(dst, uint64(p.first-dayAt(p.from+p.offset)))
		before = p.from
	}
	return dst
}

var errDays = errors.New("damaged list of days")

// ParseDays reads what Append has written. Any other bytes are an error.
func ParseDays(b []byte) (d Days, err error) {
	bad := false
	number := func(signed bool, most int64) int64 {
		v, w := int64(0), 0
		if signed {
			v, w = binary.Varint(b)
		} else {
			var u uint64
			u, w = binary.Uvarint(b)
			if v = int64(u); u > uint64(most) {
				bad = true
			}
		}
		if bad = bad || w <= 0 || v > most || v < -most; bad {
			return 0
		}
		b = b[w:]
		return v
	}
	n := number(false, int64(len(b)))
	if bad || n > int64(len(b)) {
		return Days{}, errDays
	}
	d.Zone, b = string(b[:n]), b[n:]
	before := int64(0)
	for n := number(false, periodsMax); n > 0 && !bad; n-- {
		p := period{from: before + number(true, 1<<60), offset: number(true, DayMillis)}
		day := int64(dayAt(p.from + p.offset))
		if p.first = int32(day + number(false, 1)); len(d.periods) > 0 && p.from <= before || day != (p.from+p.offset-mod(p.from+p.offset))/DayMillis {
			bad = true
		}
		d.periods = append(d.periods, p)
		before = p.from
	}
	if bad || len(b) > 0 || len(d.periods) == 0 {
		return Days{}, errDays
	}
	return d, nil
}

// mod returns the milliseconds since midnight on a clock that shows local.
func mod(local int64) int64 {
	if m := local % DayMillis; m >= 0 {
		return m
	} else {
		return m + DayMillis
	}
}

// dayAt returns the date on a clock that shows local, in milliseconds since 1970.
func dayAt(local int64) int32 { return int32((local - mod(local)) / DayMillis) }
