// Enrichment: what the source and the urls of an event tell, filled into its context.
// It runs in the goroutine of the request, uses only memory, and never refuses an
// event.

package enrich

import (
	"math"
	"net/netip"
	"strings"

	"cairn/engine/address"
	"cairn/engine/event"
	"cairn/engine/ua"
	"cairn/geo"
)

// Options configures a Detector.
type Options struct {
	Geo    *geo.Locator // nil = no geography
	Agents *ua.Cache    // nil = a cache of its own
}

// Detector implements engine.Enricher for all dialects. It never changes what a client sent:
// it fills only keys that the context lacks. It adds no detected value that contradicts
// a sent one, such as the city of another country or the version of another browser. It
// is safe for concurrent use.
type Detector struct {
	geo    *geo.Locator
	agents *ua.Cache
}

// New returns a Detector.
func New(o Options) *Detector {
	if o.Agents == nil {
		o.Agents = ua.NewCache()
	}
	return &Detector{o.Geo, o.Agents}
}

// Privacy says what a site keeps of the addresses and urls of its events. The zero
// Privacy truncates addresses and keeps the parameters of urls.
type Privacy struct {
	IP          string   // "truncate", "drop" or "keep"; "" is "truncate"
	StripParams []string // names of query parameters that are removed from urls; a final * matches any ending
}

// Enrich implements engine.Enricher. In this order it removes passwords from urls, applies
// the site's privacy settings to what was sent, and adds what the urls tell, where the address is and what the agent
// is. It looks up the whole address but stores only what the site allows. With src.Skip
// it detects nothing from the source, with src.Known nothing at all.
func (d *Detector) Enrich(site *Privacy, e *event.Event, src *event.Source, arena *Arena) {
	cleanURLs(e, site.StripParams, arena)
	hideExtra(e, site.IP, arena)
	c := contextOf(e)
	c.arena = arena
	var sent netip.Addr
	if c.has(keyIP) {
		sent, _ = address.First(c.text(keyIP))
		c.replace(keyIP, arena.hideIP(sent, site.IP))
	}
	if src.Known {
		return
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
			c.fill(keyIP, arena.hideIP(src.IP, site.IP))
		}
		if src.UserAgent != "" || len(src.Hints) > 0 {
			c.fromAgent(d.agents.Parse(src.UserAgent, ua.HintsOf(src.Hints)))
		}
		if src.AcceptLanguage != "" && !c.has(keyLanguage) {
			c.fill(keyLanguage, language(src.AcceptLanguage))
		}
	}
	// The same thing under two names: dialects differ in which they send.
	c.fill(keyPlatform, c.text(keyOS))
	c.fill(keyOS, c.text(keyPlatform))
	arena.trim(e.Context)
}

// Bot returns the name of the bot that sent a request, "" when the source is not a bot.
func (d *Detector) Bot(src *event.Source) string {
	if src.UserAgent == "" {
		return ""
	}
	return d.agents.Parse(src.UserAgent, ua.HintsOf(src.Hints)).Bot
}

// FromServer reports whether a source looks like a server and not like a person's
// device. It then has no agent, the agent of an HTTP library, or one that names no
// browser, system or device.
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
	keyClickID
	contextKeys
)

var contextNames = [contextKeys]string{
	"url", "path", "referrer", "referrer_host", "browser", "browser_version", "os", "os_version", "platform", "device", "brand", "model", "language",
	"ip", "country", "region", "city", "timezone", "latitude", "longitude", "asn", "bot",
	"utm_source", "utm_medium", "utm_campaign", "utm_term", "utm_content", "click_id",
}

var contextKeyOf = func() map[string]contextKey {
	m := make(map[string]contextKey, contextKeys)
	for i, name := range contextNames {
		m[name] = contextKey(i)
	}
	return m
}()

// contextFields is an event's context with the positions of its keys, so that twenty
// keys are filled without a search for each.
type contextFields struct {
	e     *event.Event
	arena *Arena
	at    [contextKeys]int16 // index + 1 in e.Context; 0 = absent, -(index + 1) = the empty string
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

// has reports whether the key has a value other than the empty string.
func (c *contextFields) has(k contextKey) bool { return c.at[k] > 0 }

// text returns the string of the key, "" when it is absent or not a string.
func (c *contextFields) text(k contextKey) string {
	if !c.has(k) {
		return ""
	}
	if v := &c.e.Context[c.at[k]-1].Value; v.Kind == event.String {
		return v.Text
	}
	return ""
}

// fill sets the key to s unless the key has a string or s is "".
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
		*o = c.arena.grow(*o, contextSpare)
	}
	*o = append(*o, event.Member{Key: contextNames[k], Value: v})
	c.at[k] = int16(min(len(*o), math.MaxInt16))
}

// replace changes the string of a key; "" removes the key.
func (c *contextFields) replace(k contextKey, s string) {
	if s != "" {
		c.e.Context[c.at[k]-1].Value = event.Str(s)
		return
	}
	c.e.Context.Delete(contextNames[k])
	arena := c.arena
	*c = contextOf(c.e)
	c.arena = arena
}

// fits reports whether a detected value agrees with what was sent under k: k is absent
// or the same.
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
