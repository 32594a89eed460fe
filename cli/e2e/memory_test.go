package e2e

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"cairn/cli/bench"
)

// Promise D12 for events of any size: with texts of 1 byte to 32 KB in batches of 50, over
// eight connections as fast as the server takes them, the process stays within 64 MiB above
// its budget. That holds with cgo, where Pebble has its memory from C, and without it. In full
// the program is measured as it is shipped: that of the tests has brokers and clients besides,
// which are 6 MB of code.
//
//	go test ./cli/e2e -run '^TestMemoryOfSizes$' -v -hostile.full
//	CGO_ENABLED=0 go test ./cli/e2e -run '^TestMemoryOfSizes$' -v -hostile.full
func TestMemoryOfSizes(t *testing.T) {
	if testing.Short() {
		t.Skip("takes some seconds")
	}
	sizes := []int{1, 64, 1 << 10, 8 << 10, 32_000}
	for _, c := range []struct {
		memory int64 // MiB
		sizes  []int
		full   bool // only with -hostile.full
	}{
		{256, sizes, false},
		{64, sizes, true},
		{64, []int{8 << 10}, true},
		{256, []int{8 << 10}, true},
	} {
		t.Run(fmt.Sprintf("%dMiB %d", c.memory, c.sizes), func(t *testing.T) {
			length := 3 * time.Second
			if *hostileFull {
				length = 40 * time.Second
			} else if c.full {
				t.Skip("takes most of a minute: -hostile.full")
			}
			options, err := serveOptions(t.TempDir())
			if err != nil {
				t.Fatal(err)
			}
			if *hostileFull && *otherCairn == "" {
				options.Exe = built(t)
			}
			options.Env = bench.Environ(fmt.Sprintf("%dMiB", c.memory))
			server, err := bench.StartChild(context.Background(), options)
			if err != nil {
				t.Fatal(err)
			}
			defer server.Kill()
			events, err := sendSizes(server, c.sizes, c.memory == 64, length)
			if err != nil {
				t.Fatal(err)
			}
			if events < 1000 {
				t.Errorf("%d events in %v, so nothing was tried", events, length)
			}
			pid := server.Cmd.Process.Pid
			bench.AwaitQuiet(context.Background(), pid, hostileRest)
			used := bench.ReadUsage(pid)
			t.Logf("%d events; memory reached %d MiB, and is %d MiB after the load", events, used.RSSPeak>>20, used.RSS>>20)
			if most := c.memory<<20 + memoryOver; used.RSSPeak == 0 || used.RSSPeak > most {
				t.Errorf("memory reached %d MiB, want at most %d", used.RSSPeak>>20, most>>20)
			}
			if err := server.Stop(); err != nil {
				t.Error(err)
			}
		})
	}
}

// sendSizes sends batches of 50 events with texts of the given sizes over eight connections,
// and returns how many were stored. least says that the server has the least memory, which has no
// room for eight of the largest batches: it may ask to send some again, but stores most of them.
func sendSizes(server *bench.Child, sizes []int, least bool, length time.Duration) (events int64, err error) {
	const letters = "abcdefghijklmnopqrstuvwxyz012345"
	ctx, cancel := context.WithTimeout(context.Background(), length)
	defer cancel()
	var stored, refused atomic.Int64
	var first sync.Once
	var all sync.WaitGroup
	for n := range 8 {
		all.Go(func() {
			failed := func(e error) { first.Do(func() { err = e }); cancel() }
			c, e := bench.Dial(context.Background(), server.URL, server.Keys.Sites[0].SecretKey)
			if e != nil {
				failed(e)
				return
			}
			defer c.Close()
			random := rand.New(rand.NewPCG(uint64(n), 1))
			var text strings.Builder
			var body bytes.Buffer
			for ctx.Err() == nil {
				body.Reset()
				for range 50 {
					text.Reset()
					for range sizes[random.IntN(len(sizes))] {
						text.WriteByte(letters[random.Uint32()%32])
					}
					fmt.Fprintf(&body, `{"name":"x","user":"u%d","properties":{"text":"%s","number":%d}}`+"\n", random.IntN(100_000), text.String(), random.IntN(1000))
				}
				_, e := c.Post("/api/v1/events", bench.NDJSON, body.Bytes())
				switch {
				case e == nil:
					stored.Add(50)
				case least && strings.Contains(e.Error(), "too many large bodies at once"):
					refused.Add(50)
					time.Sleep(20 * time.Millisecond)
				default:
					failed(e)
					return
				}
			}
		})
	}
	all.Wait()
	if err == nil && refused.Load() > stored.Load()/4 {
		err = fmt.Errorf("%d events are refused for want of memory, and %d stored", refused.Load(), stored.Load())
	}
	return stored.Load(), err
}

// built is the program that "go build" makes, with or without cgo as the tests are.
func built(t *testing.T) string {
	t.Helper()
	exe := filepath.Join(t.TempDir(), "cairn")
	build := exec.Command("go", "build", "-o", exe, ".")
	build.Dir = top
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	return exe
}
