package read

import (
	"bytes"
	"errors"
	"runtime"
	"runtime/debug"
	"sync/atomic"
	"testing"
	"time"

	"cairn/engine/query"
)

// If a query panics, its view is closed on the way out. By then no other goroutine of the
// query reads any more.
func TestGatherPanics(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(4))
	var begun, reading atomic.Int64
	defer func() {
		if recover() == nil {
			t.Error("the panic is lost")
		}
		if n := reading.Load(); n != 0 {
			t.Errorf("%d goroutines still read", n)
		}
	}()
	_, _ = gather(budget{}, nil, make([]rowRange, 100), func(*rangeReader, *rowRange, *int) error {
		begun.Add(1)
		if bytes.Contains(debug.Stack(), []byte("tRunner")) { // the goroutine of the query
			for begun.Load() < 4 {
				time.Sleep(time.Millisecond)
			}
			panic("a fault")
		}
		reading.Add(1)
		time.Sleep(20 * time.Millisecond)
		reading.Add(-1)
		return nil
	})
}

// A panic in another goroutine than that of the query is an error of the query, and does not
// end the process.
func TestPanicIsAnError(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(4))
	var reading atomic.Int64
	others := func() error { // panics in every goroutine but the query's
		reading.Add(1)
		defer reading.Add(-1)
		time.Sleep(time.Millisecond)
		if !bytes.Contains(debug.Stack(), []byte("tRunner")) {
			panic("a fault")
		}
		return nil
	}
	check := func(name string, err error) {
		t.Helper()
		var p *query.Panic
		if !errors.As(err, &p) || p.Value != "a fault" || !bytes.Contains(p.Stack, []byte("TestPanicIsAnError")) {
			t.Errorf("%s: %v", name, err)
		}
		if n := reading.Load(); n != 0 {
			t.Errorf("%s: %d goroutines still read", name, n)
		}
	}
	_, err := gather(budget{}, nil, make([]rowRange, 100), func(*rangeReader, *rowRange, *int) error { return others() })
	check("gather", err)
	err = readInOrder(budget{}, nil, make([]rowRange, 100), func(*rangeReader, *rowRange) (*int, error) { return nil, others() }, func(*int) bool { return true })
	check("readInOrder", err)
}
