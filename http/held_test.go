package httpd

import (
	"fmt"
	"strings"
	"testing"

	"cairn/engine/event"
	"cairn/engine/query"
)

// A request that is answered 507 while the store still reads it: no later request writes over
// its texts, in the head or in the body, and the budget of bodies gets back what it took.
func TestHeldRequests(t *testing.T) {
	s := start(t, nil)
	total := s.budget.Available()
	long := strings.Repeat("x", 20<<10) // so that the body is charged
	requests := []func(text string) owned{
		func(text string) owned {
			return owned{"POST", "/api/v1/events", fmt.Sprintf(`{"name":"a","user":%q,"properties":{"text":%q}}`, text, long), []string{secret}}
		},
		func(text string) owned {
			return owned{"GET", "/matomo.php?idsite=1&rec=1&cid=0123456789abcdef&action_name=" + text + "&url=http%3A%2F%2Fa.example%2F" + text, "", []string{"User-Agent: " + text}}
		},
		func(text string) owned {
			return owned{"HEAD", "/matomo.php?idsite=1&rec=1&cid=0123456789abcdef&action_name=" + text, "", []string{"Referer: http://a.example/" + text}}
		},
	}
	for _, request := range requests {
		s.engine.fail = fmt.Errorf("%w: the log waits; %w", query.ErrDiskFull, query.ErrHeld)
		q := request("held-by-the-store")
		if a := s.send(q.method, q.target, q.body, q.headers...); a.status != 507 || a.header["connection"] != "close" {
			t.Fatalf("%s %s: %d %s %s", q.method, q.target, a.status, a.header, a.body)
		}
		s.engine.mu.Lock()
		held := &s.engine.failed[0].Event
		s.engine.fail = nil
		s.engine.mu.Unlock()
		text := func() string { return string(event.AppendJSON(nil, held)) }
		before := strings.Clone(text())
		if !strings.Contains(before, "held-by-the-store") {
			t.Fatalf("the test sees no text: %s", before)
		}
		for i := range 50 {
			q := request(fmt.Sprintf("another-text-%04d", i))
			s.send(q.method, q.target, q.body, q.headers...)
		}
		if after := text(); after != before {
			t.Errorf("%s %s: the store reads\n%.300s\nand then\n%.300s", q.method, q.target, before, after)
		}
	}
	if left := s.budget.Available(); left != total {
		t.Errorf("%d bytes of the budget are gone", total-left)
	}
}
