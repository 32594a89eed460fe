package engine_test

import (
	"flag"
	"os"
	"runtime/debug"
	"testing"

	"cairn/engine/event"
	"cairn/engine/table"
)

// TestMain makes the engine overwrite memory before it is reused, so that tests notice pointers
// into it. Benchmarks run without this, like the server.
func TestMain(m *testing.M) {
	flag.Parse()
	event.Poisoned = flag.Lookup("test.bench").Value.String() == ""
	table.Strict = event.Poisoned
	if event.Poisoned && os.Getenv("GOGC") == "" {
		debug.SetGCPercent(400)       // hundreds of small stores: a fourth of the tests' time is the collector's at 100
		debug.SetMemoryLimit(2 << 30) // with 32 bits there are 4 GiB of addresses
	}
	os.Exit(m.Run())
}
