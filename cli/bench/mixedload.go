package bench

import (
	"encoding/base64"
	"fmt"
	"math/rand/v2"
	"net/url"
	"strconv"
	"time"

	"cairn/cli/config"
)

// This file makes the requests of the phase "mixed". The events of a site have some 60
// columns together, and a property with a new name begins every mixedNameEvery.

const (
	mixedProperties = 40              // names from the start on; context, ids and the protocols' own fields are further columns
	mixedOfEvent    = 8               // properties of one event
	mixedNameEvery  = 8 * time.Second // between two new names
	mixedUsers      = 20_000
	mixedBatch      = 20 // events of a request of the protocols that have batches
)

// mixedSender makes the requests of one protocol.
type mixedSender struct {
	name    string
	events  int // of a request
	request func(l *mixedLoad) (method, path, header string, body []byte)
}

var mixedSenders = []mixedSender{
	{"native", mixedBatch, (*mixedLoad).native},
	{"segment", mixedBatch, (*mixedLoad).segment},
	{"matomo", mixedBatch, (*mixedLoad).matomo},
	{"openpanel", 1, (*mixedLoad).openPanel},
	{"opentracker", 1, (*mixedLoad).opentracker},
	{"oppizi", 1, (*mixedLoad).oppizi},
}

// mixedLoad makes the requests of one connection. It is not safe for concurrent use.
type mixedLoad struct {
	rng, ids *rand.Rand // as those of a stream
	site     *config.SiteKeys
	start    time.Time
	body     []byte
}

func newMixedLoad(seed, run uint64, number int, site *config.SiteKeys, start time.Time) *mixedLoad {
	return &mixedLoad{
		rng:  rand.New(rand.NewPCG(seed, uint64(number)+2<<32)),
		ids:  rand.New(rand.NewPCG(seed^run, uint64(number)+3<<32)),
		site: site, start: start,
	}
}

// names are the names of properties so far that came after the start.
func (l *mixedLoad) names() int { return int(time.Since(l.start) / mixedNameEvery) }

func (l *mixedLoad) user() string { return userName(zipf(l.rng, mixedUsers)) }

func (l *mixedLoad) url() string {
	return "https://" + l.site.Name + ".example/p/" + strconv.Itoa(zipf(l.rng, benchURLs))
}

var mixedAgents = []string{
	"Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0",
	"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36",
	"Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 Mobile/15E148 Safari/604.1",
}

// property returns the name and the value of one property. Names differ in how many values
// they have, up to one for each event.
func (l *mixedLoad) property() (name, value string) {
	n := zipf(l.rng, mixedProperties)
	switch n % 4 {
	case 0:
		return propertyName(n), planNames[zipf(l.rng, benchPlans)]
	case 1:
		return propertyName(n), productName(zipf(l.rng, shopProducts))
	case 2:
		return propertyName(n), strconv.Itoa(l.rng.IntN(benchAmounts))
	}
	return propertyName(n), strconv.FormatUint(l.ids.Uint64(), 36)
}

// propertyName is the name of property n.
func propertyName(n int) string { return "property_" + strconv.Itoa(n) }

// each calls add with the properties of one event. No name comes twice.
func (l *mixedLoad) each(add func(name, value string)) {
	var seen [mixedOfEvent]string
	for i := range seen {
		name, value := l.property()
		known := false
		for _, s := range seen[:i] {
			known = known || s == name
		}
		if seen[i] = name; !known {
			add(name, value)
		}
	}
	if n := l.names(); n > 0 {
		add("later_"+strconv.Itoa(l.rng.IntN(n)+1), planNames[zipf(l.rng, benchPlans)])
	}
}

// object appends the properties of one event as an object.
func (l *mixedLoad) object(b []byte) []byte {
	b = append(b, '{')
	l.each(func(name, value string) {
		if b[len(b)-1] != '{' {
			b = append(b, ',')
		}
		b = fmt.Appendf(b, "%q:%q", name, value)
	})
	return append(b, '}')
}

// messageID appends a new message id.
func (l *mixedLoad) messageID(b []byte) []byte {
	return appendUUID(b, l.ids.Uint64(), l.ids.Uint64())
}

const mixedJSON = "Content-Type: application/json\r\n"

func bearer(key string) string { return "Authorization: Bearer " + key + "\r\n" }

func (l *mixedLoad) native() (method, path, header string, body []byte) {
	b := l.body[:0]
	for range mixedBatch {
		b = append(b, `{"message_id":"`...)
		b = fmt.Appendf(l.messageID(b), `","name":%q,"user":%q,"context":{"url":%q},"properties":`, eventName(zipf(l.rng, benchNames)), l.user(), l.url())
		b = append(l.object(b), "}\n"...)
	}
	l.body = b
	return "POST", "/api/v1/events", bearer(l.site.SecretKey) + "Content-Type: " + NDJSON + "\r\n", b
}

func (l *mixedLoad) segment() (method, path, header string, body []byte) {
	b := append(l.body[:0], `{"batch":[`...)
	for i := range mixedBatch {
		if i > 0 {
			b = append(b, ',')
		}
		user := l.user()
		b = append(b, `{"type":"track","messageId":"`...)
		b = fmt.Appendf(l.messageID(b), `","event":%q,"userId":%q,"anonymousId":"anon-%s","context":{"library":{"name":"analytics.js","version":"2.1.0"},"locale":"en-US","userAgent":%q,"page":{"url":%q,"title":"Product %d"},"campaign":{"name":"summer","source":%q}},"properties":`,
			eventName(zipf(l.rng, benchNames)), user, user, pick(l.rng, mixedAgents), l.url(), zipf(l.rng, benchURLs), planNames[zipf(l.rng, benchPlans)])
		b = append(l.object(b), '}')
	}
	l.body = append(b, "]}"...)
	return "POST", "/v1/batch", "Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte(l.site.WriteKey+":")) + "\r\n" + mixedJSON, l.body
}

func (l *mixedLoad) matomo() (method, path, header string, body []byte) {
	b := append(l.body[:0], `{"requests":[`...)
	for i := range mixedBatch {
		if i > 0 {
			b = append(b, ',')
		}
		visitor := zipf(l.rng, mixedUsers)
		b = fmt.Appendf(b, `"?idsite=%d&rec=1&_id=%016x&url=%s&action_name=Page+%d&ua=%s&res=1920x1080&lang=de&rand=%d`,
			l.site.ID, visitor+1, url.QueryEscape(l.url()), zipf(l.rng, benchURLs), url.QueryEscape(pick(l.rng, mixedAgents)), l.ids.Uint32())
		for n := range 5 {
			b = fmt.Appendf(b, "&dimension%d=%s", n+1, productName(zipf(l.rng, shopProducts)))
		}
		b = append(b, '"')
	}
	l.body = append(b, "]}"...)
	return "POST", "/matomo.php", mixedJSON, l.body
}

func (l *mixedLoad) openPanel() (method, path, header string, body []byte) {
	b := fmt.Appendf(l.body[:0], `{"type":"track","payload":{"name":%q,"profileId":%q,"properties":`, eventName(zipf(l.rng, benchNames)), l.user())
	l.body = append(l.object(b), "}}"...)
	return "POST", "/track", "openpanel-client-id: " + l.site.ClientID + "\r\nopenpanel-client-secret: " + l.site.ClientSecret + "\r\n" + mixedJSON, l.body
}

func (l *mixedLoad) opentracker() (method, path, header string, body []byte) {
	b := fmt.Appendf(l.body[:0], "/?si=%s&ti=%s&uid=%s&eid=", l.site.Name, url.QueryEscape(eventName(zipf(l.rng, benchNames))), l.user())
	b = l.messageID(b)
	l.each(func(name, value string) { b = fmt.Appendf(b, "&%s=%s", name, value) })
	l.body = b
	return "GET", string(b), "", nil
}

func (l *mixedLoad) oppizi() (method, path, header string, body []byte) {
	b := fmt.Appendf(l.body[:0], `{"eventName":%q,"userId":%q,"value":%d,"metadata":`, eventName(zipf(l.rng, benchNames)), l.user(), l.rng.IntN(benchAmounts))
	l.body = append(l.object(b), '}')
	return "POST", "/tracking/events", bearer(l.site.WriteKey) + mixedJSON, l.body
}
