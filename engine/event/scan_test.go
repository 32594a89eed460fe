package event

import (
	"strings"
	"testing"
)

// TestWords tries every byte at every position of texts of every length around a word.
// The result is that of a search byte by byte.
func TestWords(t *testing.T) {
	for n := range 26 {
		for at := range n {
			for c := range 256 {
				s := strings.Repeat("\xc3\xa9a", n)[:n-n%3] + "zz"[:n%3]
				b := []byte(s)
				b[at] = byte(c)
				s = string(b)

				if got, want := plainEnd(s, 0), strings.IndexFunc(s+"\"", func(r rune) bool {
					return r < 0x20 || r >= 0x80 || strings.ContainsRune(`"\<>&`, r)
				}); got != min(want, n) {
					t.Fatalf("plainEnd(%q) = %d, want %d", s, got, want)
				}
				end, plain := stringEnd(s+`"`, 0)
				switch {
				case c < 0x20 || c == '\\' && !strings.ContainsRune(`"\/bfnrtu`, rune((s + `"`)[at+1])):
					if end != -1 {
						t.Fatalf("stringEnd(%q) = %d", s, end)
					}
				case c == '"':
					if end != at || plain != (strings.ToValidUTF8(s[:at], "") == s[:at]) {
						t.Fatalf("stringEnd(%q) = %d %v", s, end, plain)
					}
				case c != '\\':
					if end != n || plain != (strings.ToValidUTF8(s, "") == s) {
						t.Fatalf("stringEnd(%q) = %d %v", s, end, plain)
					}
				}
				control := c < 0x20 && c != '\t' && c != '\n' && c != '\r'
				if got := isClean(s); got != (!control && strings.ToValidUTF8(s, "") == s) {
					t.Fatalf("isClean(%q) = %v", s, got)
				}
			}
		}
	}
}
