//go:build linux

package e2e

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"cairn/cli/bench"

	"golang.org/x/sys/unix"
)

// This file listens as an operator does: on several addresses, on sockets, and as a service of
// systemd, whose part the test plays.

// throughSocket is a client of a socket.
func throughSocket(path string) *http.Client {
	return &http.Client{Timeout: 20 * time.Second, Transport: &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", path)
	}}}
}

// status is what a client gets for a path of a server, and the body.
func status(t *testing.T, c *http.Client, url string, header http.Header) (int, string) {
	t.Helper()
	req, err := http.NewRequest("GET", url, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header = header
	res, err := c.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(body)
}

// shortTempDir leaves room for the path of a socket.
func shortTempDir(t *testing.T) string {
	dir, err := os.MkdirTemp("", "n")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// One server listens on an address and on two sockets. A killed one leaves sockets behind, which the
// next one takes over. A second server is refused.
func TestListenSeveral(t *testing.T) {
	t.Parallel()
	dir := shortTempDir(t)
	a, b := filepath.Join(dir, "a"), filepath.Join(dir, "b")
	s := startServer(t, t.TempDir(), configured(t, `trusted_proxies = ["unix"]`)...)
	s.options.Args = append(s.options.Args, "-listen", "unix:"+a+",127.0.0.1:0,unix:"+b)
	for range 2 {
		s.restart() // with SIGKILL
		for _, path := range []string{a, b} {
			if info, err := os.Stat(path); err != nil || info.Mode() != fs.ModeSocket|0o660 {
				t.Fatalf("%v %v", info, err)
			}
			if code, body := status(t, throughSocket(path), "http://stats.example/healthz", nil); code != 200 || !strings.Contains(body, `"ok"`) {
				t.Errorf("%s: %d %s", path, code, body)
			}
			if code, _ := status(t, throughSocket(path), "http://localhost/metrics", nil); code != 401 {
				t.Errorf("%s: the metrics answer %d", path, code)
			}
		}
		if code, _ := status(t, http.DefaultClient, s.url()+"/healthz", nil); code != 200 {
			t.Errorf("%d", code)
		}
	}
	forwarded := http.Header{"X-Forwarded-Proto": {"https"}, "X-Forwarded-Host": {"stats.example"}}
	if _, body := status(t, throughSocket(a), "http://cairn/v1/projects/"+s.keys().WriteKey+"/settings", forwarded); !strings.Contains(body, `"apiHost":"stats.example/v1","protocol":"https"`) {
		t.Errorf("what the proxy says is not believed: %.300s", body)
	}
	other := s.options
	other.Dir = t.TempDir()
	if c, err := bench.StartChild(context.Background(), other); err == nil {
		c.Kill()
		t.Error("two servers listen on one socket")
	} else if !strings.Contains(err.Error(), "in use by another process") {
		t.Error(err)
	}
	s.finish()
	for _, path := range []string{a, b} {
		if _, err := os.Lstat(path); !os.IsNotExist(err) {
			t.Errorf("%s is left behind: %v", path, err)
		}
	}
}

// A server on sockets alone answers commands, but makes no link that nobody could open.
func TestListenSocketsOnly(t *testing.T) {
	t.Parallel()
	dir := shortTempDir(t)
	path := filepath.Join(dir, "s")
	data := filepath.Join(dir, "data")
	s := startServer(t, data)
	s.options.Args = append(s.options.Args, "-listen", "unix:"+path)
	s.restart()
	if s.url() != "unix:"+path {
		t.Errorf("the server says that it is at %q", s.url())
	}
	link := func(more ...string) string {
		cmd := exec.Command(s.options.Exe, append([]string{"dashboard", "-data", data, "-listen", "unix:" + path}, more...)...)
		cmd.Env = s.options.Env
		out, _ := cmd.CombinedOutput()
		return string(out)
	}
	if got := link(); !strings.Contains(got, "set public_url") {
		t.Errorf("%s", got)
	}
	s.options.Env = append(s.options.Env, "CAIRN_PUBLIC_URL=https://stats.example/cairn")
	s.restart()
	if got := link(); !strings.HasPrefix(got, "https://stats.example/cairn/dashboard/open/") {
		t.Errorf("%s", got)
	}
	s.finish()
}

// asService makes o a service of systemd with sockets, whose names are names.
func asService(t *testing.T, o *bench.ChildOptions, names string, files ...*os.File) {
	t.Helper()
	script := filepath.Join(t.TempDir(), "service")
	text := fmt.Sprintf("#!/bin/sh\nLISTEN_PID=$$ LISTEN_FDS=%d LISTEN_FDNAMES=%s exec %s \"$@\"\n", len(files), names, o.Exe)
	if err := os.WriteFile(script, []byte(text), 0o700); err != nil {
		t.Fatal(err)
	}
	o.Exe, o.Files = script, files
}

// systemd keeps the sockets while the service restarts: who comes in between waits, and is answered
// by the next process. It hears when that answers, and when it stops.
func TestSystemd(t *testing.T) {
	t.Parallel()
	ln, err := net.ListenTCP("tcp", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	file, err := ln.File()
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	address := ln.Addr().String()
	ln.Close() // file is open
	dir := shortTempDir(t)
	states, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: filepath.Join(dir, "notify"), Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer states.Close()
	const waits = "EXTEND_TIMEOUT_USEC=60000000"
	monotonic := int64(1) // of the last reload, in µs
	expect := func(want string) {
		t.Helper()
		for {
			buf := make([]byte, 1024)
			states.SetReadDeadline(time.Now().Add(30 * time.Second))
			n, err := states.Read(buf)
			got := string(buf[:n])
			got, usec, timed := strings.Cut(got, "\nMONOTONIC_USEC=")
			switch {
			case err == nil && got != want && (got == "WATCHDOG=1" || got == waits):
				continue // they come again and again
			case got != want || timed != (want == "RELOADING=1"):
				t.Fatalf("systemd heard %q, want %q (%v)", buf[:n], want, err)
			case timed:
				var now unix.Timespec
				if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &now); err != nil {
					t.Fatal(err)
				}
				if at, err := strconv.ParseInt(usec, 10, 64); err != nil || at < monotonic || at > now.Nano()/1000 {
					t.Errorf("it reloads at %s, after %d and before %d (%v)", usec, monotonic, now.Nano()/1000, err)
				} else {
					monotonic = at
				}
			}
			return
		}
	}
	flags := configured(t, "")
	s := startServer(t, filepath.Join(dir, "data"), flags...)
	asService(t, &s.options, "main", file)
	s.options.Env = append(s.options.Env, "NOTIFY_SOCKET="+filepath.Join(dir, "notify"), "WATCHDOG_USEC=500000")
	s.restart()
	expect(waits)
	expect("READY=1")
	expect("WATCHDOG=1")
	// Whoever asks for a reload, and whether it succeeds or not, systemd hears when it begins and ends.
	for _, text := range []string{"log_level = \"warn\"\n", "log_level = \"loud\"\n"} {
		if err := os.WriteFile(flags[1], []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := s.running().Cmd.Process.Signal(syscall.SIGHUP); err != nil {
			t.Fatal(err)
		}
		expect("RELOADING=1")
		expect("READY=1")
		s.cairnCommand("reload", flags...)
		expect("RELOADING=1")
		expect("READY=1")
	}
	if err := os.WriteFile(flags[1], nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if s.url() != "http://"+address {
		t.Errorf("the server is at %s, its socket at %s", s.url(), address)
	}
	if err := s.running().Stop(); err != nil {
		t.Fatal(err)
	}
	expect("STOPPING=1")
	c, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	io.WriteString(c, "GET /readyz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
	s.restart()
	expect("READY=1")
	c.SetDeadline(time.Now().Add(30 * time.Second))
	if res, err := http.ReadResponse(bufio.NewReader(c), nil); err != nil || res.StatusCode != 200 {
		t.Errorf("who came between two processes: %v %v", res, err)
	}
	s.options.Exe = mustFind(t)
	s.finish()
}

// mustFind is the path of the cairn under test.
func mustFind(t *testing.T) string {
	o, err := serveOptions("")
	if err != nil {
		t.Fatal(err)
	}
	return o.Exe
}

// Sockets that systemd promises and does not pass stop the start, with the reason.
func TestSystemdWrong(t *testing.T) {
	t.Parallel()
	udp, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	defer udp.Close()
	datagrams, err := udp.File()
	if err != nil {
		t.Fatal(err)
	}
	defer datagrams.Close()
	letter, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer letter.Close()
	for name, file := range map[string]*os.File{"udp": datagrams, "a file": letter} {
		o, err := serveOptions(t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		asService(t, &o, "", file)
		if c, err := bench.StartChild(context.Background(), o); err == nil {
			c.Kill()
			t.Errorf("%s: the server has started", name)
		} else if !strings.Contains(err.Error(), "no listening stream socket") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
