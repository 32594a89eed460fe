package segment

import (
	"strings"

	"cairn/engine/event"
	"cairn/http/dialect"
)

// facts are what cairn takes out of a message's context: what has a place among
// the canonical fields, and what says where the event came from. A value of a
// kind the vendor does not document is left out here; extra has it as it was
// sent.
type facts struct {
	url, path, title, referrer, search string
	utm                                [len(utmKeys)]string
	language, timezone                 string
	os, osVersion                      string
	brand, model, device               string
	country, region, city              string
	latitude, longitude                event.Value
	width, height                      string
	ip, agent                          string
	agentData                          string // navigator.userAgentData, JSON
	group, session                     string
	traits                             event.Value
}

// utmKeys and campaignKeys are in the same order.
var (
	utmKeys      = [...]string{"utm_source", "utm_medium", "utm_campaign", "utm_term", "utm_content"}
	campaignKeys = [...]string{"source", "medium", "name", "term", "content"}
)

// factsOf reads a context, an object. Nested objects are opened in p.
func factsOf(context event.Value, p *event.Parser) (f facts, err error) {
	members, err := context.Object(p)
	if err != nil {
		return f, err
	}
	var inner event.Object
	open := func(v event.Value) event.Object {
		if inner = nil; v.IsObject() && err == nil {
			inner, err = v.Object(p)
		}
		return inner
	}
	referrer := ""
	for _, m := range members {
		v := m.Value
		switch m.Key {
		case "page":
			for _, m := range open(v) {
				f.page(m.Key, m.Value)
			}
		case "campaign":
			for _, m := range open(v) {
				for i, key := range campaignKeys {
					if key == m.Key {
						f.utm[i] = text(m.Value)
					}
				}
			}
		case "os":
			for _, m := range open(v) {
				switch m.Key {
				case "name":
					f.os = text(m.Value)
				case "version":
					f.osVersion = labelOf(m.Value)
				}
			}
		case "device":
			for _, m := range open(v) {
				switch m.Key {
				case "manufacturer":
					f.brand = text(m.Value)
				case "model":
					f.model = text(m.Value)
				case "type":
					f.device = deviceOf(text(m.Value))
				}
			}
		case "location":
			for _, m := range open(v) {
				switch m.Key {
				case "country":
					f.country = countryOf(text(m.Value))
				case "region":
					f.region = text(m.Value)
				case "city":
					f.city = text(m.Value)
				case "latitude":
					f.latitude = degrees(m.Value, 90)
				case "longitude":
					f.longitude = degrees(m.Value, 180)
				}
			}
		case "screen":
			for _, m := range open(v) {
				switch m.Key {
				case "width":
					f.width = pixels(m.Value)
				case "height":
					f.height = pixels(m.Value)
				}
			}
		case "referrer":
			for _, m := range open(v) {
				if m.Key == "url" {
					referrer = text(m.Value)
				}
			}
		case "ip":
			f.ip = text(v)
		case "userAgent":
			f.agent = text(v)
		case "userAgentData":
			if v.IsObject() {
				f.agentData = v.Text
			}
		case "locale":
			f.language = strings.ReplaceAll(text(v), "_", "-")
		case "timezone":
			f.timezone = text(v)
		case "groupId":
			f.group = idOf(v)
		case "sessionId":
			f.session = idOf(v)
		case "traits":
			if v.IsObject() {
				f.traits = v
			}
		}
	}
	if f.referrer == "" {
		f.referrer = referrer
	}
	return f, err
}

// page takes one of the properties of a page, from context.page or from those of
// a page call.
func (f *facts) page(key string, v event.Value) {
	if v.Kind != event.String || v.Text == "" {
		return
	}
	switch key {
	case "url":
		f.url = v.Text
	case "path":
		f.path = v.Text
	case "title":
		f.title = v.Text
	case "referrer":
		f.referrer = v.Text
	case "search":
		f.search = v.Text
	}
}

// factsMax is how many keys fill may set.
const factsMax = 24

// fill appends to the context of an event what is known.
func (f *facts) fill(c *event.Object) {
	put := func(key, text string) {
		if text != "" {
			*c = append(*c, event.Member{Key: key, Value: event.Str(text)})
		}
	}
	put("url", f.url)
	put("path", f.path)
	put("title", f.title)
	put("referrer", f.referrer)
	put("language", f.language)
	put("timezone", f.timezone)
	put("os", f.os)
	put("os_version", f.osVersion)
	put("brand", f.brand)
	put("model", f.model)
	put("device", f.device)
	put("country", f.country)
	put("region", f.region)
	put("city", f.city)
	if f.latitude.Kind != event.Absent && f.longitude.Kind != event.Absent {
		*c = append(*c, event.Member{Key: "latitude", Value: f.latitude}, event.Member{Key: "longitude", Value: f.longitude})
	}
	if f.width != "" && f.height != "" {
		put("screen", f.width+"x"+f.height)
	}
	utm := f.utm
	// What the url says the server finds by itself; some clients cut the query off
	// and send it as search.
	if strings.Contains(f.search, "utm_") && !strings.Contains(f.url, "utm_") {
		for key, value := range dialect.Form(strings.TrimPrefix(f.search, "?")) {
			for i := range utmKeys {
				if key == utmKeys[i] && utm[i] == "" {
					utm[i] = value
				}
			}
		}
	}
	for i, key := range utmKeys {
		put(key, utm[i])
	}
}

// text is a string that is one, "" for anything else.
func text(v event.Value) string {
	if v.Kind != event.String {
		return ""
	}
	return v.Text
}

// deviceOf is the kind of device behind the words clients use, "" for one that
// names none: the mobile SDKs send "ios" and "android".
func deviceOf(word string) string {
	switch strings.ToLower(word) {
	case "desktop", "pc":
		return "desktop"
	case "mobile", "phone", "smartphone":
		return "smartphone"
	case "tablet":
		return "tablet"
	}
	return ""
}

// countryOf is a two-letter code in capitals, "" for a country written out.
func countryOf(s string) string {
	if len(s) != 2 || !letter(s[0]) || !letter(s[1]) {
		return ""
	}
	return strings.ToUpper(s)
}

func letter(c byte) bool { return 'a' <= c|0x20 && c|0x20 <= 'z' }

// degrees is a number of at most so many degrees either way.
func degrees(v event.Value, most int) event.Value {
	v = amountOf(v)
	if v.Kind == event.Absent || !within(v.Text, most) {
		return event.Value{}
	}
	return v
}

// pixels is a whole number of pixels in decimal digits.
func pixels(v event.Value) string {
	if v.Kind != event.Number || len(v.Text) > 6 || !digits(v.Text) {
		return ""
	}
	return v.Text
}

// merged lays one object over another: the members of over win leaf by leaf, an
// array replaces. Both are compact JSON; so is the result, but for strings that
// hold letters HTML knows.
func merged(dst []byte, under, over string, p *event.Parser) ([]byte, error) {
	below, err := event.Raw(under).Object(p)
	if err != nil {
		return dst, err
	}
	above, err := event.Raw(over).Object(p)
	if err != nil {
		return dst, err
	}
	dst = append(dst, '{')
	first := len(dst)
	key := func(k string) {
		if len(dst) > first {
			dst = append(dst, ',')
		}
		dst = append(event.AppendString(dst, k), ':')
	}
	for _, m := range above {
		key(m.Key)
		if old := below.Get(m.Key); old.IsObject() && m.Value.IsObject() {
			if dst, err = merged(dst, old.Text, m.Value.Text, p); err != nil {
				return dst, err
			}
		} else {
			dst = event.AppendValue(dst, m.Value)
		}
	}
	for _, m := range below {
		if above.Get(m.Key).Kind == event.Absent {
			key(m.Key)
			dst = event.AppendValue(dst, m.Value)
		}
	}
	return append(dst, '}'), nil
}
