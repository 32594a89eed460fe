package e2e

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"cairn/cli/bench"
)

var (
	fullRounds = flag.Int("full.rounds", 0, "how often TestDiskFull fills each disk; 0 = it is skipped")
	fullSeed   = flag.Uint64("full.seed", 0, "seed of TestDiskFull; 0 = by the clock")
)

const (
	fullSenders = 4
	fullAnswer  = 10 * time.Second // the longest that any answer may take
	fullBack    = 30 * time.Second // from the moment there is space until writes are taken
)

// Promise D8, tried on the real binary. Something else takes all space, or all files, of the
// file system while events come in; in every other round the server is also killed and
// started again. Writes are refused with 507 (or 503), reads go on, the process does not
// end, and writes come back by themselves. No acknowledged event is lost, and none is stored
// twice.
func TestDiskFull(t *testing.T) {
	if *fullRounds == 0 {
		t.Skip("a minute: run it with -full.rounds=3, as .ci/run does")
	}
	for _, disk := range []struct {
		name   string
		mount  func(t *testing.T, dir string)
		memory string
		files  bool // fill the file system with files, not with bytes
	}{
		{"tmpfs", func(t *testing.T, dir string) { mount(t, dir, "-t", "tmpfs", "-o", "size=160m", "tmpfs") }, "64MiB", false},
		{"tmpfs with large seals", func(t *testing.T, dir string) { mount(t, dir, "-t", "tmpfs", "-o", "size=500m", "tmpfs") }, "256MiB", false},
		{"tmpfs without files", func(t *testing.T, dir string) { mount(t, dir, "-t", "tmpfs", "-o", "size=400m,nr_inodes=400", "tmpfs") }, "64MiB", true},
		{"ext4", mountExt4, "64MiB", false},
	} {
		t.Run(disk.name, func(t *testing.T) {
			dir := t.TempDir()
			disk.mount(t, dir)
			seed := *fullSeed
			if seed == 0 {
				seed = uint64(time.Now().UnixNano())
			}
			t.Logf("go test ./cli/e2e -run 'TestDiskFull/%s' -full.rounds=%d -full.seed=%d", strings.ReplaceAll(disk.name, " ", "_"), *fullRounds, seed)
			options, err := serveOptions(filepath.Join(dir, "data"), "-config", fullConfig(t))
			if err != nil {
				t.Fatal(err)
			}
			options.Env = append(options.Env, "CAIRN_MEMORY="+disk.memory, "CAIRN_RESERVE=auto", "CAIRN_SNAPSHOT_DIR="+filepath.Join(dir, "snapshots"))
			f := &filler{t: t, dir: dir, files: disk.files, options: options, rng: rand.New(rand.NewPCG(seed, 0))}
			f.start()
			defer func() { f.server.Kill() }()
			for round := range *fullRounds {
				f.round(round)
			}
			f.finish()
		})
	}
}

// fullConfig returns the path of a configuration that takes large requests.
func fullConfig(t *testing.T) string {
	return configured(t, "ip_rate = 100000\n\n[[site]]\nname = \"default\"\nid = 1\nbatch_limit = \"8MiB\"\nevent_limit = \"64KiB\"\n")[1]
}

// mount mounts a file system on dir until the test ends. Where that is not allowed, the test
// is skipped.
func mount(t *testing.T, dir string, args ...string) {
	t.Helper()
	if out, err := exec.Command("mount", append(args, dir)...).CombinedOutput(); err != nil {
		t.Skipf("a file system can only be mounted by root: %v: %s", err, out)
	}
	t.Cleanup(func() {
		if out, err := exec.Command("umount", "-l", dir).CombinedOutput(); err != nil {
			t.Errorf("umount: %v: %s", err, out)
		}
	})
}

func mountExt4(t *testing.T, dir string) {
	image := filepath.Join(t.TempDir(), "ext4")
	if err := os.WriteFile(image, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(image, 200<<20); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("mkfs.ext4", "-q", "-F", "-m", "0", image).CombinedOutput(); err != nil {
		t.Skipf("mkfs.ext4: %v: %s", err, out)
	}
	mount(t, dir, "-o", "loop", image)
}

// filler fills the disk of a server.
type filler struct {
	t       *testing.T
	dir     string
	files   bool
	options bench.ChildOptions
	rng     *rand.Rand
	server  *bench.Child
	current atomic.Pointer[bench.Child] // server, for other goroutines
	number  atomic.Int64                // of the next request
	taken   int                         // names of files that fill the disk

	mu    sync.Mutex
	acked map[string]int // events of each acknowledged request, by its body
}

func (f *filler) start() {
	f.t.Helper()
	server, err := bench.StartChild(context.Background(), f.options)
	if err != nil {
		f.t.Fatal(err)
	}
	f.server = server
	f.current.Store(server)
	if f.acked == nil {
		f.acked = make(map[string]int)
	}
}

// round loads the server, fills the disk, and frees it again.
func (f *filler) round(n int) {
	f.load(time.Duration(200+f.rng.IntN(600)) * time.Millisecond)
	stop := make(chan struct{})
	var filling sync.WaitGroup
	filling.Go(func() { f.fill(stop) })
	f.watch("/healthz", stop, &filling)
	f.watch("/metrics", stop, &filling)
	refused := int64(0)
	for begun := time.Now(); refused == 0 && time.Since(begun) < fullBack; { // a slow disk is full later
		refused += f.load(time.Second)
	}
	refused += f.load(time.Second)
	f.alive("while the disk is full")
	if refused == 0 {
		f.t.Errorf("round %d: no write was refused", n)
	}
	f.read("while the disk is full")
	if n%2 == 1 {
		f.server.Kill()
		f.start()
		f.read("after a restart on a full disk")
		f.load(time.Second)
		f.alive("after a restart on a full disk")
	}
	if status, body := f.do("POST", "/api/v1/admin/snapshot", ""); status != 507 && status != 503 && status != 200 {
		f.t.Errorf("round %d: a snapshot on a full disk: %d %s", n, status, body)
	}
	close(stop)
	filling.Wait()
	for i := range f.taken {
		if err := os.Remove(f.filler(i)); err != nil && !errors.Is(err, os.ErrNotExist) {
			f.t.Fatal(err)
		}
	}
	f.taken = 0
	_ = os.RemoveAll(filepath.Join(f.dir, "snapshots"))
	freed := time.Now()
	for {
		status, body := f.send(1, 100)
		if status/100 == 2 {
			break
		}
		if time.Since(freed) > fullBack {
			_, metrics := f.do("GET", "/metrics", "")
			out, _ := exec.Command("df", f.dir).Output()
			f.t.Fatalf("round %d: %v after there was space again a write is still answered %d %s\n%s\n%s\n%s", n, fullBack, status, body, f.server.Log(), metrics, out)
		}
		time.Sleep(100 * time.Millisecond)
	}
	f.t.Logf("round %d: %d writes refused, writes back after %v", n, refused, time.Since(freed).Round(time.Millisecond))
	f.alive("after there was space again")
}

func (f *filler) filler(i int) string { return filepath.Join(f.dir, fmt.Sprintf("filler-%d", i)) }

// fill takes all space, and again whatever becomes free, until stop is closed.
func (f *filler) fill(stop chan struct{}) {
	if f.files {
		for {
			select {
			case <-stop:
				return
			default:
			}
			file, err := os.Create(f.filler(f.taken))
			if err != nil {
				time.Sleep(10 * time.Millisecond)
				continue
			}
			f.taken++
			_ = file.Close()
		}
	}
	file, err := os.Create(f.filler(0))
	if err != nil {
		f.t.Error(err)
		return
	}
	defer file.Close()
	f.taken = 1
	zeros := make([]byte, 1<<20)
	for size := len(zeros); ; {
		select {
		case <-stop:
			return
		default:
		}
		if _, err := file.Write(zeros[:size]); err == nil {
			continue
		}
		if size > 1 {
			size /= 2
			continue
		}
		size = 4096
		time.Sleep(10 * time.Millisecond)
	}
}

// load sends events for some time and returns how many requests were refused.
func (f *filler) load(d time.Duration) int64 {
	var refused atomic.Int64
	var senders sync.WaitGroup
	end := time.Now().Add(d)
	for range fullSenders {
		rng := rand.New(rand.NewPCG(f.rng.Uint64(), 1))
		senders.Go(func() {
			for time.Now().Before(end) {
				size := []int{10, 100, 800, 4000}[rng.IntN(4)]
				status, body := f.send(1+rng.IntN(400), size)
				switch {
				case status/100 == 2:
				case status == 507, status == 503:
					refused.Add(1)
					time.Sleep(5 * time.Millisecond)
				default:
					f.t.Errorf("a write is answered %d %s\n%s", status, body, f.server.Log())
					return
				}
			}
		})
	}
	senders.Wait()
	return refused.Load()
}

// send sends a request of so many events, each with a text of about so many bytes.
func (f *filler) send(events, size int) (status int, answer string) {
	number := f.number.Add(1)
	rng := rand.New(rand.NewPCG(uint64(number), 2))
	var body strings.Builder
	for i := range events {
		text := make([]byte, size)
		for k := range text {
			text[k] = "abcdefghijklmnopqrstuvwxyz0123456789"[rng.IntN(36)]
		}
		fmt.Fprintf(&body, `{"type":"track","name":"x","message_id":"%d-%d","anonymous":"a%d","properties":{"text":"%s"}}`+"\n", number, i, rng.IntN(1000), text)
	}
	status, answer = f.do("POST", "/api/v1/events", body.String())
	if status/100 == 2 {
		f.mu.Lock()
		f.acked[body.String()] = events
		f.mu.Unlock()
	}
	return status, answer
}

func (f *filler) do(method, path, body string) (status int, answer string) {
	server := f.current.Load()
	req, err := http.NewRequest(method, server.URL+path, bytes.NewReader([]byte(body)))
	if err != nil {
		f.t.Fatal(err)
	}
	key := server.Keys.Sites[0].SecretKey
	if strings.Contains(path, "/admin/") {
		key = server.Keys.AdminToken
	}
	req.Header.Set("Authorization", "Bearer "+key)
	if body != "" {
		req.Header.Set("Content-Type", bench.NDJSON)
	}
	client := &http.Client{Timeout: fullAnswer, Transport: fullTransport}
	res, err := client.Do(req)
	if err != nil {
		if os.IsTimeout(err) { // let the process say what it waits for, once, and end
			_ = server.Cmd.Process.Signal(syscall.SIGQUIT)
			<-server.Exited
		}
		return 0, err.Error()
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		return 0, err.Error()
	}
	return res.StatusCode, string(text)
}

var fullTransport = &http.Transport{MaxIdleConnsPerHost: fullSenders}

// read asks for a count and a page, which must be answered.
func (f *filler) read(when string) {
	f.t.Helper()
	for _, path := range []string{"/api/v1/count", "/api/v1/events?limit=10", "/api/v1/counters?property=name&limit=10", "/healthz"} {
		if status, body := f.do("GET", path, ""); status != 200 {
			f.t.Errorf("%s: %s is answered %d %s\n%s", when, path, status, body, f.server.Log())
		}
	}
}

// watch asks for a page all the time until stop is closed, and counts the goroutine in done. What
// was not answered because the server was killed is no fault.
func (f *filler) watch(path string, stop chan struct{}, done *sync.WaitGroup) {
	done.Go(func() {
		longest := time.Duration(0)
		for {
			select {
			case <-stop:
				f.t.Logf("%s was answered within %v", path, longest.Round(time.Millisecond))
				return
			case <-time.After(20 * time.Millisecond):
			}
			begun := time.Now()
			status, body := f.do("GET", path, "")
			took := time.Since(begun)
			longest = max(longest, took)
			if status == 0 && took < fullAnswer {
				continue // between a kill and the next start
			}
			if status != 200 {
				f.t.Errorf("%s is answered %d %.300s after %v", path, status, body, took)
				return
			}
		}
	})
}

func (f *filler) alive(when string) {
	f.t.Helper()
	select {
	case <-f.server.Exited:
		f.t.Fatalf("%s the server ended with %v: %s", when, f.server.Cmd.ProcessState, f.server.Log())
	default:
		if err := f.server.Cmd.Process.Signal(syscall.Signal(0)); err != nil {
			f.t.Fatalf("%s: %v", when, err)
		}
	}
}

// finish sends all acknowledged requests once more, each of which must be a duplicate as a
// whole, and checks the store.
func (f *filler) finish() {
	events := 0
	for body, n := range f.acked {
		events += n
		status, answer := 0, ""
		for end := time.Now().Add(fullBack); time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
			if status, answer = f.do("POST", "/api/v1/events", body); status != 507 && status != 503 {
				break
			}
		}
		if status/100 != 2 || !strings.Contains(answer, fmt.Sprintf(`"duplicates":%d`, n)) {
			f.t.Errorf("a request of %d events, sent again: %d %.300s", n, status, answer)
		}
	}
	f.t.Logf("%d events of %d requests were acknowledged", events, len(f.acked))
	if err := stopAndCheck(f.server, f.options); err != nil {
		f.t.Error(err)
	}
}
