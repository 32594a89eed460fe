package importer

import (
	"bytes"
	"fmt"
	"net/url"
	"strconv"
	"strings"
)

// This file parses access logs that name their fields: the W3C's extended format, which IIS and
// CloudFront write, and formats that the operator describes in the words of nginx or Apache.

// field is one thing that a log may say of a hit.
type field uint8

const (
	fieldNone field = iota
	fieldClient
	fieldForwarded
	fieldUser
	fieldTime    // 02/Jan/2006:15:04:05 -0700, with or without brackets
	fieldMoment  // ISO 8601, or seconds since 1970
	fieldDate    // of W3C
	fieldClock   // of W3C
	fieldRequest // METHOD URI PROTOCOL
	fieldMethod
	fieldURI
	fieldPath // without a query
	fieldQuery
	fieldStatus
	fieldBytes
	fieldReferrer
	fieldAgent
	fieldLanguage
	fieldHost
	fieldScheme
	fieldSeconds
	fieldMillis
	fieldMicros
	fieldTaken // time-taken of W3C: milliseconds of IIS, else seconds
)

// fieldNames are nginx' variables, Apache's directives and the fields of W3C.
var fieldNames = map[string]field{
	"$remote_addr": fieldClient, "$http_x_forwarded_for": fieldForwarded, "$http_x_real_ip": fieldForwarded, "$remote_user": fieldUser,
	"$time_local": fieldTime, "$time_iso8601": fieldMoment, "$msec": fieldMoment, "$request": fieldRequest, "$request_method": fieldMethod,
	"$request_uri": fieldURI, "$uri": fieldPath, "$document_uri": fieldPath, "$args": fieldQuery, "$query_string": fieldQuery, "$status": fieldStatus,
	"$body_bytes_sent": fieldBytes, "$bytes_sent": fieldBytes, "$http_referer": fieldReferrer, "$http_user_agent": fieldAgent,
	"$http_accept_language": fieldLanguage, "$host": fieldHost, "$http_host": fieldHost, "$server_name": fieldHost, "$scheme": fieldScheme,
	"$request_time": fieldSeconds,

	"%h": fieldClient, "%a": fieldClient, "%u": fieldUser, "%t": fieldTime, "%r": fieldRequest, "%m": fieldMethod, "%U": fieldPath, "%q": fieldQuery,
	"%s": fieldStatus, "%>s": fieldStatus, "%b": fieldBytes, "%B": fieldBytes, "%O": fieldBytes, "%v": fieldHost, "%V": fieldHost,
	"%D": fieldMicros, "%T": fieldSeconds, "%{Referer}i": fieldReferrer, "%{User-Agent}i": fieldAgent, "%{User-agent}i": fieldAgent,
	"%{Host}i": fieldHost, "%{Accept-Language}i": fieldLanguage, "%{X-Forwarded-For}i": fieldForwarded,

	"date": fieldDate, "time": fieldClock, "c-ip": fieldClient, "cs-username": fieldUser, "cs-method": fieldMethod, "cs-uri": fieldURI,
	"cs-uri-stem": fieldPath, "cs-uri-query": fieldQuery, "sc-status": fieldStatus, "sc-bytes": fieldBytes, "cs(user-agent)": fieldAgent,
	"cs(referer)": fieldReferrer, "cs(accept-language)": fieldLanguage, "cs-host": fieldHost, "cs(host)": fieldHost, "x-host-header": fieldHost,
	"cs-protocol": fieldScheme, "time-taken": fieldTaken,
}

// set takes one field of a line.
func (h *hit) set(f field, s string) bool {
	if s == "-" || s == "" {
		return true
	}
	ok := true
	switch f {
	case fieldClient:
		if h.client == "" {
			h.client = s
		}
	case fieldForwarded:
		first, _, _ := strings.Cut(s, ",")
		if first = strings.TrimSpace(first); isAddress(first) {
			h.client = first
		}
	case fieldUser:
		h.user = s
	case fieldTime:
		h.time, ok = clfTime(strings.Trim(s, "[]"))
	case fieldMoment:
		h.time, ok = timeOf(s)
	case fieldDate:
		h.date, ok = timeOf(s)
	case fieldClock:
		var ms int64
		ms, ok = timeOf("1970-01-01 " + s)
		h.clock = ms
	case fieldRequest:
		h.request(s)
	case fieldMethod:
		h.method = s
	case fieldURI:
		h.uri = s
	case fieldPath:
		if h.uri == "" {
			h.uri = s
		}
	case fieldQuery:
		h.query = strings.TrimPrefix(s, "?")
	case fieldStatus:
		h.status, ok = digits(s)
	case fieldBytes:
		h.bytes, _ = strconv.ParseInt(s, 10, 64)
	case fieldReferrer:
		h.referrer = s
	case fieldAgent:
		h.agent = s
	case fieldLanguage:
		h.language = s
	case fieldHost:
		if h.host == "" {
			h.vhost(s)
		}
	case fieldScheme:
		h.scheme = strings.ToLower(s)
	case fieldSeconds, fieldMillis, fieldMicros:
		if d, err := strconv.ParseFloat(s, 64); err == nil {
			h.duration = d * [...]float64{1000, 1, 0.001}[f-fieldSeconds]
		}
	}
	return ok
}

// isW3C reports whether the first line of a text is one of W3C's directives.
func isW3C(line []byte) bool {
	for _, begin := range []string{"#Software:", "#Version:", "#Fields:", "#Date:", "#Start-Date:"} {
		if bytes.HasPrefix(line, []byte(begin)) {
			return true
		}
	}
	return false
}

// newW3C makes a parser of the extended format. #Fields may change between lines.
func newW3C() func([]byte, *hit) error {
	var fields []field
	var decoded []bool // percent-encoded: by CloudFront
	iis := false
	return func(line []byte, h *hit) error {
		s := alias(line)
		if s[0] == '#' {
			if strings.HasPrefix(s, "#Software: Microsoft") {
				iis = true
			}
			if names, ok := strings.CutPrefix(s, "#Fields:"); ok {
				fields, decoded = fields[:0], decoded[:0]
				cloudfront := strings.Contains(names, "x-edge-location")
				for _, name := range strings.Fields(names) {
					f := fieldNames[strings.ToLower(name)]
					if f == fieldTaken {
						if f = fieldSeconds; iis {
							f = fieldMillis
						}
					}
					if cloudfront && name == "cs(Host)" {
						f = fieldNone // the distribution's own name; x-host-header has the site's
					}
					fields = append(fields, f)
					decoded = append(decoded, cloudfront && (f == fieldAgent || f == fieldReferrer))
				}
			}
			return errComment
		}
		if len(fields) == 0 {
			return refusal{"no line with #Fields: stands before it"}
		}
		between := byte(' ')
		if strings.IndexByte(s, '\t') >= 0 {
			between = '\t'
		}
		rest, more, n := s, true, 0
		for ; more && n < len(fields); n++ {
			var cell string
			if rest != "" && rest[0] == '"' {
				text, after, ok := w3cQuoted(rest)
				if !ok {
					return errNoLog
				}
				cell, rest = text, after
				more = rest != ""
				rest = strings.TrimPrefix(rest, alias([]byte{between}))
			} else {
				cell, rest, more = strings.Cut(rest, alias([]byte{between}))
			}
			switch f := fields[n]; {
			case f == fieldAgent && between == ' ':
				cell = strings.ReplaceAll(cell, "+", " ")
			case decoded[n]:
				cell = percentDecoded(percentDecoded(cell))
			}
			if !h.set(fields[n], cell) {
				return errNoLog
			}
		}
		if n < len(fields) {
			return refusal{fmt.Sprintf("has %d fields and #Fields: names %d", n, len(fields))}
		}
		if h.date == 0 || h.time != 0 {
			return nil
		}
		h.time = h.date + h.clock
		return nil
	}
}

// w3cQuoted reads a text in quotes, in which a quote is doubled.
func w3cQuoted(s string) (text, rest string, ok bool) {
	for i := 1; i < len(s); i++ {
		if s[i] != '"' {
			continue
		}
		if i+1 < len(s) && s[i+1] == '"' {
			i++
			continue
		}
		return strings.ReplaceAll(s[1:i], `""`, `"`), s[i+1:], true
	}
	return "", s, false
}

func percentDecoded(s string) string {
	if strings.IndexByte(s, '%') < 0 {
		return s
	}
	if plain, err := url.PathUnescape(s); err == nil {
		return plain
	}
	return s
}

// logFormat is a format that the operator has described.
type logFormat struct {
	begin string
	parts []logPart
}

// logPart is a field and the text that follows it.
type logPart struct {
	field  field
	after  string
	quoted bool // it stands in quotes, which may be escaped in it
}

// parseLogFormat reads a log_format of nginx or a LogFormat of Apache.
func parseLogFormat(text string) (*logFormat, error) {
	f := &logFormat{}
	has := map[field]bool{}
	for rest := text; rest != ""; {
		n := nameEnd(rest)
		if n == 0 {
			end := strings.IndexAny(rest[1:], "$%") + 1
			if end == 0 {
				end = len(rest)
			}
			if len(f.parts) == 0 {
				f.begin += rest[:end]
			} else {
				f.parts[len(f.parts)-1].after += rest[:end]
			}
			rest = rest[end:]
			continue
		}
		what := fieldNames[rest[:n]]
		if len(f.parts) > 0 && f.parts[len(f.parts)-1].after == "" {
			return nil, fmt.Errorf("-log-format: nothing stands between %s and what is before it", rest[:n])
		}
		before := f.begin
		if len(f.parts) > 0 {
			before = f.parts[len(f.parts)-1].after
		}
		f.parts = append(f.parts, logPart{field: what, quoted: strings.HasSuffix(before, `"`)})
		has[what] = true
		rest = rest[n:]
	}
	if !has[fieldTime] && !has[fieldMoment] {
		return nil, fmt.Errorf("-log-format: it has no time ($time_local, $time_iso8601, $msec or %%t)")
	}
	if !has[fieldRequest] && !has[fieldURI] && !has[fieldPath] {
		return nil, fmt.Errorf("-log-format: it has no request ($request, $request_uri or %%r)")
	}
	return f, nil
}

// nameEnd is how long the name of a field at the beginning of a text is, 0 if none is there.
func nameEnd(s string) int {
	switch s[0] {
	case '$':
		n := 1
		for n < len(s) && (s[n] == '_' || s[n] >= 'a' && s[n] <= 'z' || s[n] >= '0' && s[n] <= '9') {
			n++
		}
		if n > 1 {
			return n
		}
	case '%':
		if len(s) > 1 && s[1] == '{' {
			if end := strings.IndexByte(s, '}'); end > 0 && end+1 < len(s) {
				return end + 2
			}
			return 0
		}
		if len(s) > 2 && (s[1] == '>' || s[1] == '<') {
			return 3
		}
		if len(s) > 1 {
			return 2
		}
	}
	return 0
}

func (f *logFormat) parse(line []byte, h *hit) error {
	s := alias(line)
	rest, ok := strings.CutPrefix(s, f.begin)
	if !ok {
		return errNoLog
	}
	h.method, h.status = "GET", 200 // unless the format says it
	for i := range f.parts {
		p := &f.parts[i]
		end := len(rest)
		if p.after != "" {
			end = p.end(rest)
		}
		if end < 0 {
			return errNoLog
		}
		value := rest[:end]
		rest = rest[end:]
		rest = strings.TrimPrefix(rest, p.after)
		if strings.IndexByte(value, '\\') >= 0 {
			value = unescapeLog(value)
		}
		if !h.set(p.field, value) {
			return errNoLog
		}
	}
	return nil
}

// end is where a field ends, below 0 if what follows it is not there.
func (p *logPart) end(s string) int {
	after := p.after
	if p.field == fieldTime && s != "" && s[0] == '[' { // %t has a blank in its brackets
		if close := strings.IndexByte(s, ']'); close >= 0 && strings.HasPrefix(s[close+1:], after) {
			return close + 1
		}
		return -1
	}
	if !p.quoted {
		return strings.Index(s, after)
	}
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' {
			i++
		} else if strings.HasPrefix(s[i:], after) {
			return i
		}
	}
	return -1
}
