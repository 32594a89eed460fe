package httpd

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"cairn/engine"
)

// What is older than a site keeps is refused natively, and answered as usual and counted in the
// dialects. Nothing of it is stored.
func TestTooOldEvents(t *testing.T) {
	site := testSite(1, "shop")
	site.RetentionDays = 30
	s := onStore(t, engine.Options{}, nil, site)
	const secret = "Authorization: Bearer shop-secret"
	events := func() (n int) {
		var answer struct{ Events int }
		a := s.send("GET", "/api/v1/count?metrics=events", "", secret)
		if err := json.Unmarshal([]byte(a.body), &answer); err != nil {
			t.Fatal(a.status, a.body, err)
		}
		return answer.Events
	}
	for _, c := range []struct {
		days   int
		status int
		stored int
	}{{29, 200, 1}, {31, 400, 1}} {
		at := time.Now().AddDate(0, 0, -c.days).UnixMilli()
		a := s.send("POST", "/api/v1/events", fmt.Sprintf(`{"name":"a","time":%d}`, at), secret)
		if a.status != c.status || events() != c.stored || c.status == 400 && !strings.Contains(a.body, "retention_days") {
			t.Errorf("native, %d days: %d %s, %d events", c.days, a.status, a.body, events())
		}
	}
	for _, c := range []struct{ days, stored int }{{29, 2}, {31, 2}} {
		at := time.Now().AddDate(0, 0, -c.days).UTC().Format(time.RFC3339)
		a := s.send("POST", "/v1/track", fmt.Sprintf(`{"writeKey":"shop-write","event":"b","userId":"u","timestamp":%q}`, at))
		if a.status != 200 || events() != c.stored {
			t.Errorf("Segment, %d days: %d %s, %d events, want %d", c.days, a.status, a.body, events(), c.stored)
		}
	}
	if n := s.metrics.excluded.snapshot()[excludedRetention]; n != 1 {
		t.Errorf("%d events are counted as too old, want 1", n)
	}
}

// All events of a site are deleted by the admin's token alone, and those of other sites stay.
func TestDeleteSite(t *testing.T) {
	s := onStore(t, engine.Options{}, func(o *Options) { o.AdminToken = "admin" }, testSite(1, "shop"), testSite(2, "blog"))
	for _, key := range []string{"shop-secret", "blog-secret"} {
		if a := s.send("POST", "/api/v1/events", `{"name":"a"}`, "Authorization: Bearer "+key); a.status != 200 {
			t.Fatal(a.status, a.body)
		}
	}
	for _, c := range []struct {
		target, key string
		status      int
	}{
		{"shop?purge=1", "shop-secret", 403}, {"shop", "admin", 404}, // no process can remove the site
		{"nothing?purge=1", "admin", 404},
		{"shop?purge=1", "admin", 200}, {"shop?purge=1", "admin", 404}, // there is nothing left
	} {
		if a := s.send("DELETE", "/api/v1/admin/sites/"+c.target, "", "Authorization: Bearer "+c.key); a.status != c.status {
			t.Errorf("%s by %s: %d %s, want %d", c.target, c.key, a.status, a.body, c.status)
		}
	}
	for key, want := range map[string]string{"shop-secret": `"events":0`, "blog-secret": `"events":1`} {
		if a := s.send("GET", "/api/v1/count", "", "Authorization: Bearer "+key); !strings.Contains(a.body, want) {
			t.Errorf("%s: %s, want %s", key, a.body, want)
		}
	}
}
