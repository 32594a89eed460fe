package e2e

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"math/big"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"cairn/cli"
	"cairn/cli/bench"
	"cairn/engine"
	"cairn/engine/event"

	"github.com/rogpeppe/go-internal/testscript"
)

// top is the top of the repository, from the folder that tests run in.
const top = "../.."

// TestMain puts this binary on the PATH as "cairn". There it is the command and not the
// tests.
//
// In all these tests the memory of a request is overwritten after its answer, so that
// nothing can point into it unnoticed.
func TestMain(m *testing.M) {
	event.Poisoned = true
	testscript.Main(waiting{m}, map[string]func(){"cairn": func() {
		if limit, err := time.ParseDuration(os.Getenv(queryTimeEnv)); err == nil {
			engine.QueryTimeDefault = limit
		}
		cli.Main("0.0.0-test")
	}})
}

// queryTimeEnv is how long one query of a server under test may take; not set = as ever.
const queryTimeEnv = "CAIRN_TEST_QUERY_TIME"

// waiting runs more parallel tests at a time than there are CPUs, unless -parallel says
// how many: most of the time they wait for SDKs to try again, for browsers and for disks.
// Tests that measure how long an answer takes are not parallel. They run first and alone.
type waiting struct{ *testing.M }

func (m waiting) Run() int {
	flag.Parse()
	given := false
	flag.Visit(func(f *flag.Flag) { given = given || f.Name == "test.parallel" })
	if !given {
		if err := flag.Set("test.parallel", strconv.Itoa(2*runtime.GOMAXPROCS(0))); err != nil {
			panic(err)
		}
	}
	return m.M.Run()
}

// The scripts of testdata/script, run with the real binary.
func TestScripts(t *testing.T) {
	t.Parallel()
	testscript.Run(t, testscript.Params{
		Dir:                 filepath.Join(top, "testdata/script"),
		RequireExplicitExec: true,
		Setup: func(env *testscript.Env) error {
			env.Values[childrenKey{}] = map[string]*bench.Child{}
			example, err := filepath.Abs(filepath.Join(top, "config.example.toml"))
			env.Setenv("EXAMPLE", example)
			return err
		},
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"start":   scriptStart,
			"sigkill": scriptKill,
			"sigterm": scriptTerm,
			"http":    scriptHTTP,
			"paste":   scriptPaste,

			"exitcode":     scriptExitCode,
			"await-events": scriptAwait,
			"damage":       scriptDamage,
			"private":      scriptPrivate,
			"cursor":       scriptCursor,
			"cert":         scriptCert,
		},
	})
}

// childrenKey finds the running servers of a script by their data directory.
type childrenKey struct{}

func children(ts *testscript.TestScript) map[string]*bench.Child {
	return ts.Value(childrenKey{}).(map[string]*bench.Child)
}

// start DIR [flags]: runs a server on DIR and waits until it listens. It sets URL, ADDR,
// PORT and PID, and KEY, READ, WRITE and ADMIN from DIR/keys.toml. stdout is that of the
// server.
func scriptStart(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 1 {
		ts.Fatalf("usage: start DIR [flags]")
	}
	dir := ts.MkAbs(args[0])
	options, err := serveOptions(dir, args[1:]...)
	ts.Check(err)
	out, err := os.Create(ts.MkAbs("server-stdout"))
	ts.Check(err)
	defer out.Close()
	options.Cwd, options.Stdout = ts.MkAbs("."), out
	c, err := bench.StartChild(context.Background(), options)
	ts.Check(err)
	children(ts)[dir] = c
	ts.Defer(c.Kill)
	text, err := os.ReadFile(out.Name())
	ts.Check(err)
	ts.Stdout().Write(text)
	ts.Setenv("URL", c.URL)
	ts.Setenv("ADDR", strings.TrimPrefix(strings.TrimPrefix(c.URL, "http://"), "https://"))
	ts.Setenv("PORT", c.URL[strings.LastIndexByte(c.URL, ':')+1:])
	ts.Setenv("PID", fmt.Sprint(c.Cmd.Process.Pid))
	ts.Setenv("KEY", c.Keys.Sites[0].SecretKey)
	ts.Setenv("READ", c.Keys.Sites[0].ReadKey)
	ts.Setenv("ADMIN", c.Keys.AdminToken)
	ts.Setenv("WRITE", c.Keys.Sites[0].WriteKey)
	ts.Setenv("CLIENT_ID", c.Keys.Sites[0].ClientID)
	ts.Setenv("CLIENT_SECRET", c.Keys.Sites[0].ClientSecret)
	ts.Setenv("TOKEN_AUTH", c.Keys.Sites[0].TokenAuth)
}

// sigkill DIR: kills the server on DIR with SIGKILL.
func scriptKill(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: sigkill DIR")
	}
	running(ts, args[0]).Kill()
}

// sigterm DIR: sends SIGTERM to the server on DIR, which must end within 10 s with exit
// code 0. stderr is the end of its log.
func scriptTerm(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: sigterm DIR")
	}
	c := running(ts, args[0])
	start := time.Now()
	ts.Check(c.Stop())
	if took := time.Since(start); took > 10*time.Second {
		ts.Fatalf("the server took %v to stop", took)
	}
	fmt.Fprintln(ts.Stderr(), c.Log())
}

func running(ts *testscript.TestScript, dir string) *bench.Child {
	c := children(ts)[ts.MkAbs(dir)]
	if c == nil {
		ts.Fatalf("no server on %s", dir)
	}
	return c
}

// http STATUS METHOD PATH [BODY [HEADER...]]: sends one request to the last started
// server, with KEY as bearer token. A HEADER is "Name: value". stdout is the body of
// the answer.
func scriptHTTP(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 3 {
		ts.Fatalf("usage: http STATUS METHOD PATH [BODY [HEADER...]]")
	}
	body := ""
	if len(args) > 3 {
		body = args[3]
	}
	header := http.Header{"Authorization": {"Bearer " + ts.Getenv("KEY")}}
	if body != "" {
		header.Set("Content-Type", "application/json")
	}
	for i := 4; i < len(args); i++ {
		name, value, _ := strings.Cut(args[i], ": ")
		header.Set(name, value)
	}
	status, answer, err := request(args[1], ts.Getenv("URL")+args[2], header, body)
	ts.Check(err)
	ts.Stdout().Write(append(answer, '\n'))
	if fmt.Sprint(status) != args[0] {
		ts.Fatalf("%s %s: status %d, want %s: %s", args[1], args[2], status, args[0], answer)
	}
}

// paste FILE: runs the curl lines in FILE as a person would in a shell. Each must be
// answered 2xx. stdout is the answers.
func scriptPaste(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: paste FILE")
	}
	n := 0
	for line := range strings.Lines(ts.ReadFile(args[0])) {
		line = strings.TrimSpace(line)
		if !strings.HasPrefix(line, "curl ") {
			continue
		}
		n++
		if _, err := exec.LookPath("curl"); err == nil {
			out, err := exec.Command("sh", "-c", "curl --fail-with-body"+strings.TrimPrefix(line, "curl")).CombinedOutput()
			ts.Stdout().Write(append(out, '\n'))
			if err != nil {
				ts.Fatalf("%s: %v: %s", line, err, out)
			}
			continue
		}
		status, answer, err := curl(line)
		ts.Check(err)
		ts.Stdout().Write(append(answer, '\n'))
		if status/100 != 2 {
			ts.Fatalf("%s: status %d: %s", line, status, answer)
		}
	}
	if n == 0 {
		ts.Fatalf("no curl line in %s", args[0])
	}
}

// curl runs the lines that cairn prints, on a machine without curl.
func curl(line string) (status int, answer []byte, err error) {
	method, url, body, header := "GET", "", "", http.Header{}
	words := shellWords(line)
	for i := 1; i < len(words); i++ {
		switch w := words[i]; {
		case w == "-H" && i+1 < len(words):
			i++
			name, value, _ := strings.Cut(words[i], ": ")
			header.Set(name, value)
		case w == "-u" && i+1 < len(words):
			i++
			header.Set("Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(words[i])))
		case w == "-d" && i+1 < len(words):
			i++
			method, body = "POST", words[i]
		case !strings.HasPrefix(w, "-"):
			url = w
		}
	}
	return request(method, url, header, body)
}

// shellWords splits at spaces outside single quotes.
func shellWords(line string) (words []string) {
	for i, part := range strings.Split(line, "'") {
		if i%2 == 1 {
			words = append(words, part)
		} else {
			words = append(words, strings.Fields(part)...)
		}
	}
	return words
}

// exitcode CODE PROGRAM [args]: runs a program that must end with this code.
func scriptExitCode(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exitcode CODE PROGRAM [args]")
	}
	err := ts.Exec(args[1], args[2:]...)
	code := 0
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		code = exit.ExitCode()
	} else {
		ts.Check(err)
	}
	if fmt.Sprint(code) != args[0] {
		ts.Fatalf("%s ended with exit code %d, want %s", strings.Join(args[1:], " "), code, args[0])
	}
}

// await-events N: waits until the last started server has at least N events.
func scriptAwait(ts *testscript.TestScript, neg bool, args []string) {
	want, err := bench.ParseCount(args[0])
	ts.Check(err)
	header := http.Header{"Authorization": {"Bearer " + ts.Getenv("KEY")}}
	for end := time.Now().Add(30 * time.Second); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		var totals struct{ Events int64 }
		_, answer, err := request("GET", ts.Getenv("URL")+"/api/v1/count", header, "")
		ts.Check(err)
		if json.Unmarshal(answer, &totals) == nil && totals.Events >= want {
			return
		}
	}
	ts.Fatalf("the server does not have %d events after 30 s", want)
}

// cert CERT KEY: writes a self-signed certificate for this machine.
func scriptCert(ts *testscript.TestScript, neg bool, args []string) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	ts.Check(err)
	cert := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()),
		NotBefore:    time.Now().Add(-time.Hour),
		NotAfter:     time.Now().Add(time.Hour),
		IPAddresses:  []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	certDER, err := x509.CreateCertificate(rand.Reader, cert, cert, &key.PublicKey, key)
	ts.Check(err)
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certDER}), 0o600))
	ts.Check(os.WriteFile(ts.MkAbs(args[1]), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER}), 0o600))
}

// cursor: puts the next cursor of the page in stdout into CURSOR.
func scriptCursor(ts *testscript.TestScript, neg bool, args []string) {
	var page struct{ Next string }
	ts.Check(json.Unmarshal([]byte(ts.ReadFile("stdout")), &page))
	if neg || len(args) != 0 || page.Next == "" {
		ts.Fatalf("usage: cursor, after a page with a next page")
	}
	ts.Setenv("CURSOR", page.Next)
}

// private DIR...: checks that only the owner has access to what is in DIR.
func scriptPrivate(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) == 0 {
		ts.Fatalf("usage: private DIR...")
	}
	files := 0
	for _, dir := range args {
		ts.Check(filepath.WalkDir(ts.MkAbs(dir), func(path string, d fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			info, err := d.Info()
			if errors.Is(err, fs.ErrNotExist) {
				return nil // the server has just removed it
			}
			if err == nil && info.Mode().Perm()&0o077 != 0 {
				ts.Fatalf("%s has mode %v", path, info.Mode().Perm())
			}
			files++
			return err
		}))
	}
	if files < 4 {
		ts.Fatalf("only %d files", files)
	}
}

// damage DIR: changes one byte in the middle of the largest file below DIR.
func scriptDamage(ts *testscript.TestScript, neg bool, args []string) {
	var largest string
	var bytes int64
	ts.Check(filepath.WalkDir(ts.MkAbs(args[0]), func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		info, err := d.Info()
		if err == nil && info.Size() > bytes {
			largest, bytes = path, info.Size()
		}
		return err
	}))
	// Write a new file: the snapshot's file is a hard link to the store's.
	text, err := os.ReadFile(largest)
	ts.Check(err)
	text[len(text)/2] ^= 1
	ts.Check(os.Remove(largest))
	ts.Check(os.WriteFile(largest, text, 0o600))
}

func request(method, url string, header http.Header, body string) (status int, answer []byte, err error) {
	req, err := http.NewRequest(method, url, bytes.NewReader([]byte(body)))
	if err != nil {
		return 0, nil, err
	}
	req.Header = header
	client := &http.Client{Timeout: 30 * time.Second, Transport: &http.Transport{
		DisableKeepAlives: true,
		TLSClientConfig:   &tls.Config{InsecureSkipVerify: true}, // the script's own certificate
	}}
	res, err := client.Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer res.Body.Close()
	answer, err = io.ReadAll(io.LimitReader(res.Body, 16<<20))
	return res.StatusCode, answer, err
}
