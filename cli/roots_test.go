package cli

import (
	"crypto/x509"
	"os"
	"os/exec"
	"testing"
)

// Without certificates of the system there are those in the program. The system's are read once,
// so another process looks.
func TestRootsWithoutSystem(t *testing.T) {
	if os.Getenv("CAIRN_TEST_ROOTS") != "" {
		roots, err := x509.SystemCertPool()
		if err != nil || roots.Equal(x509.NewCertPool()) {
			t.Fatalf("no certificates: %v", err)
		}
		return
	}
	cmd := exec.Command(os.Args[0], "-test.run=^TestRootsWithoutSystem$")
	cmd.Env = append(os.Environ(), "CAIRN_TEST_ROOTS=1", "SSL_CERT_FILE=/nothing", "SSL_CERT_DIR=/nothing")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}
