package e2e

import (
	"os/exec"
	"path/filepath"
	"testing"
)

// This file looks at the scripts of the dashboard without a browser.

// The scripts of the dashboard, which the server joins into one file as they are, fit the types
// in their comments. The names that the files share are in testdata/sdk/dashboard/cairn.d.ts.
func TestDashboardTypes(t *testing.T) {
	t.Parallel()
	needsSDK(t)
	folder := filepath.Join(top, "testdata", "sdk", "dashboard")
	installSDK(t, folder)
	cmd := exec.Command("node", filepath.Join("node_modules", "typescript", "bin", "tsc"), "-p", ".")
	cmd.Dir = folder
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// What the scripts decide: which panels are asked for and when again, where a stream goes on, which
// days a drag picks, how the steps of a funnel move.
func TestDashboardLogic(t *testing.T) {
	t.Parallel()
	needsSDK(t)
	cmd := exec.Command("node", "--test", "logic.test.mjs")
	cmd.Dir = filepath.Join(top, "testdata", "sdk", "dashboard")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}
