package e2e

import (
	"bufio"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestTail prints an event and a refusal as they come, and ends with the signal of Ctrl-C.
func TestTail(t *testing.T) {
	t.Parallel()
	s := startServer(t, filepath.Join(t.TempDir(), "data"))
	tail := func(args ...string) (*exec.Cmd, *bufio.Scanner) {
		cmd := exec.Command(s.options.Exe, append([]string{"tail", "-data", s.options.Dir}, args...)...)
		cmd.Env = s.options.Env
		out, err := cmd.StdoutPipe()
		if err == nil {
			err = cmd.Start()
		}
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { cmd.Process.Kill() })
		return cmd, bufio.NewScanner(out)
	}
	send := func(body string) {
		if _, _, err := request("POST", s.url()+"/api/v1/events", secretHeader(s.keys()), body); err != nil {
			t.Error(err)
		}
	}
	for _, c := range []struct {
		args       []string
		body, want string
	}{
		{[]string{"prop.plan=pro"}, `{"name":"seen","properties":{"plan":"pro"}}`, `"name":"seen"`},
		{[]string{"-rejected"}, `{"name":""}`, `"reason":"is required"`},
	} {
		cmd, lines := tail(c.args...)
		done := make(chan struct{})
		go func() { // until one is printed: the stream shows what comes after it has begun
			for {
				send(c.body)
				select {
				case <-done:
					return
				case <-time.After(200 * time.Millisecond):
				}
			}
		}()
		if !lines.Scan() || !strings.Contains(lines.Text(), c.want) {
			t.Errorf("tail %v: %q, want %s", c.args, lines.Text(), c.want)
		}
		close(done)
		if err := cmd.Process.Signal(os.Interrupt); err != nil {
			t.Error(err)
		}
		for lines.Scan() {
		}
		if err := cmd.Wait(); err != nil {
			t.Errorf("tail %v: %v", c.args, err)
		}
	}
}

// TestDoctor asks a running server and a stopped one, changes nothing, and says what is wrong.
func TestDoctor(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "data")
	s := startServer(t, dir)
	if status, body, err := request("POST", s.url()+"/api/v1/events", secretHeader(s.keys()), `{"name":"seen"}`); err != nil || status != 200 {
		t.Fatalf("%d %s %v", status, body, err)
	}
	doctor := func(args ...string) (string, int) {
		t.Helper()
		cmd := exec.Command(s.options.Exe, append([]string{"doctor", "-data", dir}, args...)...)
		cmd.Env = s.options.Env
		out, err := cmd.CombinedOutput()
		if cmd.ProcessState == nil {
			t.Fatal(err)
		}
		return string(out), cmd.ProcessState.ExitCode()
	}
	whats := func(text string) (all []string) {
		for line := range strings.Lines(text) {
			if fields := strings.Fields(line); len(fields) > 1 && (fields[0] == "ok" || fields[0] == "warning" || fields[0] == "problem") {
				all = append(all, fields[1])
			}
		}
		return all
	}
	check := func(state, text string) {
		t.Helper()
		for _, want := range []string{"config", "directory", "files", "server", "store", "deletions", "disk", "fsync", "clock", "backup"} {
			if !strings.Contains(" "+strings.Join(whats(text), " ")+" ", " "+want+" ") {
				t.Errorf("%s: nothing about %s:\n%s", state, want, text)
			}
		}
	}
	text, _ := doctor()
	check("running", text)
	if !strings.Contains(text, "runs since") {
		t.Errorf("running: %s", text)
	}
	s.finish()
	before := treeBytes(t, dir)
	text, _ = doctor()
	check("stopped", text)
	if !strings.Contains(text, "does not run") {
		t.Errorf("stopped: %s", text)
	}
	for path, was := range before {
		if now := treeBytes(t, dir)[path]; now != was {
			t.Errorf("%s was %q and is %q", path, was, now)
		}
	}
	file := filepath.Join(t.TempDir(), "cairn.toml")
	if err := os.WriteFile(file, []byte("dedup_hours = 0\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if text, code := doctor("-config", file); code != 1 || !strings.Contains(text, "problem  config") {
		t.Errorf("%d %s", code, text)
	}
	if text, code := doctor("-data", filepath.Join(t.TempDir(), "none")); code != 1 || !strings.Contains(text, "there is no data") {
		t.Errorf("%d %s", code, text)
	}
}
