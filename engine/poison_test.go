package engine_test

import (
	"flag"
	"os"
	"testing"

	"cairn/engine/event"
	"cairn/engine/table"
)

// TestMain has memory that is used again overwritten before, so that nothing can
// point into it unnoticed, and views that nobody closes make Close fail. Benchmarks run as the server does.
func TestMain(m *testing.M) {
	flag.Parse()
	event.Poisoned = flag.Lookup("test.bench").Value.String() == ""
	table.Strict = event.Poisoned
	os.Exit(m.Run())
}
