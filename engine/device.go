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

// recognise gives an event that asks for it its device, which out tells, and its rule for
// sessions:
//
//	a device's event     the id it was sent with, else the hash of its address and
//	                     agent; yesterday's hash while that one's session goes on
//	a server's, of a     the device of the profile's live session, with what is
//	known profile        known of it; it joins that session
//	a server's           no device unless one was sent
//
// An event that is older at receipt than the rule's LateAfter has no session.
func (e *Engine) recognise(r *Record, now int64, out *event.Outcome) {
	ev := r.Event
	if !ev.Visit.Ask {
		return
	}
	src := r.Source
	if src == nil {
		src = new(event.Source)
	}
	at := ev.Time
	if at == 0 {
		at = now
	}
	rule := event.NewestRule(ev.Dialect)
	v := &ev.Visit
	v.Old = at < now-rule.LateAfter
	v.JoinOnly = e.fromServer(src)
	if ev.Anonymous != "" {
		out.Device = ev.Anonymous
	} else {
		out.Device = e.device(r.Site, ev, src, at)
	}
	if v.Nobody {
		return
	}
	if !v.JoinOnly {
		ev.Anonymous = out.Device
		return
	}
	if ev.Anonymous == "" && ev.User != "" && rule.InSession(ev.Type) && !v.Old {
		if newest := e.liveSession(e.state(r.Site.ID), ev.Dialect, identity.InSession, ev.User, at); newest != nil && newest.Anonymous != "" {
			out.Device, ev.Anonymous = newest.Anonymous, newest.Anonymous
			inherit(ev, newest)
			if r.Source != nil {
				// The server's own address says nothing of the profile's place.
				r.Source.IP = netip.Addr{}
			}
		}
	}
	if ev.Anonymous == "" && v.Always {
		ev.Anonymous = out.Device
	}
}

// device names the device that src shows.
func (e *Engine) device(site *Site, ev *event.Event, src *event.Source, at int64) string {
	if e.opts.Visitors == nil {
		return ""
	}
	today, yesterday := e.opts.Visitors.Visitor(site.ID, string(ev.Dialect), src.IP.String(), src.UserAgent)
	if yesterday == "" || ev.Visit.JoinOnly || ev.Visit.Old {
		return today
	}
	if e.liveSession(e.state(site.ID), ev.Dialect, identity.OfDevice, yesterday, at) != nil {
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
	l, known := e.latest.Get(key)
	if known && (l.Seq != 0 || l.Rank <= from) {
		if l.Seq == 0 || l.Rank < from {
			return nil
		}
		ev, err := s.View().Event(l.Seq)
		e.logUnreadable(err)
		return ev
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
		e.latest.Put(key, identity.Latest{Seq: 0, Rank: from}, true)
	}
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

// answerVisit completes the answer to an event that asks, once out has the event's own
// session, "" when it has none.
func (e *Engine) answerVisit(s *siteState, ev *event.Event, out *event.Outcome) {
	if !ev.Visit.Ask {
		return
	}
	if out.Live = out.Session != ""; out.Live || out.Device == "" {
		return
	}
	now := e.now().UnixMilli()
	if newest := e.liveSession(s, ev.Dialect, identity.OfDevice, out.Device, now); newest != nil {
		out.Session, out.Live = newest.Session, true
		return
	}
	out.Session = sessionName(ev.Dialect, e.public.Derive(s.ID, out.Device+" "+strconv.FormatInt(now/namePeriod, 10)))
}

// Visit implements API.
func (e *Engine) Visit(r Record, out *event.Outcome) {
	out.Session = ""
	e.recognise(&r, e.now().UnixMilli(), out)
	e.answerVisit(e.state(r.Site.ID), r.Event, out)
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
