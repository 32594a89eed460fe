// Random events and queries over a very small world: few sites, people, names and values.
// Duplicates, sessions, aliases and counters then interact in every way within a short run.

package engine_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"cairn/engine"
	"cairn/engine/event"
	"cairn/engine/query"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// epoch is when the tests' clocks start: shortly after a leap day and shortly before a change
// of summer time in New York.
var epoch = time.Date(2026, 3, 5, 21, 17, 3, 250e6, time.UTC)

var newYork = func() *time.Location {
	loc, err := time.LoadLocation("America/New_York")
	if err != nil { // no zone files: use a fixed zone west of Greenwich
		return time.FixedZone("west", -5*3600)
	}
	return loc
}()

// generator makes the operations of one run. Its seed determines all of them.
type generator struct {
	*rand.Rand
	now      time.Time
	clock    *clock         // now, as engines read it in their own goroutines
	sites    []*engine.Site // see setSite
	current  atomic.Pointer[[]*engine.Site]
	messages []message // message ids in use, oldest first
	next     int
	names    int // the cap on names of a day
	values   int
	sessions []string // ids given to Opentracker's clients
	marks    []string // ends of ids in questions, see purges_test.go
}

type message struct {
	id string
	at time.Time
}

func newGenerator(seed uint64) *generator {
	random := rand.New(rand.NewPCG(seed, 1))
	g := &generator{
		names:  []int{namesPerDay, 3, 10, 40}[random.IntN(4)],
		values: []int{valuesPerDay, 2, 30}[random.IntN(3)],

		Rand:  rand.New(rand.NewPCG(seed, 0)),
		now:   epoch,
		clock: newClock(epoch),
		sites: []*engine.Site{
			{Site: query.Site{ID: 1, Name: "one", Hosts: []string{"own.example", "shop.example:443"}}},
			{Site: query.Site{ID: 2, Name: "two", Location: newYork}, Uncounted: []string{"secret", "deep.secret"}},
			{Site: query.Site{ID: 70_000, Name: "far", Location: time.FixedZone("east", 13*3600)}},
		},
	}
	sites := g.sites
	g.current.Store(&sites)
	return g
}

// setSite replaces a site by one of other settings. Engines that are open see it at once.
func (g *generator) setSite(site *engine.Site) {
	sites := slices.Clone(g.sites)
	sites[slices.IndexFunc(sites, func(s *engine.Site) bool { return s.ID == site.ID })] = site
	g.sites = sites
	g.current.Store(&sites)
}

func (g *generator) site() *engine.Site { return g.sites[g.skewed(len(g.sites))] }

// chance is true once in n times.
func (g *generator) chance(n int) bool { return g.IntN(n) == 0 }

// skewed picks a number from 0 to n-1, small ones most often.
func (g *generator) skewed(n int) int { return min(g.IntN(n), g.IntN(n)) }

func pick[T any](g *generator, from ...T) T { return from[g.skewed(len(from))] }

// tick moves the clock: usually a little, seldom by hours, very seldom back. All steps of
// hours in one run together are not longer than a dedup window.
func (g *generator) tick() {
	switch {
	case g.chance(60):
		g.now = g.now.Add(time.Duration(g.IntN(40)) * time.Minute)
	case g.chance(400):
		g.now = g.now.Add(time.Duration(g.IntN(20)) * 24 * time.Hour)
	case g.chance(400):
		g.now = g.now.Add(-time.Duration(g.IntN(7200)) * time.Second)
	default:
		g.now = g.now.Add(time.Duration(g.IntN(20_000)) * time.Millisecond)
	}
	g.clock.set(g.now)
}

// batch makes the records of one request, at most n.
func (g *generator) batch(n int) []engine.Record {
	records := make([]engine.Record, 1+g.skewed(n))
	site := g.site()
	for i := range records {
		if g.chance(10) {
			site = g.site()
		}
		records[i] = engine.Record{Site: site, Record: g.record()}
	}
	return records
}

// mark is the end of an id in a question.
func (g *generator) mark() string {
	if len(g.marks) == 0 {
		return ""
	}
	return g.marks[g.IntN(len(g.marks))]
}

func (g *generator) user() string      { return "u" + strconv.Itoa(g.skewed(9)) + g.mark() }
func (g *generator) anonymous() string { return "a" + strconv.Itoa(g.skewed(12)) + g.mark() }
func (g *generator) group() string     { return "g" + strconv.Itoa(g.skewed(4)) }
func (g *generator) groups() []string {
	a, b := g.group(), g.group()
	if a != b && g.chance(3) {
		return []string{a, b}
	}
	return []string{a}
}
func (g *generator) name() string {
	return pick(g, "view", "buy", "sign up", "Ünïcode", "42", "close")
}

func (g *generator) record() *event.Record {
	r := &event.Record{Event: event.Event{
		Dialect: pick(g, event.Native, event.Segment, event.Opentracker, event.OpenPanel, event.Oppizi),
		Type:    pick(g, event.Track, event.Page, event.Screen, event.Identify, event.Alias, event.Group, event.Increment, event.Goal),
		Name:    g.name(),
	}}
	e := &r.Event
	switch g.IntN(5) {
	case 0:
		e.User = g.user()
	case 1, 2:
		e.Anonymous = g.anonymous()
	case 3:
		e.User, e.Anonymous = g.user(), g.anonymous()
	}
	switch {
	case g.chance(3):
		e.Time = g.now.UnixMilli() - g.Int64N(3*sessionGap.Milliseconds())
	case g.chance(12): // exactly at the edges of a session
		e.Time = g.now.UnixMilli() - pick[int64](g, 0, 1, -1)*sessionGap.Milliseconds()
	case g.chance(15):
		e.Time = g.now.UnixMilli() - g.Int64N(70*24*3600*1000) + 3*24*3600*1000
	case g.chance(25): // exactly at the edges of late and of too far ahead
		e.Time = g.now.UnixMilli() + pick(g, -30*24*time.Hour, -400*24*time.Hour, aheadMost).Milliseconds() + pick[int64](g, 0, 1, -1)
	}
	if e.Dialect == event.Oppizi {
		e.Type, e.Anonymous = event.Track, ""
	} else if e.Dialect == event.Opentracker && len(g.sessions) > 0 && g.chance(3) {
		e.Session = g.sessions[len(g.sessions)-1-g.skewed(min(len(g.sessions), 8))]
	} else if g.chance(6) {
		e.Session = "s" + strconv.Itoa(g.skewed(6))
	}
	if e.Dialect == event.OpenPanel {
		server, old := g.chance(3), g.chance(8)
		r.Visit = event.Visit{Ask: server || old, Nobody: true} // its ids stay as they are
		if !server {
			r.Source.UserAgent = "a browser"
		}
		if latest := g.now.Add(-deviceLate).UnixMilli() - 1; old && (e.Time == 0 || e.Time > latest) {
			e.Time = latest
		}
	}
	if e.Dialect == event.Opentracker && e.User == "" && e.Anonymous == "" {
		e.Anonymous = g.anonymous() // otherwise the engine would make one
	}
	if g.chance(2) {
		e.MessageID = g.messageID()
	}
	if g.chance(3) {
		e.Value = g.scalar()
		if e.Value.Kind == event.Bool {
			e.Value = event.Value{}
		}
	}
	switch e.Type {
	case event.Alias:
		if !g.chance(6) { // otherwise an alias of a visitor, or of nobody
			e.User = g.user()
		}
		e.Previous = pick(g, g.user(), g.anonymous())
	case event.Group:
		e.Groups = g.groups()
	case event.Increment:
		e.User, e.Name, e.Value = g.user(), "credits", event.Num(pick(g, "1", "-2", "10", "0.5"))
	case event.Track:
		if g.chance(5) {
			e.Groups = g.groups()
		}
		if e.Dialect == event.OpenPanel && g.chance(3) {
			e.Name, e.Value = "revenue", event.Num(strconv.Itoa(g.IntN(5000)))
		}
	}
	for n := g.skewed(6); n > 0; n-- {
		e.Properties.Set(g.property(e.Type))
	}
	for n := g.skewed(4); n > 0; n-- {
		m := pick(g,
			event.Member{Key: "country", Value: event.Str(pick(g, "DE", "FR", "US"))},
			event.Member{Key: "browser", Value: event.Str(pick(g, "Firefox", "Chrome"))},
			event.Member{Key: "platform", Value: event.Str(pick(g, "Linux", "iOS"))},
			event.Member{Key: "url", Value: event.Str(pick(g, "https://x.example/", "https://www.X.example:8080/", "/") + pick(g, "", "a", "b"))},
			event.Member{Key: "title", Value: event.Str(pick(g, "Home", "Shop"))},
			event.Member{Key: "path", Value: event.Str("/" + pick(g, "a", "b", "c"))},
			event.Member{Key: "region", Value: event.Str(pick(g, "BE", "NY"))},
			event.Member{Key: "referrer_host", Value: event.Str(pick(g, "x.example", "www.google.com", "t.co", "A.example:80"))},
			event.Member{Key: "referrer", Value: event.Str(pick(g, "https://google.com/?q=1", "https://t.co/a#b"))},
			event.Member{Key: "utm_source", Value: event.Str(pick(g, "mail", "google", "x"))},
			event.Member{Key: "click_id", Value: event.Str("gclid")},
			event.Member{Key: "utm_medium", Value: event.Str(pick(g, "cpc", "email", "banner"))},
			event.Member{Key: "utm_campaign", Value: event.Str(pick(g, "spring", "autumn"))},
			event.Member{Key: "latitude", Value: event.Num("48.1")},
			event.Member{Key: "bot", Value: event.Boolean(true)},
		)
		e.Context.Set(m.Key, m.Value)
	}
	if g.chance(6) {
		e.Extra.Set(pick(g, "transactionId", "currency"), g.scalar())
		e.Extra.Set("integrations", event.Raw(`{"All":false,"Mail":{"id":7}}`))
		e.Extra.Set("context", event.Raw(pick(g, `{"active":false}`, `{"active":true}`)))
	}
	if g.chance(6) {
		e.Increments = append(e.Increments, event.Amount{Property: pick(g, "plan", "name", "tags", event.Other), By: pick[int64](g, 10, -3, 0, 1<<40)})
	}
	if g.chance(5) {
		e.Segments = append(e.Segments, pick(g, "plan", "age", "tags"))
	}
	if g.chance(60) { // more than counters count of one event
		e.Properties.Set(pick(g, "tags", "alpha", "deep", "country", "item7", "zeta"), g.large())
	}
	e.Uncounted = g.chance(15)
	if g.chance(5) {
		g.hit(r)
	}
	if g.chance(150) { // no dialect accepts this; the engine must reject it too
		e.User = fmt.Sprintf("%0*d", idBytesMax+1, 7)
	}
	return r
}

// large is a value at or over the limits of what counts: many leaves, long names, or numbers
// that are long when written out.
func (g *generator) large() event.Value {
	var b strings.Builder
	switch g.IntN(4) {
	case 0:
		for i := range 990 + g.IntN(20) {
			fmt.Fprintf(&b, ",%d", i%700)
		}
	case 1:
		for i := range 500 {
			fmt.Fprintf(&b, `,{"b":%d},{"c":"a"}`, i%50)
		}
	case 2:
		for i := range 30 {
			fmt.Fprintf(&b, ",%d.%de300", i%9+1, i%5+1)
		}
	default:
		fmt.Fprintf(&b, `,"a",%s`, g.deep(6+g.IntN(4), `{"b":1,"c":[2,"x"],"d":{"e":"x"},"f":3,"g":4,"h":5,"i":6,"j":7,"k":8,"l":9,"m":10}`))
	}
	text := "[" + b.String()[1:] + "]"
	if g.chance(2) {
		return event.Raw(`{"b":"first","many":` + text + `,"secret":1}`)
	}
	return event.Raw(text)
}

// deep puts a value into nested objects with keys of 128 bytes.
func (g *generator) deep(levels int, value string) string {
	for i := range levels {
		value = fmt.Sprintf(`{"%0128d":%s}`, i, value)
	}
	return value
}

// messageID returns a new id, or a recent one.
func (g *generator) messageID() string {
	for len(g.messages) > 0 && g.now.Sub(g.messages[0].at).Abs() > 20*time.Hour {
		g.messages = g.messages[1:]
	}
	if len(g.messages) > 0 && g.chance(3) {
		return g.messages[g.IntN(len(g.messages))].id
	}
	g.next++
	id := fmt.Sprintf("message-%d", g.next)
	if g.chance(2) { // the shape most clients send
		id = fmt.Sprintf("%08x-0000-4000-8000-%012x", g.next, g.next)
	}
	g.messages = append(g.messages, message{id, g.now})
	return id
}

func (g *generator) scalar() event.Value {
	return pick(g,
		event.Num(strconv.Itoa(g.skewed(5))), event.Num("100"), event.Str("100"), event.Num("100.0"), event.Num("1e2"), event.Str("0100"),
		event.Str("red"), event.Str("grün"), event.Boolean(g.chance(2)), event.Num("-0.50"),
		event.Str("0123456789abcdef0123456789abcdef"), event.Str(`a "quoted" <b>&`),
	)
}

func (g *generator) property(typ event.Type) (string, event.Value) {
	if (typ == event.Identify || typ == event.Group) && g.chance(3) {
		if g.chance(2) {
			return "credits", event.Num(pick(g, "5", "1.25"))
		}
		return pick(g, "plan", "credits"), event.Value{Kind: event.Null}
	}
	switch g.IntN(8) {
	case 0:
		return "plan", event.Str(pick(g, "free", "pro", "team"))
	case 1:
		return "age", event.Str(pick(g, "20s", "40s"))
	case 2:
		return "tags", event.Raw(pick(g, `["a","b","a"]`, `["b",1,1.0,"1"]`, `[]`, `[["c"],{"d":true}]`))
	case 3:
		return "deep", event.Raw(pick(g, `{"b":1,"secret":"x"}`, `{"b":{"c":"x"}}`, `{}`, `{"":"x"}`, `{"":{"b":2},"b":{"":3}}`))
	case 4:
		if g.chance(5) {
			return "deep", g.scalar()
		}
		if g.chance(4) {
			return event.Other, pick(g, g.scalar(), event.Str(event.Other), event.Raw(`["(other)","x",{"y":1}]`))
		}
		return "deep.b", g.scalar() // the same path as b inside deep
	case 5:
		return pick(g, "country", "name"), event.Str(pick(g, "XX", "DE"))
	case 6:
		return pick(g, "secret", "amount"), g.scalar()
	}
	return "item" + strconv.Itoa(g.IntN(200)), g.scalar() // many sparse columns
}

// where makes conditions that many events satisfy.
func (g *generator) where(m *model, site *query.Site) []query.Cond {
	var out []query.Cond
	for n := g.skewed(3); n > 0; n-- {
		c := query.Cond{Field: pick(g, "page", "host", "source", "channel", "medium", "campaign", "term", "content", "utm_source", "latitude", "name", "user", "anonymous", "type", "dialect", "session", "group", "value", "message_id",
			"country", "browser", "title", "bot", "prop.plan", "prop.tags", "prop.deep.b", "prop.deep.b.c", "prop.deep", "prop.deep.", "prop.deep..b", "prop.amount", "prop.item7", "extra.currency", "extra.integrations.Mail.id")}
		for k := 1 + g.skewed(3); k > 0; k-- {
			c.Values = append(c.Values, g.operand(c.Field, m, site))
		}
		c.Op = pick(g, "", "", "", query.OpNot, query.OpMatch, query.OpNotMatch, query.OpAtLeast, query.OpAtMost, query.OpHas, query.OpHasNot)
		switch c.Op {
		case query.OpMatch, query.OpNotMatch:
			for i, v := range c.Values {
				c.Values[i] = pick(g, "*", "", v, strings.ToUpper(v), v[:len(v)/2]+"*", "*"+v[len(v)/2:], v[:len(v)/3]+"*"+v[len(v)/2:], strings.ReplaceAll(v, "*", `\*`), `*\**`)
				c.Values[i] = strings.ToValidUTF8(c.Values[i], "")
			}
		case query.OpAtLeast, query.OpAtMost:
			for i := range c.Values {
				c.Values[i] = pick(g, "100", "1e2", "-0.5", "0", "7", "99.99", "50", "-1e300", "48.1")
			}
		case query.OpHas, query.OpHasNot:
			c.Values = nil
		}
		out = append(out, c)
	}
	return out
}

func (g *generator) operand(field string, m *model, site *query.Site) string {
	switch field {
	case "name":
		return g.name()
	case "user":
		return pick(g, g.user(), g.user(), g.anonymous(), "u99")
	case "anonymous":
		return g.anonymous()
	case "type":
		return string(pick(g, event.Types...))
	case "dialect":
		return string(pick(g, event.Native, event.Segment, event.Opentracker, event.Oppizi, event.Matomo))
	case "session":
		if events := m.of(site).events; len(events) > 0 && g.chance(2) {
			e := events[g.IntN(len(events))]
			if g.chance(4) {
				return e.ID // the key of a session, if it begins one
			}
			if e.Session != "" {
				return e.Session
			}
		}
		return "s" + strconv.Itoa(g.skewed(6))
	case "group":
		return g.group()
	case "message_id":
		if len(g.messages) > 0 {
			return g.messages[g.IntN(len(g.messages))].id
		}
	case "country":
		return pick(g, "DE", "FR", "XX")
	case "browser":
		return pick(g, "Firefox", "Chrome", "Lynx")
	case "title":
		return pick(g, "Home", "Shop")
	case "bot":
		return pick(g, "true", "false")
	case "page":
		return pick(g, "/", "/a", "/Blog/x*", g.name())
	case "host":
		return pick(g, "x.example", "y.example")
	case "source", "utm_source":
		return pick(g, "mail", "google", "GOOGLE", "newsletter", "Spring", "blog.example", "x.example", "own.example", "Gmail")
	case "channel":
		return pick(g, "paid", "email", "search", "campaign", "website", "direct")
	case "medium":
		return pick(g, "email", "cpc", "POST", "paid-social")
	case "campaign":
		return pick(g, "ärger", "50")
	case "prop.plan":
		return pick(g, "free", "pro", "gold")
	case "prop.tags":
		return pick(g, "a", "b", "1", "1.0", "true")
	case "extra.integrations.Mail.id":
		return pick(g, "7", "8")
	}
	return pick(g, "100", "0100", "1e2", "red", "true", "1", "-0.5", "x")
}

// query makes a query of a site, half of the time with a cursor.
func (g *generator) query(m *model) query.Query {
	q := query.Query{Site: &g.site().Site, Ascending: g.chance(2), Limit: pick(g, 1000, 7, 1, 50)}
	q.Where = g.where(m, q.Site)
	q.From, q.To = g.span()
	if events := m.of(q.Site).events; len(events) > 0 && g.chance(2) {
		q.After = events[g.IntN(len(events))].ID
	}
	return q
}

// span is a range of event time, half of the time without bounds.
func (g *generator) span() (from, to int64) {
	if g.chance(2) {
		return 0, 0
	}
	from = g.now.UnixMilli() - g.Int64N(4*24*3600*1000)
	to = from + g.Int64N(2*24*3600*1000)
	if g.chance(3) {
		from = 0
	} else if g.chance(3) {
		to = 0
	}
	return from, to
}

func (g *generator) counterQuery(m *model) query.CounterQuery {
	q := query.CounterQuery{
		Site:     &g.site().Site,
		Property: pick(g, "name", "plan", "tags", "deep.b", "country", "platform", "amount", "secret", "item7", event.Other, "tags.d", "deep", "deep.", "deep..b", "deep.b.", ""),
		Sort:     pick(g, "events", "users", "sessions", "value"),
		Limit:    1000,
	}
	if q.Property != "" && g.chance(4) {
		q.Values = []string{g.operand("prop."+q.Property, m, q.Site), "DE"}
	}
	if split := pick(g, "browser", "country", "platform", "plan", "tags", "age"); q.Property != "" && q.Property != split && g.chance(2) {
		q.Segment = split
		if g.chance(4) {
			q.SegmentValues = []string{pick(g, "DE", "Chrome", "a", "40s")}
		}
	}
	switch g.IntN(5) {
	case 0:
		day := dayOf(g.now.UnixMilli(), q.Site.Location)
		q.FromDay = day - int32(g.IntN(3))
		q.ToDay = q.FromDay + int32(g.IntN(4))
	case 1:
		q.From, q.To = g.span()
	case 2:
		q.Where = g.where(m, q.Site)
	}
	return q
}

// options are random limits. They are so small that a few hundred events are sealed and merged.
func (g *generator) options(fs vfs.FS, dir string) engine.Options {
	return engine.Options{
		Dir:       dir,
		FS:        fs,
		Sites:     func() []*engine.Site { return *g.current.Load() },
		Now:       g.clock.now,
		Reserve:   -1,
		Memory:    pick[int64](g, 0, 64<<20, 16<<20),
		SealRows:  8 + g.IntN(193),
		HotEvents: pick(g, 0, 20, 300),
		MergeRuns: 2 + g.IntN(4),
		MergeRows: pick(g, 0, 100, 1000),
		Pairs:     pick(g, 0, 1, 40),
		IDPart:    pick(g, 0, 1, 100, 3000),

		NamesPerDay: g.names, ValuesPerDay: g.values,
	}
}
