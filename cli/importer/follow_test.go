package importer

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// followed runs an import that follows a log, with short waits.
type followed struct {
	t    *testing.T
	f    *fake
	path string
	stop context.CancelFunc
	done chan error
}

func startFollowing(t *testing.T, f *fake, path string) *followed {
	ctx, stop := context.WithCancel(context.Background())
	w := &followed{t, f, path, stop, make(chan error, 1)}
	o := f.options(path)
	o.Follow = true
	o.poll, o.drain = time.Millisecond, 20*time.Millisecond
	go func() {
		_, err := Run(ctx, o)
		w.done <- err
	}()
	return w
}

// end ends the import as an interrupt does.
func (w *followed) end() {
	w.t.Helper()
	w.stop()
	if err := <-w.done; err != nil && !errors.Is(err, context.Canceled) {
		w.t.Error(err)
	}
}

// until waits for so many events.
func (w *followed) until(n int) {
	w.t.Helper()
	for range 20_000 {
		w.f.mu.Lock()
		have := strings.Count(w.f.body.String(), "\n")
		w.f.mu.Unlock()
		if have >= n {
			return
		}
		select {
		case err := <-w.done:
			w.t.Fatalf("the import has ended: %v", err)
		case <-time.After(time.Millisecond):
		}
	}
	w.t.Fatalf("less than %d events have come", n)
}

// pages are the pages that the server has, in order.
func (f *fake) pages(t *testing.T) []int {
	t.Helper()
	f.mu.Lock()
	defer f.mu.Unlock()
	var list []int
	for line := range strings.Lines(f.body.String()) {
		var n int
		if _, err := fmt.Sscanf(line[strings.Index(line, "/page/"):], "/page/%d", &n); err != nil {
			t.Fatal(err)
		}
		list = append(list, n)
	}
	return list
}

func appendTo(t *testing.T, path, text string) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err == nil {
		_, err = f.WriteString(text)
	}
	if err == nil {
		err = f.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
}

// wantPages checks that each page from 0 has come once and in order.
func wantPages(t *testing.T, f *fake, n int) {
	t.Helper()
	pages := f.pages(t)
	for i, page := range pages {
		if page != i {
			t.Fatalf("page %d comes at place %d of %v", page, i, pages)
		}
	}
	if len(pages) != n {
		t.Errorf("%d pages have come, want %d", len(pages), n)
	}
}

// A log that is renamed is read to its end, also what is still written to it, and then the new one.
func TestFollowRename(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "access.log")
	f := newFake(t)
	appendTo(t, path, logText(0, 10))
	w := startFollowing(t, f, path)
	w.until(10)
	line := logLine(10)
	appendTo(t, path, line[:20]) // half a line is none
	appendTo(t, path, line[20:]+logText(11, 20))
	w.until(20)
	if err := os.Rename(path, path+".1"); err != nil {
		t.Fatal(err)
	}
	appendTo(t, path+".1", logText(20, 25)) // the server has not noticed
	w.until(25)
	appendTo(t, path, logText(25, 30))
	w.until(30)
	w.end()
	wantPages(t, f, 30)
}

// A log that is copied and truncated is read from its beginning again, also when it has grown
// beyond where it was before anybody looked.
func TestFollowTruncate(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "access.log")
	f := newFake(t)
	appendTo(t, path, logText(0, 10))
	w := startFollowing(t, f, path)
	w.until(10)
	if err := os.WriteFile(path, []byte(logText(10, 12)), 0o600); err != nil {
		t.Fatal(err)
	}
	w.until(12)
	if err := os.WriteFile(path, []byte(logText(12, 40)), 0o600); err != nil { // longer than before
		t.Fatal(err)
	}
	w.until(40)
	w.end()
	wantPages(t, f, 40)
}

// A new start reads the log from its beginning, and what was rotated away from the file that is
// named in front of it; each line is stored once.
func TestFollowRestart(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "access.log")
	f := newFake(t)
	appendTo(t, path, logText(0, 10))
	w := startFollowing(t, f, path)
	w.until(10)
	w.end()
	appendTo(t, path, logText(10, 15)) // while nobody follows
	if err := os.Rename(path, path+".1"); err != nil {
		t.Fatal(err)
	}
	appendTo(t, path, logText(15, 20))
	if _, err := Run(context.Background(), f.options(path+".1")); err != nil {
		t.Fatal(err)
	}
	w = startFollowing(t, f, path)
	w.until(20)
	w.end()
	wantPages(t, f, 20)
}
