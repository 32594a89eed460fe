// Sources: where a session came from.

package read

import (
	"cmp"
	"strings"

	"cairn/engine/event"
	"cairn/engine/identity"
	"cairn/engine/query"
	"cairn/engine/referrer"
)

// source finds where a session came from, from its events.
type source struct {
	rule  *event.Rule
	first *event.Event // the oldest of the session

	latest identity.Visit // for a rule with LateSource
	found  origin         // for a rule with LateSource

	// For a rule with RowSource: the earliest row with a campaign, the earliest row that
	// each other host refers to, and the hosts of the site.
	campaign origin
	hosts    map[string]origin
	own      map[string]bool
}

// origin is what one row says about where its visitor came from.
type origin struct {
	time     int64 // event time
	seq      uint64
	referrer string
	host     string // of the referrer, as stored
	campaign string
	paid     bool // it has a campaign, named or not
}

// hostsMax is how many hosts of its pages, and how many that refer to it, a source remembers.
const hostsMax = 1000

func newSource(site *query.Site, rule *event.Rule) *source {
	s := &source{rule: rule}
	if rule.RowSource {
		s.own, s.hosts = make(map[string]bool), make(map[string]origin)
		for _, h := range site.Hosts {
			s.own[referrer.BareHost(h)] = true
		}
	}
	return s
}

// take takes in an event of the session. Events come in the order of their seqs.
func (s *source) take(ev *event.Event) {
	if s.first == nil {
		s.first = ev
	}
	switch {
	case s.rule.LateSource:
		before := s.latest.Arrival
		if s.latest.Take(ev); s.latest.Arrival != before {
			s.found = origin{referrer: ev.Context.Get("referrer").Text, host: ev.Context.Get("referrer_host").Text, campaign: s.latest.Campaign}
		}
	case s.rule.RowSource:
		s.takeRow(ev)
	}
}

func (s *source) takeRow(ev *event.Event) {
	c := ev.Context
	if host, _, _ := referrer.Split(c.Get("url").Text); host != "" && len(s.own) < hostsMax {
		s.own[referrer.BareHost(host)] = true
	}
	o := origin{time: ev.Time, seq: ev.Seq, referrer: c.Get("referrer").Text, host: c.Get("referrer_host").Text}
	for _, key := range [...]string{"utm_campaign", "utm_source", "utm_medium", "utm_term", "utm_content"} {
		if v := c.Get(key).Text; v != "" {
			o.paid = true
			if key == "utm_campaign" || key == "utm_source" {
				o.campaign = cmp.Or(o.campaign, v)
			}
		}
	}
	o.paid = o.paid || c.Get("click_id").Text != ""
	if o.paid && (!s.campaign.paid || o.before(&s.campaign)) {
		s.campaign = o
	}
	if o.host == "" {
		return
	}
	host := referrer.BareHost(o.host)
	if known, is := s.hosts[host]; is && o.before(&known) || !is && len(s.hosts) < hostsMax {
		s.hosts[host] = o
	}
}

// before reports whether the row of o is earlier than that of another.
func (o *origin) before(other *origin) bool {
	return o.time < other.time || o.time == other.time && o.seq < other.seq
}

// set sets the source of a session of which all events are taken in.
func (s *source) set(to *query.Session) {
	switch {
	case s.rule.LateSource:
		to.Referrer, to.Campaign = s.found.referrer, s.found.campaign
		to.ReferrerType = referrerType(s.found.campaign, s.found.host)
	case s.rule.RowSource:
		from := s.campaign
		for host, o := range s.hosts {
			if !s.own[host] && (from.seq == 0 || o.before(&from)) {
				from = o
			}
		}
		if from.host == "" || s.own[referrer.BareHost(from.host)] {
			from.host, from.referrer = "", ""
		}
		to.Referrer, to.Campaign = from.referrer, from.campaign
		if to.ReferrerType = referrerType(from.campaign, from.host); from.paid {
			to.ReferrerType = "campaign"
		}
	default:
		c := s.first.Context
		to.Referrer = c.Get("referrer").Text
		to.Campaign = cmp.Or(c.Get("utm_campaign").Text, c.Get("utm_source").Text)
		host, _, _ := referrer.Split(to.Referrer)
		to.ReferrerType = referrerType(to.Campaign, cmp.Or(strings.ToLower(host), to.Referrer))
	}
}
