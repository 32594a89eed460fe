package read

import (
	"bytes"
	"runtime"
	"runtime/debug"
	"sync/atomic"
	"testing"
	"time"
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
