//go:build linux

package e2e

import (
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// This file compares the unit of the packages with what the program does.

// unitLine is the value of a key in the unit, "" = it has none.
func unitLine(t *testing.T, key string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "release", "cairn.service"))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if value, ok := strings.CutPrefix(strings.TrimSpace(line), key+"="); ok {
			return value
		}
	}
	return ""
}

// A server that hangs is ended by systemd's watchdog, with SIGABRT. Whatever it exits with then, the unit
// has it started again.
func TestServiceComesBackAfterTheWatchdog(t *testing.T) {
	t.Parallel()
	s := startServer(t, filepath.Join(t.TempDir(), "data"))
	child := s.running()
	if err := child.Cmd.Process.Signal(syscall.SIGABRT); err != nil {
		t.Fatal(err)
	}
	<-child.Exited
	state := child.Cmd.ProcessState
	if state.Success() {
		t.Fatalf("the watchdog has ended the server: %v", state)
	}
	if restart := unitLine(t, "Restart"); restart != "on-failure" && restart != "always" {
		t.Errorf("Restart=%s", restart)
	}
	prevented := strings.Fields(unitLine(t, "RestartPreventExitStatus"))
	if code := state.ExitCode(); code >= 0 && slices.Contains(prevented, strconv.Itoa(code)) || code < 0 && slices.Contains(prevented, "SIGABRT") {
		t.Errorf("the server ends as %v, and RestartPreventExitStatus=%s leaves it so", state, strings.Join(prevented, " "))
	}
	s.restart()
	s.finish()
}
