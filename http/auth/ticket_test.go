package auth

import (
	"testing"
	"time"
)

func TestTickets(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	tickets := newTickets(func() time.Time { return now })
	ticket := tickets.Issue(7, time.Minute)
	if tickets.site(ticket) != 7 {
		t.Fatalf("%q does not open its site", ticket)
	}
	for i := range ticket {
		forged := []byte(ticket)
		if forged[i]++; tickets.site(string(forged)) != 0 {
			t.Errorf("%s opens a site", forged)
		}
	}
	for _, bad := range []string{"", "x", ticket[1:], ticket + "0", newTickets(time.Now).Issue(7, time.Minute)} {
		if tickets.site(bad) != 0 {
			t.Errorf("%q opens a site", bad)
		}
	}
	now = now.Add(time.Minute - time.Second)
	if tickets.site(ticket) != 7 {
		t.Error("it is over too early")
	}
	now = now.Add(time.Second)
	if tickets.site(ticket) != 0 {
		t.Error("it is over and opens the site")
	}
	ticket = tickets.Issue(7, 1000*time.Hour)
	if now = now.Add(ticketMax); tickets.site(ticket) != 0 {
		t.Error("it lasts longer than a day")
	}
}
