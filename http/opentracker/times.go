package opentracker

import (
	"strconv"
	"strings"
	"time"

	"cairn/engine/calendar"
	"cairn/engine/event"
	"cairn/engine/query"
	"cairn/http/dialect"
)

// This file reads the times of a query:
//
//	from, to             dates, both included, or instants, to excluded: RFC 3339,
//	                     Unix time
//	startTime, endTime   Unix time, endTime excluded
//	date, period         that many days, weeks or months that end with the date,
//	                     which is today when it is absent; 1d
//	timeZone             of dates and steps; the site's when absent

// span is a range of time: whole days of a zone, or instants in Unix milliseconds.
type span struct {
	zone           *time.Location
	zoned          bool // a zone was asked for
	days           bool
	fromDay, toDay int32
	from, to       int64
	starts, ends   bool // there is a from, a to
}

// dayLast is 9999-12-31 in days since 1970-01-01: a range of days without end.
const dayLast = 2_932_896

func parseSpan(q values, now int64, home *time.Location) (s span, err error) {
	s.zone = home
	if s.zone == nil {
		s.zone = time.UTC
	}
	if name := q.first("timeZone", "timezone"); name != "" {
		zone, err := loadZone(name)
		if err != nil {
			return s, dialect.Refuse("timeZone", "must be the name of a time zone such as Europe/Berlin")
		}
		s.zone, s.zoned = zone, true
	}
	date, period := q.first("date"), q.first("period")
	from, to := q.first("from"), q.first("to")
	start, end := q.first("startTime"), q.first("endTime")
	switch {
	case (date != "" || period != "") && (from != "" || to != "" || start != "" || end != ""), (from != "" || to != "") && (start != "" || end != ""):
		return s, dialect.Refuse("from", "one of from and to, startTime and endTime, date and period")
	case date != "" || period != "":
		return s, s.ending(date, period, now)
	case start != "" || end != "":
		if s.from, s.starts, err = unixTime("startTime", start); err != nil {
			return s, err
		}
		if s.to, s.ends, err = unixTime("endTime", end); err != nil {
			return s, err
		}
		return s, s.check()
	}
	return s, s.between(from, to)
}

// loadZone is LoadLocation for a name that a client sends.
func loadZone(name string) (*time.Location, error) {
	if len(name) > 64 || name == "Local" {
		return nil, dialect.Refuse("timeZone", "unknown")
	}
	return time.LoadLocation(name)
}

// between reads from and to.
func (s *span) between(from, to string) error {
	fromDay, fromDate := parseDate(from)
	toDay, toDate := parseDate(to)
	if (fromDate || from == "") && (toDate || to == "") {
		if !fromDate && !toDate {
			return nil
		}
		s.days, s.starts, s.ends = true, fromDate, toDate
		s.fromDay, s.toDay = fromDay, dayLast
		if toDate {
			s.toDay = toDay
		}
		return s.check()
	}
	s.starts, s.ends = from != "", to != ""
	var err error
	if fromDate {
		s.from = s.start(fromDay)
	} else if s.from, err = instant("from", from); err != nil {
		return err
	}
	if toDate {
		s.to = s.start(toDay + 1)
	} else if s.to, err = instant("to", to); err != nil {
		return err
	}
	return s.check()
}

// ending reads a date and a period.
func (s *span) ending(date, period string, now int64) error {
	day, ok := parseDate(date)
	switch {
	case date == "":
		day = calendar.Day(now, s.zone)
	case !ok:
		return dialect.Refuse("date", "must be yyyy-MM-dd")
	}
	if period == "" {
		period = "1d"
	}
	unit := period[len(period)-1]
	count := 1
	if digits := period[:len(period)-1]; digits != "" {
		var err error
		if count, err = strconv.Atoi(digits); err != nil || !dialect.IsDigits(digits) || count < 1 || count > 10_000 {
			return dialect.Refuse("period", "must be such as 7d, 4w or 12m")
		}
	}
	last := calendar.Date(day)
	switch unit {
	case 'd':
		s.fromDay = day - int32(count) + 1
	case 'w':
		s.fromDay = day - 7*int32(count) + 1
	case 'm':
		year, month, d := last.Date()
		// The day after the same day of the month before, or after that month's last.
		first := time.Date(year, month-time.Month(count), 1, 0, 0, 0, 0, time.UTC)
		d = min(d, first.AddDate(0, 1, -1).Day())
		s.fromDay = dayOf(first.AddDate(0, 0, d-1)) + 1
	default:
		return dialect.Refuse("period", "must be such as 7d, 4w or 12m")
	}
	s.days, s.starts, s.ends, s.toDay = true, true, true, day
	s.fromDay = max(s.fromDay, 1)
	return s.check()
}

func (s *span) check() error {
	if s.days && s.fromDay > s.toDay || !s.days && s.starts && s.ends && s.from > s.to {
		return dialect.Refuse("from", "is after to")
	}
	return nil
}

// apply puts the range into a query of counters.
func (s *span) apply(q *query.CounterQuery) {
	if s.zoned {
		q.Zone = s.zone
	}
	q.From, q.To, q.FromDay, q.ToDay = s.from, s.to, s.fromDay, s.toDay
	if !s.days {
		q.FromDay, q.ToDay = 0, 0
	}
}

// instants is the range as instants, to exclusive, 0 = open.
func (s *span) instants() (from, to int64) {
	if !s.days {
		return s.from, s.to
	}
	if s.starts {
		from = s.start(s.fromDay)
	}
	if s.ends {
		to = s.start(s.toDay + 1)
	}
	return from, to
}

// start is the first instant of a day in the zone.
func (s *span) start(day int32) int64 { return calendar.Start(day, s.zone) }

// bounds are the ends of the range as they are shown: a date or a time, "" for an open end.
func (s *span) bounds() (from, to string) {
	show := func(given bool, day int32, instant int64) string {
		switch {
		case !given:
			return ""
		case s.days:
			return calendar.Date(day).Format(time.DateOnly)
		}
		return rfc3339(instant, s.zone)
	}
	return show(s.starts, s.fromDay, s.from), show(s.ends, s.toDay, s.to)
}

func rfc3339(unixMilli int64, zone *time.Location) string {
	t := time.UnixMilli(unixMilli).In(zone)
	if unixMilli%1000 == 0 {
		return t.Format(time.RFC3339)
	}
	return t.Format("2006-01-02T15:04:05.000Z07:00")
}

// parseDate reads yyyy-MM-dd from 1970 on, as days since 1970-01-01.
func parseDate(s string) (day int32, ok bool) {
	t, err := time.Parse(time.DateOnly, s)
	if err != nil || t.Year() < 1970 || t.Year() > 9999 {
		return 0, false
	}
	return dayOf(t), true
}

// dayOf is the date of t as days since 1970-01-01.
func dayOf(t time.Time) int32 {
	year, month, day := t.Date()
	return int32(time.Date(year, month, day, 0, 0, 0, 0, time.UTC).Unix() / 86400)
}

// instant reads a time; "" is 0.
func instant(name, s string) (int64, error) {
	if s == "" {
		return 0, nil
	}
	if ms, ok := event.UnixTime(s); ok {
		return ms, nil
	}
	// A plus that was not encoded comes as a space.
	if t, err := time.Parse(time.RFC3339Nano, strings.ReplaceAll(s, " ", "+")); err == nil && t.Year() >= 1970 && t.Year() <= 9999 && t.UnixMilli() > 0 {
		return t.UnixMilli(), nil
	}
	return 0, dialect.Refuse(name, "must be a date, a time of RFC 3339, or Unix time")
}

// unixTime reads a time that is a number; "" is not given.
func unixTime(name, s string) (ms int64, given bool, err error) {
	if s == "" {
		return 0, false, nil
	}
	ms, ok := event.UnixTime(s)
	if !ok {
		return 0, false, dialect.Refuse(name, "must be Unix time in seconds, milliseconds, microseconds or nanoseconds")
	}
	return ms, true, nil
}
