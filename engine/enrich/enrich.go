// Enrichment: what can be known of an event from its source and its own urls,
// filled into its context. It runs in the request's goroutine, asks memory alone
// and never refuses an event.

package enrich

import (
	"math"
	"net/netip"
	"strings"

	"cairn/engine/event"
	"cairn/engine/ua"
	"cairn/geo"
)

// Options are what a Detector asks.
type Options struct {
	Geo    *geo.Locator // nil = no geography
	Agents *ua.Cache    // nil = one of its own
}

// Detector implements Enricher for all dialects. What a client sent stays: only
// absent keys of the context are filled, and nothing detected is put beside a sent
// value that it does not belong to (the city of another country, the version of
// another browser). It is safe for any number of goroutines.
type Detector struct {
	geo    *geo.Locator
	agents *ua.Cache
}

// New makes a Detector.
func New(o Options) *Detector {
	if o.Agents == nil {
		o.Agents = ua.NewCache()
	}
	return &Detector{o.Geo, o.Agents}
}

// Privacy is what a site keeps of the addresses and urls of its events. The zero Privacy
// truncates addresses and keeps urls as they are.
type Privacy struct {
	IP          string   // "truncate", "drop" or "keep"; "" is "truncate"
	StripParams []string // names of query parameters that urls lose; a final * is any ending
}

// Enrich implements Enricher, in this order: the site's privacy settings on what
// was sent, what the urls say, where the address is, what the agent is. Of the
// address the whole is looked up and only what the site allows is kept. With
// src.Skip nothing is detected from the source.
func (d *Detector) Enrich(site *Privacy, e *event.Event, src *event.Source, room *Arena) {
	if len(site.StripParams) > 0 {
		stripEvent(e, site.StripParams, room)
	}
	if site.IP != "keep" {
		hideExtra(e, site.IP, room)
	}
	c := contextOf(e)
	c.room = room
	var sent netip.Addr
	if c.has(keyIP) {
		sent, _ = netip.ParseAddr(c.text(keyIP))
		c.replace(keyIP, room.hideIP(sent, site.IP))
	}
	c.fromURLs()
	if !src.Skip {
		addr := src.IP
		if !addr.IsValid() {
			addr = sent
		}
		if d.geo != nil && addr.IsValid() {
			place := d.geo.Lookup(addr)
			c.fromPlace(&place)
		}
		if !c.has(keyIP) && src.IP.IsValid() {
			c.fill(keyIP, room.hideIP(src.IP, site.IP))
		}
		if src.UserAgent != "" || len(src.Hints) > 0 {
			c.fromAgent(d.agents.Parse(src.UserAgent, ua.HintsOf(src.Hints)))
		}
		if src.AcceptLanguage != "" && !c.has(keyLanguage) {
			c.fill(keyLanguage, language(src.AcceptLanguage))
		}
	}
	// One thing under two names: dialects differ in which they send.
	c.fill(keyPlatform, c.text(keyOS))
	c.fill(keyOS, c.text(keyPlatform))
	room.trim(e.Context)
}

// Bot returns what a bot calls itself, "" when the source is none.
func (d *Detector) Bot(src *event.Source) string {
	if src.UserAgent == "" {
		return ""
	}
	return d.agents.Parse(src.UserAgent, ua.HintsOf(src.Hints)).Bot
}

// FromServer says that a source looks like a server and no person's device: it has
// no agent, an HTTP library's, or one that tells neither browser, system nor device.
func (d *Detector) FromServer(src *event.Source) bool {
	a := d.agents.Parse(src.UserAgent, ua.HintsOf(src.Hints))
	return a.Bot == "" && (a.Library || a.Browser == "" && a.OS == "" && a.Device == "")
}

// contextKey numbers the keys that enrichment reads or fills.
type contextKey uint8

const (
	keyURL contextKey = iota
	keyPath
	keyReferrer
	keyReferrerHost
	keyBrowser
	keyBrowserVersion
	keyOS
	keyOSVersion
	keyPlatform
	keyDevice
	keyBrand
	keyModel
	keyLanguage
	keyIP
	keyCountry
	keyRegion
	keyCity
	keyTimezone
	keyLatitude
	keyLongitude
	keyASN
	keyBot
	keyUTMSource
	keyUTMMedium
	keyUTMCampaign
	keyUTMTerm
	keyUTMContent
	contextKeys
)

var contextNames = [contextKeys]string{
	"url", "path", "referrer", "referrer_host", "browser", "browser_version", "os", "os_version", "platform", "device", "brand", "model", "language",
	"ip", "country", "region", "city", "timezone", "latitude", "longitude", "asn", "bot",
	"utm_source", "utm_medium", "utm_campaign", "utm_term", "utm_content",
}

var contextKeyOf = func() map[string]contextKey {
	m := make(map[string]contextKey, contextKeys)
	for i, name := range contextNames {
		m[name] = contextKey(i)
	}
	return m
}()

// contextFields is an event's context with the places of its keys, so that twenty
// of them are filled without a search each.
type contextFields struct {
	e    *event.Event
	room *Arena
	at   [contextKeys]int16 // index + 1 in e.Context; 0 = absent, -(index + 1) = the empty string
}

func contextOf(e *event.Event) contextFields {
	c := contextFields{e: e}
	for i := range e.Context[:min(len(e.Context), math.MaxInt16-1)] {
		m := &e.Context[i]
		k, ok := contextKeyOf[m.Key]
		switch {
		case !ok:
		case m.Value.Kind == event.Absent, m.Value == event.Str(""):
			c.at[k] = int16(-i - 1)
		default:
			c.at[k] = int16(i + 1)
		}
	}
	return c
}

// has says whether the key has a value that is not the empty string.
func (c *contextFields) has(k contextKey) bool { return c.at[k] > 0 }

// text returns the string of the key, "" when it is absent or no string.
func (c *contextFields) text(k contextKey) string {
	if !c.has(k) {
		return ""
	}
	if v := &c.e.Context[c.at[k]-1].Value; v.Kind == event.String {
		return v.Text
	}
	return ""
}

// fill gives the key a string unless it has one, or s is "".
func (c *contextFields) fill(k contextKey, s string) {
	if s != "" && !c.has(k) {
		c.put(k, event.Str(s))
	}
}

// put sets a key that has no value.
func (c *contextFields) put(k contextKey, v event.Value) {
	o := &c.e.Context
	if at := c.at[k]; at < 0 {
		(*o)[-at-1].Value = v
		c.at[k] = -at
		return
	}
	if len(*o) == cap(*o) {
		*o = c.room.grow(*o, contextSpare)
	}
	*o = append(*o, event.Member{Key: contextNames[k], Value: v})
	c.at[k] = int16(min(len(*o), math.MaxInt16))
}

// replace gives a key that is there another string; "" takes the key away.
func (c *contextFields) replace(k contextKey, s string) {
	if s != "" {
		c.e.Context[c.at[k]-1].Value = event.Str(s)
		return
	}
	c.e.Context.Delete(contextNames[k])
	room := c.room
	*c = contextOf(c.e)
	c.room = room
}

// fits says that something detected may stand beside what was sent under k: it is
// absent or the same.
func (c *contextFields) fits(k contextKey, detected string) bool {
	return !c.has(k) || strings.EqualFold(c.text(k), detected)
}

func (c *contextFields) fromPlace(p *geo.Place) {
	if p.Country != "" && c.fits(keyCountry, p.Country) {
		c.fill(keyCountry, p.Country)
		if c.fits(keyRegion, p.Region) {
			c.fill(keyRegion, p.Region)
			if c.fits(keyCity, p.City) {
				c.fill(keyCity, p.City)
				if p.Latitude != "" && !c.has(keyLatitude) && !c.has(keyLongitude) {
					c.put(keyLatitude, event.Num(p.Latitude))
					c.put(keyLongitude, event.Num(p.Longitude))
				}
			}
		}
		c.fill(keyTimezone, p.TimeZone)
	}
	c.fill(keyASN, p.ASN)
}

func (c *contextFields) fromAgent(a *ua.Agent) {
	if a.Bot != "" && !c.has(keyBot) {
		c.put(keyBot, event.Boolean(true))
	}
	if a.Browser != "" && c.fits(keyBrowser, a.Browser) {
		c.fill(keyBrowser, a.Browser)
		c.fill(keyBrowserVersion, a.BrowserVersion)
	}
	if a.OS != "" && c.fits(keyOS, a.OS) && c.fits(keyPlatform, a.OS) {
		c.fill(keyOS, a.OS)
		c.fill(keyOSVersion, a.OSVersion)
	}
	c.fill(keyDevice, a.Device)
	if !c.has(keyBrand) && !c.has(keyModel) {
		c.fill(keyBrand, a.Brand)
		c.fill(keyModel, a.Model)
	}
}
