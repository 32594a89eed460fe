package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"cairn/cli/config"
	"cairn/http/adminlog"
)

// This file tests keys that are made, replaced and removed at run time, with the real binary.

// cairnSays runs a command of cairn and returns what it prints. The command must succeed, unless
// ctx kills it.
func cairnSays(ctx context.Context, args ...string) (stdout string, err error) {
	o, err := serveOptions("")
	if err != nil {
		return "", err
	}
	cmd := exec.CommandContext(ctx, o.Exe, args...)
	cmd.Env = o.Env
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		return out.String(), fmt.Errorf("cairn %s: %w: %s", strings.Join(args, " "), err, &errs)
	}
	return strings.TrimSpace(out.String()), nil
}

// says is cairnSays within a test.
func says(t *testing.T, args ...string) string {
	t.Helper()
	out, err := cairnSays(t.Context(), args...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// keyID is the id of the key with a name, as the list says: of one without an end, if there is one.
func keyID(t *testing.T, dir, name string) (id string) {
	t.Helper()
	for line := range strings.Lines(says(t, "key", "list", "-data", dir)) {
		fields := strings.Fields(line)
		if len(fields) > 1 && fields[1] == name && fields[0] != name && (id == "" || strings.Contains(line, " never ")) {
			id = fields[0]
		}
	}
	if id == "" {
		t.Fatalf("no key %q", name)
	}
	return id
}

// filesWith are the files below a directory that have a text.
func filesWith(t *testing.T, dir, text string) (names []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		all, err := os.ReadFile(path)
		if bytes.Contains(all, []byte(text)) {
			names = append(names, filepath.Base(path))
		}
		if errors.Is(err, os.ErrNotExist) {
			return nil
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}

// Two keys of a kind work at once, over a restart too; one that has ended or was removed opens
// nothing; the list says when a key was last used; and what was shown once is in no file and in no
// log. The same commands work while the server is stopped.
func TestKeysAtRunTime(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "data")
	server := startServer(t, dir)
	first := server.keys().SecretKey
	second := says(t, "key", "add", "-data", dir, "-name", "ci", "-kind", "secret_key")
	reader := says(t, "key", "add", "-data", dir, "-name", "reader", "-kind", "read_key", "-ends", "1h")
	writer := says(t, "key", "add", "-data", dir, "-name", "writer", "-kind", "write_key")
	works := func(key, want string) {
		t.Helper()
		if got := ask(t, server.running(), key); !strings.HasPrefix(got, want) {
			t.Errorf("%s, want %s", got, want)
		}
	}
	works(first, "200")
	works(second, "200")
	works(reader, "200")
	works(writer, "403")
	if got := keyID(t, dir, "ci"); !strings.HasPrefix(got, "k") {
		t.Errorf("id %q", got)
	}
	for line := range strings.Lines(says(t, "key", "list", "-data", dir)) {
		used := strings.Contains(line, time.Now().UTC().Format("2006-01-02")+"  2") || strings.Contains(line, time.Now().UTC().Format("2006-01-02")+"  never")
		if strings.Contains(line, " ci ") && !used {
			t.Errorf("it was not used: %s", line)
		}
	}
	server.restart() // SIGKILL
	works(first, "200")
	works(second, "200")
	works(reader, "200")

	third := says(t, "key", "rotate", "-data", dir, "secret_key") // the generated one, with a grace of a day
	works(first, "200")
	works(third, "200")
	fourth := says(t, "key", "rotate", "-data", dir, "-grace", "0s", keyID(t, dir, "ci"))
	works(second, "401")
	works(fourth, "200")
	if got := says(t, "key", "set", "-data", dir, "-ends", "never", "-name", "lasting", keyID(t, dir, "reader")); !strings.Contains(got, "has no end") {
		t.Error(got)
	}
	works(reader, "200")
	says(t, "key", "remove", "-data", dir, keyID(t, dir, "lasting"))
	works(reader, "401")
	if code, stderr := runCairn(t, "key", "remove", "-data", dir, "read_key"); code != 1 || !strings.Contains(stderr, config.KeysName) {
		t.Errorf("%d %s", code, stderr)
	}
	if !strings.Contains(server.running().Log(), "a key that has ended was refused") {
		t.Errorf("the log does not say that a key has ended: %s", server.running().Log())
	}

	// The way back in, and the end of a token that somebody else has.
	token := says(t, "keys", "-admin", "-data", dir)
	works(token, "200")
	renewed := says(t, "keys", "-admin", "-renew", "-data", dir)
	works(token, "401")
	works(renewed, "200")
	if link := says(t, "dashboard", "-data", dir); !strings.Contains(link, "/dashboard/open/") {
		t.Error(link)
	}
	log := server.running().Log()
	if err := server.running().Stop(); err != nil {
		t.Fatal(err)
	}
	stopped := says(t, "key", "add", "-data", dir, "-name", "stopped", "-kind", "secret_key")
	again := says(t, "keys", "-admin", "-renew", "-data", dir)
	fifth := says(t, "key", "rotate", "-data", dir, "-grace", "0s", "read_key")
	gone := says(t, "key", "add", "-data", dir, "-name", "gone", "-kind", "secret_key")
	says(t, "key", "set", "-data", dir, "-ends", "1h", keyID(t, dir, "gone"))
	says(t, "key", "remove", "-data", dir, keyID(t, dir, "gone"))
	server.restart()
	for key, want := range map[string]string{first: "200", second: "401", third: "200", fourth: "200", stopped: "200", again: "200", renewed: "401", fifth: "200", gone: "401"} {
		works(key, want)
	}
	log += server.running().Log()
	for _, key := range []string{second, reader, writer, fourth, stopped, gone, token, renewed, first} {
		if names := filesWith(t, dir, key); len(names) > 0 {
			t.Errorf("%v has a key", names)
		}
		if strings.Contains(log, key) {
			t.Error("the log has a key")
		}
	}
	text, err := os.ReadFile(filepath.Join(dir, adminlog.Name))
	if err != nil {
		t.Fatal(err)
	}
	var actions []string
	for line := range strings.Lines(string(text)) {
		var at struct{ Action, By string }
		if err := json.Unmarshal([]byte(line), &at); err != nil || at.By != adminlog.ByCommand {
			t.Errorf("%s: %v", line, err)
		}
		actions = append(actions, at.Action)
	}
	const want = "key add,key add,key add,key rotate,key rotate,key set,key remove,admin token,login link,key add,admin token,key rotate,key add,key set,key remove"
	if got := strings.Join(actions, ","); got != want {
		t.Errorf("admin.log has\n%s, want\n%s", got, want)
	}
	server.finish()
}

// While keys are replaced under load, every event that is sent with a key that lives is stored.
func TestKeyRotationUnderLoad(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "data")
	server := startServer(t, dir)
	const senders, rotations = 4, 5
	var key atomic.Pointer[string]
	key.Store(&server.keys().SecretKey)
	var sent atomic.Int64
	done := make(chan struct{})
	var all sync.WaitGroup
	defer func() { // also when the test ends early
		select {
		case <-done:
		default:
			close(done)
			all.Wait()
		}
	}()
	for range senders {
		all.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				req, _ := http.NewRequest("POST", server.url()+"/api/v1/events", strings.NewReader(`{"name":"a"}`))
				req.Header.Set("Authorization", "Bearer "+*key.Load())
				req.Header.Set("Content-Type", "application/json")
				res, err := http.DefaultClient.Do(req)
				if err != nil {
					t.Error(err)
					return
				}
				body, _ := io.ReadAll(res.Body)
				res.Body.Close()
				if res.StatusCode != 200 {
					t.Errorf("%d %s", res.StatusCode, body)
					return
				}
				sent.Add(1)
			}
		})
	}
	id := "secret_key"
	for i := range rotations {
		before := sent.Load()
		next := says(t, "key", "rotate", "-data", dir, "-grace", "1h", id)
		key.Store(&next)
		if i == 2 { // from here on one that is kept as SHA-256
			next = says(t, "key", "add", "-data", dir, "-name", "made")
			key.Store(&next)
			id = keyID(t, dir, "made")
		} else if id != "secret_key" {
			id = keyID(t, dir, "made")
		}
		for end := time.Now().Add(10 * time.Second); sent.Load() < before+2*senders && time.Now().Before(end); {
			time.Sleep(time.Millisecond)
		}
	}
	close(done)
	all.Wait()
	if got, want := ask(t, server.running(), *key.Load()), fmt.Sprintf(`"events":%d,`, sent.Load()); !strings.Contains(got, want) {
		t.Errorf("%s, want %s", got, want)
	}
	server.finish()
}

// The server, or a command on a stopped store, is killed while it changes keys: afterwards each key
// is as before the change or as after it, and the files can be read.
func TestKillKeyChanges(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(uint64(time.Now().UnixNano()), 0))
	for _, running := range []bool{true, false} {
		dir := filepath.Join(t.TempDir(), "data")
		server := startServer(t, dir)
		admin := server.running().Keys.AdminToken
		keep := says(t, "key", "add", "-data", dir, "-name", "keep", "-kind", "secret_key")
		if !running {
			server.running().Kill()
		}
		list := func() (keys map[string]string) {
			t.Helper()
			keys = map[string]string{}
			for line := range strings.Lines(says(t, "key", "list", "-data", dir)) {
				if f := strings.Fields(line); f[0] != "ID" {
					keys[f[0]] = f[1]
				}
			}
			return keys
		}
		for range 5 {
			before := list()
			args := [][]string{{"add", "-name", "more", "-kind", "read_key"}, {"rotate", "secret_key"}, {"rotate", "-grace", "0s", "write_key"}, {"rotate", keyID(t, dir, "keep")}}[rng.IntN(4)]
			for id, name := range before {
				if name == "more" && rng.IntN(2) == 0 {
					args = []string{"remove", id}
				}
			}
			args = append([]string{"key", args[0], "-data", dir}, args[1:]...)
			ctx, cancel := context.WithTimeout(t.Context(), time.Duration(rng.IntN(int(200*time.Millisecond)))) // kills the command
			_, err := cairnSays(ctx, args...)
			cancel()
			if running {
				server.restart()
			}
			after := list()
			if d := len(after) - len(before); d < -1 || d > 1 || err == nil && d == 0 {
				t.Errorf("%v (%v): %d keys, before %d", args, err, len(after), len(before))
			}
		}
		if !running {
			server.restart()
		}
		if got := ask(t, server.running(), keep); !strings.HasPrefix(got, "200") {
			t.Errorf("the key that has a day of grace left: %s", got)
		}
		if got := ask(t, server.running(), server.keys().SecretKey); !strings.HasPrefix(got, "200") {
			t.Errorf("the generated key: %s", got)
		}
		if got := ask(t, server.running(), admin); !strings.HasPrefix(got, "200") {
			t.Errorf("the admin token: %s", got)
		}
		server.finish()
	}
}
