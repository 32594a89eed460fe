package e2e

import (
	"os/exec"
	"path/filepath"
	"testing"
)

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
