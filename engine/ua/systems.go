package ua

import (
	"strconv"
	"strings"
)

// windows has the usual name of a version of NT. Windows 11 also says 10.0; only client hints
// tell them apart.
var windows = map[string]string{
	"10.0": "10", "6.4": "10", "6.3": "8.1", "6.2": "8", "6.1": "7", "6.0": "Vista", "5.2": "XP", "5.1": "XP", "5.01": "2000", "5.0": "2000", "4.0": "NT 4.0",
}

// system returns the name and version of the operating system. The order matters:
// phones claim to be Linux, Windows phones claim to be Android and iPhones, and
// consoles claim to be Windows.
func (t *tokens) system() (name, ver string) {
	if rest, ok := t.after("Windows Phone"); ok {
		return "Windows Phone", version(strings.TrimPrefix(strings.TrimPrefix(rest, " "), "OS "))
	}
	if _, ok := t.after("Xbox"); ok {
		return "Xbox", ""
	}
	for _, prefix := range [...]string{"PlayStation ", "PLAYSTATION ", "PlayStation"} {
		if rest, ok := t.after(prefix); ok {
			return "PlayStation", letters(rest)
		}
	}
	if rest, ok := t.after("Nintendo"); ok {
		return "Nintendo", strings.TrimSpace(letters(rest))
	}
	if v := t.versionOf("KAIOS"); v != "" {
		return "KaiOS", v
	}
	if t.has("KAIOS") || t.has("KaiOS") {
		return "KaiOS", t.versionOf("KaiOS")
	}
	for _, s := range [...]struct{ prefix, name string }{
		{"Tizen", "Tizen"}, {"Web0S", "webOS"}, {"webOS", "webOS"}, {"hpwOS", "webOS"}, {"OpenHarmony", "HarmonyOS"}, {"HarmonyOS", "HarmonyOS"},
		{"CrOS", "Chrome OS"}, {"Adr ", "Android"}, {"Android", "Android"}, {"Roku", "Roku"}, {"Apple TV", "tvOS"}, {"AppleTV", "tvOS"}, {"Watch OS", "watchOS"},
		{"Fuchsia", "Fuchsia"}, {"Sailfish", "Sailfish OS"},
	} {
		rest, ok := t.after(s.prefix)
		if !ok {
			continue
		}
		if s.name == "Chrome OS" { // CrOS x86_64 14541.0.0
			_, rest, _ = strings.Cut(strings.TrimSpace(rest), " ")
		}
		return s.name, version(strings.TrimLeft(rest, " /-"))
	}
	for _, name := range [...]string{"Tizen", "Android", "HarmonyOS", "Roku", "watchOS"} { // as products: "Dalvik … Android/9"
		if v := t.versionOf(name); v != "" {
			return name, v
		}
	}
	if _, ok := t.after("Linux; Android"); ok {
		return "Android", ""
	}
	if name, ver, ok := t.apple(); ok {
		return name, ver
	}
	for _, phone := range [...]string{"Windows CE", "WindowsCE", "Windows Mobile"} {
		if rest, ok := t.after(phone); ok {
			return "Windows Mobile", version(strings.TrimSpace(rest))
		}
	}
	if rest, ok := t.after("Windows"); ok {
		return "Windows", windowsVersion(t, rest)
	}
	if rest, ok := t.after("Win"); ok && (strings.HasPrefix(rest, "9") || strings.HasPrefix(rest, "NT")) {
		return "Windows", windowsVersion(t, " "+strings.TrimPrefix(rest, " "))
	}
	for _, s := range [...]struct{ prefix, name string }{
		{"BB10", "BlackBerry"}, {"BlackBerry", "BlackBerry"}, {"PlayBook", "BlackBerry"}, {"RIM Tablet", "BlackBerry"},
		{"SymbianOS", "Symbian"}, {"Symbian", "Symbian"}, {"Series60", "Symbian"}, {"Series 60", "Symbian"}, {"S60", "Symbian"}, {"MeeGo", "MeeGo"}, {"Maemo", "Maemo"},
		{"FreeBSD", "FreeBSD"}, {"OpenBSD", "OpenBSD"}, {"NetBSD", "NetBSD"}, {"DragonFly", "DragonFly BSD"}, {"SunOS", "Solaris"}, {"Haiku", "Haiku"}, {"AIX", "AIX"}, {"OS/2", "OS/2"}, {"AmigaOS", "AmigaOS"}, {"MorphOS", "MorphOS"},
	} {
		if rest, ok := t.after(s.prefix); ok {
			return s.name, version(strings.TrimLeft(rest, " /"))
		}
		for i := range t.n { // X11; U; FreeBSD i386, or a product at the start
			if strings.HasPrefix(t.store[i].text, s.prefix) {
				return s.name, version(t.store[i].version)
			}
		}
	}
	for i := range t.n {
		text := t.store[i].text
		if strings.HasPrefix(text, "Linux") || text == "X11" || text == "Ubuntu" || t.store[i].name == "Ubuntu" || text == "Fedora" || t.store[i].name == "Fedora" || strings.HasPrefix(text, "U; Linux") {
			return "Linux", ""
		}
	}
	if strings.Contains(t.agent, "Linux") {
		return "Linux", ""
	}
	if t.versionOf("okhttp") != "" { // "App/3.2 okhttp/4.12.0"
		return "Android", ""
	}
	if (t.has("Mobile") || t.has("Tablet")) && t.has("Gecko") && t.has("Firefox") {
		return "Firefox OS", ""
	}
	return "", ""
}

// apple names the systems of Apple.
func (t *tokens) apple() (name, ver string, ok bool) {
	iPad := t.has("iPad")
	for _, prefix := range [...]string{"CPU iPhone OS ", "CPU OS ", "CPU like Mac OS X", "CPU iPhone ", "iPhone OS ", "iOS ", "iPadOS "} {
		if rest, found := t.after(prefix); found {
			if iPad || prefix == "iPadOS " {
				return "iPadOS", version(rest), true
			}
			return "iOS", version(rest), true
		}
	}
	switch {
	case iPad:
		return "iPadOS", "", true
	case t.has("iPhone") || t.has("iPod") || t.has("iPod touch"):
		return "iOS", "", true
	}
	for i := range t.n {
		// "Intel Mac OS X 10_15_7", "PPC Mac OS X Mach-O", "U; Intel Mac OS X"
		if _, rest, found := strings.Cut(t.store[i].text, "Mac OS X"); found {
			return "macOS", version(strings.TrimLeft(rest, " /")), true
		}
	}
	if t.has("Macintosh") || t.has("Mac_PowerPC") || t.has("Mac_PPC") {
		return "macOS", "", true
	}
	if v := t.versionOf("iOS"); v != "" {
		return "iOS", v, true
	}
	return t.darwin()
}

// darwin names the system of an app that says the version of its kernel alone:
// "App/3.2 CFNetwork/1490.0.4 Darwin/23.2.0". Macs say so too; those with Intel processors
// add (x86_64).
func (t *tokens) darwin() (name, ver string, ok bool) {
	kernel := t.versionOf("Darwin")
	if kernel == "" || t.versionOf("CFNetwork") == "" {
		return "", "", false
	}
	first, rest, _ := strings.Cut(kernel, ".")
	second, _, _ := strings.Cut(rest, ".")
	major, err := strconv.Atoi(first)
	if err != nil || major < 13 || major > 99 {
		return "", "", false
	}
	mac := t.has("x86_64") || t.has("i386")
	if name = "iOS"; mac {
		name = "macOS"
	}
	switch {
	case major >= 25: // both systems count by the year
		major++
	case mac && major >= 20:
		major -= 9
	case mac:
		return name, "10." + strconv.Itoa(major-4), true
	case major == 13:
		return name, "7", true
	case major == 14:
		return name, "8", true
	default:
		major -= 6
	}
	if ver = strconv.Itoa(major); major >= 15 && second != "" && !mac || major >= 12 && second != "" && mac {
		ver += "." + second // of older systems the kernel counts otherwise
	}
	return name, ver, true
}

func windowsVersion(t *tokens, rest string) string {
	rest = strings.TrimSpace(rest)
	if nt, ok := strings.CutPrefix(rest, "NT"); ok {
		return windows[version(strings.TrimSpace(nt))]
	}
	if nt, ok := t.after("Windows NT "); ok {
		return windows[version(nt)]
	}
	switch {
	case strings.HasPrefix(rest, "98"):
		if _, ok := t.after("Win 9x 4.90"); ok {
			return "ME"
		}
		return "98"
	case strings.HasPrefix(rest, "95"), strings.HasPrefix(rest, "2000"), strings.HasPrefix(rest, "XP"), strings.HasPrefix(rest, "ME"):
		return letters(rest)
	case strings.HasPrefix(rest, "9x 4.90"):
		return "ME"
	}
	return ""
}

// letters returns the first word of s.
func letters(s string) string {
	s = strings.TrimSpace(s)
	for i := range len(s) {
		if c := lowerByte(s[i]); (c < 'a' || c > 'z') && (c < '0' || c > '9') {
			return s[:i]
		}
	}
	return s[:min(len(s), versionBytesMax)]
}
