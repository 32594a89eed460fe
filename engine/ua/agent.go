package ua

import (
	"bytes"
	"strings"
)

// Device types.
const (
	Desktop    = "desktop"
	Smartphone = "smartphone"
	Tablet     = "tablet"
	TV         = "tv"
	Console    = "console"
	Wearable   = "wearable"
	Car        = "car"
	BotDevice  = "bot"
)

// agentBytesMax bounds how many bytes of a User-Agent are read; the rest is ignored.
// Browsers stay under 300 bytes, and apps with long lists of features under 600.
const agentBytesMax = 1024

// Agent is what is known about the sender of a request. A field is "" when it is not known.
// Nothing aliases the input of Parse.
type Agent struct {
	Browser        string // name without version
	BrowserVersion string // digits and dots, as the browser writes it
	OS             string // name without version
	OSVersion      string // as people say it: "10", "17.4.1", "XP"
	Device         string // one of the device types
	Brand, Model   string // only from client hints
	Bot            string // the bot's own name; "" = not a bot
	Library        bool   // an HTTP library or a tracker's server SDK
}

// Parse reads a User-Agent. Hints, where there are any, refine the result.
func Parse(agent string, h Hints) Agent {
	if len(agent) > agentBytesMax {
		agent = agent[:agentBytesMax]
	}
	agent = blanks(agent)
	var a Agent
	if agent != "" {
		var lower [agentBytesMax]byte
		text := lower[:len(agent)]
		for i := range text {
			text[i] = lowerByte(agent[i])
		}
		a.Library = isLibrary(text)
		if a.Bot = botName(agent, text, a.Library); a.Bot != "" {
			return Agent{Bot: a.Bot, Device: BotDevice}
		}
		if !a.Library {
			var t tokens
			t.split(agent)
			a.OS, a.OSVersion = t.system()
			a.Browser, a.BrowserVersion = t.browser(a.OS)
			a.Device = t.device(a.OS)
		} else if bytes.HasPrefix(text, []byte("okhttp")) {
			a.OS = "Android" // hardly any server uses it
		}
	}
	h.refine(&a)
	a.BrowserVersion, a.OSVersion = strings.Clone(a.BrowserVersion), strings.Clone(a.OSVersion)
	return a
}

// blanks returns an agent with the blanks that a log of IIS, or of CloudFront, writes as +.
func blanks(agent string) string {
	if strings.IndexByte(agent, ' ') >= 0 || !strings.Contains(agent, "+(") && !strings.Contains(agent, ")+") && !strings.Contains(agent, ";+") && !strings.Contains(agent, "+CFNetwork/") {
		return agent
	}
	return strings.ReplaceAll(agent, "+", " ")
}

func lowerByte(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		return c + 'a' - 'A'
	}
	return c
}

// versionBytesMax bounds a version, in bytes. The longest in use, Windows builds of
// Chromium, have 15.
const versionBytesMax = 24

// version returns the leading digits and dots of s, with _ read as a dot. It returns ""
// when s does not begin with a digit.
func version(s string) string {
	n, underscores := 0, false
	for n < len(s) && n < versionBytesMax {
		if c := s[n]; c == '_' {
			underscores = true
		} else if c != '.' && (c < '0' || c > '9') {
			break
		}
		n++
	}
	if n == 0 || s[0] == '.' || s[0] == '_' {
		return ""
	}
	v := s[:n]
	if underscores {
		v = strings.ReplaceAll(v, "_", ".")
	}
	return strings.TrimRight(v, ".")
}
