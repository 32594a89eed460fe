package event

import "time"

// Conversion of times to and from Unix milliseconds.

// UnixTime reads a number that means a time as Unix milliseconds. The number of digits
// before the point says the unit: 9 or 10 are seconds, 12 or 13 milliseconds, 15 or 16
// microseconds, 18 or 19 nanoseconds. A fraction counts to the millisecond. ok is false for
// anything else, also for a sign or an exponent.
func UnixTime(s string) (ms int64, ok bool) {
	digits := digitsEnd(s, 0)
	if digits == 0 || digits > 19 {
		return 0, false
	}
	kept := 0 // digits that are milliseconds or more
	switch digits {
	case 9, 10:
		kept = digits + 3
	case 12, 13:
		kept = digits
	case 15, 16:
		kept = digits - 3
	case 18, 19:
		kept = digits - 6
	default:
		return 0, false
	}
	end := digits
	if digits < len(s) && s[digits] == '.' {
		end = digitsEnd(s, digits+1)
		if end == digits+1 {
			return 0, false
		}
	}
	if end != len(s) {
		return 0, false
	}
	for i := range kept {
		ms *= 10
		switch {
		case i < digits:
			ms += int64(s[i] - '0')
		case i+1 < end: // after the point
			ms += int64(s[i+1] - '0')
		}
	}
	return ms, true
}

// parseTime reads an RFC 3339 time as Unix milliseconds. Any precision is accepted and
// cut to milliseconds. T may be t or a space, and Z may be z. A leap second counts as
// the second after it. ok is false when a part is out of its range or the text has
// anything else.
func parseTime(s string) (ms int64, ok bool) {
	if len(s) < len("2006-01-02T15:04:05Z") || s[4] != '-' || s[7] != '-' ||
		s[10] != 'T' && s[10] != 't' && s[10] != ' ' || s[13] != ':' || s[16] != ':' {
		return 0, false
	}
	century, year := twoDigits(s, 0), twoDigits(s, 2)
	month, day := twoDigits(s, 5), twoDigits(s, 8)
	hour, minute, second := twoDigits(s, 11), twoDigits(s, 14), twoDigits(s, 17)
	if century|year|month|day|hour|minute|second < 0 || hour > 23 || minute > 59 || second > 60 {
		return 0, false
	}
	year += century * 100
	if month < 1 || month > 12 || day < 1 || day > daysIn(year, month) {
		return 0, false
	}
	i, fraction := 19, int64(0)
	if s[i] == '.' || s[i] == ',' {
		end := digitsEnd(s, i+1)
		if end == i+1 {
			return 0, false
		}
		for k := i + 1; k <= i+3; k++ {
			fraction *= 10
			if k < end {
				fraction += int64(s[k] - '0')
			}
		}
		i = end
	}
	offset := 0 // minutes
	switch zone := s[i:]; {
	case zone == "Z" || zone == "z":
	case len(zone) == len("+00:00") && (zone[0] == '+' || zone[0] == '-') && zone[3] == ':':
		h, m := twoDigits(zone, 1), twoDigits(zone, 4)
		if h|m < 0 || h > 23 || m > 59 {
			return 0, false
		}
		if offset = h*60 + m; zone[0] == '-' {
			offset = -offset
		}
	default:
		return 0, false
	}
	t := time.Date(year, time.Month(month), day, hour, minute-offset, second, 0, time.UTC)
	return t.UnixMilli() + fraction, true
}

func twoDigits(s string, i int) int {
	a, b := s[i]-'0', s[i+1]-'0'
	if a > 9 || b > 9 {
		return -1
	}
	return int(a)*10 + int(b)
}

func daysIn(year, month int) int {
	switch month {
	case 4, 6, 9, 11:
		return 30
	case 2:
		if year%4 == 0 && (year%100 != 0 || year%400 == 0) {
			return 29
		}
		return 28
	}
	return 31
}

// appendTime appends Unix milliseconds as RFC 3339 in UTC with milliseconds. A time
// outside MinTime and MaxTime is written as the nearer of the two.
func appendTime(dst []byte, ms int64) []byte {
	ms = min(max(ms, MinTime), MaxTime)
	t := time.UnixMilli(ms).UTC()
	year, month, day := t.Date()
	hour, minute, second := t.Clock()
	dst = append2(append2(dst, year/100), year%100)
	dst = append2(append(dst, '-'), int(month))
	dst = append2(append(dst, '-'), day)
	dst = append2(append(dst, 'T'), hour)
	dst = append2(append(dst, ':'), minute)
	dst = append2(append(dst, ':'), second)
	milli := t.Nanosecond() / 1e6
	return append(append2(append(dst, '.', byte('0'+milli/100)), milli%100), 'Z')
}

func append2(dst []byte, n int) []byte { return append(dst, byte('0'+n/10), byte('0'+n%10)) }
