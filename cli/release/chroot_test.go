package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"
)

// This file installs, upgrades, removes and purges the Debian package in a directory with a Debian
// of its own.

// debian makes the directory, or skips the test and says why. CAIRN_DEBIAN may name a directory
// that debootstrap has made: it is copied.
func debian(t *testing.T) root {
	t.Helper()
	me, err := user.Current()
	if err != nil || me.Uid != "0" || runtime.GOOS != "linux" || runtime.GOARCH != "amd64" {
		t.Skip("SKIPPED: a chroot needs root on linux/amd64")
	}
	dir := filepath.Join(t.TempDir(), "debian")
	var cmd *exec.Cmd
	if made := os.Getenv("CAIRN_DEBIAN"); made != "" {
		cmd = exec.Command("cp", "-a", made, dir)
	} else {
		if _, err := exec.LookPath("debootstrap"); err != nil {
			t.Skip("SKIPPED: there is no debootstrap here")
		}
		cmd = exec.Command("debootstrap", "--variant=minbase", "bookworm", dir)
	}
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %v\n%s", cmd.Args, err, out[max(0, len(out)-2000):])
	}
	return root{t, dir}
}

// root is the directory.
type root struct {
	*testing.T
	dir string
}

// do runs a command in the directory, as root, and returns what it prints.
func (r root) do(args ...string) string {
	r.Helper()
	cmd := exec.Command("chroot", append([]string{r.dir}, args...)...)
	cmd.Env = []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "DEBIAN_FRONTEND=noninteractive"}
	out, err := cmd.CombinedOutput()
	if err != nil {
		r.Fatalf("%v: %v\n%s", args, err, out)
	}
	return string(out)
}

// install installs a package of a build.
func (r root) install(build string) {
	r.Helper()
	text, err := os.ReadFile(glob(r.T, filepath.Join(build, "*.deb")))
	if err != nil {
		r.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(r.dir, "cairn.deb"), text, 0o644); err != nil {
		r.Fatal(err)
	}
	r.do("dpkg", "-i", "/cairn.deb")
}

// is compares what "stat" says of a file: its mode, user and group.
func (r root) is(path, want string) {
	r.Helper()
	if got := strings.TrimSpace(r.do("stat", "-c", "%a %U %G", path)); got != want {
		r.Errorf("%s: %s, want %s", path, got, want)
	}
}

// service is the running service.
type service struct {
	root
	cmd *exec.Cmd
	url string
}

var listening = regexp.MustCompile(`"msg":"listening","url":"([^"]+)"`)

// start does what systemd does with the unit: the state directory, the user, the command. The
// system chooses a port.
func (r root) start() *service {
	r.Helper()
	set := unit(r.T)
	state := "/var/lib/" + set["StateDirectory"]
	r.do("install", "-d", "-m", set["StateDirectoryMode"], "-o", set["User"], "-g", set["Group"], state)
	line := "umask " + set["UMask"] + " && exec " + set["ExecStart"]
	cmd := exec.Command("chroot", "--userspec="+set["User"]+":"+set["Group"], r.dir, "/bin/sh", "-c", line)
	cmd.Env = []string{"PATH=/usr/bin:/bin", "CAIRN_LISTEN=127.0.0.1:0", "CAIRN_LOG_FORMAT=json"}
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	log, err := cmd.StderrPipe()
	if err != nil {
		r.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		r.Fatal(err)
	}
	s := &service{root: r, cmd: cmd}
	r.Cleanup(func() { cmd.Process.Kill() })
	var text strings.Builder
	lines := bufio.NewScanner(log)
	for s.url == "" && lines.Scan() {
		fmt.Fprintln(&text, lines.Text())
		if match := listening.FindStringSubmatch(lines.Text()); match != nil {
			s.url = match[1]
		}
	}
	if s.url == "" {
		r.Fatalf("the service does not listen:\n%s", text.String())
	}
	go io.Copy(io.Discard, log)
	return s
}

// stop does what systemd does at a stop.
func (s *service) stop() {
	s.Helper()
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		s.Fatal(err)
	}
	if err := s.cmd.Wait(); err != nil {
		s.Errorf("the service did not end in order: %v", err)
	}
}

// ask sends a request with the secret key of the site.
func (s *service) ask(method, path, body string) map[string]any {
	s.Helper()
	key := regexp.MustCompile(`sk_\w+`).FindString(s.do("cairn", "keys", "-config", "/etc/cairn/config.toml"))
	req, err := http.NewRequest(method, s.url+path, bytes.NewReader([]byte(body)))
	if err != nil {
		s.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+key)
	req.Header.Set("Content-Type", "application/json")
	res, err := (&http.Client{Timeout: time.Minute}).Do(req)
	if err != nil {
		s.Fatal(err)
	}
	defer res.Body.Close()
	var answer map[string]any
	if err := json.NewDecoder(res.Body).Decode(&answer); err != nil || res.StatusCode != 200 {
		s.Fatalf("%s: %s %v %v", path, res.Status, answer, err)
	}
	return answer
}

// The package makes its user and keeps its secrets. An upgrade keeps the configuration and the events.
// The events stay when the package is removed, and also when it is purged.
func TestDebianPackage(t *testing.T) {
	r := debian(t)
	older, newer := build(t, "1.0.0"), build(t, "1.0.1")
	r.install(older)
	r.is("/etc/cairn/config.toml", "640 root cairn")
	r.is("/var/lib/cairn", "700 cairn cairn")
	r.is("/usr/bin/cairn", "755 root root")
	if out := r.do("cairn", "version"); !strings.HasPrefix(out, "cairn 1.0.0 ") {
		t.Error(out)
	}
	if out, err := exec.Command("chroot", r.dir, "cairn", "healthcheck", "-config", "/etc/cairn/config.toml").CombinedOutput(); err == nil || !strings.HasPrefix(string(out), "not ready: ") {
		t.Errorf("nothing runs, but: %s %v", out, err)
	}

	s := r.start()
	if out := r.do("cairn", "healthcheck", "-config", "/etc/cairn/config.toml"); out != "ready\n" {
		t.Error(out)
	}
	s.ask("POST", "/api/v1/events", `{"name":"order","user":"ada"}`)
	s.stop()
	config := filepath.Join(r.dir, "etc/cairn/config.toml")
	text, err := os.ReadFile(config)
	if err != nil {
		t.Fatal(err)
	}
	mine := append(text, "\nmemory = \"128MiB\"\n"...)
	if err := os.WriteFile(config, mine, 0o640); err != nil {
		t.Fatal(err)
	}

	r.install(newer)
	if out := r.do("cairn", "version"); !strings.HasPrefix(out, "cairn 1.0.1 ") {
		t.Error(out)
	}
	r.is("/etc/cairn/config.toml", "640 root cairn")
	if text, err := os.ReadFile(config); err != nil || !bytes.Equal(text, mine) {
		t.Errorf("the configuration changed: %v %s", err, text)
	}
	s = r.start()
	if n := s.ask("GET", "/api/v1/count", "")["events"]; n != 1.0 {
		t.Errorf("%v events after the upgrade", n)
	}
	s.stop()

	r.do("dpkg", "-r", "cairn")
	store := filepath.Join(r.dir, "var/lib/cairn/store")
	gone := func(path string, want bool) {
		t.Helper()
		if _, err := os.Stat(path); os.IsNotExist(err) != want {
			t.Errorf("%s: %v", path, err)
		}
	}
	gone(filepath.Join(r.dir, "usr/bin/cairn"), true)
	gone(config, false)
	gone(store, false)
	if out := r.do("dpkg", "-P", "cairn"); !strings.Contains(out, "The events stay in /var/lib/cairn") {
		t.Error(out)
	}
	gone(config, true)
	gone(store, false)
	r.install(newer)
	s = r.start()
	if n := s.ask("GET", "/api/v1/count", "")["events"]; n != 1.0 {
		t.Errorf("%v events after the package came back", n)
	}
	s.stop()
}
