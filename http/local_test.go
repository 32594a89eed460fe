package httpd

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// TestMetricsAccess is rule 20: who reads the metrics of the process.
func TestMetricsAccess(t *testing.T) {
	s := start(t, func(o *Options) { o.MetricsToken = "scraper" })
	const local, other = "127.0.0.1:8080", "stats.example"
	for _, test := range []struct {
		host, header string
		status       int
	}{
		{local, "", 200},
		{"127.0.0.1", "", 200},
		{"[::1]:8080", "", 200},
		{"[::1]", "", 200},
		{"192.0.2.7:8080", "", 200},
		{"localhost:8080", "", 200},
		{"LocalHost", "", 200},
		// A page whose own name means 127.0.0.1 asks with that name as its Host.
		{other, "", 401},
		{"localhost.evil.example", "", 401},
		{"evil.example:8080", "", 401},
		{"127.0.0.1.evil.example", "", 401},
		{local, "X-Forwarded-For: 127.0.0.1", 401},
		{local, "X-Forwarded-Host: localhost", 401},
		{local, "Forwarded: for=127.0.0.1", 401},
		{local, "X-Real-IP: 127.0.0.1", 401},
		{local, "Via: 1.1 proxy", 401},

		{other, "Authorization: Bearer scraper", 200},
		{other, adminKey, 200},
		{other, "Authorization: Bearer scrape", 401},
		{other, "Authorization: Bearer shop-read", 403},
		{other, secret, 403},
		{other, "Authorization: Bearer shop-write", 403},
		{other, "Authorization: Bearer shop-client-secret", 403},
	} {
		head := "Host: " + test.host + "\r\n"
		if test.header != "" {
			head += test.header + "\r\n"
		}
		got, _ := s.raw("GET /metrics HTTP/1.1\r\n"+head+"Connection: close\r\n\r\n", 2*time.Second)
		if !strings.HasPrefix(got, fmt.Sprintf("HTTP/1.1 %d ", test.status)) {
			t.Errorf("%q: %.80q, want %d", head, got, test.status)
		}
		if strings.Contains(got, "cairn_") != (test.status == 200) {
			t.Errorf("%q: %.300q", head, got)
		}
	}
	// The target's host counts in place of the header's, but a browser sends only the header.
	for target, want := range map[string]int{"http://localhost/metrics": 401, "http://stats.example/metrics": 401} {
		if a := s.send("GET", target, ""); a.status != want {
			t.Errorf("%s: %d, want %d", target, a.status, want)
		}
	}
	if a := s.send("GET", "/api/v1/count", "", "Authorization: Bearer scraper"); a.status != 403 {
		t.Errorf("the metrics token reads a site: %d", a.status)
	}
	for _, taken := range []string{"admin", "shop-read", "shop-client", "shop-client-secret"} {
		if _, err := New(Options{Engine: &fakeEngine{}, Sites: []*Site{testSite(1, "shop")}, AdminToken: "admin", MetricsToken: taken}); err == nil {
			t.Errorf("%s is the metrics token too, and nobody minds", taken)
		}
	}
}
