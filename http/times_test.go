package httpd

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"cairn/engine"
)

// A number means the same time in every dialect, by its digits. What means none, and a year
// that no event is of, is the time of receipt where the dialect does not refuse.
func TestNumbersThatMeanATime(t *testing.T) {
	t.Parallel()
	s := onStore(t, engine.Options{}, nil, testSite(1, "shop"))
	at := time.Now().UTC().Add(-2 * time.Minute).Truncate(time.Second)
	seconds := fmt.Sprint(at.Unix())
	secretKey := []string{secret}
	panel := []string{clientID, clientSecret}
	dialects := map[string]owned{
		"native":             {"POST", "/api/v1/events", `{"name":"a","time":%s}`, secretKey},
		"segment":            {"POST", "/v1/track", `{"writeKey":"shop-write","event":"a","userId":"u","timestamp":%s}`, nil},
		"segment, as a text": {"POST", "/v1/track", `{"writeKey":"shop-write","event":"a","userId":"u","originalTimestamp":"%s"}`, nil},
		"openpanel":          {"POST", "/track", `{"type":"track","payload":{"name":"a","properties":{"__timestamp":%s}}}`, panel},
		"matomo":             {"GET", "/matomo.php?idsite=1&rec=1&action_name=a&cdt=%s", "", []string{firefox}},
		"opentracker":        {"GET", "/?si=shop&ti=a&t_ms=%s", "", nil},
	}
	stored := func(name string, q owned, number string) (status int, when time.Time) {
		t.Helper()
		q.target, q.body = strings.ReplaceAll(q.target, "%s", number), strings.ReplaceAll(q.body, "%s", number)
		a := s.connect().ask(q)
		if a.status/100 != 2 {
			return a.status, when
		}
		var page struct{ Events []struct{ Time time.Time } }
		list := s.send("GET", "/api/v1/events?limit=1", "", secret)
		if err := json.Unmarshal([]byte(list.body), &page); err != nil || len(page.Events) != 1 {
			t.Fatalf("%s %s: %v %s", name, number, err, list.body)
		}
		return a.status, page.Events[0].Time
	}
	for name, q := range dialects {
		for _, number := range []string{seconds, seconds + "000", seconds + "000000", seconds + "000000000", seconds + ".0", seconds + "000.75"} {
			if status, when := stored(name, q, number); status/100 != 2 || !when.Equal(at) {
				t.Errorf("%s: %s is %d, %s, want %s", name, number, status, when, at)
			}
		}
		for _, number := range []string{seconds + "0", seconds + "0000000", "500000000", "4133980800000", "7"} {
			status, when := stored(name, q, number)
			if name == "native" {
				if status != 400 {
					t.Errorf("%s: %s is %d", name, number, status)
				}
			} else if status/100 != 2 || when.Before(at.Add(time.Minute)) || when.After(time.Now().Add(time.Minute)) {
				t.Errorf("%s: %s is %d, %s", name, number, status, when)
			}
		}
	}
	for target, key := range map[string]string{
		"/api/v1/events?limit=1&from=%s":                        secret,
		"/api/counts?site=shop&key=shop-read&startTime=%s":      "X-Unused: 1",
		"/api/counts?site=shop&key=shop-read&from=%s":           "X-Unused: 1",
		"/export/events?projectId=shop&start=%s&end=9999999999": "X-Unused: 1",
	} {
		for _, number := range []string{seconds, seconds + "000", seconds + "000000", seconds + "000000000"} {
			if a := s.send("GET", strings.ReplaceAll(target, "%s", number), "", key, clientID, clientSecret); a.status != 200 {
				t.Errorf("%s of %s: %d %s", target, number, a.status, a.body)
			}
		}
		if a := s.send("GET", strings.ReplaceAll(target, "%s", seconds+"0"), "", key, clientID, clientSecret); a.status != 400 {
			t.Errorf("%s of eleven digits: %d %s", target, a.status, a.body)
		}
	}
}
