package dashboard

import (
	"bytes"
	"context"
	"embed"
	"encoding/hex"
	"hash/fnv"
	"html/template"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"cairn/http/dialect"
)

// This file makes a screen: it asks what the panels need, waits a little, and writes HTML.

//go:embed templates
var templateFiles embed.FS

// templates take finished views. None calls back into Go for data. They are read when the first page
// is made: a command that serves none does not wait for them.
var templates = sync.OnceValue(func() *template.Template {
	return template.Must(template.New("").ParseFS(templateFiles, "templates/*.html"))
})

// page is one screen as it is made for one request.
type page struct {
	d         *Dashboard
	req       *dialect.Request
	viewer    *Viewer
	site      *dialect.Site
	screen    *screen
	args      []string
	state     state
	zone      *time.Location
	now       time.Time
	base      string // path of the site's screens
	asks      *asks
	locale    *Locale
	late      context.Context // ends when it waits for no answer any more
	info      siteInfo
	heading   string        // what the screen is about
	goalsRead *[]goal       // nil = not read yet
	kept      *[]savedThing // the saved filters; nil = not read yet
	asOf      time.Time     // of the oldest answer; zero = none yet
	status    int           // of the answer; 0 = 200
	fields    *asked        // which properties the site has; nil = not asked, or not known yet
	out       bytes.Buffer
}

// siteInfo is what GET site says.
type siteInfo struct {
	Name     string   `json:"name"`
	Zone     string   `json:"zone"`
	First    *string  `json:"first"`
	Last     *string  `json:"last"`
	Events   int64    `json:"events"`
	Dialects []string `json:"dialects"`
	Geo      *string  `json:"geo"`
	Credit   *string  `json:"geo_credit"`
	Shop     bool     `json:"shop"`
	Public   *struct {
		WriteKey *string `json:"write_key"`
		ClientID *string `json:"client_id"`
	} `json:"public"`
	ID      uint32            `json:"id"`
	Refused map[string]uint64 `json:"refused"`
}

// show answers a screen of a site, or one panel of it.
func (d *Dashboard) show(ctx context.Context, req *dialect.Request, res *dialect.Response, v *Viewer, site *dialect.Site, s *screen, args []string) {
	p := &page{
		d: d, req: req, viewer: v, site: site, screen: s, args: args,
		state: parseState(req.RawQuery), zone: site.Location, now: d.now(),
		locale: NewLocale(req.Header("Accept-Language"), site.Location, d.now()),
		base:   d.path("site", site.Name), asks: newAsks(ctx, d.reports, v),
	}
	if v.Share != nil {
		p.base = v.Share.Base
	}
	if p.zone == nil {
		p.zone = time.UTC
	}
	if p.embedded() { // it has neither forms nor whole tables
		p.state = p.state.without("_full", "_field", "_from", "_to", "_cfrom", "_cto")
	}
	if to, ok := p.fromForm(); ok {
		d.redirect(res, p.href(to))
		return
	}
	if len(p.state.String()) > stateBytesMax {
		d.notice(req, res, 414, textLongAddress, "", p.base)
		return
	}
	var cancel context.CancelFunc
	p.late, cancel = context.WithTimeout(ctx, waitLong)
	defer cancel()
	if q := p.ask("site", nil); q.ready(p.late) {
		_ = q.into(&p.info) // without it the screen is that of any site
	}
	if !p.fits(p.state.get("interval")) { // it was chosen for a shorter range
		p.state = p.state.without("interval")
	}
	rows := s.panels(p)
	if p.asTable() {
		p.sendTable(ctx, rows, res)
		return
	}
	name := p.state.get("_panel")
	if name != "" {
		p.fragment(rows, name, res)
		return
	}
	p.whole(rows, res)
}

// ask begins a question about the site.
func (p *page) ask(call string, own state) *asked {
	return p.asks.begin(p.site, call, p.question(call, own))
}

// href is the address of the screen with another state.
func (p *page) href(s state) string { return p.screenHref(p.screen.path, s, p.args...) }

// screenHref is the address of a screen of the site. rest are the segments after its path. None
// may be "", "." or "..": browsers take those away.
func (p *page) screenHref(path string, s state, rest ...string) string {
	if p.viewer.Share != nil && p.viewer.Share.Embedded {
		return "" // inside another page nothing leads anywhere
	}
	href := p.base
	if path != "" {
		href += "/" + path
	}
	for _, segment := range rest {
		href += "/" + url.PathEscape(segment)
	}
	if q := s.without("_panel", "_wait").String(); q != "" {
		href += "?" + q
	}
	return href
}

// whenAll is the address of the screen that is sent when all of it is there. No other link has it.
func (p *page) whenAll() string {
	href, query, _ := strings.Cut(p.href(p.state), "?")
	if query != "" {
		query += "&"
	}
	return href + "?" + query + "_wait=1"
}

// apiHref is the address of a call, with its answer in a form ("csv"; "" = JSON).
func (p *page) apiHref(call, query, format string) string {
	s := parseRaw(query).without("max_age")
	if format != "" {
		s = s.without("limit", "after").with("format", format)
	}
	if share := p.viewer.Share; share != nil {
		if share.Embedded {
			return ""
		}
		return share.Base + "/data/" + call + "?" + s.String()
	}
	if len(p.viewer.Sites) > 1 || p.viewer.Admin {
		s = s.with("site", p.site.Name)
	}
	return p.d.addresses.Base() + "/api/v1/" + call + "?" + s.String()
}

// whole writes the screen.
func (p *page) whole(rows [][]*panel, res *dialect.Response) {
	live := p.ask("live", state{{"bot", "false"}})
	questions := map[*panel]*asked{}
	for _, row := range rows {
		for _, n := range row {
			if n.ask != nil {
				questions[n] = n.ask()
			}
		}
	}
	var fields *asked
	if !p.embedded() && (!p.screen.noRange || p.screen.filters) { // for the form of filters, after all that is shown
		fields = p.ask("fields", fieldsOwn)
	}
	for _, row := range rows {
		for _, n := range row {
			if n.decides && questions[n] != nil {
				questions[n].ready(p.late)
			}
		}
	}
	wait := waitShort
	if p.state.get("_wait") != "" {
		wait = waitLong
	}
	late, cancel := context.WithTimeout(p.late, wait)
	defer cancel()
	var views [][]*panelView
	there := func(q *asked) bool { return q == nil || q.ready(late) }
	for _, row := range rows {
		var line []*panelView
		for _, n := range row {
			q := questions[n]
			line = append(line, p.viewOf(n, q, there(q)))
		}
		views = append(views, line)
	}
	if fields != nil && there(fields) {
		p.fields = fields
	}
	f := p.frame()
	f.CSVs = csvsOf(views)
	if there(live) {
		f.Now = p.nowText(live)
	}
	top, bottom := "top", "bottom"
	if share := p.viewer.Share; share != nil && share.Embedded {
		top, bottom = "embed-top", "embed-bottom"
		if !slices.ContainsFunc(slices.Concat(rows...), func(n *panel) bool { return n.name == "places" }) {
			f.Credit = link{}
		}
		f.Plain = p.state.get("_bg") == "transparent"
		if theme := p.state.get("_theme"); theme == "light" || theme == "dark" {
			f.Theme = theme
		}
	}
	p.write(top, f)
	for _, row := range views {
		p.write("row", row)
	}
	p.write(bottom, f)
	res.Status = p.status
	p.d.html(p.req, res, p.out.Bytes())
}

// fragment writes one panel.
func (p *page) fragment(rows [][]*panel, name string, res *dialect.Response) {
	if name == "now" {
		q := p.ask("live", state{{"bot", "false"}})
		q.ready(p.late)
		p.write("now", p.nowText(q))
		p.d.html(p.req, res, p.out.Bytes())
		return
	}
	for _, row := range rows {
		for _, n := range row {
			if n.name != name {
				continue
			}
			var q *asked
			waited := true
			if n.ask != nil {
				q = n.ask()
				waited = q.ready(p.late)
			}
			p.write("panel", p.viewOf(n, q, waited))
			res.Status = p.status
			p.d.html(p.req, res, p.out.Bytes())
			return
		}
	}
	if name == waitingPanel { // the site has events by now
		p.write("gone", name)
		p.d.html(p.req, res, p.out.Bytes())
		return
	}
	p.d.plain(res, 404, textNotFound)
}

// write runs a template. The templates are constants, so an error is a bug, which is shown in
// the tests and logged.
func (p *page) write(name string, view any) {
	if err := templates().ExecuteTemplate(&p.out, name, view); err != nil {
		p.d.log.Error("dashboard: template", "name", name, "error", err.Error())
	}
}

// policy is the Content-Security-Policy of every page.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types cairn"

// permissions allows nothing of what browsers ask for by this header. Copying a link is not among it.
const permissions = "accelerometer=(), autoplay=(), browsing-topics=(), camera=(), display-capture=(), encrypted-media=(), fullscreen=(), geolocation=(), gyroscope=(), hid=(), idle-detection=(), local-fonts=(), magnetometer=(), microphone=(), midi=(), payment=(), picture-in-picture=(), publickey-credentials-get=(), screen-wake-lock=(), serial=(), storage-access=(), usb=(), xr-spatial-tracking=()"

// html sends a page, a fragment of one, or a form. Whoever has the same already gets 304.
func (d *Dashboard) html(req *dialect.Request, res *dialect.Response, body []byte) {
	res.ContentType = "text/html; charset=utf-8"
	if res.Status == 0 {
		res.Status = 200
	}
	for _, h := range [][2]string{
		{"Content-Security-Policy", policy},
		{"Cache-Control", "private, no-cache"},
		{"Vary", "Cookie, Accept-Language, Accept-Encoding"},
		{"Referrer-Policy", "same-origin"},
		{"Cross-Origin-Opener-Policy", "same-origin"},
		{"Cross-Origin-Resource-Policy", "same-origin"},
		{"Permissions-Policy", permissions},
	} {
		head(res, h[0], h[1])
	}
	sum := fnv.New128a()
	_, _ = sum.Write(body)
	tag := `"` + hex.EncodeToString(sum.Sum(nil)) + `"`
	head(res, "ETag", tag)
	if res.Status == 200 && strings.Contains(req.Header("If-None-Match"), tag) {
		res.Status, res.ContentType = 304, ""
		return
	}
	if acceptsGzip(req) && len(body) > 500 {
		head(res, "Content-Encoding", "gzip")
		res.Body = pack(res.Body[:0], body, 5)
		return
	}
	res.Body = append(res.Body[:0], body...)
}
