package e2e

import "testing"

// A share is made, looked at by whoever has its link, shown in a page of somebody else, and ended
// while it is open. It needs no cookie and no storage.
func TestDashboardShares(t *testing.T) {
	t.Parallel()
	s := newDashboard(t, "")
	s.script("shares.mjs")
}
