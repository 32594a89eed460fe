package e2e

import "testing"

// This file breaks what the dashboard stands on while somebody looks: hostile events, a server
// that is killed, a key that is changed.

// What strangers send is text on every screen: nothing of it runs, asks anybody or breaks a page.
func TestDashboardHostile(t *testing.T) {
	t.Parallel()
	s := newDashboard(t, "[[site]]\nname = \"default\"\norigins = [\"https://shop.example\"]\n")
	s.script("hostile.mjs")
}

// A server that is killed leaves the old numbers in place, and the page goes on when it is back.
// A server that is busy is asked again. A key that is changed ends the sessions that it opened.
func TestDashboardFaults(t *testing.T) {
	t.Parallel()
	const before, after, secret = "read-key-of-the-first-hour-0000001", "read-key-of-the-second-hour-000001", "secret-key-that-stays-000000000001"
	config := func(key string) string {
		return "[[site]]\nname = \"default\"\nread_key = \"" + key + "\"\nsecret_key = \"" + secret + "\"\n"
	}
	s := newDashboard(t, config(before))
	next := configured(t, config(after))
	done := func(err error) (string, error) { return "done", err }
	control := s.control(map[string]func() (string, error){
		"kill":  func() (string, error) { s.running().Kill(); return done(nil) },
		"start": func() (string, error) { return done(s.tryRestart()) },
		"rotate": func() (string, error) {
			s.setFlags(next)
			return done(s.tryRestart())
		},
	})
	s.script("faults.mjs", control, "READ_KEY="+before, "NEXT_KEY="+after, "SECRET_KEY="+secret)
}
