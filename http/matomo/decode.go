package matomo

import (
	"math"
	"slices"
	"strconv"
	"strings"

	"cairn/engine/address"
	"cairn/engine/event"
	"cairn/engine/referrer"
	"cairn/http/dialect"
)

// This file decodes what every hit has: its site, its visitor, its time, and whether it is
// left out. What the visitor did is in action.go.

// asked is what Reply needs to know of a request.
type asked struct {
	empty   bool // the request has no parameter
	noImage bool // send_image=0
	debug   bool
	bulk    *bulk
}

// decoder is what is kept between requests.
type decoder struct {
	parser  event.Parser // of a bulk
	inner   event.Parser // of what is inside a hit
	hit     hit
	p       params // of the hit
	asked   asked
	bulk    bulk
	owner   owner
	sender  *sender         // of the request; nil = not yet looked at
	objects dialect.Objects // contexts, properties and extras of the records
}

// membersKept is how many members a decoder keeps memory for, 320 KiB: enough for some 200
// page views as importers send them.
const membersKept = 8192

func (d *decoder) reset() {
	d.parser.Reset()
	d.inner.Reset()
	d.objects.Reset()
	d.owner, d.sender = owner{}, nil
	d.asked = asked{}
}

// Decode appends the events of a request's hits to b. A refused hit becomes a record with the
// reason; the others of a bulk are stored.
func (protocol) Decode(req *dialect.Request, b *dialect.Batch) error {
	d, ok := b.Scratch.(*decoder)
	if !ok {
		d = &decoder{objects: dialect.Objects{Kept: membersKept}}
		b.Scratch = d
	}
	d.reset()
	req.State = &d.asked
	if req.Method == "POST" && isBulk(req.Body) {
		return d.decodeBulk(req, b)
	}
	h := &d.hit
	h.begin(d, req, b)
	h.p.request(req, string(req.Body))
	d.asked.noImage = h.p.text(pSendImage) == "0"
	if !h.p.any {
		d.asked.empty = true
		if req.Method != "GET" {
			return dialect.Refuse("", "there are no parameters")
		}
		return nil
	}
	token := h.p.text(pToken)
	if token == "" {
		token = dialect.Bearer(req.Header("Authorization"))
	}
	if err := h.decode(token); err != nil {
		h.refused(err)
	}
	return nil
}

// hit is one hit on its way.
type hit struct {
	*decoder
	req   *dialect.Request
	batch *dialect.Batch
	first int // its first record in the batch
	now   int64

	site     *dialect.Site
	settings *Compiled
	trusted  bool // its token is valid
	record   dialect.Record
	time     int64 // 0 = now
	page     page
	campaign campaign
	referrer string
	inside   bool // the referrer is the site's own
	title    string
	shared   event.Hit
}

func (h *hit) begin(d *decoder, req *dialect.Request, b *dialect.Batch) {
	d.p.reset()
	*h = hit{decoder: d, req: req, batch: b, first: len(b.Records), now: req.ReceivedUnixMilli}
}

// refused replaces the records that the hit has made by one with the reason.
func (h *hit) refused(err *event.FieldError) {
	h.batch.Records = h.batch.Records[:h.first]
	r := h.batch.Add()
	r.Err, r.Credential = err, h.record.Credential
}

// exclude adds the record of a hit that is accepted and not stored.
func (h *hit) exclude(reason string) *event.FieldError {
	r := h.batch.Add()
	*r = h.record
	r.Exclude = reason
	return nil
}

// owner is the site of an idsite, and whether a token is valid there. It is kept from hit to
// hit, because a bulk mostly has one idsite and one token.
type owner struct {
	id, token string
	site      *dialect.Site
	trusted   bool
}

func (d *decoder) find(req *dialect.Request, id, token string) *owner {
	if o := &d.owner; o.site != nil && o.id == id && o.token == token {
		return o
	}
	d.owner = owner{id: id, token: token}
	if req.Find == nil {
		return &d.owner
	}
	c := dialect.Credential{Kind: dialect.CredentialSiteID, ID: id}
	d.owner.site = req.Find(c)
	if c.Secret = token; token != "" && d.owner.site != nil {
		d.owner.trusted = req.Find(c) != nil
	}
	return &d.owner
}

// decode makes the records of the hit.
func (h *hit) decode(token string) *event.FieldError {
	h.readTexts()
	id := h.p.integer(pIdsite, 0)
	if id <= 0 || id > math.MaxUint32 {
		return dialect.Refuse("idsite", "must be the number of a site")
	}
	name := h.p.text(pIdsite)
	if strings.Trim(name, "0123456789") != "" {
		name = strconv.FormatInt(id, 10)
	}
	o := h.find(h.req, name, token)
	if o.site == nil {
		return dialect.Refuse("idsite", "there is no such site")
	}
	h.site, h.trusted = o.site, o.trusted
	h.settings = settingsOf(o.site)
	h.asked.debug = h.settings.Debug
	h.record.Credential = dialect.Credential{Kind: dialect.CredentialSiteID, ID: name}
	if o.trusted {
		h.record.Credential.Secret = token
	}
	if !h.p.on(pRec) {
		return h.exclude("rec")
	}
	if err := h.protected(); err != nil {
		return err
	}
	if err := h.when(); err != nil {
		return err
	}
	h.record.Event = event.Event{Dialect: event.Matomo, Type: event.Track, Time: h.time}
	if err := h.visitor(); err != nil {
		return err
	}
	h.source()
	h.urls()
	if reason := h.exclusion(); reason != "" {
		return h.exclude(reason)
	}
	if h.p.integer(pPing, 0) == 1 {
		r := h.add(event.Track, "")
		r.Hit.Ping = true
		r.Event.Properties = h.variables(h.objects.Make(4 + len(h.p.dimensions)))
		return nil
	}
	mode := h.p.integer(pRecMode, recVisits)
	if mode != recBots {
		if err := h.action(); err != nil {
			return err
		}
		h.last()
	}
	if mode == recBots || mode == recAuto && !h.p.on(pBots) {
		h.bot()
	}
	return nil
}

// protected refuses parameters that need a token: those that say where a visitor is.
func (h *hit) protected() *event.FieldError {
	if h.trusted {
		return nil
	}
	for _, p := range [...]param{pCip, pCountry, pRegion, pCity, pLat, pLong} {
		if h.p.text(p) != "" {
			return dialect.Refuse(paramNames[p], "needs a valid token_auth")
		}
	}
	return nil
}

// visitor takes the ids.
func (h *hit) visitor() *event.FieldError {
	e := &h.record.Event
	e.User = cutBytes(h.p.trimmed(pUID, uidCharsMax), event.MaxIDBytes)
	if cid := h.p.text(pCID); cid != "" {
		if len(cid) != 16 {
			return dialect.Refuse("cid", "must be 16 hexadecimal digits")
		}
		if isHex(cid) {
			e.Anonymous = strings.ToLower(cid)
			_, none := event.NoID(e.User)
			h.shared.IDOnly = e.User == "" || none
		}
	}
	if id := h.p.text(pID); e.Anonymous == "" && len(id) >= 16 && isHex(id[:16]) {
		e.Anonymous = strings.ToLower(id[:16])
	}
	h.shared.New = h.p.on(pNewVisit)
	return nil
}

// flags are what tells browsers apart: plug-ins, and whether it takes cookies.
var flags = [...]param{pFla, pJava, pQt, pRealp, pPdf, pWma, pAg, pCookie}

// plugIns are the plug-ins of a browser.
var plugIns = [...]param{pFla, pJava, pDir, pQt, pRealp, pPdf, pWma, pGears, pAg}

// sender is what the headers say of who sent a request, for each of its hits.
type sender struct {
	source     event.Source
	optedOut   bool // it has the cookie of visitors who opted out
	prefetched bool // the browser fetched ahead: nobody has seen the page yet
}

// from returns the sender of a request.
func (d *decoder) from(req *dialect.Request) *sender {
	if d.sender != nil {
		return d.sender
	}
	s := &sender{source: req.Source()}
	for name, value := range cookies(req.Header("Cookie")) {
		if (name == "matomo_ignore" || name == "piwik_ignore") && event.Unescape(value) == "ignore=Kg==" {
			s.optedOut = true
		}
	}
	purpose := req.Header("X-Purpose")
	s.prefetched = strings.EqualFold(purpose, "preview") || strings.EqualFold(purpose, "instant") || strings.EqualFold(req.Header("X-Moz"), "prefetch") ||
		strings.HasPrefix(strings.ToLower(req.Header("Sec-Purpose")), "prefetch")
	d.sender = s
	return s
}

// source takes what the headers show of the visitor, or what the hit says instead.
func (h *hit) source() {
	r := &h.record
	r.Source = h.from(h.req).source
	s := &r.Source
	if ua := h.p.text(pUA); ua != "" {
		s.UserAgent, s.Hints = ua, nil // the headers are those of whoever passes the hit on
	}
	if lang := h.p.text(pLang); lang != "" {
		s.AcceptLanguage = lang
	}
	if data := h.p.v[pUAData].text; data != "" {
		s.Hints = map[string]string{"uadata": data}
	}
	if cip := h.p.text(pCip); strings.TrimSpace(cip) != "" {
		s.IP, _ = address.First(cip) // a log may have a host name there: its place is not known
	}
	r.Bots = dialect.BotsExcluded
	if h.p.on(pBots) {
		r.Bots = dialect.BotsKept
	}
	shown := make([]byte, len(flags), len(flags)+20)
	for i, p := range flags {
		shown[i] = '0'
		if h.p.on(p) {
			shown[i] = '1'
		}
	}
	h.shared.Shown = string(append(shown, cutBytes(s.AcceptLanguage, 20)...))
}

// urls takes the url of the page and that of the page before.
func (h *hit) urls() {
	url, ref := h.p.text(pURL), h.p.text(pURLRef)
	if url == "" && ref == "" {
		url = h.req.Header("Referer")
	}
	h.page = pageOf(url, h.settings.KeepFragment)
	h.campaign = h.page.campaign(h.charset())
	if h.campaign.name == "" {
		h.campaign.name = h.p.trimmed(pCampaignName, campaignCharsMax)
	}
	if h.campaign.keyword == "" {
		h.campaign.keyword = h.p.trimmed(pCampaignKeyword, campaignCharsMax)
	}
	h.referrer = cutChars(strings.TrimSpace(oneLine(ref)), refCharsMax)
	host := hostOf(h.referrer)
	h.inside = h.campaign.ignoresReferrer || host != "" && (host == h.page.host || h.own(host))
	h.title = titleOf(h.p.text(pActionName))
}

// own says that a host is one of the site's own.
func (h *hit) own(host string) bool {
	host = strings.TrimPrefix(host, "www.")
	return slices.ContainsFunc(h.settings.hosts, func(own string) bool { return strings.TrimPrefix(own, "www.") == host })
}

// titleOf is a title with its categories: "Help / Feedback" is "Help/Feedback".
func titleOf(text string) string {
	text = referrer.WithoutUser(strings.TrimSpace(oneLine(text)))
	if strings.IndexByte(text, '/') >= 0 {
		parts := strings.Split(text, "/")
		kept := parts[:0]
		for _, part := range parts {
			if part = strings.TrimSpace(part); part != "" {
				kept = append(kept, part)
			}
		}
		text = strings.Join(kept, "/")
	}
	return cutBytes(text, titleBytesMax)
}

// exclusion is why a hit is left out, as far as the request itself says so. The server knows
// about bots and the exclusions of its sites.
func (h *hit) exclusion() string {
	from := h.from(h.req)
	if from.optedOut {
		return "cookie"
	}
	if h.settings.OnlyHosts && h.page.url != "" && !h.own(h.page.host) {
		return "host"
	}
	if len(h.settings.spam) > 0 && h.spam(hostOf(h.referrer)) {
		return "referrer"
	}
	if from.prefetched {
		return "prefetch"
	}
	return ""
}

// spam says that a referrer's host, or one it is below, is excluded.
func (h *hit) spam(host string) bool {
	for host != "" {
		if slices.Contains(h.settings.spam, host) {
			return true
		}
		_, host, _ = strings.Cut(host, ".")
	}
	return false
}

// cookies yields the pairs of a Cookie header.
func cookies(header string) func(func(name, value string) bool) {
	return func(yield func(name, value string) bool) {
		for pair := range strings.SplitSeq(header, ";") {
			name, value, _ := strings.Cut(strings.TrimSpace(pair), "=")
			if !yield(name, value) {
				return
			}
		}
	}
}

// add appends a record of the hit.
func (h *hit) add(t event.Type, name string) *dialect.Record {
	first := len(h.batch.Records) == h.first
	r := h.batch.Add()
	*r = h.record
	r.Event.Type, r.Event.Name = t, name
	asks := h.shared
	asks.New = asks.New && first // the records that follow are in the visit of the first
	r.Hit = &asks
	r.Event.Context = h.context()
	return r
}

// contextMembers is enough for a browser's page view and what enrichment adds to it. A
// context with more members moves to memory of its own.
const contextMembers = 20

// context is what is known of any event of the hit.
func (h *hit) context() event.Object {
	o := h.objects.Make(contextMembers)
	text := func(key, value string) {
		if value != "" {
			o = append(o, event.Member{Key: key, Value: event.Str(value)})
		}
	}
	text("url", h.page.url)
	text("title", h.title)
	if !h.inside {
		text("referrer", h.referrer)
	}
	if res := h.p.trimmed(pRes, 9); res != "unknown" {
		text("screen", res)
	}
	c := &h.campaign
	switch c.nameKey {
	case "utm_source":
		c.source = c.name
	case "utm_medium":
		c.medium = c.name
	default:
		text("utm_campaign", c.name)
	}
	text("utm_term", c.keyword)
	text("utm_source", c.source)
	text("utm_medium", c.medium)
	text("utm_content", c.content)
	text("click_id", c.click)
	if !h.trusted {
		return o
	}
	text("country", strings.ToUpper(h.p.trimmed(pCountry, 3)))
	text("region", h.p.trimmed(pRegion, 3))
	text("city", h.p.trimmed(pCity, 255))
	lat, ok := h.p.number(pLat)
	long, ok2 := h.p.number(pLong)
	if ok && ok2 && math.Abs(lat) <= 90 && math.Abs(long) <= 180 {
		o = append(o, event.Member{Key: "latitude", Value: event.Num(decimal(lat))}, event.Member{Key: "longitude", Value: event.Num(decimal(long))})
	}
	return o
}
