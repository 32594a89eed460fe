package e2e

import (
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"
	"unicode/utf8"
	"unsafe"
)

// This file runs "cairn report" on a terminal.

// openTerminal makes a terminal of a size: the end of the person, and that of the program.
func openTerminal(t *testing.T, wide, high uint16) (person, program *os.File) {
	t.Helper()
	person, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Skip("no terminals here: ", err)
	}
	t.Cleanup(func() { person.Close() })
	var number, unlock int32
	size := [4]uint16{high, wide}
	for request, argument := range map[uintptr]unsafe.Pointer{syscall.TIOCGPTN: unsafe.Pointer(&number), syscall.TIOCSPTLCK: unsafe.Pointer(&unlock), syscall.TIOCSWINSZ: unsafe.Pointer(&size)} {
		if _, _, no := syscall.Syscall(syscall.SYS_IOCTL, person.Fd(), request, uintptr(argument)); no != 0 {
			t.Skip("no terminals here: ", no)
		}
	}
	if program, err = os.OpenFile(fmt.Sprint("/dev/pts/", number), os.O_RDWR|syscall.O_NOCTTY, 0); err != nil {
		t.Skip("no terminals here: ", err)
	}
	return person, program
}

// onTerminal runs cairn on a terminal and returns what it shows.
func onTerminal(t *testing.T, exe string, wide uint16, env []string, args ...string) string {
	t.Helper()
	person, program := openTerminal(t, wide, 24)
	cmd := exec.Command(exe, args...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr, cmd.Env = program, program, program, append(os.Environ(), env...)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	program.Close()
	var text strings.Builder
	for buf := make([]byte, 4096); ; {
		n, err := person.Read(buf)
		text.Write(buf[:n])
		if err != nil {
			break // the program has ended
		}
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("%q: %v\n%s", args, err, text.String())
	}
	return strings.ReplaceAll(text.String(), "\r\n", "\n")
}

var colour = regexp.MustCompile(`\x1b\[[0-9]{1,2}m`)

// A terminal has colours, and gets nothing else that it obeys; lines are as wide as it is.
func TestReportOnATerminal(t *testing.T) {
	t.Parallel()
	s := startServer(t, t.TempDir())
	sendHarmful(t, s)
	for i, report := range harmfulReports {
		if strings.Contains(report, "retention") {
			continue
		}
		wide := []uint16{20, 80, 120}[i%3]
		args := append(append([]string{"report"}, strings.Fields(report)...), "-data", s.options.Dir)
		text := onTerminal(t, s.options.Exe, wide, []string{"TERM=xterm", "NO_COLOR="}, args...)
		if !colour.MatchString(text) {
			t.Errorf("%s has no colour: %s", report, text)
		}
		plain := colour.ReplaceAllString(text, "")
		safeText(t, report, plain)
		for line := range strings.Lines(plain) {
			if n := utf8.RuneCountInString(strings.TrimSuffix(line, "\n")); n > int(wide)+marks(line) {
				t.Errorf("%s: %d characters in %d columns: %q", report, n, wide, line)
			}
		}
	}
	for _, form := range []string{"-json", "-ndjson", "-csv"} { // the bytes of the API, but none that the terminal obeys
		text := onTerminal(t, s.options.Exe, 80, []string{"TERM=xterm"}, "report", "events", "-limit", "1000", form, "-data", s.options.Dir)
		if safeText(t, "events "+form, text); !strings.Contains(text, `\u202e`) {
			t.Errorf("%s: %s", form, text)
		}
	}
	text := onTerminal(t, s.options.Exe, 80, []string{"TERM=xterm", "NO_COLOR=1"}, "report", "pages", "-data", s.options.Dir)
	if strings.Contains(text, "\x1b") || !strings.Contains(text, "█") {
		t.Errorf("NO_COLOR: %q", text)
	}
}

// marks counts the characters of a line that take no column.
func marks(line string) int { return strings.Count(line, "\u0301") }

// A report that is watched is drawn where it stood, shows what is new, and stays when it ends.
func TestReportIsWatched(t *testing.T) {
	t.Parallel()
	s := startServer(t, t.TempDir())
	person, program := openTerminal(t, 80, 24)
	cmd := exec.Command(s.options.Exe, "report", "count", "-watch", "1s", "-data", s.options.Dir)
	cmd.Stdout, cmd.Stderr, cmd.Env = program, program, append(os.Environ(), "TERM=xterm", "NO_COLOR=1")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	program.Close()
	defer cmd.Process.Kill()
	shown := make(chan string)
	go func() {
		defer close(shown)
		var text strings.Builder
		for buf := make([]byte, 4096); ; {
			n, err := person.Read(buf)
			text.Write(buf[:n])
			shown <- text.String()
			if err != nil {
				return
			}
		}
	}()
	await := func(what string) (text string) {
		t.Helper()
		late := time.After(20 * time.Second)
		for !strings.Contains(text, what) {
			select {
			case next, open := <-shown:
				if !open {
					t.Fatalf("%q is not shown: %q", what, text)
				}
				text = next
			case <-late:
				t.Fatalf("%q is not shown: %q", what, text)
			}
		}
		return text
	}
	await("Events    0")
	header := http.Header{"Authorization": {"Bearer " + s.keys().SecretKey}, "Content-Type": {"application/json"}}
	if status, answer, err := request("POST", s.url()+"/api/v1/events", header, `{"name":"seen"}`); err != nil || status != 200 {
		t.Fatalf("%d %s %v", status, answer, err)
	}
	if text := await("Events    1"); !strings.Contains(text, "\x1b[7A\r") {
		t.Errorf("it is not drawn over: %q", text)
	}
	cmd.Process.Signal(os.Interrupt)
	last := ""
	for text := range shown {
		last = text
	}
	if err := cmd.Wait(); err != nil || !strings.HasSuffix(last, "\x1b[J") {
		t.Errorf("%v %q", err, last)
	}
}

// A stopped store answers as its server does, and nothing in it changes. It is free again before the
// answer is printed. Whoever else has it is named.
func TestReportOnAStoppedStore(t *testing.T) {
	t.Parallel()
	s := startServer(t, filepath.Join(t.TempDir(), "data"))
	var body strings.Builder
	for i := range 1500 {
		fmt.Fprintf(&body, `{"type":"page","name":"Home","anonymous":"a%d","properties":{"n":%d,"text":%q}}`+"\n", i%50, i, strings.Repeat("x", 100))
	}
	header := http.Header{"Authorization": {"Bearer " + s.keys().SecretKey}, "Content-Type": {"application/x-ndjson"}}
	if status, answer, err := request("POST", s.url()+"/api/v1/events", header, body.String()); err != nil || status != 200 {
		t.Fatalf("%d %s %v", status, answer, err)
	}
	r := &reportRun{t: t, server: s, flags: make(map[string]string)}
	const path = "/api/v1/breakdown?by=prop.n&range=yesterday&name=Home"
	running := r.ask("/api/v1/count?name=Home", "-json")
	s.finish()
	before := treeBytes(t, s.options.Dir)
	if stopped := r.ask("/api/v1/count?name=Home", "-json"); string(stopped) != string(running) {
		t.Errorf("the stopped store says %s, the server %s", stopped, running)
	}
	if text := r.ask("/api/v1/count"); !strings.Contains(string(text), "1,500") {
		t.Errorf("%s", text)
	}
	r.ask(path)
	overview, err := exec.Command(s.options.Exe, "report", "overview", "-data", s.options.Dir).CombinedOutput()
	if err != nil || !strings.Contains(string(overview), "Visitors") || !strings.Contains(string(overview), "1,500") {
		t.Errorf("%v %s", err, overview)
	}

	// The pipe takes less than the answer, so the command waits while it prints.
	cmd := exec.Command(s.options.Exe, "report", "events", "-limit", "1000", "-json", "-data", s.options.Dir)
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err == nil {
		_, err = out.Read(make([]byte, 1))
	}
	if err != nil {
		t.Fatal(err)
	}
	dir, err := os.Open(s.options.Dir)
	if err != nil {
		t.Fatal(err)
	}
	defer dir.Close()
	if err := syscall.Flock(int(dir.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		t.Errorf("the store is not free while the answer is printed: %v", err)
	}
	if text, err := exec.Command(s.options.Exe, "report", "count", "-data", s.options.Dir).CombinedOutput(); err == nil || !strings.Contains(string(text), "is in use by another process") {
		t.Errorf("%v %s", err, text)
	}
	cmd.Process.Kill()
	cmd.Wait()
	after := treeBytes(t, s.options.Dir)
	for path, what := range after {
		if before[path] != what {
			t.Errorf("%s was %q and is %q", path, before[path], what)
		}
	}
	if len(before) != len(after) {
		t.Errorf("%d files were there, %d are", len(before), len(after))
	}
	if text, err := exec.Command(s.options.Exe, "report", "count", "-watch", "1s", "-data", s.options.Dir).CombinedOutput(); err == nil || !strings.Contains(string(text), "cannot reach the server") {
		t.Errorf("a stopped store is watched: %v %s", err, text)
	}
}
