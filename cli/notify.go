package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"
)

// This file tells systemd how the server is (sd_notify(3)): that it opens its store, that it answers,
// that it reads its configuration again, that it stops, and, as its watchdog, that it still answers.

// probeMax is how long the server may take to answer a question of this file, and probeAgain how
// long this file waits after one without an answer.
const (
	probeMax   = 10 * time.Second
	probeAgain = time.Second
)

// While the store is opened, which takes as long as its log is, systemd hears every openingAgain that
// it should wait for openingMore from then on. After openingMax it hears no more of that.
const (
	openingAgain = 10 * time.Second
	openingMore  = time.Minute
	openingMax   = 24 * time.Hour
)

// notifier is the way to systemd. Its methods do nothing when nobody listens.
type notifier struct {
	log    *slog.Logger
	socket string        // of NOTIFY_SOCKET; "" = nobody listens
	alive  time.Duration // how often the watchdog wants to hear; 0 = there is none
	again  time.Duration // openingAgain, but for tests
	ask    *pipeListener // on which the server answers this process

	mu     sync.Mutex
	said   bool   // READY=1 was sent
	ends   bool   // STOPPING=1 was sent; nothing follows it
	opened func() // ends what opening has begun; nil = nothing is being opened
}

// newNotifier reads what systemd has put into the environment, and removes it from there: it is not
// for the children of this process.
func newNotifier(log *slog.Logger) *notifier {
	n := &notifier{log: log, socket: os.Getenv("NOTIFY_SOCKET"), again: openingAgain}
	if pid := os.Getenv("WATCHDOG_PID"); pid == "" || pid == strconv.Itoa(os.Getpid()) {
		if usec, err := strconv.ParseInt(os.Getenv("WATCHDOG_USEC"), 10, 64); err == nil && usec > 0 && n.socket != "" {
			n.alive = time.Duration(min(usec, int64(24*time.Hour/time.Microsecond))) * time.Microsecond / 2
		}
	}
	for _, name := range []string{"NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"} {
		os.Unsetenv(name)
	}
	return n
}

// send sends lines such as "READY=1". A name that begins with @ is one of the abstract name space.
func (n *notifier) send(lines ...string) {
	if n.socket == "" {
		return
	}
	c, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: n.socket, Net: "unixgram"})
	if err == nil {
		_ = c.SetDeadline(time.Now().Add(time.Second))
		_, err = c.Write([]byte(strings.Join(lines, "\n")))
		err = errors.Join(err, c.Close())
	}
	if err != nil {
		n.log.Warn("cannot tell systemd how the server is", "state", lines[0], "error", err)
	}
}

// ready says that the server answers.
func (n *notifier) ready() {
	n.mu.Lock()
	defer n.mu.Unlock()
	if !n.said && !n.ends {
		n.said = true
		n.send("READY=1")
	}
}

// reloading says that the configuration is read again. The caller calls done, which says that this
// has ended, well or not. Nothing is said before ready is called, because systemd would take done for it.
func (n *notifier) reloading() (done func()) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if !n.said || n.ends {
		return func() {}
	}
	n.send("RELOADING=1", "MONOTONIC_USEC="+strconv.FormatInt(monotonic().Microseconds(), 10))
	return func() {
		n.mu.Lock()
		defer n.mu.Unlock()
		if !n.ends {
			n.send("READY=1")
		}
	}
}

// stopping says that the server stops.
func (n *notifier) stopping() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.ends = true
	n.send("STOPPING=1")
}

// opening says that the store is being opened, and goes on saying it until Start is called, ctx ends
// or openingMax is over. It may be called again for another opening. The watchdog hears that the
// process is alive, because a server that is opened again cannot answer meanwhile. ctx has to end
// when the process is to stop: systemd would grant a stop more time, too.
func (n *notifier) opening(ctx context.Context) {
	if n.socket == "" {
		return
	}
	ctx, end := context.WithTimeout(ctx, openingMax)
	n.mu.Lock()
	if n.opened != nil {
		n.opened()
	}
	n.opened = end
	n.mu.Unlock()
	go func() {
		defer end()
		pause := n.again
		if n.alive > 0 {
			pause = min(pause, n.alive)
		}
		for {
			n.mu.Lock()
			if ctx.Err() == nil && !n.ends {
				n.send("EXTEND_TIMEOUT_USEC=" + strconv.FormatInt(openingMore.Microseconds(), 10))
				if n.said && n.alive > 0 {
					n.send("WATCHDOG=1")
				}
			}
			n.mu.Unlock()
			select {
			case <-ctx.Done():
				return
			case <-time.After(pause):
			}
		}
	}()
}

// Start implements starter. The server answers the questions of this file until it shuts down.
func (n *notifier) Start(ctx context.Context, p *process) error {
	n.mu.Lock()
	if n.opened != nil {
		n.opened()
		n.opened = nil
	}
	n.mu.Unlock()
	if n.socket != "" {
		n.ask = newPipeListener()
		go p.server.ServeOwn(n.ask)
		go n.watch(ctx)
	}
	return nil
}

// Stop implements starter. The watch ends with the context of Start.
func (n *notifier) Stop() {}

// Metrics implements part.
func (n *notifier) Metrics(func(name, kind, help string, value float64, labels ...string)) {}

// Troubles implements part.
func (n *notifier) Troubles() []string { return nil }

// probe asks the server as a client does. Whatever it answers, it answers.
func (n *notifier) probe(ctx context.Context) error {
	limit := probeMax
	if n.alive > 0 {
		limit = min(limit, n.alive/2)
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	c, err := n.ask.dial(ctx, "", "")
	if err != nil {
		return err
	}
	defer c.Close()
	until, _ := ctx.Deadline()
	_ = c.SetDeadline(until)
	if _, err := io.WriteString(c, "GET /healthz HTTP/1.1\r\nHost: cairn\r\nConnection: close\r\n\r\n"); err != nil {
		return err
	}
	line, err := bufio.NewReaderSize(io.LimitReader(c, 64), 64).ReadString('\n')
	if err == nil && !strings.HasPrefix(line, "HTTP/1.1 ") {
		err = fmt.Errorf("the server answered %q", line)
	}
	return err
}

// watch says that the server is ready as soon as it answers, and then as often as the watchdog wants
// to hear it, while it answers. It returns when ctx ends.
func (n *notifier) watch(ctx context.Context) {
	for {
		err := n.probe(ctx)
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			n.log.Error("the server does not answer; systemd is not told that it does", "error", err)
		default:
			n.ready()
		}
		if err == nil && n.alive > 0 {
			n.send("WATCHDOG=1")
		}
		if err == nil && n.alive == 0 {
			return // nobody wants to hear more
		}
		pause := n.alive
		if err != nil {
			pause = min(pause, probeAgain)
		}
		if n.alive == 0 {
			pause = probeAgain
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(pause):
		}
	}
}
