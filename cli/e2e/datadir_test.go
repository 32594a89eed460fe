package e2e

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"cairn/cli"
	"cairn/cli/bench"
	"cairn/cli/config"
)

// This file tries every command that takes a directory on directories of all kinds.
// What does not belong to cairn stays as it is, byte for byte and mode for mode.

// plant makes files below dir. A name that ends with a slash is a directory. A text
// that begins with "-> " makes a symbolic link. Modes are those of other programs: 0755
// and 0644.
func plant(t *testing.T, dir string, files map[string]string) {
	t.Helper()
	check := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	makeDir := func(path string) {
		t.Helper()
		for missing := path; ; missing = filepath.Dir(missing) {
			if _, err := os.Lstat(missing); err == nil {
				break
			}
			defer func() { check(os.Chmod(missing, 0o755)) }()
		}
		check(os.MkdirAll(path, 0o755))
	}
	makeDir(dir)
	for _, name := range slices.Sorted(maps.Keys(files)) {
		path, text := filepath.Join(dir, name), files[name]
		if strings.HasSuffix(name, "/") {
			makeDir(path)
			continue
		}
		makeDir(filepath.Dir(path))
		if target, link := strings.CutPrefix(text, "-> "); link {
			check(os.Symlink(target, path))
			continue
		}
		check(os.WriteFile(path, []byte(text), 0o644))
		check(os.Chmod(path, 0o644))
	}
}

// treeOf returns every name below dir with its mode and text.
func treeOf(t *testing.T, dir string) string {
	t.Helper()
	var b strings.Builder
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := os.Lstat(path)
		if err != nil {
			return err
		}
		text := []byte(nil)
		switch {
		case info.Mode()&fs.ModeSymlink != 0:
			var target string
			target, err = os.Readlink(path)
			text = []byte(target)
		case info.Mode().IsRegular():
			text, err = os.ReadFile(path)
			if len(text) > 4096 { // for example a ballast
				sum := sha256.Sum256(text)
				text = sum[:]
			}
		}
		fmt.Fprintf(&b, "%s %v %q\n", strings.TrimPrefix(path, dir), info.Mode(), text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// runCairn runs the real binary until it ends.
func runCairn(t *testing.T, args ...string) (code int, stderr string) {
	t.Helper()
	o, err := serveOptions("")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 15*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, o.Exe, args...)
	cmd.Env = o.Env
	var errs strings.Builder
	cmd.Stderr = &errs
	err = cmd.Run()
	if exit := new(exec.ExitError); err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return cmd.ProcessState.ExitCode(), errs.String()
}

// storeWith returns a data directory that a server used, with one event, and a snapshot
// of it.
func storeWith(t *testing.T) (dir, snapshot string) {
	t.Helper()
	dir = filepath.Join(t.TempDir(), "data")
	server := serveOn(t, dir)
	send(t, server)
	req, err := http.NewRequest("POST", server.URL+"/api/v1/admin/snapshot", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+server.Keys.AdminToken)
	res, err := http.DefaultClient.Do(req)
	if err != nil || res.StatusCode != 200 {
		t.Fatal(res, err)
	}
	res.Body.Close()
	if err := server.Stop(); err != nil {
		t.Fatal(err)
	}
	made, err := filepath.Glob(filepath.Join(dir, "snapshots", "*"))
	if err != nil || len(made) != 1 {
		t.Fatal(made, err)
	}
	snapshot = filepath.Join(t.TempDir(), "snapshot")
	if err := os.Rename(made[0], snapshot); err != nil {
		t.Fatal(err)
	}
	return dir, snapshot
}

// serveOn starts a server on a directory that it must accept.
func serveOn(t *testing.T, dir string) *bench.Child {
	t.Helper()
	o, err := serveOptions(dir)
	if err != nil {
		t.Fatal(err)
	}
	server, err := bench.StartChild(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Kill)
	return server
}

// send sends one event, which must be accepted.
func send(t *testing.T, server *bench.Child) {
	t.Helper()
	req, err := http.NewRequest("POST", server.URL+"/api/v1/events", strings.NewReader(`{"name":"a"}`))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+server.Keys.Sites[0].SecretKey)
	req.Header.Set("Content-Type", "application/json")
	res, err := http.DefaultClient.Do(req)
	if err != nil || res.StatusCode != 200 {
		t.Fatal(res, err)
	}
	res.Body.Close()
}

func TestForeignDirectoriesStayAsTheyAre(t *testing.T) {
	t.Parallel()
	data, snapshot := storeWith(t)
	keys, err := os.ReadFile(filepath.Join(data, config.KeysName))
	if err != nil {
		t.Fatal(err)
	}
	validKeys := string(keys)
	table := map[string]map[string]string{
		"like a root":                    {"etc/passwd": "root:x:0:0", "home/ada/notes": "mine", "tmp/.X11-unix/": "", "tmp/upload.bin": "bytes", "var/": ""},
		"like a home":                    {".bashrc": "alias", "Documents/a.txt": "text", "tmp/run-7.sst": "mine", "tmp/pairs-1": "mine too"},
		"only a tmp":                     {"tmp/a": "a"},
		"an empty tmp":                   {"tmp/": ""},
		"a store of somebody else's":     {"store/apples.txt": "12", "tmp/a": "a"},
		"only that":                      {"store/apples.txt": "12"},
		"a store with nothing in it":     {"store/": "", "notes": "mine"},
		"a store without a sign":         {"store/MANIFEST-000001": "of another program's", "notes": "mine"},
		"keys of somebody else's":        {"keys.toml": "[gpg]\nid = 7\n", "notes": "mine"},
		"keys that cannot be read":       {"keys.toml": "\x00\x01", "notes": "mine"},
		"keys that are a directory":      {"keys.toml/": "", "notes": "mine"},
		"keys beside another's file":     {"keys.toml": validKeys, "notes": "mine"},
		"keys beside another's folder":   {"keys.toml": validKeys, "salts/": ""},
		"a folder of cairn's name alone": {"store.tmp/mine": "a"},
		"a file called lost+found":       {"lost+found": "a"},
		"a configuration alone":          {"cairn.toml": ""},
		"one file":                       {"a": "a"},
		"a hidden file":                  {".profile": "a"},
		"lost+found and a file":          {"lost+found/": "", "a": "a"},
		"a link in the place of a file":  {"salts.new": "-> ../elsewhere/secret", "notes": "mine"},
		"that link alone":                {"salts.new": "-> ../elsewhere/secret"},
		"a link in the place of tmp":     {"tmp": "-> ../elsewhere", "notes": "mine"},
		"a link in the place of a store": {"store": "-> ../elsewhere", "tmp/a": "a"},
		"snapshots of something":         {"snapshots/monday/a": "a"},
	}
	elsewhere := map[string]string{"secret": "not to be written to", "run-1.sst": "not to be removed", "MANIFEST-000001": "x"}
	try := func(t *testing.T, top, dir string) {
		t.Helper()
		before := treeOf(t, top)
		for _, args := range [][]string{
			{"serve", "-listen", "127.0.0.1:0", "-data", dir},
			{"check", dir},
			{"keys", "-data", dir},
			{"snapshot", "-data", dir, "-url", "http://127.0.0.1:1"},
			{"restore", snapshot, dir},
		} {
			code, stderr := runCairn(t, args...)
			if found, err := os.ReadFile(filepath.Join(dir, config.KeysName)); args[0] == "keys" && err == nil && string(found) == validKeys {
				if code != cli.ExitOK { // keys are printed, whatever other files there are
					t.Errorf("cairn keys: exit code %d, %s", code, stderr)
				}
			} else if code != cli.ExitFailed || !strings.Contains(stderr, dir) && args[0] != "snapshot" {
				t.Errorf("cairn %s: exit code %d, %s", args[0], code, stderr)
			}
			if after := treeOf(t, top); after != before {
				t.Fatalf("cairn %s changed\n%s\nto\n%s", args[0], before, after)
			}
		}
	}
	for name, files := range table {
		t.Run(name, func(t *testing.T) {
			top := t.TempDir()
			plant(t, filepath.Join(top, "dir"), files)
			plant(t, filepath.Join(top, "elsewhere"), elsewhere)
			_ = os.Chmod(filepath.Join(top, "dir", "tmp"), 0o777|fs.ModeSticky) // if it exists
			try(t, top, filepath.Join(top, "dir"))
			if code, stderr := runCairn(t, "serve", "-data", filepath.Join(top, "dir")); code != cli.ExitFailed || !strings.Contains(stderr, "Nothing in it was changed. Choose an empty or a new directory") {
				t.Errorf("the way on is missing: %s", stderr)
			}
		})
	}
	for name, dir := range map[string]string{"a file": "dir/file", "below a file": "dir/file/data", "a link to itself": "dir/loop", "a link to nowhere": "dir/nowhere"} {
		t.Run(name, func(t *testing.T) {
			top := t.TempDir()
			plant(t, filepath.Join(top, "dir"), map[string]string{"file": "text", "loop": "-> loop", "nowhere": "-> missing"})
			try(t, top, filepath.Join(top, dir))
		})
	}
	t.Run("unreadable", func(t *testing.T) {
		if os.Geteuid() == 0 {
			t.Skip("root reads everything; a link to itself is as unreadable")
		}
		top := t.TempDir()
		plant(t, filepath.Join(top, "dir"), map[string]string{"a": "a"})
		dir := filepath.Join(top, "dir")
		if err := os.Chmod(dir, 0); err != nil {
			t.Fatal(err)
		}
		if code, stderr := runCairn(t, "serve", "-data", dir); code != cli.ExitFailed {
			t.Errorf("exit code %d, %s", code, stderr)
		}
		if info, err := os.Stat(dir); err != nil || info.Mode().Perm() != 0 {
			t.Error(info, err)
		}
	})
	t.Run("a snapshot", func(t *testing.T) {
		before := treeOf(t, snapshot)
		code, stderr := runCairn(t, "serve", "-data", snapshot)
		if code != cli.ExitFailed || !strings.Contains(stderr, "cairn restore "+snapshot) {
			t.Errorf("exit code %d, %s", code, stderr)
		}
		if treeOf(t, snapshot) != before {
			t.Error("the directory has changed")
		}
	})
}

// A data directory, or a directory that can become one, is accepted as before.
func TestDataDirectoriesAreTaken(t *testing.T) {
	t.Parallel()
	data, snapshot := storeWith(t)
	if err := os.Remove(filepath.Join(data, "ballast")); err != nil { // each start makes it
		t.Fatal(err)
	}
	copyOf := func(t *testing.T, from string) string {
		t.Helper()
		dir := filepath.Join(t.TempDir(), "data")
		if err := os.CopyFS(dir, os.DirFS(from)); err != nil {
			t.Fatal(err)
		}
		return dir
	}
	keys, err := os.ReadFile(filepath.Join(data, config.KeysName))
	if err != nil {
		t.Fatal(err)
	}
	t.Run("new ones", func(t *testing.T) {
		for name, files := range map[string]map[string]string{
			"empty":                           {},
			"a fresh file system":             {"lost+found/": ""},
			"keys alone":                      {"keys.toml": string(keys)},
			"keys and more":                   {"keys.toml": string(keys), "admin.log": "", "cairn.toml": ""},
			"a start that was cut short":      {"salts": "", "ballast": "x"},
			"one that was cut a little later": {"keys.toml": string(keys), "salts": "", "store/": "", "store.tmp/pairs-1": "x"},
		} {
			dir := filepath.Join(t.TempDir(), "data")
			plant(t, dir, files)
			server := serveOn(t, dir)
			send(t, server)
			if err := server.Stop(); err != nil {
				t.Errorf("%s: %v", name, err)
			}
			if info, err := os.Stat(dir); err != nil || info.Mode().Perm() != 0o700 {
				t.Errorf("%s: %v %v", name, info, err)
			}
		}
		for name, dir := range map[string]string{"missing": filepath.Join(t.TempDir(), "a", "b"), "restored": filepath.Join(t.TempDir(), "data")} {
			if name == "restored" {
				plant(t, dir, map[string]string{"lost+found/": ""})
				if code, stderr := runCairn(t, "restore", snapshot, dir); code != cli.ExitOK {
					t.Fatal(stderr)
				}
			}
			server := serveOn(t, dir)
			send(t, server)
			if err := server.Stop(); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
	})
	t.Run("with what an older cairn and others have left", func(t *testing.T) {
		for _, c := range []struct {
			name   string
			plant  map[string]string
			remain []string // below the data directory, as planted
			gone   []string
		}{
			{"an old tmp", map[string]string{"tmp/run-12.sst": "x", "tmp/pairs-3": "x"}, nil, []string{"tmp"}},
			{"an empty old tmp", map[string]string{"tmp/": ""}, nil, []string{"tmp"}},
			{"a tmp of somebody else's", map[string]string{"tmp/run-12.sst": "x", "tmp/a": "x"}, []string{"tmp/run-12.sst", "tmp/a"}, nil},
			{"a tmp with a directory", map[string]string{"tmp/pairs-1/": ""}, []string{"tmp/pairs-1"}, nil},
			{"a link in the place of tmp", map[string]string{"tmp": "-> ../elsewhere"}, []string{"tmp"}, nil},
			{"a file in the place of tmp", map[string]string{"tmp": "x"}, []string{"tmp"}, nil},
			{"what a crash left", map[string]string{"store.tmp/run-12.sst": "x", "store.tmp/pairs-3": "x", "store.tmp/notes": "mine"}, []string{"store.tmp/notes"}, []string{"store.tmp/run-12.sst", "store.tmp/pairs-3"}},
			{"links in the place of files", map[string]string{
				"salts.new": "-> ../elsewhere/secret", "hwm-0": "-> ../elsewhere/secret", "hwm-1": "-> ../elsewhere/secret",
				"ballast": "-> ../elsewhere/secret", "store.tmp/run-1.sst": "-> ../../elsewhere/secret"}, nil, []string{"salts.new"}},
			{"an operator's files", map[string]string{"cairn.toml": "x", "backup/monday": "x"}, []string{"cairn.toml", "backup/monday"}, nil},
		} {
			t.Run(c.name, func(t *testing.T) {
				dir := copyOf(t, data)
				for name := range c.plant {
					os.Remove(filepath.Join(dir, name))
				}
				elsewhere := filepath.Join(filepath.Dir(dir), "elsewhere")
				plant(t, elsewhere, map[string]string{"secret": "not to be written to", "run-1.sst": "not to be removed"})
				plant(t, dir, c.plant)
				before, remain := treeOf(t, elsewhere), map[string]string{}
				for _, name := range c.remain {
					remain[name] = treeOf(t, filepath.Join(dir, name))
				}
				server := serveOn(t, dir)
				send(t, server)
				if err := server.Stop(); err != nil { // this writes the high-water mark too
					t.Error(err)
				}
				if after := treeOf(t, elsewhere); after != before {
					t.Errorf("the target of a link has changed to %s", after)
				}
				for name, was := range remain {
					if is := treeOf(t, filepath.Join(dir, name)); is != was {
						t.Errorf("%s has changed to %s", name, is)
					}
				}
				for _, name := range c.gone {
					if _, err := os.Lstat(filepath.Join(dir, name)); err == nil {
						t.Errorf("%s still exists", name)
					}
				}
				if code, stderr := runCairn(t, "check", dir); code != cli.ExitOK {
					t.Error(stderr)
				}
			})
		}
	})
	t.Run("by a link", func(t *testing.T) {
		dir := copyOf(t, data)
		link := filepath.Join(t.TempDir(), "link")
		if err := os.Symlink(dir, link); err != nil {
			t.Fatal(err)
		}
		server := serveOn(t, link)
		send(t, server)
		if err := server.Stop(); err != nil {
			t.Error(err)
		}
		if info, err := os.Lstat(link); err != nil || info.Mode()&fs.ModeSymlink == 0 {
			t.Error(info, err)
		}
	})
}

// A second server is refused and removes nothing that belongs to the first one.
func TestSecondServerRemovesNothing(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "data")
	server := serveOn(t, dir)
	files := map[string]string{"store.tmp/pairs-77": "put aside by the first", "tmp/run-77.sst": "of an older one"}
	plant(t, dir, files)
	if code, stderr := runCairn(t, "serve", "-listen", "127.0.0.1:0", "-data", dir); code != cli.ExitFailed || !strings.Contains(stderr, "in use") {
		t.Errorf("exit code %d, %s", code, stderr)
	}
	for name := range files {
		if _, err := os.Lstat(filepath.Join(dir, name)); err != nil {
			t.Error(err)
		}
	}
	send(t, server)
}
