package matomo

import (
	"math"
	"strconv"
	"strings"
	"unicode/utf8"

	"cairn/engine/referrer"
)

// This file reads parameters as values of a type. A value of another type is no error: it
// counts as absent, like an empty one.

// text is a scalar, "" when it is absent.
func (p *params) text(i param) string {
	if v := &p.v[i]; !v.json {
		return v.text
	}
	return ""
}

// trimmed is text without white space around it, and at most charsMax characters of it.
func (p *params) trimmed(i param, charsMax int) string {
	return cutChars(strings.TrimSpace(p.text(i)), charsMax)
}

// integer is an int, or def: "5", " 5" and "5.0" are 5.
func (p *params) integer(i param, def int64) int64 {
	text := p.text(i)
	if text == "" {
		return def
	}
	if text = strings.TrimSpace(text); text == "" || len(text) > 24 {
		return def
	}
	if n, err := strconv.ParseInt(text, 10, 64); err == nil {
		return n
	}
	f, ok := parseFloat(text)
	if !ok || f != math.Trunc(f) || math.Abs(f) > 1<<53 {
		return def
	}
	return int64(f)
}

// on says that an int was sent and is not 0.
func (p *params) on(i param) bool { return p.integer(i, 0) != 0 }

// number is a float; ok is false for the default.
func (p *params) number(i param) (float64, bool) {
	text := strings.TrimSpace(p.text(i))
	if text == "" {
		return 0, false
	}
	return parseFloat(text)
}

// parseFloat reads [+-]digits[.digits][e±n].
func parseFloat(text string) (float64, bool) {
	if len(text) > 64 || strings.Trim(text, "0123456789+-.eE") != "" || !strings.ContainsAny(text, "0123456789") {
		return 0, false
	}
	f, err := strconv.ParseFloat(text, 64)
	if err != nil || math.IsInf(f, 0) || math.IsNaN(f) {
		return 0, false
	}
	return f, true
}

// money is f with two decimals, as a JSON number.
func money(f float64) string {
	f = math.Round(f*100) / 100
	if f == 0 || math.IsInf(f, 0) {
		return "0"
	}
	return strconv.FormatFloat(f, 'g', 15, 64)
}

// decimal is f as a JSON number.
func decimal(f float64) string {
	if f == 0 {
		return "0"
	}
	return strconv.FormatFloat(f, 'g', -1, 64)
}

// cutChars is s with at most so many characters. A url loses its user first, because half a
// password looks like a host, and is not recognised later.
func cutChars(s string, most int) string {
	if len(s) <= most {
		return s
	}
	s = referrer.WithoutUser(s)
	for i := range s {
		if most == 0 {
			return s[:i]
		}
		most--
	}
	return s
}

// cutBytes is s with at most so many bytes, cut between characters, see cutChars.
func cutBytes(s string, most int) string {
	if len(s) <= most {
		return s
	}
	if s = referrer.WithoutUser(s); len(s) <= most {
		return s
	}
	for most > 0 && !utf8.RuneStart(s[most]) {
		most--
	}
	return s[:most]
}

// oneLine is s without line breaks and NUL.
func oneLine(s string) string {
	clean := true
	for i := range len(s) {
		if c := s[i]; c < ' ' && (c == 0 || c == '\r' || c == '\n') {
			clean = false
			break
		}
	}
	if clean {
		return s
	}
	return strings.Map(func(r rune) rune {
		if r == 0 || r == '\r' || r == '\n' {
			return -1
		}
		return r
	}, s)
}

// isHex says that s has hexadecimal digits only.
func isHex(s string) bool {
	for i := range len(s) {
		if c := s[i]; (c < '0' || c > '9') && (c < 'a' || c > 'f') && (c < 'A' || c > 'F') {
			return false
		}
	}
	return s != ""
}
