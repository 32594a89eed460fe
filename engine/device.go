// Devices identify the visitor of an event whose client sends no visitor id. A device is
// recognised by its address and agent, hashed with the salt of the day, and by the session
// it is in. All of this is decided before the event is encoded.

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

// Visitors derives the id of a visitor from what the visitor reveals to a site, for example
// address and agent. See enrich.Salts.Visitor.
type Visitors interface {
	Visitor(site uint32, parts ...string) (today, yesterday string)
}

// namePeriod is how long a device without a session is told the same id for its next
// session, in milliseconds.
const namePeriod = 30 * 60 * 1000

// recogniser is the part of an Enricher that resolveDevice needs; *enrich.Detector has it.
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

// fromServer reports whether a source is a server or a bot and not a person's device.
func (e *Engine) fromServer(src *event.Source) bool {
	if r, ok := e.opts.Enrich.(recogniser); ok {
		return r.FromServer(src) || r.Bot(src) != ""
	}
	return src.UserAgent == ""
}

// resolveDevice finds the device of an event whose record asks for it, stores it in out,
// and says in q which sessions the event may join:
//
//	event sent by        its device
//	a device             the id that was sent; otherwise the hash of its address and
//	                     agent; yesterday's hash while its session goes on
//	a server, for a      the device of the profile's live session; the event joins that
//	user in a session    session and takes over what is known of the device
//	any other server     none, unless an id was sent or Visit.Always is set
//
// An event that is older at receipt than the rule's LateAfter has no session. With
// Visit.Nobody only out gets the device, not the event.
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
			src.IP = netip.Addr{} // a server's address says nothing about where the user is
		}
	}
	if ev.Anonymous == "" && r.Visit.Always {
		ev.Anonymous = out.Device
	}
}

// device returns the id of the device that a record's source reveals.
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

// liveSession returns the newest event of an id in a dialect, if the session of that event
// still goes on at the given time; otherwise nil. sort is identity.InSession for a user's
// id or identity.OfDevice for a device's.
//
// liveSession also returns nil if rows cannot be read. The new event can be stored without
// them, and a damaged run must not stop writes.
func (e *Engine) liveSession(s *siteState, d event.Dialect, sort byte, id string, at int64) *event.Event {
	from := at - event.NewestRule(d).Idle + 1
	key := identity.LatestKey{Site: s.ID, Dialect: identity.DialectNumber(d), Sort: sort, ID: id}
	l, known := e.latestEvents.Get(key)
	if known && (l.Seq != 0 || l.Rank <= from) {
		if l.Seq == 0 || l.Rank < from {
			return nil
		}
		if ev, deleted := e.eventAt(s, l.Seq); !deleted {
			return ev
		}
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

// eventAt returns the event at a seq, or nil if there is none, it cannot be read or it is deleted.
func (e *Engine) eventAt(s *siteState, seq uint64) (ev *event.Event, deleted bool) {
	v := s.View()
	defer v.Close()
	ev, err := v.Event(seq)
	e.logUnreadable(err)
	return ev, err == nil && ev == nil && v.PartOf(seq) != nil
}

// logUnreadable logs, at most once a minute, that stored rows could not be read and that a
// new event is stored without them.
func (e *Engine) logUnreadable(err error) {
	if err == nil {
		return
	}
	minute := e.now().Unix() / 60
	if e.unreadableMinute.Swap(minute) != minute {
		e.log.Error("stored events cannot be read; new events are stored without using them", "error", err)
	}
}

// inherited lists the context keys that a server's event takes over from the session it
// joins.
var inherited = []string{
	"browser", "browser_version", "os", "os_version", "platform", "device", "brand", "model", "language",
	"country", "region", "city", "timezone", "latitude", "longitude", "referrer", "referrer_host", "path",
}

// inherit copies the inherited context keys that ev does not have.
func inherit(ev, from *event.Event) {
	for _, key := range inherited {
		if v := from.Context.Get(key); v.Kind != event.Absent && ev.Context.Get(key).Kind == event.Absent {
			ev.Context = append(ev.Context, event.Member{Key: key, Value: v})
		}
	}
}

// answerVisit completes the answer to a record that asks. out already has the session of
// the event, "" if there is none. In that case out gets the session that the device is in.
// If the device is in none, out gets an id for the device's next session.
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

// sessionName converts an id of 32 hex digits to the form of the dialect's session ids.
func sessionName(d event.Dialect, digits string) string {
	if event.NewestRule(d).ShortSessionIDs {
		return shortID(digits)
	}
	return digits
}

// shortID converts 32 hex digits to 22 characters of base64url.
func shortID(digits string) string {
	b, err := hex.DecodeString(digits)
	if err != nil {
		return digits
	}
	return base64.RawURLEncoding.EncodeToString(b)
}
