package importer

import (
	"strconv"
	"strings"
	"time"

	"cairn/engine/event"
	"cairn/http/dialect"
)

// This file reads the values of other tools: times, numbers, and the names that they give to
// systems, browsers, devices and countries.

// timeOf reads a time as Unix milliseconds: RFC 3339, the same with a blank, without a zone
// (UTC), a date, or a number of seconds, milliseconds, microseconds or nanoseconds.
func timeOf(s string) (ms int64, ok bool) {
	s = strings.TrimSpace(s)
	if len(s) >= 10 && s[4] == '-' && s[7] == '-' {
		return dateTime(s)
	}
	return event.UnixTime(s)
}

// dateTime reads "2006-01-02[ T]15:04[:05[.999999]][ ][Z|UTC|±07[:00]]" and "2006-01-02".
func dateTime(s string) (ms int64, ok bool) {
	year, ok1 := digits(s[0:4])
	month, ok2 := digits(s[5:7])
	day, ok3 := digits(s[8:10])
	if !ok1 || !ok2 || !ok3 || month < 1 || month > 12 || day < 1 || day > 31 {
		return 0, false
	}
	date := time.Date(year, time.Month(month), day, 0, 0, 0, 0, time.UTC)
	if date.Day() != day { // 30 February
		return 0, false
	}
	ms = date.UnixMilli()
	if len(s) == 10 {
		return ms, true
	}
	if len(s) < 16 || s[10] != ' ' && s[10] != 'T' && s[10] != 't' || s[13] != ':' {
		return 0, false
	}
	hour, ok1 := digits(s[11:13])
	minute, ok2 := digits(s[14:16])
	second, rest := 0, s[16:]
	ok3 = true
	if len(rest) >= 3 && rest[0] == ':' {
		second, ok3 = digits(rest[1:3])
		rest = rest[3:]
	}
	if !ok1 || !ok2 || !ok3 || hour > 23 || minute > 59 || second > 60 {
		return 0, false
	}
	ms += int64(hour)*3_600_000 + int64(minute)*60_000 + int64(second)*1000
	if rest != "" && (rest[0] == '.' || rest[0] == ',') {
		n := 1
		for weight := int64(100); n < len(rest) && rest[n] >= '0' && rest[n] <= '9'; n++ {
			ms += int64(rest[n]-'0') * weight
			weight /= 10
		}
		if n == 1 {
			return 0, false
		}
		rest = rest[n:]
	}
	offset, ok := zone(strings.TrimSpace(rest))
	return ms - offset, ok
}

// zone reads the offset of a time zone in milliseconds.
func zone(s string) (ms int64, ok bool) {
	switch s {
	case "", "Z", "z", "UTC", "GMT":
		return 0, true
	}
	sign := int64(1)
	switch s[0] {
	case '-':
		sign = -1
	case '+':
	default:
		return 0, false
	}
	s = strings.Replace(s[1:], ":", "", 1)
	if len(s) != 2 && len(s) != 4 {
		return 0, false
	}
	hours, ok1 := digits(s[:2])
	minutes, ok2 := 0, true
	if len(s) == 4 {
		minutes, ok2 = digits(s[2:])
	}
	return sign * int64(hours*60+minutes) * 60_000, ok1 && ok2 && hours < 24 && minutes < 60
}

// digits reads a number of nothing but digits.
func digits(s string) (n int, ok bool) {
	for i := range len(s) {
		c := s[i] - '0'
		if c > 9 {
			return 0, false
		}
		n = n*10 + int(c)
	}
	return n, s != ""
}

// numberOf is a text as a number where it is one in JSON's sense, else as a string.
func numberOf(s string) event.Value {
	if s == "" {
		return event.Value{}
	}
	if plain, ok := event.Decimal(s); ok && len(s) <= 64 {
		return event.Num(plain)
	}
	return event.Str(s)
}

// positive is a text as a number unless it is nothing or zero.
func positive(s string) event.Value {
	if f, err := strconv.ParseFloat(s, 64); err != nil || f == 0 {
		return event.Value{}
	}
	return numberOf(s)
}

// textOf is a scalar as text, "" for null, arrays and objects.
func textOf(v event.Value) string {
	switch v.Kind {
	case event.String, event.Number, event.Bool:
		return v.Text
	}
	return ""
}

// filled is a text unless it is one of the words that tools write for nothing.
func filled(s string) string {
	switch s {
	case "(not set)", "(none)", "(direct)", "(data not available)", "$direct", "None", "null", `\N`:
		return ""
	}
	return s
}

// named is a name of a foreign tool in cairn's words.
func named(key, s string) string {
	switch key {
	case "country":
		return dialect.CountryCode(s)
	case "os", "platform":
		if name, ok := systemNames[strings.ToLower(s)]; ok {
			return name
		}
		if strings.HasPrefix(s, "Windows ") {
			return "Windows"
		}
	case "browser":
		if name, ok := browserNames[strings.ToLower(s)]; ok {
			return name
		}
	case "device":
		lower := strings.ToLower(s)
		if name, ok := deviceNames[lower]; ok {
			return name
		}
		return lower
	}
	return s
}

var systemNames = map[string]string{
	"mac os x": "macOS", "mac os": "macOS", "os x": "macOS", "macos": "macOS", "mac": "macOS", "macintosh": "macOS", "darwin": "macOS",
	"gnu/linux": "Linux", "linux": "Linux", "ubuntu": "Linux", "windows": "Windows", "win": "Windows", "android": "Android", "android os": "Android",
	"ios": "iOS", "iphone os": "iOS", "ipados": "iPadOS", "chrome os": "Chrome OS", "chromeos": "Chrome OS", "chromium os": "Chrome OS",
}

var browserNames = map[string]string{
	"chrome": "Chrome", "chrome mobile": "Chrome", "chrome ios": "Chrome", "crios": "Chrome", "chrome webview": "Chrome", "mobile chrome": "Chrome", "google chrome": "Chrome",
	"safari": "Safari", "mobile safari": "Safari", "ios": "Safari", "firefox": "Firefox", "firefox mobile": "Firefox", "firefox ios": "Firefox", "fxios": "Firefox",
	"edge": "Edge", "microsoft edge": "Edge", "edge-chromium": "Edge", "edge-ios": "Edge", "opera": "Opera", "opera mobile": "Opera",
	"samsung": "Samsung Internet", "samsung browser": "Samsung Internet", "samsung internet": "Samsung Internet",
	"ie": "Internet Explorer", "internet explorer": "Internet Explorer",
}

var deviceNames = map[string]string{
	"mobile": "smartphone", "phone": "smartphone", "phablet": "smartphone", "smartphone": "smartphone", "feature phone": "smartphone",
	"laptop": "desktop", "desktop": "desktop", "pc": "desktop", "tablet": "tablet", "tv": "tv", "smart tv": "tv", "smarttv": "tv",
	"console": "console", "wearable": "wearable", "car browser": "car",
}

// splitVersion takes "Firefox 12.3" apart at its last space.
func splitVersion(s string) (name, version string) {
	i := strings.LastIndexByte(s, ' ')
	if i < 0 || i+1 == len(s) || s[i+1] < '0' || s[i+1] > '9' {
		return s, ""
	}
	return s[:i], s[i+1:]
}

// urlOf joins a host, a path and a query to an address. Without a host it is the path.
func urlOf(scheme, host, path, query string) string {
	if path == "" && host == "" {
		return ""
	}
	u := path
	if host != "" {
		if !strings.HasPrefix(path, "/") {
			path = "/" + path
		}
		u = scheme + "://" + host + path
	}
	if query = strings.TrimPrefix(query, "?"); query != "" {
		u += "?" + query
	}
	return u
}
