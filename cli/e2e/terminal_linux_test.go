package e2e

import (
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"cairn/cli/bench"
)

// The first start prints the keys, and lines to paste, to a terminal.
func TestFirstStartOnATerminal(t *testing.T) {
	t.Parallel()
	terminal, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Skip("no terminals here: ", err)
	}
	defer terminal.Close()
	var number, unlock int32
	for request, argument := range map[uintptr]*int32{syscall.TIOCGPTN: &number, syscall.TIOCSPTLCK: &unlock} {
		if _, _, no := syscall.Syscall(syscall.SYS_IOCTL, terminal.Fd(), request, uintptr(unsafe.Pointer(argument))); no != 0 {
			t.Skip("no terminals here: ", no)
		}
	}
	client, err := os.OpenFile(fmt.Sprint("/dev/pts/", number), os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Skip("no terminals here: ", err)
	}
	options, err := serveOptions(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	options.Stdout = client
	child, err := bench.StartChild(t.Context(), options)
	client.Close()
	if err != nil {
		t.Fatal(err)
	}
	defer child.Kill()
	printed := make(chan string)
	go func() {
		var text strings.Builder
		for buf := make([]byte, 4096); ; {
			n, err := terminal.Read(buf)
			text.Write(buf[:n])
			if err != nil || strings.Contains(text.String(), "/dashboard/open/") {
				printed <- text.String()
				return
			}
		}
	}()
	select {
	case text := <-printed:
		for _, want := range []string{"saved them in", child.Keys.AdminToken, child.Keys.Sites[0].SecretKey, "curl -sS " + child.URL, "  Open the dashboard (once, within 15 minutes):\r\n  " + child.URL + "/dashboard/open/"} {
			if !strings.Contains(text, want) {
				t.Errorf("the terminal does not show %q:\n%s", want, text)
			}
		}
	case <-time.After(10 * time.Second):
		t.Error("the terminal shows no keys")
	}
}
