package e2e

import (
	"flag"
	"strconv"
	"testing"
	"time"
)

var updateTrees = flag.Bool("dashboard.trees.update", false, "write the accessibility trees in testdata/sdk/dashboard/trees; read git diff before they are committed")

// What a screen reader is told of each screen is what the files say.
func TestDashboardTrees(t *testing.T) {
	t.Parallel()
	now := time.Now()
	zone := seedZone(now)
	y, m, d := now.In(zone).Date()
	env := []string{"NOON=" + strconv.FormatInt(time.Date(y, m, d, 12, 0, 0, 0, zone).UnixMilli(), 10)}
	if *updateTrees {
		env = append(env, "UPDATE=1")
	}
	s := newDashboard(t, "[[site]]\nname = \"default\"\ntimezone = \""+zone.String()+"\"\n")
	s.script("trees.mjs", env...)
}
