package opentracker

import (
	"strings"
	"testing"
	"time"

	"cairn/engine/query"
	"cairn/http/dialect"
)

// 2026-11-20T12:00:00Z, a Friday.
const noon = 1795176000000

func TestSpan(t *testing.T) {
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Skip("this machine has no time zone files: ", err)
	}
	for _, c := range []struct{ query, want string }{
		{"", ""},
		{"from=2026-11-01&to=2026-11-30", "2026-11-01..2026-11-30 2026-11-01T00:00:00Z 2026-12-01T00:00:00Z"},
		{"from=2026-11-01", "2026-11-01.. 2026-11-01T00:00:00Z -"},
		{"to=2026-11-01", "..2026-11-01 - 2026-11-02T00:00:00Z"},
		{"from=2026-11-01&to=2026-11-01", "2026-11-01..2026-11-01 2026-11-01T00:00:00Z 2026-11-02T00:00:00Z"},
		{"from=2026-11-01T10:00:00Z&to=2026-11-01T10:30:00%2B01:00", "! from"},
		{"from=2026-11-01T10:00:00Z&to=2026-11-01T12:00:00+01:00", "2026-11-01T10:00:00Z..2026-11-01T11:00:00Z 2026-11-01T10:00:00Z 2026-11-01T11:00:00Z"},
		{"from=1795176000", "2026-11-20T12:00:00Z.. 2026-11-20T12:00:00Z -"},
		{"from=1795176000500", "2026-11-20T12:00:00.500Z.. 2026-11-20T12:00:00.500Z -"},
		{"from=2026-11-01&to=1795176000", "2026-11-01T00:00:00Z..2026-11-20T12:00:00Z 2026-11-01T00:00:00Z 2026-11-20T12:00:00Z"},
		{"startTime=1795176000000&endTime=1795176001000", "2026-11-20T12:00:00Z..2026-11-20T12:00:01Z 2026-11-20T12:00:00Z 2026-11-20T12:00:01Z"},
		{"date=2026-11-10", "2026-11-10..2026-11-10 2026-11-10T00:00:00Z 2026-11-11T00:00:00Z"},
		{"period=d", "2026-11-20..2026-11-20 2026-11-20T00:00:00Z 2026-11-21T00:00:00Z"},
		{"period=7d", "2026-11-14..2026-11-20 2026-11-14T00:00:00Z 2026-11-21T00:00:00Z"},
		{"date=2026-11-10&period=2w", "2026-10-28..2026-11-10 2026-10-28T00:00:00Z 2026-11-11T00:00:00Z"},
		{"date=2026-03-31&period=1m", "2026-03-01..2026-03-31 2026-03-01T00:00:00Z 2026-04-01T00:00:00Z"},
		{"date=2026-11-10&period=12m", "2025-11-11..2026-11-10 2025-11-11T00:00:00Z 2026-11-11T00:00:00Z"},
		{"from=2026-11-01&to=2026-11-02&timeZone=Europe/Berlin", "2026-11-01..2026-11-02 2026-10-31T23:00:00Z 2026-11-02T23:00:00Z"},
		{"from=2026-11-02&to=2026-11-01", "! from"},
		{"from=yesterday", "! from"},
		{"from=2026-13-01", "! from"},
		{"from=2026-02-30", "! from"},
		{"to=-5", "! to"},
		{"from=0", "! from"},
		{"from=99999999999999999999", "! from"},
		{"startTime=2026-11-01", "! startTime"},
		{"startTime=1795176001000&endTime=1795176000000", "! from"},
		{"startTime=1795176000&endTime=1795176001000000", "2026-11-20T12:00:00Z..2026-11-20T12:00:01Z 2026-11-20T12:00:00Z 2026-11-20T12:00:01Z"},
		{"startTime=5", "! startTime"},
		{"from=17951760000", "! from"},
		{"date=1.1.2026", "! date"},
		{"period=3y", "! period"},
		{"period=0d", "! period"},
		{"period=-1d", "! period"},
		{"period=99999d", "! period"},
		{"date=2026-11-01&from=2026-11-01", "! from"},
		{"from=2026-11-01&endTime=5", "! from"},
		{"timeZone=Mars/Base", "! timeZone"},
		{"timeZone=Local", "! timeZone"},
		{"timeZone=../../etc/passwd", "! timeZone"},
	} {
		q, err := parseValues(&dialect.Request{RawQuery: c.query})
		if err != nil {
			t.Fatal(err)
		}
		s, err := parseSpan(q, noon, nil)
		got := ""
		if err != nil {
			got = "! " + strings.SplitN(err.Error(), ":", 2)[0]
		} else if from, to := s.bounds(); from+to != "" {
			show := func(ms int64) string {
				if ms == 0 {
					return "-"
				}
				return rfc3339(ms, time.UTC)
			}
			a, b := s.instants()
			got = from + ".." + to + " " + show(a) + " " + show(b)
		}
		if got != c.want {
			t.Errorf("%s: %s, want %s", c.query, got, c.want)
		}
	}
	// The site's zone is the default.
	q := values{"from": {"2026-11-01"}, "to": {"2026-11-01"}}
	s, err := parseSpan(q, noon, berlin)
	if from, _ := s.instants(); err != nil || rfc3339(from, time.UTC) != "2026-10-31T23:00:00Z" {
		t.Errorf("%v, %v", from, err)
	}
	s, _ = parseSpan(values{}, noon, berlin)
	cq := query.CounterQuery{}
	if s.apply(&cq); cq.Zone != nil || cq.FromDay != 0 || cq.ToDay != 0 {
		t.Errorf("no range gives %+v", cq)
	}
}
