//go:build unix

package wire

import (
	"io/fs"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func TestCheckAddress(t *testing.T) {
	for address, good := range map[string]bool{
		"127.0.0.1:8080": true, ":8080": true, "[::1]:0": true, "localhost:http": true, "unix:/run/cairn.sock": true, "unix:cairn.sock": true,
		"8080": false, "127.0.0.1": false, "127.0.0.1:no-such-port": false, "127.0.0.1:99999": false, "": false,
		"unix:": false, "unix:/run/": false, "unix:@cairn": false, "unix:a\x00b": false, "/run/cairn.sock": false,
		"unix:/" + strings.Repeat("a", SocketBytesMax-1): true, "unix:/" + strings.Repeat("a", SocketBytesMax): false,
	} {
		if err := CheckAddress(address); (err == nil) != good {
			t.Errorf("%q: %v", address, err)
		}
	}
}

// A socket is for the group of the process. The one of a process that was killed makes room, and
// nothing else does.
func TestListenUnix(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "s")
	stale, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	stale.SetUnlinkOnClose(false)
	stale.Close()
	ln, err := Listen("unix:" + path)
	if err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode() != fs.ModeSocket|0o660 {
		t.Errorf("%v %v", info.Mode(), err)
	}
	if _, err := Listen("unix:" + path); err == nil || !strings.Contains(err.Error(), "in use") {
		t.Errorf("a second one: %v", err)
	}
	if c, err := net.Dial("unix", path); err != nil {
		t.Errorf("the first one was disturbed: %v", err)
	} else {
		c.Close()
	}
	ln.Close()
	if _, err := os.Lstat(path); !os.IsNotExist(err) {
		t.Errorf("left behind: %v", err)
	}
	if err := os.WriteFile(path, []byte("letter"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Listen("unix:" + path); err == nil || !strings.Contains(err.Error(), "no socket") {
		t.Errorf("a file: %v", err)
	}
	if text, _ := os.ReadFile(path); string(text) != "letter" {
		t.Errorf("the file was changed")
	}
}

// Peers at a unix socket have no ip. They share one limit, unless they are trusted.
func TestUnixPeers(t *testing.T) {
	for name, test := range map[string]struct {
		exempt, own bool
		admitted    bool
	}{"strangers": {false, false, false}, "a trusted proxy": {true, false, true}, "commands": {false, true, true}} {
		g := NewGate(64<<20, 1, &Budget{})
		g.Exempt, g.Refused = func(a netip.Addr) bool { return test.exempt && !a.IsValid() }, func(string) {}
		var all []*Conn
		for range 2 {
			here, there := net.Pipe()
			defer here.Close()
			defer there.Close()
			if c := g.admit(here, test.own); c != nil {
				all = append(all, c)
			}
		}
		if queued := g.fresh.conns.Len() > 0; queued == test.own {
			t.Errorf("%s: give way: %v", name, queued)
		}
		if (len(all) == 2) != test.admitted {
			t.Errorf("%s: %d admitted", name, len(all))
		}
		for _, c := range all {
			if c.Own() != test.own {
				t.Errorf("%s: Own is %v", name, c.Own())
			}
			c.Close()
		}
		if len(g.perIP) != 0 {
			t.Errorf("%s: %v are still counted", name, g.perIP)
		}
	}
	forwarded := func(string) []string { return []string{"192.0.2.7"} }
	for want, p := range map[string]Proxies{"192.0.2.7": {UnixPeers}, "invalid IP": {netip.MustParsePrefix("0.0.0.0/0"), netip.MustParsePrefix("::/0")}} {
		if got := p.Client(netip.Addr{}, forwarded); got.String() != want {
			t.Errorf("%v: %s", p, got)
		}
	}
	if (Proxies{UnixPeers}).Trusts(netip.MustParseAddr("127.0.0.1")) {
		t.Error("an address is trusted as a socket")
	}
}

// passed puts files at descriptors from first on, as systemd does.
func passed(t *testing.T, first int, files ...*os.File) {
	for i, f := range files {
		if err := unix.Dup2(int(f.Fd()), first+i); err != nil {
			t.Fatal(err)
		}
	}
}

func file(t *testing.T, of interface{ File() (*os.File, error) }) *os.File {
	f, err := of.File()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

// The sockets of systemd are told apart by their names. They stay open when a listener on them is
// closed.
func TestInherit(t *testing.T) {
	const first = 900
	tcp, err := net.ListenTCP("tcp", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "s")
	unix, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	passed(t, first, file(t, tcp), file(t, unix))
	tcp.Close()
	unix.SetUnlinkOnClose(false)
	unix.Close()
	in, err := inherit(first, 2, "http")
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	for range 2 {
		for _, want := range []struct {
			other   bool
			network string
		}{{false, "tcp"}, {true, "unix"}} {
			all, err := in.Listeners("http", want.other)
			if err != nil || len(all) != 1 || all[0].Addr().Network() != want.network {
				t.Fatalf("%v: %v %v", want, all, err)
			}
			address := all[0].Addr().String()
			c, err := net.Dial(want.network, address)
			if err != nil {
				t.Fatal(err)
			}
			c.Close()
			all[0].Close()
			if c, err = net.Dial(want.network, address); err != nil {
				t.Errorf("%s is closed with its listener: %v", want.network, err)
			} else {
				c.Close()
			}
		}
	}
}

func TestInheritRefused(t *testing.T) {
	const first = 910
	udp, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	defer udp.Close()
	passed(t, first, file(t, udp))
	in, err := inherit(first, 1, "")
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	if _, err := in.Listeners("http", true); err == nil || !strings.Contains(err.Error(), "stream socket") {
		t.Errorf("udp: %v", err)
	}
	if _, err := inherit(first+5, 1, ""); err == nil || !strings.Contains(err.Error(), "not open") {
		t.Errorf("a closed descriptor: %v", err)
	}
	for _, test := range []struct{ pid, count, want string }{
		{"", "2", ""}, {"1", "2", ""}, {"self", "", ""}, {"self", "0", ""},
		{"self", "x", "LISTEN_FDS"}, {"self", "-1", "LISTEN_FDS"}, {"self", "1000000", "LISTEN_FDS"},
	} {
		pid := strings.ReplaceAll(test.pid, "self", strconv.Itoa(os.Getpid()))
		t.Setenv("LISTEN_PID", pid)
		t.Setenv("LISTEN_FDS", test.count)
		in, err := Inherit()
		if (err == nil) != (test.want == "") || err != nil && !strings.Contains(err.Error(), test.want) {
			t.Errorf("%+v: %v", test, err)
		}
		if err == nil && len(in.files) != 0 {
			t.Errorf("%+v: %d sockets", test, len(in.files))
		}
		if os.Getenv("LISTEN_FDS") != "" {
			t.Errorf("%+v: children see it, too", test)
		}
	}
}
