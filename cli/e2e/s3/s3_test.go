// Package s3 tries backups on versitygw, a server of S3 that others have written. It is a module of its own,
// so that nothing of that server is part of cairn; "go test ./..." of cairn does not come here, .ci/run
// does.
package s3

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"
)

// output is what a process has written so far.
type output struct {
	mu  sync.Mutex
	all bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.all.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.all.String()
}

// build builds a program of a module.
func build(t *testing.T, module, pkg, name string) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), name)
	cmd := exec.Command("go", "build", "-o", path, pkg)
	cmd.Dir = module
	if text, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build %s: %v %s", pkg, err, text)
	}
	return path
}

// freePort is a port of this machine that nobody listens on.
func freePort(t *testing.T) int {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	return ln.Addr().(*net.TCPAddr).Port
}

// begin starts a process that ends with the test, and waits until an address answers.
func begin(t *testing.T, address string, env []string, exe string, args ...string) *output {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	cmd := exec.CommandContext(ctx, exe, args...)
	log := new(output)
	cmd.Stdout, cmd.Stderr, cmd.Env = log, log, append(os.Environ(), env...)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cancel(); _ = cmd.Wait() })
	for end := time.Now().Add(30 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		if c, err := net.Dial("tcp", address); err == nil {
			c.Close()
			return log
		}
		if time.Now().After(end) {
			t.Fatalf("%s does not answer: %s", exe, log)
		}
	}
}

func TestVersitygw(t *testing.T) {
	if testing.Short() {
		t.Skip("it builds versitygw, which takes minutes")
	}
	cairn := build(t, "../../..", ".", "cairn")
	gateway := build(t, ".", "github.com/versity/versitygw/cmd/versitygw", "versitygw")

	root := t.TempDir()
	if err := os.Mkdir(filepath.Join(root, "bucket"), 0o700); err != nil {
		t.Fatal(err)
	}
	address := fmt.Sprintf("127.0.0.1:%d", freePort(t))
	begin(t, address, nil, gateway, "--access", "key", "--secret", "a-secret-key", "--port", address, "posix", root)

	for _, passphrase := range []string{"", "correct horse battery"} {
		dir := t.TempDir()
		listen := fmt.Sprintf("127.0.0.1:%d", freePort(t))
		config := fmt.Sprintf("data_dir = %q\nlisten = %q\nadmin_token = \"an-admin-token-of-this-test\"\n[backup]\nto = \"s3://bucket/p%d\"\nendpoint = \"http://%s\"\npath_style = true\naccess_key = \"key\"\naccess_secret = \"a-secret-key\"\n",
			filepath.Join(dir, "data"), listen, len(passphrase), address)
		if passphrase != "" {
			file := filepath.Join(dir, "passphrase")
			if err := os.WriteFile(file, []byte(passphrase), 0o600); err != nil {
				t.Fatal(err)
			}
			config += fmt.Sprintf("passphrase_file = %q\n", file)
		}
		toml := filepath.Join(dir, "cairn.toml")
		if err := os.WriteFile(toml, []byte(config), 0o600); err != nil {
			t.Fatal(err)
		}
		log := begin(t, listen, nil, cairn, "serve", "-config", toml)
		run := func(args ...string) string {
			t.Helper()
			text, err := exec.Command(cairn, args...).CombinedOutput()
			if err != nil {
				t.Fatalf("cairn %q: %v %s\n%s", args, err, text, log)
			}
			return string(text)
		}
		for range 3 { // each changes what the bucket has
			send(t, listen, 1000)
			run("backup", "now", "-config", toml)
		}
		if text := run("backup", "list", "-config", toml); !strings.Contains(text, "3,000") {
			t.Errorf("list: %s", text)
		}
		run("backup", "verify", "-config", toml)
		restored := filepath.Join(dir, "restored")
		run("restore", "-config", toml, fmt.Sprintf("s3://bucket/p%d", len(passphrase)), restored)
		if text := run("check", restored); !regexp.MustCompile(`is good: 3,000 events`).MatchString(text) {
			t.Errorf("check: %s", text)
		}
		if text := log.String(); strings.Contains(text, "ignores If-None-Match") || strings.Contains(text, "has failed") {
			t.Errorf("the log: %s", text)
		}
	}
}

// send stores n events.
func send(t *testing.T, listen string, n int) {
	t.Helper()
	var lines strings.Builder
	for i := range n {
		fmt.Fprintf(&lines, "{\"name\":\"n%d\",\"user\":\"u%d\"}\n", i%5, i%97)
	}
	req, err := http.NewRequest("POST", "http://"+listen+"/api/v1/events", strings.NewReader(lines.String()))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-ndjson")
	req.Header.Set("Authorization", "Bearer an-admin-token-of-this-test")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if text, _ := io.ReadAll(res.Body); res.StatusCode != 200 {
		t.Fatalf("%d %s", res.StatusCode, text)
	}
}
