package bench

import (
	"bytes"
	"encoding/json"
	"testing"
	"time"
)

// The load of the shop has the variety that shopload.go promises, in the time that it is told.
func TestShopLoad(t *testing.T) {
	const n = 40_000
	from := time.UnixMilli(1_700_000_000_000)
	const span = 2 * 24 * time.Hour
	clock := func(done int64) time.Time { return from.Add(time.Duration(done) * (span / n)) }
	a, b := newShopLoad(7, 1, 3, clock), newShopLoad(7, 1, 3, clock)
	type visit struct {
		user        string
		rows        int
		first, last int64
	}
	visits, people, paths, ids := map[string]*visit{}, map[string]bool{}, map[string]bool{}, map[string]bool{}
	carts, orders, late := 0, 0, int64(0)
	for range n {
		one := a.appendEvent(nil, time.Time{})
		if two := b.appendEvent(nil, time.Time{}); !bytes.Equal(one, two) {
			t.Fatalf("the same seed gave\n%s\n%s", one, two)
		}
		var e struct {
			Type, Name, User, Session string
			MessageID                 string `json:"message_id"`
			Time                      int64
			Value                     *float64
			Context                   map[string]string
		}
		if err := json.Unmarshal(one, &e); err != nil {
			t.Fatalf("%v in %s", err, one)
		}
		if e.Time < late {
			t.Fatalf("the time goes back to %d after %d", e.Time, late)
		}
		late = e.Time
		v := visits[e.Session]
		if v == nil {
			v = &visit{user: e.User, first: e.Time}
			visits[e.Session] = v
			if e.Type != "page" {
				t.Fatalf("a visit begins with %s", one)
			}
		} else if e.Context["referrer"] != "" || e.Context["utm_source"] != "" {
			t.Fatalf("a later row has a source: %s", one)
		}
		if v.user != e.User {
			t.Fatalf("a visit has the users %s and %s", v.user, e.User)
		}
		v.rows, v.last = v.rows+1, e.Time
		people[e.User], ids[e.MessageID], paths[e.Context["path"]] = true, true, true
		switch {
		case e.Name == "add_to_cart":
			carts++
		case e.Type == "order":
			if orders++; e.Value == nil || *e.Value < 1 {
				t.Fatalf("an order without a value: %s", one)
			}
		}
	}
	if len(ids) != n || len(paths) < shopPaths*9/10 {
		t.Errorf("%d message ids for %d events, %d paths", len(ids), n, len(paths))
	}
	if late < from.Add(span-time.Hour).UnixMilli() {
		t.Errorf("the last event is of %v", time.UnixMilli(late))
	}
	single, timed, seconds := 0, 0, int64(0)
	for _, v := range visits {
		if v.rows == 1 {
			single++
		} else {
			timed, seconds = timed+1, seconds+(v.last-v.first)/1000
		}
	}
	for _, c := range []struct {
		what        string
		got         float64
		least, most float64
	}{
		{"rows of a visit", n / float64(len(visits)), 4.1, 4.6},
		{"people of a visit", float64(len(people)) / float64(len(visits)), 70.0 / 230, 74.0 / 230},
		{"visits of one row", float64(single) / float64(len(visits)), 0.42, 0.47},
		{"seconds of the others", float64(seconds) / float64(timed), 300, 500},
		{"rows that add to the cart", float64(carts) / n, 0.03, 0.04},
		{"orders of a row that adds", float64(orders) / float64(carts), 0.28, 0.36},
	} {
		if c.got < c.least || c.got > c.most {
			t.Errorf("%s: %.3f, want %.3f to %.3f", c.what, c.got, c.least, c.most)
		}
	}
}

// Without a clock, at full speed, no visit waits for its pause, and memory stays bounded.
func TestShopLoadAtFullSpeed(t *testing.T) {
	l := newShopLoad(1, 1, 0, nil)
	var b []byte
	for range 20_000 {
		b = l.appendEvent(b[:0], time.UnixMilli(1_700_000_000_000))
		if len(l.open) > shopOpen {
			t.Fatalf("%d visits are under way", len(l.open))
		}
	}
}
