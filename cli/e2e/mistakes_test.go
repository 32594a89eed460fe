package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"cairn/cli"
)

// This file tests what an operator reads who changes a server while its configuration file has a
// mistake, and that admin.log has the reloads that a signal asked for.

// A mistake anywhere in the file stops a change of the sites, and the answer says that it is not the
// change's. What only reads still works.
func TestMistakesElsewhere(t *testing.T) {
	t.Parallel()
	good := "[[site]]\nname = \"shop\"\n"
	flags := configured(t, good)
	s := startServer(t, filepath.Join(t.TempDir(), "data"), flags...)
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(flags[1], []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	do := func(want int, says []string, args ...string) {
		t.Helper()
		words := strings.Fields(args[0])
		out, code := s.cairnCommand(args[0], append(flags[:2:2], args[1:]...)...)
		for _, text := range says {
			if code != want || !strings.Contains(out, text) {
				t.Errorf("%q: %d, %s; want %d, %s", words, code, out, want, text)
			}
		}
		if strings.Contains(out, "start again") {
			t.Errorf("%q: a running server need not start again: %s", words, out)
		}
	}
	do(cli.ExitOK, nil, "site add", "made")
	write(good + "timezone = \"Nowhere\"\nretention_days = 1\n[[site]]\nname = \"-x\"\n")
	elsewhere := []string{"nothing was changed", "a mistake elsewhere", flags[1] + ":3: ", `timezone = "Nowhere"`, flags[1] + ":5: "}
	do(cli.ExitFailed, elsewhere, "site add", "blog")
	do(cli.ExitFailed, elsewhere, "site set", "made", "hosts=a.example")
	do(cli.ExitFailed, elsewhere, "site remove", "made")
	do(cli.ExitFailed, elsewhere[2:], "reload")
	do(cli.ExitOK, []string{"made"}, "site list")
	write(good + "tyme = 1\nname = \"again\"\n")
	do(cli.ExitFailed, []string{flags[1] + ":"}, "reload")
	do(cli.ExitOK, []string{"made"}, "site list")
	write(good)
	do(cli.ExitFailed, []string{`site "made": retention_days = 1: must be`}, "site set", "made", "retention_days=1")
	do(cli.ExitFailed, []string{`timezone = ""`}, "site set", "made", "timezone=")
	do(cli.ExitFailed, []string{`timezone = "Local"`}, "site set", "made", "timezone=Local")
	do(cli.ExitOK, nil, "site set", "made", "hosts=a.example")
	if _, answer := s.admin("GET", "/api/v1/admin/sites", ""); strings.Contains(answer, "blog") || !strings.Contains(answer, `"timezone":"UTC"`) {
		t.Errorf("after mistakes: %s", answer)
	}
	s.finish()
	write(good + "timezone = \"Nowhere\"\ntyme = 1\n")
	out, code := s.cairnCommand("site list", flags...)
	if code != cli.ExitFailed || !strings.Contains(out, "The server was not asked, and nothing has changed") {
		t.Errorf("without a server: %d %s", code, out)
	}
}

// A reload by SIGHUP is in admin.log, whether it succeeded or not.
func TestSignalsAreNoted(t *testing.T) {
	t.Parallel()
	good := "[[site]]\nname = \"shop\"\n"
	flags := configured(t, good)
	s := startServer(t, filepath.Join(t.TempDir(), "data"), flags...)
	noted := func(want string) {
		t.Helper()
		for end := time.Now().Add(20 * time.Second); ; time.Sleep(50 * time.Millisecond) {
			text, _ := os.ReadFile(filepath.Join(s.options.Dir, "admin.log"))
			if strings.Contains(string(text), want) {
				return
			}
			if time.Now().After(end) {
				t.Fatalf("admin.log has no %s:\n%s", want, text)
			}
		}
	}
	hangup := func() {
		t.Helper()
		if err := s.running().Cmd.Process.Signal(syscall.SIGHUP); err != nil {
			t.Fatal(err)
		}
	}
	hangup()
	noted(`"action":"reload","by":"signal"}`)
	if err := os.WriteFile(flags[1], []byte("tyme = 1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	hangup()
	noted(`"action":"reload","by":"signal","failed":true}`)
	s.finish()
}
