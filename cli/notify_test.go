//go:build unix

package cli

import (
	"bufio"
	"context"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// heard listens where systemd would. next is the next state that it is told, "" = none in a while.
func heard(t *testing.T, name string) (next func(wait time.Duration) string) {
	t.Helper()
	c, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: name, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return func(wait time.Duration) string {
		buf := make([]byte, 4096)
		c.SetReadDeadline(time.Now().Add(wait))
		n, _ := c.Read(buf)
		return string(buf[:n])
	}
}

// newTestNotifier is a notifier of an environment as systemd makes it.
func newTestNotifier(t *testing.T, socket string, watchdog time.Duration) *notifier {
	t.Setenv("NOTIFY_SOCKET", socket)
	t.Setenv("WATCHDOG_USEC", strconv.FormatInt(watchdog.Microseconds(), 10))
	t.Setenv("WATCHDOG_PID", strconv.Itoa(os.Getpid()))
	n := newNotifier(slog.New(slog.DiscardHandler))
	for _, name := range []string{"NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"} {
		if _, there := os.LookupEnv(name); there {
			t.Errorf("children see %s", name)
		}
	}
	return n
}

// systemd hears that the server is ready when it answers and not before, and its watchdog hears
// nothing while it does not.
func TestNotify(t *testing.T) {
	const long, short = 20 * time.Second, 300 * time.Millisecond
	dir, err := os.MkdirTemp("", "n") // a short path
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	next := heard(t, filepath.Join(dir, "s"))
	n := newTestNotifier(t, filepath.Join(dir, "s"), 100*time.Millisecond)
	if n.alive != 50*time.Millisecond {
		t.Errorf("the watchdog hears every %v", n.alive)
	}
	n.ask = newPipeListener()
	answers := make(chan bool, 1)
	answers <- false
	go func() { // a server that answers while answers says so
		for {
			c, err := n.ask.Accept()
			if err != nil {
				return
			}
			answer := <-answers
			answers <- answer
			go func() {
				defer c.Close()
				if bufio.NewReader(c).ReadString('\n'); answer {
					io.WriteString(c, "HTTP/1.1 503 Service Unavailable\r\n\r\n")
				} else {
					time.Sleep(100 * time.Millisecond)
				}
			}()
		}
	}()
	defer n.ask.Close()
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() { n.watch(ctx); close(ended) }()
	if state := next(short); state != "" {
		t.Errorf("before the first answer: %q", state)
	}
	<-answers
	answers <- true
	for i, want := range []string{"READY=1", "WATCHDOG=1", "WATCHDOG=1"} {
		if state := next(long); state != want {
			t.Errorf("state %d: %q, want %q", i, state, want)
		}
	}
	<-answers
	answers <- false
	for state, tries := next(short), 0; state != ""; state, tries = next(short), tries+1 { // those on their way
		if state != "WATCHDOG=1" || tries > 20 {
			t.Fatalf("while it does not answer: %q", state)
		}
	}
	<-answers
	answers <- true
	if state := next(long); state != "WATCHDOG=1" {
		t.Errorf("as it answers again: %q", state)
	}
	stop()
	<-ended
	for next(short) != "" {
	}
	done := n.reloading()
	state := next(long)
	if name, usec, ok := strings.Cut(state, "\nMONOTONIC_USEC="); !ok || name != "RELOADING=1" {
		t.Errorf("%q", state)
	} else if _, err := strconv.ParseInt(usec, 10, 64); err != nil {
		t.Error(err)
	}
	done()
	if state := next(long); state != "READY=1" {
		t.Errorf("after reloading: %q", state)
	}
	done = n.reloading()
	next(long)
	n.stopping()
	if state := next(long); state != "STOPPING=1" {
		t.Errorf("%q", state)
	}
	done()
	n.reloading()()
	n.ready()
	if state := next(short); state != "" {
		t.Errorf("after the end: %q", state)
	}
}

// While the store is opened, systemd hears that it should wait; a watchdog hears that a server that
// is opened once more lives. Nothing is told as ready before it is, whatever is reloaded meanwhile.
func TestNotifyOpening(t *testing.T) {
	dir, err := os.MkdirTemp("", "n")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	next := heard(t, filepath.Join(dir, "s"))
	expect := func(when string, want ...string) {
		t.Helper()
		for i, want := range want {
			if got := next(20 * time.Second); got != want {
				t.Fatalf("%s, state %d: %q, want %q", when, i, got, want)
			}
		}
	}
	quiet := func(when string) { // those on their way may still come
		t.Helper()
		for tries := 0; next(100*time.Millisecond) != ""; tries++ {
			if tries > 20 {
				t.Fatalf("%s, it goes on", when)
			}
		}
	}
	const wait = "EXTEND_TIMEOUT_USEC=60000000"
	n := newTestNotifier(t, filepath.Join(dir, "s"), time.Minute)
	n.again = 10 * time.Millisecond
	ctx, stop := context.WithCancel(context.Background())
	n.opening(ctx)
	expect("opening", wait, wait, wait)
	n.reloading()()
	expect("a reload before it is ready", wait, wait)
	stop()
	quiet("as the process is to stop")

	ctx, stop = context.WithCancel(context.Background())
	defer stop()
	n.ready()
	expect("ready", "READY=1")
	n.opening(ctx)
	n.opening(ctx)
	for range 4 { // the first of both openings may have said something
		if got := next(20 * time.Second); got != wait && got != "WATCHDOG=1" {
			t.Fatalf("opening again: %q", got)
		}
	}
	for tries, alive := 0, false; !alive; tries++ {
		if alive = next(20*time.Second) == "WATCHDOG=1"; tries > 20 {
			t.Fatal("the watchdog of a server that is opened again hears nothing")
		}
	}
	n.stopping()
	quiet("as the process stops")
}

// A name in the abstract name space works, too; without anybody, and with a wrong name, nothing
// happens.
func TestNotifySockets(t *testing.T) {
	name := "@cairn-test-" + strconv.Itoa(os.Getpid())
	if monotonic() > 0 { // Linux
		next := heard(t, name)
		newTestNotifier(t, name, 0).ready()
		if state := next(20 * time.Second); state != "READY=1" {
			t.Errorf("%q", state)
		}
	}
	for _, socket := range []string{"", filepath.Join(t.TempDir(), "nobody"), "@nobody-" + name, "/" + strings.Repeat("a", 300), "vsock:2:1"} {
		n := newTestNotifier(t, socket, 0)
		n.ready()
		n.stopping()
	}
	t.Setenv("WATCHDOG_PID", "1") // another process
	t.Setenv("WATCHDOG_USEC", "1000")
	t.Setenv("NOTIFY_SOCKET", name)
	if n := newNotifier(slog.New(slog.DiscardHandler)); n.alive != 0 {
		t.Errorf("the watchdog of another process hears every %v", n.alive)
	}
}
