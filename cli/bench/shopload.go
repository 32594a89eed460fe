package bench

import (
	"math/rand/v2"
	"strconv"
	"time"
)

// This file makes the load of the phase "reports": the visits of a web shop. Visits run side by
// side; one has 4.3 rows on average, and 44 % have a single one. Most rows are page views of 2,000
// paths. Of the others some put a product into the cart, and a third of these is followed by an
// order with a value and one to three lines. 230 visits are by 72 people. Where a visit comes from, its country and its
// browser are those of its first row.

const (
	shopPaths    = 2000
	shopSources  = 11 // the last one is none
	shopOpen     = 256
	shopPause    = 63 * time.Second // mean time between two rows of a visit
	shopBounce   = 0.444            // share of visits with one row
	shopMore     = 5.5              // mean of the rows beyond the second, of other visits
	shopNew      = 72.0 / 230       // share of visits by people who come for the first time
	shopCart     = 0.045            // share of later rows that add to the cart
	shopTrack    = 0.085            // share of later rows that are other track rows
	shopOrder    = 0.32             // share of rows that add to the cart that an order follows
	shopBrowsers = 6
)

// shopReferrers are where visits come from: a referrer, or a campaign.
var shopReferrers = [shopSources]string{
	`,"referrer":"https://www.google.com/"`, `,"referrer":"https://www.bing.com/search"`, `,"referrer":"https://duckduckgo.com/"`,
	`,"referrer":"https://www.facebook.com/"`, `,"referrer":"https://www.youtube.com/"`, `,"referrer":"https://www.reddit.com/r/shops"`,
	`,"referrer":"https://blog.partner.example/best-shops"`, `,"referrer":"https://prices.example/list"`,
	`,"utm_source":"newsletter","utm_medium":"email","utm_campaign":"summer"`, `,"utm_source":"google","utm_medium":"cpc","utm_campaign":"brand"`, "",
}

// shopAgents are what people see the shop with.
var shopAgents = [shopBrowsers]string{
	`,"browser":"Chrome","os":"Windows","device":"desktop"`, `,"browser":"Mobile Safari","os":"iOS","device":"smartphone"`,
	`,"browser":"Chrome Mobile","os":"Android","device":"smartphone"`, `,"browser":"Firefox","os":"Windows","device":"desktop"`,
	`,"browser":"Safari","os":"Mac","device":"desktop"`, `,"browser":"Mobile Safari","os":"iOS","device":"tablet"`,
}

var shopLanguages = [...]string{"en", "de", "fr", "es", "pl"}

// eventLoad makes the events of one connection.
type eventLoad interface {
	// appendEvent appends the next event as JSON in one line, without a line feed. at is its
	// time, unless the load has its own.
	appendEvent(b []byte, at time.Time) []byte
}

// shopLoad is an eventLoad. It is not safe for concurrent use.
type shopLoad struct {
	rng, ids *rand.Rand                 // as those of a stream
	number   int                        // people of different loads differ
	clock    func(done int64) time.Time // time of the event after done others; nil = the caller says it
	done     int64
	people   int
	open     []shopVisit
}

// shopVisit is a visit under way.
type shopVisit struct {
	user, country, source, agent, language int
	session                                uint64
	left                                   int       // rows to come
	due                                    time.Time // of the next one
	first, order                           bool      // the next one is the first; is an order
}

func newShopLoad(seed, run uint64, number int, clock func(int64) time.Time) *shopLoad {
	return &shopLoad{
		rng:    rand.New(rand.NewPCG(seed, uint64(number)+4<<32)),
		ids:    rand.New(rand.NewPCG(seed^run, uint64(number)+5<<32)),
		number: number, clock: clock,
	}
}

// next returns the index of the visit that the next row is of: one that is due, or a new one.
func (l *shopLoad) next(at time.Time) int {
	first := -1
	for i := range l.open {
		if first < 0 || l.open[i].due.Before(l.open[first].due) {
			first = i
		}
	}
	if first >= 0 && (!l.open[first].due.After(at) || len(l.open) == shopOpen) {
		return first
	}
	v := shopVisit{session: l.ids.Uint64(), left: 1, first: true}
	if l.rng.Float64() >= shopBounce {
		v.left += 1 + int(l.rng.ExpFloat64()*shopMore)
	}
	if l.people == 0 || l.rng.Float64() < shopNew {
		l.people++
		v.user = l.people
	} else {
		v.user = 1 + l.rng.IntN(l.people)
	}
	// A person has one country, browser and language, but comes from anywhere.
	person := rand.New(rand.NewPCG(uint64(v.user), uint64(l.number)+6<<32))
	v.country, v.agent, v.language = zipf(person, benchCountries), zipf(person, shopBrowsers), zipf(person, len(shopLanguages))
	v.source = shopSources - 1
	if l.rng.Float64() > 0.1 {
		v.source = zipf(l.rng, shopSources)
	}
	l.open = append(l.open, v)
	return len(l.open) - 1
}

func (l *shopLoad) appendEvent(b []byte, at time.Time) []byte {
	if l.clock != nil {
		at = l.clock(l.done)
	}
	l.done++
	i := l.next(at)
	v := &l.open[i]
	b = append(b, `{"session":"`...)
	b = appendHex(b, v.session)
	b = append(b, `","user":"buyer-`...)
	b = strconv.AppendInt(b, int64(l.number), 10)
	b = append(b, '-')
	b = strconv.AppendInt(b, int64(v.user), 10)
	b = append(b, `","message_id":"`...)
	b = appendUUID(b, l.ids.Uint64(), l.ids.Uint64())
	b = append(b, `","time":`...)
	b = strconv.AppendInt(b, at.UnixMilli(), 10)
	path := zipf(l.rng, shopPaths)
	kind := l.rng.Float64()
	switch {
	case v.order:
		v.order = false
		b = append(b, `,"type":"order","name":"o-`...)
		b = appendHex(b, l.ids.Uint64())
		b = append(b, `","value":`...)
		b = strconv.AppendFloat(b, float64(100+int(l.rng.ExpFloat64()*5900))/100, 'f', 2, 64)
		b = append(b, `,"properties":{"currency":"EUR","items":[`...)
		b = append(l.appendLines(b), `]}`...)
	case v.first || kind >= shopCart+shopTrack:
		b = append(b, `,"type":"page","name":"Product `...)
		b = append(strconv.AppendInt(b, int64(path), 10), '"')
	case kind < shopCart:
		if v.order = l.rng.Float64() < shopOrder; v.order {
			v.left++
		}
		b = append(b, `,"type":"track","name":"add_to_cart"`...)
		b = l.appendProperties(b)
	default:
		b = append(b, `,"type":"track","name":"look_closer"`...)
		b = l.appendProperties(b)
	}
	b = append(b, `,"context":{"url":"https://shop.example/p/`...)
	b = strconv.AppendInt(b, int64(path), 10)
	b = append(b, `","path":"/p/`...)
	b = strconv.AppendInt(b, int64(path), 10)
	b = append(b, `","title":"Product `...)
	b = append(strconv.AppendInt(b, int64(path), 10), '"')
	if v.first {
		b = append(b, shopReferrers[v.source]...)
	}
	b = append(b, shopAgents[v.agent]...)
	b = append(b, `,"country":"`...)
	b = append(b, countryCodes[v.country]...)
	b = append(b, `","language":"`...)
	b = append(b, shopLanguages[v.language]...)
	v.first = false
	if v.left--; v.left == 0 {
		l.open[i] = l.open[len(l.open)-1]
		l.open = l.open[:len(l.open)-1]
	} else {
		v.due = at.Add(time.Duration(l.rng.ExpFloat64() * float64(shopPause)))
	}
	return append(b, `"}}`...)
}

// appendLines appends the lines of an order, one to three.
func (l *shopLoad) appendLines(b []byte) []byte {
	for i := range 1 + l.rng.IntN(3) {
		if i > 0 {
			b = append(b, ',')
		}
		product := zipf(l.rng, shopProducts)
		b = append(append(b, `{"sku":"`...), productName(product)...)
		b = strconv.AppendInt(append(b, `","category":"shelf `...), int64(product%20), 10)
		b = strconv.AppendInt(append(b, `","price":`...), int64(1+product%90), 10)
		b = strconv.AppendInt(append(b, `.99,"quantity":`...), int64(1+l.rng.IntN(2)), 10)
		b = append(b, '}')
	}
	return b
}

// appendProperties appends the properties of a track row.
func (l *shopLoad) appendProperties(b []byte) []byte {
	b = append(b, `,"properties":{"product":"`...)
	b = append(b, productName(zipf(l.rng, shopProducts))...)
	b = append(b, `","plan":"`...)
	b = append(b, planNames[l.rng.IntN(benchPlans)]...)
	b = append(b, `","amount":`...)
	return append(strconv.AppendInt(b, int64(l.rng.IntN(benchAmounts)), 10), '}')
}
