// Errors of the file system at each operation of a script: a single error, and errors from
// then on. Whatever fails, no acknowledged event is lost and no call takes longer than
// faultPatience. The script runs in child processes of the test binary, because a store that
// cannot write may end its process. The parent distinguishes that from a clean stop. For disks
// without space, which end no store, see spaceScript.
//
//	go test ./engine -run Fault -fault.stride=1     every index

package engine_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"cairn/engine"
	"cairn/engine/check"
	"cairn/engine/query"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
)

var faultStride = flag.Int("fault.stride", 127, "try every n-th file operation of the fault test")

const (
	faultPatience = 5 * time.Second
	faultsAChild  = 40 // indices one child process tries
	faultEnv      = "CAIRN_TEST_FAULT"
)

var faultKinds = map[string][]errorfs.OpKind{
	"create": {errorfs.OpCreate, errorfs.OpReuseForWrite, errorfs.OpMkdirAll},
	"write":  {errorfs.OpFileWrite, errorfs.OpFileWriteAt},
	"sync":   {errorfs.OpFileSync, errorfs.OpFileSyncData, errorfs.OpFileSyncTo},
	"rename": {errorfs.OpRename},
	"link":   {errorfs.OpLink},
	"remove": {errorfs.OpRemove, errorfs.OpRemoveAll},
}

func TestFault(t *testing.T) {
	t.Parallel()
	for kind := range allFaults() {
		for _, mode := range []string{"once", "onwards"} {
			t.Run(kind+"/"+mode, func(t *testing.T) {
				t.Parallel()
				tried, stride := 0, *faultStride
				if _, space := spaceKinds[kind]; space && mode == "onwards" && stride > 1 {
					stride *= 8 // each takes a second
				}
				for from, done := 1+len(kind)%stride, false; !done; {
					spec := fmt.Sprintf("%s %s %d %d", kind, mode, from, stride)
					cmd := exec.Command(os.Args[0], "-test.run=^TestFaultChild$", "-test.timeout=2m")
					cmd.Env = append(os.Environ(), faultEnv+"="+spec)
					out, err := cmd.CombinedOutput()
					var last string
					for lines := bufio.NewScanner(bytes.NewReader(out)); lines.Scan(); {
						if i, ok := strings.CutPrefix(lines.Text(), "fault at "); ok {
							last = i
							tried++
						}
						done = done || lines.Text() == "no more faults"
					}
					if err != nil {
						t.Fatalf("%s, operation %s: %v\n%s\nagain: %s='%s %s %s 1' go test ./engine -run 'TestFaultChild$'", spec, last, err, tail(out), faultEnv, kind, mode, last)
					}
					from += faultsAChild * stride
				}
				t.Logf("%d operations failed", tried)
			})
		}
	}
}

// tail returns the end of an output, after the reason of a panic.
func tail(out []byte) []byte {
	var reason []byte
	if i := bytes.Index(out, []byte("panic: ")); i >= 0 {
		reason, _, _ = bytes.Cut(out[i:], []byte("\n\n"))
		reason = append(bytes.Clone(reason), '\n')
	}
	return append(reason, out[max(0, len(out)-4000):]...)
}

// TestFaultChild runs in the child processes: the script once for each index.
func TestFaultChild(t *testing.T) {
	spec := strings.Fields(os.Getenv(faultEnv))
	if len(spec) != 4 {
		t.Skip("runs as a child of TestFault")
	}
	from, _ := strconv.Atoi(spec[2])
	stride, _ := strconv.Atoi(spec[3])
	for i := range faultsAChild {
		at := from + i*stride
		fmt.Printf("fault at %d\n", at)
		script, kinds := faultScript, faultKinds[spec[0]]
		if kinds == nil {
			script, kinds = spaceScript, spaceKinds[spec[0]]
		}
		if hit := script(t, kinds, spec[1] == "onwards", int64(at)); !hit {
			fmt.Println("no more faults")
			return
		}
	}
}

// faultScript runs a store while operation number at of the kinds fails. Then it reads what a
// power cut would leave, and what an end of the process would leave. It reports whether the
// operation was reached.
func faultScript(t *testing.T, kinds []errorfs.OpKind, onwards bool, at int64) (hit bool) {
	var ops atomic.Int64
	var off atomic.Bool
	mem := newCrashable() // the store may still run when it is copied
	fs := errorfs.Wrap(mem, errorfs.InjectorFunc(func(op errorfs.Op) error {
		for _, k := range kinds {
			if op.Kind == k && !off.Load() {
				if n := ops.Add(1); n == at || onwards && n > at {
					return errorfs.ErrInjected
				}
			}
		}
		return nil
	}))
	w := newWorkload(rand.New(rand.NewPCG(5, 5)))
	fatal := make(chan error, 8)
	options := w.options(fs, rand.New(rand.NewPCG(5, 6)))
	options.SealRows, options.HotEvents, options.MergeRuns = 12, 48, 2
	options.Fatal = func(err error) { fatal <- err }

	var e *engine.Engine
	var openErr error
	var acked []*request
	failed := func() bool { return len(fatal) > 0 }
	opened := within(at, "open", failed, func() { e, openErr = engine.Open(options) })
	if opened && openErr == nil {
		within(at, "write", never, func() { w.run(e, 2, 30, failed) })
		if !failed() {
			within(at, "snapshot", failed, func() {
				if _, err := e.Snapshot(context.Background(), "copy"); err != nil && ops.Load() < at {
					t.Errorf("snapshot, without a fault: %v", err)
				}
			})
		}
		within(at, "write", never, func() { w.run(e, 2, 30, failed) })
		acked = w.acked() // verify may find more
		if !failed() {
			within(at, "read", failed, func() { // after Fatal, Pebble's locks stay locked: reads may hang
				if err := w.verify(e, w.acked()); err != nil && !errors.Is(err, query.ErrFailed) && !failed() {
					t.Errorf("fault at %d: still running: %v", at, err)
				}
			})
		}
		if failed() { // no ack may follow
			before := len(w.acked())
			within(at, "write after the end", never, func() { w.run(e, 1, 1, never) })
			if after := len(w.acked()); after > before {
				t.Fatalf("fault at %d: an acknowledgement after Fatal", at)
			}
		} else {
			within(at, "close", failed, func() { _ = e.Close() })
		}
	}
	hit = ops.Load() >= at
	if openErr != nil && !hit {
		t.Fatalf("open, without a fault: %v", openErr)
	}
	reopen(t, at, w, mem, acked)
	return hit
}

// reopen opens what a crash would leave, and checks that it has all acknowledged requests.
func reopen(t *testing.T, at int64, w *workload, mem linkFS, acked []*request) {
	t.Helper()
	for _, percent := range []int{0, 100} {
		left := mem.clone(vfs.CrashCloneCfg{UnsyncedDataPercent: percent, RNG: rand.New(rand.NewPCG(uint64(at), 0))})
		again, err := engine.Open(w.options(left, rand.New(rand.NewPCG(5, 7))))
		if err != nil {
			t.Fatalf("fault at %d, %d %% of unsynced data kept: open again: %v", at, percent, err)
		}
		if err := w.verify(again, acked); err != nil {
			t.Fatalf("fault at %d, %d %% of unsynced data kept: %v", at, percent, err)
		}
		if err := again.Close(); err != nil {
			t.Fatalf("fault at %d, %d %% of unsynced data kept: close: %v", at, percent, err)
		}
		if report, err := check.Store(context.Background(), left, "data"); err != nil || len(report.Problems) > 0 {
			t.Fatalf("fault at %d, %d %% of unsynced data kept: check: %v %v", at, percent, err, report.Problems)
		}
	}
}

func never() bool { return false }

// within reports whether a step returns. A step that hangs ends the process, and its
// goroutines show where. After Fatal, a step may hang: a real server ends its process.
func within(at int64, step string, may func() bool, do func()) bool {
	done := make(chan struct{})
	go func() {
		defer close(done)
		do()
	}()
	late := time.After(faultPatience)
	for {
		select {
		case <-done:
			return true
		case <-late:
			panic(fmt.Sprintf("fault at %d: %s takes over %v", at, step, faultPatience))
		case <-time.After(100 * time.Millisecond):
			if may() {
				return false
			}
		}
	}
}
