package bench

import (
	"math"
	"math/rand/v2"
	"strconv"
	"time"
)

// This file makes the load: events like those of a shop's trackers. Names, urls, products,
// countries and users follow Zipf's law, with as many users and products as the options say. By
// default these are a million and 50,000, so half of the events are of users with fewer than one
// event in 13,800, and most users have one visit or none in a fill of 5 million. A visit has
// some 8 events, and a thousand visits run side by side in each stream, so that the events of a
// user do not lie together. The five properties have 5, 60, 50,000, 10,000 and unlimited values.
// The same seed gives the same events. Only message ids and order ids differ from run to run;
// otherwise a second run against the same server would send nothing but duplicates.

// How many values each part of an event has.
const (
	benchNames     = 50
	benchURLs      = 2000
	benchPlans     = 5
	benchCountries = 60
	benchAmounts   = 10_000
	shopProducts   = 5000 // of the phases "mixed", "reports" and "dashboard"

	benchVisitEvents = 8    // mean length of a visit
	benchVisitsOpen  = 1000 // visits under way in one stream
)

// crowd says how many users and products the events have. Both are above 0.
type crowd struct{ users, products int }

var planNames = [benchPlans]string{"free", "starter", "pro", "team", "enterprise"}

var countryCodes = [benchCountries]string{
	"US", "DE", "GB", "FR", "IN", "BR", "JP", "CA", "ES", "IT", "NL", "PL", "SE", "AU", "MX", "CH", "AT", "BE", "DK", "NO",
	"FI", "IE", "PT", "CZ", "GR", "HU", "RO", "BG", "HR", "SK", "SI", "LT", "LV", "EE", "LU", "MT", "CY", "IS", "TR", "UA",
	"IL", "AE", "SA", "EG", "ZA", "NG", "KE", "MA", "AR", "CL", "CO", "PE", "KR", "TW", "HK", "SG", "MY", "TH", "VN", "ID",
}

var nameVerbs = [10]string{"Page Viewed", "Product Viewed", "Product Added", "Search Performed", "Cart Viewed", "Checkout Started", "Order Completed", "Coupon Applied", "Video Played", "Form Sent"}

// eventName is the event name of this rank. Ranks begin at 0.
func eventName(rank int) string {
	if rank < len(nameVerbs) {
		return nameVerbs[rank]
	}
	return nameVerbs[rank%len(nameVerbs)] + " " + strconv.Itoa(rank/len(nameVerbs)+1)
}

func userName(rank int) string    { return "user-" + strconv.Itoa(100_000+rank) }
func productName(rank int) string { return "sku-" + strconv.Itoa(10_000+rank) }

// stream makes the events of one connection. It is not safe for concurrent use.
type stream struct {
	rng    *rand.Rand // for everything but ids
	ids    *rand.Rand // message ids and order ids
	visits [benchVisitsOpen]visit
	crowd
}

type visit struct {
	user, country, plan int
	session             uint64
	left                int
}

// newStream makes the stream with this number. Each stream of a run has its own number.
func newStream(seed, run uint64, number int, of crowd) *stream {
	return &stream{
		crowd: of,
		rng:   rand.New(rand.NewPCG(seed, uint64(number))),
		ids:   rand.New(rand.NewPCG(seed^run, uint64(number)+1<<32)),
	}
}

// zipf draws a rank from 0 to n-1. The probability of a rank is proportional to 1/(rank+1),
// because the logarithm of a Zipf variable of exponent 1 is nearly uniform.
func zipf(rng *rand.Rand, n int) int {
	return min(int(math.Exp(rng.Float64()*math.Log(float64(n+1)))), n) - 1
}

// appendEvent appends the next event as JSON in one line, without a line feed.
func (s *stream) appendEvent(b []byte, at time.Time) []byte {
	v := &s.visits[s.rng.IntN(len(s.visits))]
	if v.left == 0 {
		*v = visit{
			user:    zipf(s.rng, s.users),
			session: s.rng.Uint64(),
			left:    1 + int(s.rng.ExpFloat64()*(benchVisitEvents-0.5)),
		}
		// A person always has the same country and plan.
		person := rand.New(rand.NewPCG(uint64(v.user), 1))
		v.country, v.plan = zipf(person, benchCountries), zipf(person, benchPlans)
	}
	v.left--
	b = append(b, `{"type":"track","name":"`...)
	b = append(b, eventName(zipf(s.rng, benchNames))...)
	b = append(b, `","time":`...)
	b = strconv.AppendInt(b, at.UnixMilli(), 10)
	b = append(b, `,"user":"user-`...)
	b = strconv.AppendInt(b, int64(100_000+v.user), 10)
	b = append(b, `","session":"`...)
	b = appendHex(b, v.session)
	b = append(b, `","message_id":"`...)
	b = appendUUID(b, s.ids.Uint64(), s.ids.Uint64())
	b = append(b, `","properties":{"plan":"`...)
	b = append(b, planNames[v.plan]...)
	b = append(b, `","country":"`...)
	b = append(b, countryCodes[v.country]...)
	b = append(b, `","product":"sku-`...)
	b = strconv.AppendInt(b, int64(10_000+zipf(s.rng, s.products)), 10)
	b = append(b, `","order":"o-`...)
	b = appendHex(b, s.ids.Uint64())
	b = append(b, `","amount":`...)
	b = strconv.AppendInt(b, int64(s.rng.IntN(benchAmounts)), 10)
	b = append(b, `},"context":{"url":"https://shop.example/p/`...)
	b = strconv.AppendInt(b, int64(zipf(s.rng, benchURLs)), 10)
	return append(b, `"}}`...)
}

const hexDigits = "0123456789abcdef"

func appendHex(b []byte, x uint64) []byte {
	for shift := 60; shift >= 0; shift -= 4 {
		b = append(b, hexDigits[x>>shift&15])
	}
	return b
}

// appendUUID appends a version 4 UUID made of the bits of hi and lo.
func appendUUID(b []byte, hi, lo uint64) []byte {
	hi, lo = hi&^0xf000|0x4000, lo&^(3<<62)|2<<62
	var text [32]byte
	appendHex(appendHex(text[:0], hi), lo)
	b = append(b, text[:8]...)
	b = append(b, '-')
	b = append(b, text[8:12]...)
	b = append(b, '-')
	b = append(b, text[12:16]...)
	b = append(b, '-')
	b = append(b, text[16:20]...)
	b = append(b, '-')
	return append(b, text[20:]...)
}
