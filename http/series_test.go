package httpd

import (
	"strings"
	"testing"

	"cairn/engine"
)

// One event of long ago, which anybody with a public key can send, does not make a series
// without a range impossible.
func TestSeriesWithoutRange(t *testing.T) {
	t.Parallel()
	s := onStore(t, engine.Options{}, nil, testSite(1, "shop"))
	for _, body := range []string{`{"name":"a","time":"1990-01-02T00:00:00Z"}`, `{"name":"a","time":"2026-11-20T10:00:00Z"}`, `{"name":"a","time":"2026-11-20T11:00:00Z"}`} {
		if a := s.post(body); a.status != 200 {
			t.Fatal(a.status, a.body)
		}
	}
	for _, interval := range []string{"minute", "hour", "day", "week", "month"} {
		a := s.send("GET", "/api/v1/series?metrics=events&interval="+interval, "", "Authorization: Bearer shop-read")
		if a.status != 200 || !strings.Contains(a.body, `"time":"2026-11-`) {
			t.Errorf("%s: %d %.200s", interval, a.status, a.body)
		}
		if old := strings.Contains(a.body, `"time":"1990-01-`) || strings.Contains(a.body, `"time":"1989-12-`); old != (interval == "week" || interval == "month") {
			t.Errorf("%s: the series has the first event: %t", interval, old)
		}
		if a := s.send("GET", "/api/v1/series?from=1990-01-01&metrics=events&interval="+interval, "", "Authorization: Bearer shop-read"); (a.status == 400) != (interval == "minute" || interval == "hour" || interval == "day") {
			t.Errorf("%s from 1990: %d", interval, a.status)
		}
	}
}
