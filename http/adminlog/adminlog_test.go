package adminlog

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"
)

// newLog is a log whose clock stands still, and what the server logs.
func newLog(t *testing.T) (*Log, *bytes.Buffer) {
	t.Helper()
	logged := new(bytes.Buffer)
	l := Open(t.TempDir(), slog.New(slog.NewTextHandler(logged, nil)))
	l.now = func() time.Time { return time.UnixMilli(1_800_000_000_123) }
	t.Cleanup(l.Close)
	return l, logged
}

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// A line has the action and the network, and no whole address. What others choose as a name is
// text of one line.
func TestLines(t *testing.T) {
	l, logged := newLog(t)
	l.Add(Entry{Action: Deletion, By: "secret_key", From: netip.MustParseAddr("203.0.113.77"), Site: "shop", What: "17"})
	l.Add(Entry{Action: KeyAdd, By: "a\n\"b\"\xff", From: netip.MustParseAddr("2001:db8:1:2:3::4%eth0"), Site: "shop", What: "k1"})
	l.Add(Entry{Action: Export, By: ByAdmin, From: netip.MustParseAddr("::ffff:203.0.113.77")})
	l.Add(Entry{Action: Backup, By: BySchedule, Failed: true})
	l.Add(Entry{Action: SiteAdd, By: ByCommand, Site: strings.Repeat("ü", 4000)})
	want := `{"time":"2027-01-15T08:00:00.123Z","action":"deletion","by":"secret_key","from":"203.0.113.0/24","site":"shop","what":"17"}
{"time":"2027-01-15T08:00:00.123Z","action":"key add","by":"a\n\"b\"�","from":"2001:db8:1::/48","site":"shop","what":"k1"}
{"time":"2027-01-15T08:00:00.123Z","action":"export","by":"admin token","from":"203.0.113.0/24"}
{"time":"2027-01-15T08:00:00.123Z","action":"backup","by":"schedule","failed":true}
{"time":"2027-01-15T08:00:00.123Z","action":"site add","by":"command","site":"` + strings.Repeat("ü", textMax/2) + `…"}
`
	if got := read(t, l.path); got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
	if info, err := os.Stat(l.path); err != nil || runtime.GOOS != "windows" && info.Mode() != 0o600 {
		t.Errorf("%v, %v; want the mode 0600", info.Mode(), err)
	}
	if logged.Len() > 0 || l.Troubles() != nil {
		t.Errorf("trouble: %s%v", logged, l.Troubles())
	}
	(*Log)(nil).Add(Entry{})
	(*Log)(nil).Close()
}

// The file is put aside when it is full, and four of these are kept.
func TestRotation(t *testing.T) {
	l, _ := newLog(t)
	l.limit = 1000
	for i := range 100 {
		l.Add(Entry{Action: Deletion, By: ByRetention, What: fmt.Sprint(i)})
	}
	names, err := filepath.Glob(l.path + "*")
	if err != nil || len(names) != 1+kept {
		t.Fatalf("%v, %v; want the file and %d", names, err, kept)
	}
	// Together they have the last lines, in order, and nothing is lost between them.
	var all string
	for n := kept; n > 0; n-- {
		part := read(t, fmt.Sprint(l.path, ".", n))
		if len(part) > 1000 || len(part) < 800 {
			t.Errorf("%d bytes in the file %d", len(part), n)
		}
		all += part
	}
	lines := strings.Split(strings.TrimSpace(all+read(t, l.path)), "\n")
	for i, text := range lines {
		var at line
		if err := json.Unmarshal([]byte(text), &at); err != nil || at.What != fmt.Sprint(100-len(lines)+i) {
			t.Errorf("line %d: %s, %v", i, text, err)
		}
	}
}

// What cannot be written is logged and makes the server degraded, until it can be written.
func TestUnwritable(t *testing.T) {
	l, logged := newLog(t)
	if err := os.MkdirAll(filepath.Join(l.path, "x"), 0o700); err != nil {
		t.Fatal(err)
	}
	l.Add(Entry{Action: Deletion, By: "k", From: netip.MustParseAddr("203.0.113.77"), What: "17"})
	if text := logged.String(); !strings.Contains(text, "what=17") || strings.Contains(text, "113.77") {
		t.Errorf("logged %q", text)
	}
	failed := 0.0
	l.Metrics(func(_, _, _ string, v float64, _ ...string) { failed = v })
	if len(l.Troubles()) != 1 || failed != 1 {
		t.Errorf("troubles %v, %v failed", l.Troubles(), failed)
	}
	if err := os.RemoveAll(l.path); err != nil {
		t.Fatal(err)
	}
	l.Add(Entry{Action: Deletion, What: "18"})
	if l.Troubles() != nil || !strings.Contains(read(t, l.path), `"18"`) {
		t.Errorf("troubles %v after it could be written", l.Troubles())
	}
}

// A link in place of the file is not followed.
func TestLink(t *testing.T) {
	l, _ := newLog(t)
	target := filepath.Join(t.TempDir(), "target")
	if err := os.WriteFile(target, []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(target, l.path); err != nil {
		t.Skip(err)
	}
	if l.Add(Entry{Action: Deletion}); l.Troubles() == nil || read(t, target) != "mine" {
		t.Errorf("it wrote to where the link leads: %q", read(t, target))
	}
}

// A line that a crash cut does not spoil the next one; a file that somebody puts aside is made
// again.
func TestTornAndMoved(t *testing.T) {
	l, _ := newLog(t)
	if err := os.WriteFile(l.path, []byte(`{"time":"20`), 0o644); err != nil {
		t.Fatal(err)
	}
	l.Add(Entry{Action: Deletion, What: "1"})
	if lines := strings.Split(read(t, l.path), "\n"); len(lines) != 3 || !json.Valid([]byte(lines[1])) {
		t.Errorf("%q", lines)
	}
	if info, err := os.Stat(l.path); err != nil || runtime.GOOS != "windows" && info.Mode() != 0o600 {
		t.Errorf("%v, %v; want the mode 0600", info.Mode(), err)
	}
	if runtime.GOOS == "windows" {
		return // the file is open
	}
	if err := os.Rename(l.path, l.path+".old"); err != nil {
		t.Fatal(err)
	}
	l.Add(Entry{Action: Deletion, What: "2"})
	if got := read(t, l.path); !strings.Contains(got, `"2"`) || strings.Contains(got, `"1"`) {
		t.Errorf("%q", got)
	}
}

// Lines of many goroutines do not mix.
func TestTogether(t *testing.T) {
	l, _ := newLog(t)
	l.limit = 10_000
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			for range 20 {
				l.Add(Entry{Action: Export, By: strings.Repeat("x", i*10)})
			}
		})
	}
	all.Wait()
	names, _ := filepath.Glob(l.path + "*")
	count := 0
	for _, name := range names {
		for text := range strings.Lines(read(t, name)) {
			if count++; !json.Valid([]byte(text)) {
				t.Errorf("%q", text)
			}
		}
	}
	if count != 160 {
		t.Errorf("%d lines", count)
	}
}
