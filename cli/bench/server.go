package bench

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
	"strings"
	"sync"
	"syscall"
	"time"

	"cairn/cli/config"

	"github.com/prometheus/procfs"
)

// This file starts a server as a process of its own, so that its CPU time and
// memory can be told from the load generator's, and reads them from /proc.

// readyMax bounds how long a started server may take until it listens.
const readyMax = time.Minute

// Child is a "cairn serve" this process has started. Its owner stops it with
// Stop, or with Kill.
type Child struct {
	Cmd    *exec.Cmd // to look at its process; the Child alone waits for it
	URL    string    // its address, such as "http://127.0.0.1:41234"
	Keys   config.GeneratedKeys
	Exited chan struct{} // closed when the process is gone; then Cmd.ProcessState is set

	mu   sync.Mutex
	tail []string // the last lines of its log
}

// ChildOptions say how to start a child.
type ChildOptions struct {
	Exe, Dir string   // the program and its data directory
	Env      []string // its whole environment
	Args     []string // more flags of serve
	Cwd      string   // "" = this process's
	Stdout   *os.File // nil = nowhere
}

// StartChild runs a server on a port of the system's choice and waits until it
// listens. When ctx ends before that, the process is killed and the error is ctx's; any
// other error has the end of the server's log.
func StartChild(ctx context.Context, o ChildOptions) (*Child, error) {
	c := &Child{Exited: make(chan struct{})}
	c.Cmd = exec.Command(o.Exe, append([]string{"serve", "-listen", "127.0.0.1:0", "-data", o.Dir}, o.Args...)...)
	c.Cmd.Env = append(o.Env, "CAIRN_LOG_FORMAT=json")
	c.Cmd.Dir = o.Cwd
	if o.Stdout != nil {
		c.Cmd.Stdout = o.Stdout
	}
	stderr, err := c.Cmd.StderrPipe()
	if err != nil {
		return nil, err
	}
	if err := c.Cmd.Start(); err != nil {
		return nil, err
	}
	listening := make(chan string, 1)
	go func() {
		c.readLog(stderr, listening)
		c.Cmd.Wait()
		close(c.Exited)
	}()
	timeout := time.NewTimer(readyMax)
	defer timeout.Stop()
	select {
	case c.URL = <-listening:
	case <-c.Exited:
		return nil, fmt.Errorf("the server did not start: %v: %s", c.Cmd.ProcessState, c.Log())
	case <-timeout.C:
		c.Kill()
		return nil, fmt.Errorf("the server does not listen after %v: %s", readyMax, c.Log())
	case <-ctx.Done():
		c.Kill()
		return nil, ctx.Err()
	}
	if c.Keys, err = config.ReadKeys(filepath.Join(o.Dir, config.KeysName)); err != nil {
		c.Kill()
		return nil, err
	}
	if len(c.Keys.Sites) == 0 {
		c.Keys.Sites = make([]config.SiteKeys, 1) // all keys are configured
	}
	return c, nil
}

// readLog follows the server's log to its end and reports the address once.
func (c *Child) readLog(r io.Reader, listening chan<- string) {
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

// Log is the end of the server's log.
func (c *Child) Log() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return strings.Join(c.tail, "\n")
}

// Stop ends the server as an operator would; an exit code other than 0 is an error.
func (c *Child) Stop() error {
	c.Cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-c.Exited:
	case <-time.After(15 * time.Second):
		c.Kill()
		return errors.New("the server did not stop on SIGTERM")
	}
	if !c.Cmd.ProcessState.Success() {
		return fmt.Errorf("the server ended with %v: %s", c.Cmd.ProcessState, c.Log())
	}
	return nil
}

// Kill ends the server with SIGKILL and waits until it is gone.
func (c *Child) Kill() {
	c.Cmd.Process.Kill()
	<-c.Exited
}

// Usage is what a process has used since its start. Sizes are bytes.
type Usage struct {
	CPU          time.Duration // in steps of ClockTick
	RSS, RSSPeak int64         // its memory now and at most
	Written      int64         // to storage, by the kernel's count
}

// ClockTick is the kernel's USER_HZ: 100 on every Linux there is.
const ClockTick = 10 * time.Millisecond

// ReadUsage reads what /proc says of a process. What cannot be read stays 0.
func ReadUsage(pid int) (u Usage) {
	p, err := procfs.NewProc(pid)
	if err != nil {
		return u
	}
	if stat, err := p.Stat(); err == nil {
		u.CPU = time.Duration(stat.UTime+stat.STime) * ClockTick
	}
	if status, err := p.NewStatus(); err == nil {
		u.RSS, u.RSSPeak = int64(status.VmRSS), int64(status.VmHWM)
	}
	if disk, err := p.IO(); err == nil {
		u.Written = int64(disk.WriteBytes)
	}
	return u
}

// AwaitQuiet waits until the process has had 300 ms of nearly no CPU time, so
// that work left over from a phase is counted to it, or until most has passed.
// It returns when the quiet began.
func AwaitQuiet(ctx context.Context, pid int, most time.Duration) time.Time {
	const step = 300 * time.Millisecond
	quiet := time.Now()
	for end := quiet.Add(most); quiet.Before(end) && ctx.Err() == nil; quiet = time.Now() {
		before := ReadUsage(pid).CPU
		time.Sleep(step)
		if ReadUsage(pid).CPU-before <= ClockTick {
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
