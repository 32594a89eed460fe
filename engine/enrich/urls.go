// This file fills fields from the urls and headers of an event: path, host of the
// referrer, campaign, language.

package enrich

import (
	"strings"
	"unicode/utf8"

	"cairn/engine/event"
	"cairn/engine/referrer"
)

// utmBytesMax bounds a campaign parameter taken from a url, in bytes; the rest is cut.
// Matomo has the same bound.
const utmBytesMax = 255

func (c *contextFields) fromURLs() {
	c.lowerScheme(keyURL)
	c.lowerScheme(keyReferrer)
	host := ""
	if u := c.text(keyURL); u != "" {
		var path, query string
		host, path, query = referrer.Split(u)
		c.fill(keyPath, path)
		if strings.Contains(query, "utm_") {
			c.fromQuery(query)
		}
		c.fill(keyClickID, referrer.ClickID(query))
	}
	if r := c.text(keyReferrer); r != "" && !c.has(keyReferrerHost) {
		// A referrer on the event's own host is not a source.
		if from, _, _ := referrer.Split(r); from != "" && !strings.EqualFold(from, host) {
			c.fill(keyReferrerHost, strings.ToLower(from))
		}
	}
}

// lowerScheme writes the scheme of a url in lower case, so that HTTP://shop.example/ is the
// same page as http://shop.example/.
func (c *contextFields) lowerScheme(k contextKey) {
	u := c.text(k)
	end := strings.Index(u, "://")
	if end < 1 || end > schemeBytesMax {
		return
	}
	var buf [schemeBytesMax]byte
	lower, changed := append(buf[:0], u[:end]...), false
	for i, b := range lower {
		switch {
		case 'A' <= b && b <= 'Z':
			lower[i], changed = b|0x20, true
		case b < 'a' || b > 'z':
			if b != '+' && b != '-' && b != '.' && (b < '0' || b > '9') {
				return // no scheme
			}
		}
	}
	if changed {
		c.e.Context[c.at[k]-1].Value.Text = string(lower) + u[end:]
	}
}

// schemeBytesMax is the longest scheme that is looked at, in bytes.
const schemeBytesMax = 32

// fromQuery reads the campaign from a query. When a parameter occurs twice, the first
// value that is not empty counts.
func (c *contextFields) fromQuery(query string) {
	for query != "" {
		var pair string
		pair, query, _ = strings.Cut(query, "&")
		if !strings.HasPrefix(pair, "utm_") {
			continue
		}
		name, value, _ := strings.Cut(pair, "=")
		if k, ok := contextKeyOf[name]; ok && !c.has(k) {
			c.fill(k, unescape(value))
		}
	}
}

// unescape decodes a query value to at most utmBytesMax bytes of valid UTF-8.
func unescape(s string) string {
	s = strings.ToValidUTF8(event.Unescape(s), "")
	s = strings.TrimSpace(s)
	if len(s) > utmBytesMax {
		n := utmBytesMax
		for n > 0 && !utf8.RuneStart(s[n]) {
			n--
		}
		s = s[:n]
	}
	return s
}

// languagesMax bounds how many entries of an Accept-Language are read.
const languagesMax = 16

// language returns the preferred tag of an Accept-Language in the usual letter case
// ("en-GB"), "" when there is none.
func language(header string) string {
	best, bestQ := "", 0
	for range languagesMax {
		entry, rest, more := strings.Cut(header, ",")
		header = rest
		tag, parameters, _ := strings.Cut(entry, ";")
		if tag = strings.TrimSpace(tag); isLanguage(tag) {
			if q := quality(parameters); q > bestQ {
				best, bestQ = tag, q
			}
		}
		if !more || bestQ == 1000 {
			break
		}
	}
	return languageCase(best)
}

// quality reads q=0.8 as 800. Anything else is 1000.
func quality(parameters string) int {
	q, ok := strings.CutPrefix(strings.ReplaceAll(parameters, " ", ""), "q=")
	if !ok || q == "" {
		return 1000
	}
	n, scale := 0, 1000
	for i := range len(q) {
		switch {
		case i == 1 && q[i] == '.':
		case q[i] < '0' || q[i] > '9':
			return 1000
		case i == 0:
			n = min(int(q[i]-'0'), 1) * 1000
		default:
			scale /= 10
			n += int(q[i]-'0') * scale
		}
	}
	return min(n, 1000)
}

// isLanguage checks the form of a tag: 2 or 3 letters, then subtags of letters and
// digits. RFC 5646 allows tags of up to 35 bytes.
func isLanguage(tag string) bool {
	first, rest, _ := strings.Cut(tag, "-")
	if len(tag) > 35 || len(first) < 2 || len(first) > 3 {
		return false
	}
	for i := range len(first) {
		if c := first[i] | 0x20; c < 'a' || c > 'z' {
			return false
		}
	}
	for i := range len(rest) {
		if c := rest[i]; c != '-' && (c < '0' || c > '9') && (c|0x20 < 'a' || c|0x20 > 'z') {
			return false
		}
	}
	return !strings.HasSuffix(tag, "-")
}

// languageCase writes a tag in the usual case, such as en-GB and zh-Hant. It allocates
// only when something changes.
func languageCase(tag string) string {
	var changed []byte
	for start := 0; start < len(tag); {
		end := start + 1
		for end < len(tag) && tag[end] != '-' {
			end++
		}
		for i := start; i < end; i++ {
			c := tag[i]
			want := c
			switch n := end - start; {
			case c < 'A': // a digit
			case start > 0 && (n == 2 || n == 4 && i == start):
				want = c &^ 0x20
			default:
				want = c | 0x20
			}
			if want != c {
				if changed == nil {
					changed = []byte(tag)
				}
				changed[i] = want
			}
		}
		start = end + 1
	}
	if changed == nil {
		return tag
	}
	return string(changed)
}
