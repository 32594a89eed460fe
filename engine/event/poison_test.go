package event

import (
	"flag"
	"os"
	"testing"
)

// TestMain has memory that is used again overwritten before, so that nothing can
// point into it unnoticed. Benchmarks run as the server does.
func TestMain(m *testing.M) {
	flag.Parse()
	Poisoned = flag.Lookup("test.bench").Value.String() == ""
	os.Exit(m.Run())
}
