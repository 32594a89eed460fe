package e2e

import (
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"cairn/cli"
)

// This file deletes a person with the real binary: from the answer on nobody sees the events, with
// -now no file has them, and a restore of an older snapshot deletes them again.

// holding returns the files below a directory that have a text.
func holding(t *testing.T, dir, text string) (names []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		data, err := os.ReadFile(path)
		if bytes.Contains(data, []byte(text)) {
			names = append(names, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}

func TestForget(t *testing.T) {
	t.Parallel()
	s := startServer(t, t.TempDir())
	const marker = "Zq8vK2wXn5TbR7mYc3Jd" // compression leaves it in one piece
	var lines strings.Builder
	for i := range 2000 {
		user := fmt.Sprintf("user-%d", i%50)
		if i%50 == 7 {
			user = marker + "-id"
		}
		fmt.Fprintf(&lines, `{"name":"viewed","user":%q,"message_id":"m%d","properties":{"note":"%s of %d"}}`+"\n", user, i, map[bool]string{true: marker, false: "nothing"}[i%50 == 7], i)
	}
	file := filepath.Join(t.TempDir(), "events.ndjson")
	if err := os.WriteFile(file, []byte(lines.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, code := s.cairnCommand("import", file); code != cli.ExitOK || s.events() != 2000 {
		t.Fatalf("import: %d, %s", code, out)
	}
	snapshot, code := s.cairnCommand("snapshot")
	if code != cli.ExitOK {
		t.Fatal(snapshot)
	}
	snapshot, _, _ = strings.Cut(snapshot, "\n")
	store := filepath.Join(s.options.Dir, "store")
	if len(holding(t, store, marker)) == 0 {
		t.Fatal("no file has the marker before: this test would find nothing")
	}

	out, code := s.cairnCommand("forget", "-user", marker+"-id", "-dry-run")
	if code != cli.ExitOK || !strings.HasPrefix(out, "40 events would be deleted") || s.events() != 2000 {
		t.Errorf("dry run: %d, %s", code, out)
	}
	out, code = s.cairnCommand("forget", "-user", marker+"-id", "-reason", "asked by letter", "-now")
	if code != cli.ExitOK || !strings.HasPrefix(out, "40 events deleted") || !strings.Contains(out, filepath.Base(snapshot)) || !strings.Contains(out, "No file of the store has them") {
		t.Fatalf("forget: %d, %s", code, out)
	}
	if n := s.events(); n != 1960 {
		t.Errorf("%d events are left, want 1960", n)
	}
	if names := holding(t, store, marker); len(names) > 0 {
		t.Errorf("these files have the person: %q", names)
	}
	if out, code = s.cairnCommand("forget", "-user", marker+"-id"); code != cli.ExitFailed || !strings.Contains(out, "no event is selected") {
		t.Errorf("forgotten again: %d, %s", code, out)
	}
	if out, code = s.cairnCommand("forget", "name=viewed", "user=user-3"); code != cli.ExitOK || !strings.HasPrefix(out, "40 events deleted") || s.events() != 1920 {
		t.Errorf("by filters: %d, %s", code, out)
	}
	s.finish() // checks the store

	// The snapshot still has the person. A restore of it deletes the person again.
	if len(holding(t, snapshot, marker)) == 0 {
		t.Fatal("the snapshot does not have the person")
	}
	restored := filepath.Join(t.TempDir(), "restored")
	cmd := exec.Command(s.options.Exe, "restore", snapshot, restored)
	text, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(text), "2 deletions, made after the snapshot, hide 80 events again.") {
		t.Fatalf("restore: %v, %s", err, text)
	}
	again := startServer(t, restored)
	moved := filepath.Join(t.TempDir(), "moved") // the copies stay where the server keeps them
	if err := os.Rename(snapshot, moved); err != nil {
		t.Fatal(err)
	}
	text, err = exec.Command(s.options.Exe, "restore", "-data", s.options.Dir, moved, filepath.Join(t.TempDir(), "restored")).CombinedOutput()
	if err != nil || !strings.Contains(string(text), "2 deletions, made after the snapshot, hide 80 events again.") {
		t.Errorf("restore of a moved snapshot: %v, %s", err, text)
	}
	text, err = exec.Command(s.options.Exe, "restore", "-data", t.TempDir(), moved, filepath.Join(t.TempDir(), "restored")).CombinedOutput()
	if err != nil || !strings.Contains(string(text), "restore again with -deletions DIR") {
		t.Errorf("restore without copies: %v, %s", err, text)
	}
	if n := again.events(); n != 1920 {
		t.Errorf("%d events are restored, want 1920", n)
	}
	again.finish()
}
