package backup

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"

	"filippo.io/age/armor"
)

// A key that asks for more memory than the server's own keys is refused before it gets any.
func TestKeyThatAsksForTooMuch(t *testing.T) {
	mem := NewMem()
	wrapped, err := makeKey(t.Context(), mem, "correct horse battery")
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(armor.NewReader(strings.NewReader(wrapped)))
	if err != nil {
		t.Fatal(err)
	}
	line, rest, _ := bytes.Cut(text[bytes.Index(text, []byte("-> scrypt")):], []byte("\n"))
	head := text[:len(text)-len(line)-len(rest)-1]
	line = append(line[:len(line)-1], "17"...) // 128 MiB
	var changed bytes.Buffer
	w := armor.NewWriter(&changed)
	if _, err := w.Write(bytes.Join([][]byte{append(bytes.Clone(head), line...), rest}, []byte("\n"))); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	mem.Change(KeyName, func([]byte) []byte { return changed.Bytes() })
	if _, err := OpenVault(t.Context(), mem, "correct horse battery", false); err == nil || errors.Is(err, ErrPassphrase) || !strings.Contains(err.Error(), "too large") {
		t.Errorf("%v", err)
	}
}
