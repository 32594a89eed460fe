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

// This file starts a server in its own process, so that its CPU time and memory are not
// mixed with those of the load generator. It reads both from /proc.

// readyMax is the longest time that a started server may take until it listens.
const readyMax = time.Minute

// Child is a "cairn serve" that this process has started. Its owner ends it with Stop or
// Kill.
type Child struct {
	Cmd    *exec.Cmd // for reading its process; only the Child may call Wait
	URL    string    // its address, such as "http://127.0.0.1:41234"
	Keys   config.GeneratedKeys
	Exited chan struct{} // closed when the process has ended; Cmd.ProcessState is then set

	mu   sync.Mutex
	tail []string // the last lines of its log
}

// ChildOptions configure StartChild.
type ChildOptions struct {
	Exe, Dir string   // the program and its data directory
	Env      []string // its whole environment
	Args     []string // further flags of serve
	Cwd      string   // "" = this process's
	Stdout   *os.File // nil = nowhere
	// Files are open in the process, too, from descriptor 3 on.
	Files []*os.File
}

// StartChild runs a server on a free port and waits until it listens. If ctx ends before
// that, it kills the process and returns the error of ctx. Any other error contains the end
// of the server's log.
func StartChild(ctx context.Context, o ChildOptions) (*Child, error) {
	c := &Child{Exited: make(chan struct{})}
	c.Cmd = exec.Command(o.Exe, append([]string{"serve", "-listen", "127.0.0.1:0", "-data", o.Dir}, o.Args...)...)
	c.Cmd.Env = append(o.Env, "CAIRN_LOG_FORMAT=json")
	c.Cmd.Dir = o.Cwd
	c.Cmd.ExtraFiles = o.Files
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
		return nil, fmt.Errorf("the server is not listening after %v: %s", readyMax, c.Log())
	case <-ctx.Done():
		c.Kill()
		return nil, ctx.Err()
	}
	if c.Keys, err = config.ReadKeys(filepath.Join(o.Dir, config.KeysName)); err != nil {
		c.Kill()
		return nil, err
	}
	if len(c.Keys.Sites) == 0 {
		c.Keys.Sites = make([]config.SiteKeys, 1) // every key is configured, so none was generated
	}
	return c, nil
}

// readLog reads the server's log to its end and sends the server's address once.
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

// Stop ends the server with SIGTERM, as an operator would. An exit code other than 0 is an
// error.
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

// Kill ends the server with SIGKILL and waits until the process has ended.
func (c *Child) Kill() {
	c.Cmd.Process.Kill()
	<-c.Exited
}

// Usage is what a process has used since its start. Sizes are bytes.
type Usage struct {
	CPU          time.Duration // in steps of ClockTick
	RSS, RSSPeak int64         // current and highest memory
	Written      int64         // to storage, by the kernel's count
}

// ClockTick is the kernel's USER_HZ: 100 on every Linux there is.
const ClockTick = 10 * time.Millisecond

// ReadUsage reads /proc of a process. A value that cannot be read is 0.
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

// AwaitQuiet waits until the process has used nearly no CPU time for 300 ms, or until most
// has passed. So the work that a phase leaves behind counts for that phase. It returns the
// time at which the process became quiet.
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
