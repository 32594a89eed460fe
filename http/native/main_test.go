package native

import (
	"flag"
	"os"
	"testing"

	"cairn/engine/event"
)

// TestMain has the memory of every batch overwritten once it is answered, so that nothing
// can point into it unnoticed. Benchmarks run as the server does.
func TestMain(m *testing.M) {
	flag.Parse()
	event.Poisoned = flag.Lookup("test.bench").Value.String() == ""
	os.Exit(m.Run())
}
