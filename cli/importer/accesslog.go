package importer

import (
	"bytes"
	"strconv"
	"strings"

	"cairn/engine/event"
)

// This file parses access logs in the formats of servers: common and combined, either with a
// virtual host in front, and Caddy's JSON.

// sniffLog finds the parser of a text that is an access log, nil if it is none.
func sniffLog(text []byte) func([]byte, *hit) error {
	good, bad := 0, 0
	for line := range bytes.SplitSeq(text, []byte("\n")) {
		line = bytes.TrimSuffix(line, []byte("\r"))
		if len(line) == 0 {
			continue
		}
		if good+bad == 0 && isW3C(line) {
			return newW3C()
		}
		if parseCombined(line, &hit{}) == nil {
			good++
		} else {
			bad++
		}
		if good+bad == 20 {
			break
		}
	}
	if good > bad {
		return parseCombined
	}
	return nil
}

// parseCombined parses
//
//	[VHOST[:PORT]] CLIENT IDENT USER [02/Jan/2006:15:04:05 -0700] "METHOD URI PROTOCOL" STATUS BYTES ["REFERRER" "AGENT"]
//
// What follows is not read.
func parseCombined(line []byte, h *hit) error {
	s := alias(line)
	open := strings.Index(s, " [")
	if open < 0 || len(s) < open+28 {
		return errNoLog
	}
	if !h.names(s[:open]) {
		return errNoLog
	}
	ms, ok := clfTime(s[open+2:])
	if !ok {
		return errNoLog
	}
	h.time = ms
	rest := s[open+28:]
	if !strings.HasPrefix(rest, `] "`) {
		return errNoLog
	}
	request, rest, ok := quoted(rest[2:])
	if !ok {
		return errNoLog
	}
	h.request(request)
	status, rest, _ := strings.Cut(strings.TrimPrefix(rest, " "), " ")
	if h.status, ok = digits(status); !ok || len(status) != 3 {
		return errNoLog
	}
	size, rest, more := strings.Cut(rest, " ")
	h.bytes, _ = strconv.ParseInt(size, 10, 64) // "-" is nothing
	if !more || rest == "" || rest[0] != '"' {
		return nil
	}
	referrer, rest, ok := quoted(rest)
	if !ok {
		return errNoLog
	}
	h.referrer = unlessDash(referrer)
	if rest = strings.TrimPrefix(rest, " "); rest == "" || rest[0] != '"' {
		return nil
	}
	agent, _, ok := quoted(rest)
	if !ok {
		return errNoLog
	}
	h.agent = unlessDash(agent)
	return nil
}

// names reads what stands before the time.
func (h *hit) names(s string) bool {
	first, rest, _ := strings.Cut(s, " ")
	second, after, many := strings.Cut(rest, " ")
	if !many || first == "" {
		return false
	}
	if !isAddress(first) || isAddress(second) {
		if third, _, four := strings.Cut(after, " "); four && third != "" && (isAddress(second) || !isAddress(first)) {
			h.vhost(first)
			first, after = second, after[len(third)+1:]
		}
	}
	h.client = first
	h.user = unlessDash(after)
	return true
}

// vhost reads a virtual host with or without a port.
func (h *hit) vhost(s string) {
	host, port, _ := strings.Cut(s, ":")
	switch h.host = unlessDash(host); port {
	case "443":
		h.scheme = "https"
	case "80":
		h.scheme = "http"
	}
}

// request reads "METHOD URI PROTOCOL".
func (h *hit) request(s string) {
	method, rest, ok := strings.Cut(s, " ")
	if !ok {
		return // not HTTP
	}
	h.method = method
	if end := strings.LastIndexByte(rest, ' '); end >= 0 && strings.HasPrefix(rest[end+1:], "HTTP/") {
		rest = rest[:end]
	}
	h.uri = rest
}

func unlessDash(s string) string {
	if s == "-" {
		return ""
	}
	return s
}

// quoted reads a text in quotes. Apache writes \" and \\ and \xHH, nginx \xHH.
func quoted(s string) (text, rest string, ok bool) {
	if s == "" || s[0] != '"' {
		return "", s, false
	}
	for i := 1; i < len(s); i++ {
		switch s[i] {
		case '"':
			if text = s[1:i]; strings.IndexByte(text, '\\') >= 0 {
				text = unescapeLog(text)
			}
			return text, s[i+1:], true
		case '\\':
			i++
		}
	}
	return "", s, false
}

func unescapeLog(s string) string {
	out := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c != '\\' || i+1 == len(s) {
			out = append(out, c)
			continue
		}
		i++
		switch c = s[i]; c {
		case 'x':
			if i+2 < len(s) {
				if n, err := strconv.ParseUint(s[i+1:i+3], 16, 8); err == nil {
					out = append(out, byte(n))
					i += 2
					continue
				}
			}
			out = append(out, '\\', 'x')
		case 'n':
			out = append(out, '\n')
		case 't':
			out = append(out, '\t')
		case 'r':
			out = append(out, '\r')
		default:
			out = append(out, c)
		}
	}
	return string(out)
}

// clfTime reads "02/Jan/2006:15:04:05 -0700" at the beginning of a text.
func clfTime(s string) (ms int64, ok bool) {
	if len(s) < 26 || s[2] != '/' || s[6] != '/' || s[11] != ':' {
		return 0, false
	}
	month := strings.Index("JanFebMarAprMayJunJulAugSepOctNovDec", s[3:6])
	if month < 0 || month%3 != 0 {
		return 0, false
	}
	var buf [25]byte // as dateTime reads it
	b := append(buf[:0], s[7:11]...)
	n := month/3 + 1
	b = append(b, '-', byte('0'+n/10), byte('0'+n%10), '-')
	b = append(append(b, s[0:2]...), ' ')
	b = append(b, s[12:20]...)
	b = append(b, s[21:26]...)
	return dateTime(alias(b))
}

// parseCaddy makes the parser of the access log of Caddy: a JSON object a line.
func parseCaddy() func([]byte, *hit) error {
	var p event.Parser
	return func(line []byte, h *hit) error {
		p.Reset()
		o, err := p.Object(line, jsonLimits)
		if err != nil {
			return refusal{err.Error()}
		}
		request, err := o.Get("request").Object(&p)
		if err != nil || len(request) == 0 {
			return errComment // Caddy writes other things to the same log
		}
		ok := false
		if h.time, ok = caddyTime(o.Get("ts")); !ok {
			return refusal{"ts: is not a time"}
		}
		h.status, _ = digits(textOf(o.Get("status")))
		h.bytes, _ = strconv.ParseInt(textOf(o.Get("size")), 10, 64)
		if d, err := strconv.ParseFloat(textOf(o.Get("duration")), 64); err == nil {
			h.duration = d * 1000
		}
		h.user = textOf(o.Get("user_id"))
		if h.client = textOf(request.Get("client_ip")); h.client == "" {
			h.client = textOf(request.Get("remote_ip"))
		}
		host := textOf(request.Get("host"))
		h.host, _, _ = strings.Cut(host, ":")
		h.method, h.uri = textOf(request.Get("method")), textOf(request.Get("uri"))
		if h.scheme = "http"; request.Get("tls").Kind == event.JSON {
			h.scheme = "https"
		}
		headers, err := request.Get("headers").Object(&p)
		if err != nil {
			return nil
		}
		for _, m := range headers {
			switch strings.ToLower(m.Key) {
			case "user-agent":
				h.agent = firstText(m.Value, &p)
			case "referer":
				h.referrer = firstText(m.Value, &p)
			case "accept-language":
				h.language = firstText(m.Value, &p)
			}
		}
		return nil
	}
}

// caddyTime reads seconds with a fraction, as Caddy writes them, or a date.
func caddyTime(v event.Value) (int64, bool) {
	text := textOf(v)
	if at := strings.IndexAny(text, "eE"); at > 0 {
		f, err := strconv.ParseFloat(text, 64)
		return int64(f * 1000), err == nil && f > 0
	}
	return timeOf(text)
}

// firstText is the first text of an array.
func firstText(v event.Value, p *event.Parser) string {
	if v.Kind != event.JSON || v.IsObject() {
		return textOf(v)
	}
	found := ""
	err := p.Each([]byte(v.Text), jsonLimits, func(i int, raw []byte) error {
		if i == 0 {
			if one, err := p.Value(raw, jsonLimits); err == nil {
				found = strings.Clone(textOf(one))
			}
		}
		return nil
	})
	if err != nil {
		return ""
	}
	return found
}
