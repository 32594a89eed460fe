package importer

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"net/netip"
	"strings"

	"cairn/engine/event"
	"cairn/engine/ua"
)

// This file makes events of the lines of access logs: which are page views, which are left out,
// and who the visitor is.

// accessLog is the preset of all access logs. Its columns are the fields of a hit.
var accessLog = &preset{name: "log", about: "access logs: combined, common, with a virtual host in front, Caddy, W3C and IIS, CloudFront", shapes: shapeLog, needs: []string{"the lines of one"}}

// hit is one line of an access log. Its texts alias the line.
type hit struct {
	time     int64 // Unix milliseconds
	date     int64 // of a W3C line whose date and time are apart
	clock    int64
	client   string // an address, or a name
	user     string
	host     string
	scheme   string
	method   string
	uri      string // path and query as they were sent
	query    string // where the query is apart
	status   int
	bytes    int64
	duration float64 // milliseconds; below 0 = not known
	referrer string
	agent    string
	language string
}

// logRecords reads an access log into builders.
type logRecords struct {
	lines  lines
	parse  func(line []byte, h *hit) error
	o      *Options
	ids    *visitorIDs
	agents *ua.Cache
	hit    hit
}

// errComment says that a line is none of a log's own, and errNoLog that it is not one of a log.
var (
	errComment = refusal{"is a comment"}
	errNoLog   = refusal{"is not a line of an access log"}
)

func newLog(m *member, l *look, r *reader) *logRecords {
	parse := l.log
	if parse == nil {
		parse = parseCombined
	}
	if r.agents == nil {
		r.agents = ua.NewCache()
	}
	return &logRecords{lines: lines{in: m.in}, parse: parse, o: r.o, ids: &r.ids, agents: r.agents}
}

func (r *logRecords) next(b *builder) (raw []byte, line int, err error) {
	for {
		raw, ended, err := r.lines.next()
		if err != nil {
			return nil, r.lines.n, err
		}
		if len(raw) == 0 {
			continue
		}
		if !ended {
			return raw, r.lines.n, refusal{"the line is cut: it has no end"}
		}
		r.hit = hit{duration: -1}
		switch err = r.parse(raw, &r.hit); err {
		case errComment:
			continue
		case nil:
			err = r.event(b, &r.hit)
		}
		return raw, r.lines.n, err
	}
}

// Why lines are left out.
const (
	skipRobot    = skip("robots and programs")
	skipStatic   = skip("images, scripts and other static files")
	skipError    = skip("errors and redirects")
	skipMethod   = skip("neither GET nor HEAD")
	skipNothing  = skip("no request")
	extraStatus  = "status"
	extraBytes   = "bytes"
	extraTime    = "duration"
	nameError    = "error"
	nameRedirect = "redirect"
)

// event makes an event of a hit.
func (r *logRecords) event(b *builder, h *hit) error {
	if h.time == 0 {
		return refusal{"time: is missing"}
	}
	if h.query != "" && !strings.Contains(h.uri, "?") {
		h.uri += "?" + h.query
	}
	path, scheme, host := h.uri, h.scheme, h.host
	if before, after, ok := strings.Cut(h.uri, "://"); ok && !strings.Contains(before, "/") { // a proxy's log
		scheme = before
		host, path, _ = strings.Cut(after, "/")
		path = "/" + path
	}
	if !strings.HasPrefix(path, "/") {
		return skipNothing
	}
	if host == "" {
		host = r.o.Host
	}
	if scheme == "" {
		scheme = "https"
	}
	pure, query, _ := strings.Cut(path, "?")
	kind := kindOf(pure)
	get := h.method == "GET" || h.method == "HEAD"
	good := h.status >= 200 && h.status < 300 || h.status == 304
	if !r.o.All {
		switch {
		case !get:
			return skipMethod
		case !good:
			return skipError
		case kind == kindStatic:
			return skipStatic
		}
		if a := r.agents.Parse(h.agent, ua.Hints{}); a.Bot != "" || a.Library {
			return skipRobot
		}
	}
	b.Time, b.User = h.time, h.user
	b.Anonymous = r.ids.id(h)
	b.context("url", event.Str(urlOf(scheme, host, pure, query)))
	b.contextText("path", pure)
	b.contextText("referrer", h.referrer)
	b.from(h.client, h.agent, h.language)
	switch {
	case get && good && kind == kindDownload:
		b.Type, b.Name = event.Download, b.Context.Get("url").Text
		if h.bytes > 0 {
			b.extra(extraBytes, number(h.bytes))
		}
	case get && good:
		b.Type, b.Name = event.Page, pure
	case get && h.status >= 300 && h.status < 400:
		b.Type, b.Name = event.Track, nameRedirect
	case get || h.status >= 400:
		b.Type, b.Name = event.Track, nameError
	default:
		b.Type, b.Name = event.Track, h.method
	}
	if b.Type == event.Track {
		b.propText("method", h.method)
	}
	if h.status != 200 {
		b.extra(extraStatus, number(int64(h.status)))
	}
	if h.duration >= 0 {
		b.extra(extraTime, number(int64(h.duration+0.5)))
	}
	if len(b.Name) > event.MaxNameBytes {
		b.Name = strings.ToValidUTF8(b.Name[:event.MaxNameBytes], "")
	}
	return nil
}

// kind is what a path is by its ending.
type kind uint8

const (
	kindPage kind = iota
	kindStatic
	kindDownload
)

// endings are those of static files and of downloads, as Matomo's log import and trackers have
// them: whoever loads a page loads static files, and chooses a download.
var endings = func() map[string]kind {
	m := map[string]kind{}
	for _, e := range strings.Fields("css js mjs map json xml txt ico cur png jpg jpeg gif svg webp avif bmp tif tiff woff woff2 ttf otf eot wasm webmanifest rss atom") {
		m[e] = kindStatic
	}
	for _, e := range strings.Fields("pdf zip gz tgz bz2 xz zst 7z rar tar dmg pkg exe msi deb rpm apk ipa iso img jar doc docx xls xlsx ppt pptx odt ods odp csv rtf epub mobi mp3 mp4 m4a m4v mov avi mkv webm ogg wav flac torrent bin") {
		m[e] = kindDownload
	}
	return m
}()

func kindOf(path string) kind {
	dot := strings.LastIndexByte(path, '.')
	if dot < 0 || len(path)-dot > 12 || strings.IndexByte(path[dot:], '/') >= 0 {
		return kindPage
	}
	ending := path[dot+1:]
	if k, ok := endings[ending]; ok {
		return k
	}
	return endings[strings.ToLower(ending)]
}

// visitorIDs names the visitors of access logs. An id is a keyed hash of day, address and agent,
// so it tells nobody the address who has not the key, and nobody is known again on another day.
// With the same key it is the same whenever the log is read.
type visitorIDs struct {
	key [sha256.Size]byte
	buf []byte
}

func newVisitorIDs(secret string) visitorIDs {
	return visitorIDs{key: sha256.Sum256([]byte("cairn import: visitors of access logs\x00" + secret))}
}

func (v *visitorIDs) id(h *hit) string {
	if h.client == "" {
		return ""
	}
	v.buf = append(v.buf[:0], v.key[:]...)
	v.buf = binary.AppendVarint(v.buf, h.time/86_400_000)
	v.buf = append(v.buf, h.client...)
	v.buf = append(append(v.buf, 0), h.agent...)
	sum := sha256.Sum256(v.buf)
	return base64.RawURLEncoding.EncodeToString(sum[:16])
}

// isAddress reports whether a text is an address.
func isAddress(s string) bool {
	if len(s) < 2 || len(s) > 64 || s[0] != ':' && (s[0] < '0' || s[0] > '9') && (s[0]|0x20 < 'a' || s[0]|0x20 > 'f') {
		return false
	}
	_, err := netip.ParseAddr(s)
	return err == nil
}
