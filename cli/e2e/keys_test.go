package e2e

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"cairn/cli"
	"cairn/cli/bench"
	"cairn/cli/config"
)

// This file tests who owns what: keys.toml, and the lock of the data directory.

// ask returns the number of events that a key reads, or the status of the refusal.
func ask(t *testing.T, server *bench.Child, key string) string {
	t.Helper()
	req, err := http.NewRequest("GET", server.URL+"/api/v1/count", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+key)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, _ := io.ReadAll(res.Body)
	return fmt.Sprint(res.StatusCode, " ", strings.TrimSpace(string(body)))
}

// With two sites whose ids stand in keys.toml alone, nothing that happens to keys.toml gives
// the key of one site the events of the other.
func TestKeysBelongToTheirEvents(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "data")
	conf := filepath.Join(t.TempDir(), "cairn.toml")
	configure := func(names ...string) {
		t.Helper()
		text := ""
		for _, name := range names {
			text += fmt.Sprintf("[[site]]\nname = %q\nread_key = \"rk_%s_0123456789abcdef\"\n", name, name)
		}
		if err := os.WriteFile(conf, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	start := func() *bench.Child {
		t.Helper()
		o, err := serveOptions(dir)
		if err != nil {
			t.Fatal(err)
		}
		o.Args = append(o.Args, "-config", conf)
		server, err := bench.StartChild(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(server.Kill)
		return server
	}
	configure("blog", "shop")
	server := start()
	send(t, server) // to blog, the first in keys.toml
	if err := server.Stop(); err != nil {
		t.Fatal(err)
	}
	keys := filepath.Join(dir, config.KeysName)
	good, err := os.ReadFile(keys)
	if err != nil {
		t.Fatal(err)
	}
	refused := func(what string) {
		t.Helper()
		code, stderr := runCairn(t, "serve", "-listen", "127.0.0.1:0", "-data", dir, "-config", conf)
		if code != cli.ExitFailed || !strings.Contains(stderr, keys) || !strings.Contains(stderr, "cairn keys -accept") {
			t.Errorf("%s: exit code %d, %s", what, code, stderr)
		}
	}
	configure("shop", "blog")
	os.Remove(keys)
	refused("removed, and another order")
	os.WriteFile(keys, nil, 0o600)
	refused("emptied")
	if _, stderr := runCairn(t, "serve", "-listen", "127.0.0.1:0", "-data", dir, "-config", conf); !strings.Contains(stderr, "emptied or cut") || !strings.Contains(stderr, "no event is lost") {
		t.Errorf("an emptied keys.toml: %s", stderr)
	}
	os.WriteFile(keys, []byte(strings.Replace(string(good), "id = 1", "id = 3", 1)), 0o600)
	refused("another id")
	os.WriteFile(keys, good, 0o600)
	if code, stderr := runCairn(t, "check", dir); code != cli.ExitOK {
		t.Error(stderr)
	}

	// Without its keys.toml the operator can accept new keys. Ids stay.
	os.Remove(keys)
	if code, stderr := runCairn(t, "keys", "-accept", "-data", dir, "-config", conf); code != cli.ExitOK {
		t.Fatal(stderr)
	}
	server = start()
	if got := ask(t, server, "rk_blog_0123456789abcdef"); !strings.HasPrefix(got, "200") || !strings.Contains(got, `"events":1`) {
		t.Errorf("blog reads %s", got)
	}
	if got := ask(t, server, "rk_shop_0123456789abcdef"); !strings.HasPrefix(got, "200") || !strings.Contains(got, `"events":0`) {
		t.Errorf("shop reads %s", got)
	}
	if code, stderr := runCairn(t, "keys", "-accept", "-data", dir, "-config", conf); code != cli.ExitFailed || !strings.Contains(stderr, "in use") {
		t.Errorf("accepted beside a server: exit code %d, %s", code, stderr)
	}
}

// Two first starts at once leave one keys.toml, that of the server.
func TestTwoFirstStarts(t *testing.T) {
	t.Parallel()
	for range 4 {
		dir := filepath.Join(t.TempDir(), "data")
		results := make(chan *bench.Child, 2)
		for range 2 {
			go func() {
				o, err := serveOptions(dir)
				if err == nil {
					if server, err := bench.StartChild(t.Context(), o); err == nil {
						results <- server
						return
					}
				}
				results <- nil
			}()
		}
		var up []*bench.Child
		for range 2 {
			if server := <-results; server != nil {
				t.Cleanup(server.Kill)
				up = append(up, server)
			}
		}
		if len(up) != 1 {
			t.Fatalf("%d servers run", len(up))
		}
		now, err := config.ReadKeys(filepath.Join(dir, config.KeysName))
		if err != nil {
			t.Fatal(err)
		}
		up[0].Keys = now
		send(t, up[0])
		up[0].Kill()
	}
}

// Whoever removes the file LOCK does not let a second server in.
func TestLockOutlivesItsFile(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "data")
	server := serveOn(t, dir)
	send(t, server)
	if err := os.Remove(filepath.Join(dir, "store", "LOCK")); err != nil {
		t.Fatal(err)
	}
	begun := time.Now()
	if code, stderr := runCairn(t, "serve", "-listen", "127.0.0.1:0", "-data", dir); code != cli.ExitFailed || !strings.Contains(stderr, "in use") || !strings.Contains(stderr, "stop that server") {
		t.Errorf("exit code %d, %s", code, stderr)
	}
	if time.Since(begun) > 10*time.Second {
		t.Error("the second server waited")
	}
	send(t, server)
}
