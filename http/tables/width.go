package tables

import (
	"strings"
	"unicode/utf8"

	"github.com/rivo/uniseg"
)

// This file knows how many columns of a terminal a text takes, and cuts texts to that.

// width is how many columns a safe text takes.
func width(text string) int {
	for i := 0; i < len(text); i++ {
		if text[i] >= 0x80 {
			return uniseg.StringWidth(text)
		}
	}
	return len(text)
}

// Cut shortens a safe text to n columns of a terminal, 0 = no limit. What is shortened ends in "…".
func Cut(text string, n int) string {
	if n <= 0 {
		return text
	}
	return cut(text, n)
}

// cut shortens a text to at most n columns; what is shortened ends in "…".
func cut(text string, n int) string {
	if width(text) <= n {
		return text
	}
	if n <= 0 {
		return ""
	}
	var b strings.Builder
	used := 0
	for rest, state := text, -1; rest != ""; {
		var cluster string
		var w int
		cluster, rest, w, state = uniseg.FirstGraphemeClusterInString(rest, state)
		if used+w > n-1 {
			break
		}
		used += w
		b.WriteString(cluster)
	}
	return b.String() + "…"
}

// pad fills a text up to n columns, in front if right.
func pad(text string, n int, right bool) string {
	blank := strings.Repeat(" ", max(0, n-width(text)))
	if right {
		return blank + text
	}
	return text + blank
}

// CutRunes shortens a text to at most n characters, 0 = no limit. What is shortened ends in "…".
func CutRunes(text string, n int) string {
	if n <= 0 || len(text) <= n {
		return text
	}
	count := 0
	for i := range text {
		if count++; count == n {
			if _, size := utf8.DecodeRuneInString(text[i:]); i+size < len(text) {
				return text[:i] + "…"
			}
			return text
		}
	}
	return text
}
