package engine_test

import (
	"flag"
	"os"
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
	os.Exit(m.Run())
}
