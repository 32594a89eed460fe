package event

import (
	"flag"
	"os"
	"testing"
)

// TestMain makes memory be overwritten before it is used again, so that nothing can
// point into it unnoticed. Benchmarks do not, as the server does not.
func TestMain(m *testing.M) {
	flag.Parse()
	Poisoned = flag.Lookup("test.bench").Value.String() == ""
	os.Exit(m.Run())
}
