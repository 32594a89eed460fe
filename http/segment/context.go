package segment

import (
	"strings"

	"cairn/engine/event"
	"cairn/http/dialect"
)

// fact is one thing that cairn takes out of a message's context: what has a place among
// the canonical fields, and what says where the event came from. Other members, and values
// of a kind that the vendor does not document, are left out here; extra has them as they
// were sent.
type fact uint8

const (
	factURL fact = iota
	factPath
	factTitle
	factReferrer
	factSearch
	factSource // the campaign's five stay together, in the order of utmKeys
	factMedium
	factCampaign
	factTerm
	factContent
	factLanguage
	factTimezone
	factOS
	factOSVersion
	factBrand
	factModel
	factDevice
	factCountry
	factRegion
	factCity
	factLatitude // a JSON number, like factLongitude
	factLongitude
	factWidth
	factHeight
	factReferrerURL // of context.referrer, where context.page has no referrer
	factIP
	factAgent
	factAgentData // navigator.userAgentData, a JSON object
	factGroup
	factSession
	factTraits // a JSON object
	factsTotal
)

// facts are the texts of all facts, "" for one that is not known.
type facts [factsTotal]string

// reading says how a member of a context, or of an object in it, becomes a fact.
type reading struct {
	key    string
	fact   fact
	read   func(event.Value) string // nil for an object whose own members are facts
	inside []reading                // those of the object
}

// pageReadings are those of context.page and of the properties of a page call.
var pageReadings = []reading{
	{key: "url", fact: factURL, read: text},
	{key: "path", fact: factPath, read: text},
	{key: "title", fact: factTitle, read: text},
	{key: "referrer", fact: factReferrer, read: text},
	{key: "search", fact: factSearch, read: text},
}

// contextReadings are those of a context.
var contextReadings = []reading{
	{key: "page", inside: pageReadings},
	{key: "userAgent", fact: factAgent, read: text},
	{key: "userAgentData", fact: factAgentData, read: object},
	{key: "locale", fact: factLanguage, read: languageOf},
	{key: "timezone", fact: factTimezone, read: text},
	{key: "ip", fact: factIP, read: text},
	{key: "groupId", fact: factGroup, read: idOf},
	{key: "sessionId", fact: factSession, read: idOf},
	{key: "traits", fact: factTraits, read: object},
	{key: "referrer", inside: []reading{{key: "url", fact: factReferrerURL, read: text}}},
	{key: "campaign", inside: []reading{
		{key: "source", fact: factSource, read: text},
		{key: "medium", fact: factMedium, read: text},
		{key: "name", fact: factCampaign, read: text},
		{key: "term", fact: factTerm, read: text},
		{key: "content", fact: factContent, read: text},
	}},
	{key: "os", inside: []reading{
		{key: "name", fact: factOS, read: text},
		{key: "version", fact: factOSVersion, read: labelOf},
	}},
	{key: "device", inside: []reading{
		{key: "manufacturer", fact: factBrand, read: text},
		{key: "model", fact: factModel, read: text},
		{key: "type", fact: factDevice, read: deviceOf},
	}},
	{key: "location", inside: []reading{
		{key: "country", fact: factCountry, read: countryOf},
		{key: "region", fact: factRegion, read: text},
		{key: "city", fact: factCity, read: text},
		{key: "latitude", fact: factLatitude, read: latitudeOf},
		{key: "longitude", fact: factLongitude, read: longitudeOf},
	}},
	{key: "screen", inside: []reading{
		{key: "width", fact: factWidth, read: pixels},
		{key: "height", fact: factHeight, read: pixels},
	}},
}

// factPlace is where a fact is in all contexts of a skeleton.
type factPlace struct {
	reading    *reading
	start, end event.Place
}

// factsOf reads a context, an object that a Parser has made, into f.
func (d *decoder) factsOf(context string, f *facts) {
	var known *[]factPlace
	var end int
	if known, end, d.values = d.contexts.Find(context, 0, d.values[:0]); known != nil && end == len(context) {
		for _, p := range *known {
			f.set(p.reading, context[p.start.In(d.values):p.end.In(d.values)])
		}
	} else {
		eachFact(context, func(r *reading, start, end int) { f.set(r, context[start:end]) })
		d.contexts.Learn(context, func(values []event.Span) (all []factPlace) {
			eachFact(context, func(r *reading, start, end int) {
				all = append(all, factPlace{r, event.PlaceOf(start, values), event.PlaceOf(end, values)})
			})
			return all
		})
	}
	if f[factReferrer] == "" {
		f[factReferrer] = f[factReferrerURL]
	}
}

// eachFact calls yield with every member of a context that is a fact, and where its value is.
func eachFact(context string, yield func(r *reading, start, end int)) {
	event.EachMember(context, func(key string, start, end int) {
		r := readingOf(contextReadings, key)
		switch {
		case r == nil:
		case r.inside == nil:
			yield(r, start, end)
		default:
			event.EachMember(context[start:end], func(key string, from, to int) {
				if r := readingOf(r.inside, key); r != nil {
					yield(r, start+from, start+to)
				}
			})
		}
	})
}

// readingOf finds the reading of a key, nil when the member is no fact.
func readingOf(list []reading, key string) *reading {
	for i := range list {
		if list[i].key == key {
			return &list[i]
		}
	}
	return nil
}

// set sets the fact that r reads in a value, if there is one. text is that of the value.
func (f *facts) set(r *reading, text string) { f.take(r, event.ValueOf(text)) }

// take sets the fact that r reads in v, if there is one. r may be nil.
func (f *facts) take(r *reading, v event.Value) {
	if r == nil {
		return
	}
	if text := r.read(v); text != "" {
		f[r.fact] = text
	}
}

// canonical are the facts that go into the context of an event as they are.
var canonical = []struct {
	key  string
	fact fact
}{
	{"url", factURL}, {"path", factPath}, {"title", factTitle}, {"referrer", factReferrer}, {"language", factLanguage}, {"timezone", factTimezone},
	{"os", factOS}, {"os_version", factOSVersion}, {"brand", factBrand}, {"model", factModel}, {"device", factDevice},
	{"country", factCountry}, {"region", factRegion}, {"city", factCity},
}

var utmKeys = [...]string{"utm_source", "utm_medium", "utm_campaign", "utm_term", "utm_content"}

// factsMax is how many keys fill may set.
const factsMax = 24

// fill appends to the context of an event what is known.
func (f *facts) fill(c *event.Object) {
	put := func(key, text string) {
		if text != "" {
			*c = append(*c, event.Member{Key: key, Value: event.Str(text)})
		}
	}
	for i := range canonical {
		put(canonical[i].key, f[canonical[i].fact])
	}
	if f[factLatitude] != "" && f[factLongitude] != "" {
		*c = append(*c, event.Member{Key: "latitude", Value: event.Num(f[factLatitude])}, event.Member{Key: "longitude", Value: event.Num(f[factLongitude])})
	}
	if f[factWidth] != "" && f[factHeight] != "" {
		put("screen", f[factWidth]+"x"+f[factHeight])
	}
	utm := [len(utmKeys)]string(f[factSource:])
	// The server reads the query of the url by itself. Some clients cut it off and send it
	// as search.
	if strings.Contains(f[factSearch], "utm_") && !strings.Contains(f[factURL], "utm_") {
		for key, value := range dialect.Form(strings.TrimPrefix(f[factSearch], "?")) {
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

// text is the text of a string, "" for any other value.
func text(v event.Value) string {
	if v.Kind != event.String {
		return ""
	}
	return v.Text
}

// object is the JSON of an object, "" for anything else.
func object(v event.Value) string {
	if !v.IsObject() {
		return ""
	}
	return v.Text
}

// languageOf is a locale as a language tag.
func languageOf(v event.Value) string { return strings.ReplaceAll(text(v), "_", "-") }

// deviceOf is the kind of device that a client's word means, "" for other words: the mobile
// SDKs send "ios" and "android".
func deviceOf(v event.Value) string {
	switch strings.ToLower(text(v)) {
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
func countryOf(v event.Value) string {
	s := text(v)
	if len(s) != 2 || !letter(s[0]) || !letter(s[1]) {
		return ""
	}
	return strings.ToUpper(s)
}

func letter(c byte) bool { return 'a' <= c|0x20 && c|0x20 <= 'z' }

func latitudeOf(v event.Value) string  { return degrees(v, 90) }
func longitudeOf(v event.Value) string { return degrees(v, 180) }

// degrees is a JSON number of at most so many degrees either way, "" for anything else.
func degrees(v event.Value, most int) string {
	v = amountOf(v)
	if v.Kind == event.Absent || !within(v.Text, most) {
		return ""
	}
	return v.Text
}

// pixels is a whole number of pixels in decimal digits.
func pixels(v event.Value) string {
	if v.Kind != event.Number || len(v.Text) > 6 || !dialect.IsDigits(v.Text) {
		return ""
	}
	return v.Text
}

// merged lays one object over another: the members of over win leaf by leaf, and an array
// replaces what is under it. Both are compact JSON, and so is the result, except for
// characters in strings that HTML reserves: those are escaped.
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
