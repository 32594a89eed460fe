package e2e

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"cairn/cli/bench"
	"cairn/cli/config"
)

// This file runs the real binary for tests: it starts it on a data directory, kills and
// restarts it, reads through the native API, and ends with a recount.

var otherCairn = flag.String("cairn", "", "the tests that start a server run this `FILE` instead of the cairn under test; an absolute path")

// testServer is a "cairn serve" for one test. It ends with the test at the latest.
type testServer struct {
	*testing.T
	options bench.ChildOptions // of the next start

	mu    sync.RWMutex // locked for writing while there is no server
	child *bench.Child
}

// startServer starts a server on dir with more flags of serve. It waits while a day of UTC
// ends: ids of devices, and so visits, are of one day.
func startServer(t *testing.T, dir string, flags ...string) *testServer {
	t.Helper()
	now := time.Now()
	if left := now.Truncate(24 * time.Hour).Add(24 * time.Hour).Sub(now); left < 30*time.Second {
		time.Sleep(left)
	}
	options, err := serveOptions(dir, flags...)
	if err != nil {
		t.Fatal(err)
	}
	c, err := bench.StartChild(context.Background(), options)
	if err != nil {
		t.Fatal(err)
	}
	s := &testServer{T: t, options: options, child: c}
	t.Cleanup(func() { s.running().Kill() })
	return s
}

// serveOptions returns the options of a server on dir with more flags of serve. Unless its
// configuration says how much, the server keeps 2 MiB of the disk free: to write the ballast of the
// usual reserve, 32 MiB, takes longer than the rest of a first start.
func serveOptions(dir string, flags ...string) (bench.ChildOptions, error) {
	exe, err := *otherCairn, error(nil)
	if exe == "" {
		exe, err = exec.LookPath("cairn")
	}
	env := bench.Environ("256MiB")
	if !slices.ContainsFunc(flags, saysReserve) {
		env = append(env, "CAIRN_RESERVE=2MiB")
	}
	return bench.ChildOptions{Exe: exe, Dir: dir, Env: env, Args: flags}, err
}

// saysReserve reports whether a flag is the name of a configuration with a reserve.
func saysReserve(flag string) bool {
	text, _ := os.ReadFile(flag)
	return strings.HasPrefix(string(text), "reserve") || strings.Contains(string(text), "\nreserve")
}

// configured returns the flags of serve for the text of a cairn.toml.
func configured(t *testing.T, text string) (flags []string) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "cairn.toml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return []string{"-config", file}
}

// running returns the current server. It waits while a server is being started.
func (s *testServer) running() *bench.Child {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.child
}

// url returns the server's address, which changes with each start unless a flag sets
// it.
func (s *testServer) url() string { return s.running().URL }

func (s *testServer) keys() *config.SiteKeys { return &s.running().Keys.Sites[0] }

// restart kills the server with SIGKILL and starts it again. Only the test's own
// goroutine may call it.
func (s *testServer) restart() {
	s.Helper()
	if err := s.tryRestart(); err != nil {
		s.Fatal(err)
	}
}

// tryRestart is restart for any goroutine. A server that stays on its address may find it
// taken for a moment, as the local end of somebody's connection.
func (s *testServer) tryRestart() error {
	s.running().Kill()
	s.mu.Lock()
	defer s.mu.Unlock()
	for end := time.Now().Add(5 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		c, err := bench.StartChild(context.Background(), s.options)
		if err == nil {
			s.child = c
			return nil
		}
		if !strings.Contains(err.Error(), "address already in use") || time.Now().After(end) {
			return err
		}
	}
}

// restartAgain restarts the server n times, each time at a random instant soon after
// its start.
func (s *testServer) restartAgain(n int) {
	s.Helper()
	for range n {
		time.Sleep(time.Duration(20+rand.IntN(150)) * time.Millisecond)
		s.restart()
	}
}

// get reads path through the native API into to.
func (s *testServer) get(path string, to any) {
	s.Helper()
	status, body, err := request("GET", s.url()+path, http.Header{"Authorization": {"Bearer " + s.keys().ReadKey}}, "")
	if err == nil && status != 200 {
		err = fmt.Errorf("status %d: %s", status, body)
	}
	if err == nil {
		err = json.Unmarshal(body, to)
	}
	if err != nil {
		s.Fatalf("GET %s: %v", path, err)
	}
}

// finish stops the server properly. The store must pass the checker.
func (s *testServer) finish() {
	s.Helper()
	if err := stopAndCheck(s.running(), s.options); err != nil {
		s.Fatal(err)
	}
}

// stopAndCheck stops a server as an operator would and lets the checker recount its
// store.
func stopAndCheck(c *bench.Child, o bench.ChildOptions) error {
	if err := c.Stop(); err != nil {
		return err
	}
	if out, err := exec.Command(o.Exe, "check", o.Dir).CombinedOutput(); err != nil {
		return fmt.Errorf("check: %w: %s", err, out)
	}
	return nil
}
