package e2e

import "testing"

// Now, as it is looked at: lines that come do not move what is read, a stream that breaks off goes
// on where it was, and an event leads to its person and to the visit.
func TestDashboardLive(t *testing.T) {
	t.Parallel()
	s := newDashboard(t, "")
	s.script("live.mjs", s.control(map[string]func() (string, error){"restart": func() (string, error) { return "", s.tryRestart() }}))
}
