package segment

import (
	"strings"
	"time"

	"cairn/engine/event"
)

const dayMilli = 24 * 60 * 60 * 1000

// layouts are the forms of times that clients send, with a T in place of the space between
// date and time. Go reads a fraction of seconds after any of them.
var layouts = [...]string{
	"2006-01-02T15:04:05Z07:00",
	"2006-01-02T15:04:05Z0700",
	"2006-01-02T15:04:05",
	"2006-01-02T15:04Z07:00",
	"2006-01-02T15:04",
	"2006-01-02",
}

// timeOf reads a time as Unix milliseconds: RFC 3339 with any precision and
// offset, without a zone (UTC then), a date alone, or a number, also as a string, see
// event.UnixTime. ok is false for anything else and outside the years 1 to 9999.
func timeOf(v event.Value) (ms int64, ok bool) {
	switch v.Kind {
	case event.Number:
		return event.UnixTime(v.Text)
	case event.String:
		s := v.Text
		if len(s) > 64 {
			return 0, false
		}
		if ms, ok = usualTime(s); ok {
			return ms, true
		}
		if s = strings.TrimSpace(s); len(s) <= 32 {
			if ms, ok = event.UnixTime(s); ok {
				return ms, true
			}
		}
		if len(s) > 10 && (s[10] == ' ' || s[10] == 't') {
			s = s[:10] + "T" + s[11:]
		}
		if strings.HasSuffix(s, "z") {
			s = s[:len(s)-1] + "Z"
		}
		for _, layout := range layouts {
			if t, err := time.Parse(layout, s); err == nil {
				ms, ok = t.UnixMilli(), true
				break
			}
		}
		if !ok {
			return 0, false
		}
	default:
		return 0, false
	}
	return ms, ms >= event.MinTime && ms <= event.MaxTime
}

// usualTime reads what nearly every client sends, 2006-01-02T15:04:05.000Z, a
// few times faster than the layouts.
func usualTime(s string) (ms int64, ok bool) {
	if len(s) != len("2006-01-02T15:04:05.000Z") || s[4] != '-' || s[7] != '-' || s[10] != 'T' ||
		s[13] != ':' || s[16] != ':' || s[19] != '.' || s[23] != 'Z' {
		return 0, false
	}
	number := func(from, to int) (n int) {
		for ; from < to; from++ {
			c := s[from] - '0'
			if c > 9 {
				return -1 << 20
			}
			n = n*10 + int(c)
		}
		return n
	}
	year, month, day := number(0, 4), number(5, 7), number(8, 10)
	hour, minute, second, milli := number(11, 13), number(14, 16), number(17, 19), number(20, 23)
	if year < 1 || month < 1 || month > 12 || day < 1 || day > 28 || hour < 0 || hour > 23 ||
		minute < 0 || minute > 59 || second < 0 || second > 59 || milli < 0 {
		return 0, false // or a day that not every month has, which the layouts decide
	}
	return time.Date(year, time.Month(month), day, hour, minute, second, 0, time.UTC).UnixMilli() + int64(milli), true
}

// corrected is when an event happened by the server's clock. original and sent are by the
// client's clock; hasSent says that sent is known. A result more than a day ahead, or outside
// the years of events, becomes the time of receipt.
func corrected(received, original, sent int64, hasSent bool) int64 {
	t := original
	if hasSent {
		t = received - (sent - original)
	}
	if t > received+dayMilli || t < event.FirstTime || t > event.LastTime {
		return received
	}
	return t
}
