package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"cairn/cli/config"
)

// This file starts a server as a process of its own, so that its CPU time and
// memory can be told from the load generator's, and reads them from /proc.

// readyMax bounds how long a started server may take until it listens.
const readyMax = time.Minute

// child is a "cairn serve" this process has started. Its owner stops it with
// stop, or with kill.
type child struct {
	cmd    *exec.Cmd
	url    string
	keys   config.GeneratedKeys
	exited chan struct{} // closed when the process is gone; then cmd.ProcessState is set

	mu   sync.Mutex
	tail []string // the last lines of its log
}

// childOptions say how to start a child.
type childOptions struct {
	exe, dir string   // the program and its data directory
	env      []string // its whole environment
	args     []string // more flags of serve
	cwd      string   // "" = this process's
	stdout   *os.File // nil = nowhere
}

// startChild runs a server on a port of the system's choice and waits until it
// listens. When ctx ends before that, the process is killed.
func startChild(ctx context.Context, o childOptions) (*child, error) {
	c := &child{exited: make(chan struct{})}
	c.cmd = exec.Command(o.exe, append([]string{"serve", "-listen", "127.0.0.1:0", "-data", o.dir}, o.args...)...)
	c.cmd.Env = append(o.env, "CAIRN_LOG_FORMAT=json")
	c.cmd.Dir = o.cwd
	if o.stdout != nil {
		c.cmd.Stdout = o.stdout
	}
	stderr, err := c.cmd.StderrPipe()
	if err != nil {
		return nil, err
	}
	if err := c.cmd.Start(); err != nil {
		return nil, err
	}
	listening := make(chan string, 1)
	go func() {
		c.readLog(stderr, listening)
		c.cmd.Wait()
		close(c.exited)
	}()
	timeout := time.NewTimer(readyMax)
	defer timeout.Stop()
	select {
	case c.url = <-listening:
	case <-c.exited:
		return nil, fmt.Errorf("the server did not start: %v: %s", c.cmd.ProcessState, c.log())
	case <-timeout.C:
		c.kill()
		return nil, fmt.Errorf("the server does not listen after %v: %s", readyMax, c.log())
	case <-ctx.Done():
		c.kill()
		return nil, ctx.Err()
	}
	if c.keys, err = config.ReadKeys(filepath.Join(o.dir, config.KeysName)); err != nil {
		c.kill()
		return nil, err
	}
	if len(c.keys.Sites) == 0 {
		c.keys.Sites = make([]config.SiteKeys, 1) // all keys are configured
	}
	return c, nil
}

// readLog follows the server's log to its end and reports the address once.
func (c *child) readLog(r io.Reader, listening chan<- string) {
	for in := bufio.NewReader(r); ; {
		line, err := in.ReadString('\n')
		if line != "" {
			c.mu.Lock()
			if c.tail = append(c.tail, strings.TrimSpace(line)); len(c.tail) > 20 {
				c.tail = c.tail[1:]
			}
			c.mu.Unlock()
			var entry struct{ Msg, URL string }
			if json.Unmarshal([]byte(line), &entry) == nil && entry.Msg == "listening" {
				select {
				case listening <- entry.URL:
				default:
				}
			}
		}
		if err != nil {
			return
		}
	}
}

// log is the end of the server's log.
func (c *child) log() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return strings.Join(c.tail, "\n")
}

// stop ends the server as an operator would; an exit code other than 0 is an error.
func (c *child) stop() error {
	c.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-c.exited:
	case <-time.After(15 * time.Second):
		c.kill()
		return errors.New("the server did not stop on SIGTERM")
	}
	if !c.cmd.ProcessState.Success() {
		return fmt.Errorf("the server ended with %v: %s", c.cmd.ProcessState, c.log())
	}
	return nil
}

// kill ends the server with SIGKILL and waits until it is gone.
func (c *child) kill() {
	c.cmd.Process.Kill()
	<-c.exited
}

// usage is what a process has used since its start. Bytes.
type usage struct {
	cpu          time.Duration
	rss, rssPeak int64
	written      int64 // to storage, by the kernel's count
}

// clockTick is the kernel's USER_HZ: 100 on every Linux there is.
const clockTick = 10 * time.Millisecond

// readUsage reads /proc of a process; what cannot be read stays 0.
func readUsage(pid int) (u usage) {
	proc := "/proc/" + strconv.Itoa(pid)
	if b, err := os.ReadFile(proc + "/stat"); err == nil {
		// Fields count from after the name, which may hold spaces.
		f := strings.Fields(string(b[strings.LastIndexByte(string(b), ')')+1:]))
		if len(f) > 12 {
			user, _ := strconv.ParseInt(f[11], 10, 64)
			system, _ := strconv.ParseInt(f[12], 10, 64)
			u.cpu = time.Duration(user+system) * clockTick
		}
	}
	u.rss = procValue(proc+"/status", "VmRSS:") << 10
	u.rssPeak = procValue(proc+"/status", "VmHWM:") << 10
	u.written = procValue(proc+"/io", "write_bytes:")
	return u
}

// procValue is the number behind name in a file of /proc.
func procValue(file, name string) int64 {
	b, err := os.ReadFile(file)
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(b)) {
		if rest, ok := strings.CutPrefix(line, name); ok {
			if f := strings.Fields(rest); len(f) > 0 {
				n, _ := strconv.ParseInt(f[0], 10, 64)
				return n
			}
		}
	}
	return 0
}

// awaitQuiet waits until the process has had 300 ms of nearly no CPU time, so
// that work left over from a phase is counted to it, or until most has passed.
// It returns when the quiet began.
func awaitQuiet(ctx context.Context, pid int, most time.Duration) time.Time {
	const step = 300 * time.Millisecond
	quiet := time.Now()
	for end := quiet.Add(most); quiet.Before(end) && ctx.Err() == nil; quiet = time.Now() {
		before := readUsage(pid).cpu
		time.Sleep(step)
		if readUsage(pid).cpu-before <= clockTick {
			break
		}
	}
	return quiet
}

// treeBytes is the size of all files below dir.
func treeBytes(dir string) (n int64) {
	filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() {
			if info, err := d.Info(); err == nil {
				n += info.Size()
			}
		}
		return nil // files come and go under a running server
	})
	return n
}
