// Devices: who an event is from whose client sends no id of a visitor. A device is known
// by its address and agent under the salt of the day, and by the session it is in. All of
// it is decided before the event is encoded.

package engine

import (
	"encoding/base64"
	"encoding/hex"
	"net/netip"
	"strconv"

	"cairn/engine/event"
	"cairn/engine/identity"
	"cairn/index"
)

// Visitors names whoever shows parts to a site; see Salts.Visitor.
type Visitors interface {
	Visitor(site uint32, parts ...string) (today, yesterday string)
}

// namePeriod is for how many milliseconds a device without a session is told the same name
// of its next one.
const namePeriod = 30 * 60 * 1000

// recogniser is what devices need of an Enricher; *Detector has it.
type recogniser interface {
	Bot(*event.Source) string
	FromServer(*event.Source) bool
}

// Bot implements API.
func (e *Engine) Bot(src *event.Source) string {
	if r, ok := e.opts.Enrich.(recogniser); ok {
		return r.Bot(src)
	}
	return ""
}

// fromServer says that a source is no person's device.
func (e *Engine) fromServer(src *event.Source) bool {
	if r, ok := e.opts.Enrich.(recogniser); ok {
		return r.FromServer(src) || r.Bot(src) != ""
	}
	return src.UserAgent == ""
}

// recognise gives an event whose record asks for it its device, which out tells, and says in
// q which sessions it may be in:
//
//	a device's event     the id it was sent with, else the hash of its address and
//	                     agent; yesterday's hash while that one's session goes on
//	a server's, of a     the device of the profile's live session, with what is
//	known profile        known of it; it joins that session
//	a server's           no device unless one was sent
//
// An event that is older at receipt than the rule's LateAfter has no session.
func (e *Engine) resolveDevice(r *Record, now int64, q *identity.Question, out *event.Outcome) {
	if !r.Visit.Ask {
		return
	}
	ev, src := &r.Event, &r.Source
	at := ev.Time
	if at == 0 {
		at = now
	}
	rule := event.NewestRule(ev.Dialect)
	q.Old = at < now-rule.LateAfter
	q.JoinOnly = e.fromServer(src)
	if ev.Anonymous != "" {
		out.Device = ev.Anonymous
	} else {
		out.Device = e.device(r, q, at)
	}
	if r.Visit.Nobody {
		return
	}
	if !q.JoinOnly {
		ev.Anonymous = out.Device
		return
	}
	if ev.Anonymous == "" && ev.User != "" && rule.InSession(ev.Type) && !q.Old {
		if newest := e.liveSession(e.state(r.Site.ID), ev.Dialect, identity.InSession, ev.User, at); newest != nil && newest.Anonymous != "" {
			out.Device, ev.Anonymous = newest.Anonymous, newest.Anonymous
			inherit(ev, newest)
			src.IP = netip.Addr{} // a server's own says nothing of the profile's place
		}
	}
	if ev.Anonymous == "" && r.Visit.Always {
		ev.Anonymous = out.Device
	}
}

// device names the device that the source of a record shows.
func (e *Engine) device(r *Record, q *identity.Question, at int64) string {
	if e.opts.Visitors == nil {
		return ""
	}
	d, src := r.Event.Dialect, &r.Source
	today, yesterday := e.opts.Visitors.Visitor(r.Site.ID, string(d), src.IP.String(), src.UserAgent)
	if yesterday == "" || q.JoinOnly || q.Old {
		return today
	}
	if e.liveSession(e.state(r.Site.ID), d, identity.OfDevice, yesterday, at) != nil {
		return yesterday
	}
	return today
}

// liveSession returns the newest event of an id in a dialect that is in a session
// which goes on at that time, nil when there is none. sort is identity.InSession or identity.OfDevice.
//
// Where rows cannot be read there is none: an event can do without, and a damaged
// run must stop nobody who writes.
func (e *Engine) liveSession(s *siteState, d event.Dialect, sort byte, id string, at int64) *event.Event {
	from := at - event.NewestRule(d).Idle + 1
	key := identity.LatestKey{Site: s.ID, Dialect: identity.DialectNumber(d), Sort: sort, ID: id}
	l, known := e.latestEvents.Get(key)
	if known && (l.Seq != 0 || l.Rank <= from) {
		if l.Seq == 0 || l.Rank < from {
			return nil
		}
		return e.eventAt(s, l.Seq)
	}
	field := event.FieldUser
	if sort == identity.OfDevice {
		field = event.FieldAnonymous
	}
	ev, err := e.Newest(s.ID, from,
		index.Clause{Any: []index.Alt{{Field: field, Terms: []string{id}}}},
		index.Clause{Any: []index.Alt{{Field: event.FieldDialect, Terms: []string{string(d)}}}},
		index.Clause{Any: []index.Alt{{Field: event.FieldSession}}, Present: true},
	)
	if e.logUnreadable(err); err == nil && ev == nil {
		e.latestEvents.Put(key, identity.Latest{Seq: 0, Rank: from}, true)
	}
	return ev
}

// eventAt returns the event at a seq, nil when there is none or it cannot be read.
func (e *Engine) eventAt(s *siteState, seq uint64) *event.Event {
	v := s.View()
	defer v.Close()
	ev, err := v.Event(seq)
	e.logUnreadable(err)
	return ev
}

// unread tells of rows that could not be read and that an event does without, once
// a minute.
func (e *Engine) logUnreadable(err error) {
	if err == nil {
		return
	}
	minute := e.now().Unix() / 60
	if e.unreadableMinute.Swap(minute) != minute {
		e.log.Error("stored events cannot be read; new ones are taken without what they say", "error", err)
	}
}

// inherited are the context keys a server's event takes over from the session it
// joins.
var inherited = []string{
	"browser", "browser_version", "os", "os_version", "platform", "device", "brand", "model", "language",
	"country", "region", "city", "timezone", "latitude", "longitude", "referrer", "referrer_host", "path",
}

func inherit(ev, from *event.Event) {
	for _, key := range inherited {
		if v := from.Context.Get(key); v.Kind != event.Absent && ev.Context.Get(key).Kind == event.Absent {
			ev.Context = append(ev.Context, event.Member{Key: key, Value: v})
		}
	}
}

// answerVisit completes the answer to a record that asks, once out has the session of its
// event, "" when it has none.
func (e *Engine) answerVisit(s *siteState, d event.Dialect, out *event.Outcome) {
	if out.Live = out.Session != ""; out.Live || out.Device == "" {
		return
	}
	now := e.now().UnixMilli()
	if newest := e.liveSession(s, d, identity.OfDevice, out.Device, now); newest != nil {
		out.Session, out.Live = newest.Session, true
		return
	}
	out.Session = sessionName(d, e.public.Derive(s.ID, out.Device+" "+strconv.FormatInt(now/namePeriod, 10)))
}

// Visit implements API.
func (e *Engine) Visit(r Record, out *event.Outcome) {
	out.Session = ""
	e.resolveDevice(&r, e.now().UnixMilli(), new(identity.Question), out)
	e.answerVisit(e.state(r.Site.ID), r.Event.Dialect, out)
}

// sessionName puts an id of 32 hex digits into the form of the dialect's session ids.
func sessionName(d event.Dialect, digits string) string {
	if event.NewestRule(d).ShortSessionIDs {
		return shortID(digits)
	}
	return digits
}

// shortID writes 32 hex digits as 22 characters of base64url.
func shortID(digits string) string {
	b, err := hex.DecodeString(digits)
	if err != nil {
		return digits
	}
	return base64.RawURLEncoding.EncodeToString(b)
}
