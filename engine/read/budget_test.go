package read

import (
	"context"
	"runtime"
	"sync/atomic"
	"testing"
	"time"
)

// Queries let others run whenever they look at the clock, so that writes do not wait for them.
func TestCheckLetsOthersRun(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	b := budget{ctx: context.Background(), end: time.Now().Add(time.Hour)}
	var ran atomic.Bool
	go ran.Store(true)
	for range 200 { // the runtime may choose this goroutine again a few times
		if err := b.check(); err != nil {
			t.Fatal(err)
		}
	}
	if !ran.Load() {
		t.Error("200 looks at the clock let no other goroutine run")
	}
}
