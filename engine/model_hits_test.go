// The model's visits of Matomo's hits: a list of all visits. Each rule is checked on each of
// them.

package engine_test

import (
	"crypto/sha1"
	"encoding/hex"
	"encoding/json"
	"slices"
	"strconv"
	"strings"

	"cairn/engine/event"
)

// modelVisit is a visit, computed from its hits.
type modelVisit struct {
	ord               uint64
	visitor, user     string
	print, id         string // the first fingerprint without an id, and the first id
	campaign, keyword string
	came, viewed      bool
	first, last       int64
	goals             []string
	ping              int64
	said              []said
}

// said is a hit, in the order of receipt.
type said struct {
	*event.Event
	ping bool // it is no event
}

// vars returns what the hits that are not deleted say about the visit as a whole, by dimensionN or
// _cvar.NAME, without what was cleared.
func (s *modelSite) vars(v *modelVisit) map[string]string {
	vars := map[string]string{}
	for _, hit := range v.said {
		if hit.ping || !s.deleted[hit.Seq] {
			say(vars, hit.Event)
		}
	}
	return vars
}

// say applies what a hit says.
func say(vars map[string]string, e *event.Event) {
	for _, name := range []string{"dimension1", "dimension2"} {
		switch d := e.Properties.Get(name); d.Kind {
		case event.String:
			vars[name] = d.Text
		case event.Null:
			delete(vars, name)
		}
	}
	var custom map[string]any
	json.Unmarshal([]byte(e.Properties.Get("_cvar").Text), &custom)
	for name, value := range custom {
		if text, ok := value.(string); ok {
			vars["_cvar."+name] = text
		}
	}
}

// varProperties returns the properties of a session.
func varProperties(vars map[string]string) (o event.Object) {
	custom := map[string]string{}
	for name, value := range vars {
		if name, ok := strings.CutPrefix(name, "_cvar."); ok {
			custom[name] = value
		} else {
			o.Set(name, event.Str(value))
		}
	}
	if len(custom) > 0 {
		text, _ := json.Marshal(custom)
		o.Set("_cvar", event.Raw(string(text)))
	}
	return o
}

// modelVisits is the visits of a site. An id knows the four newest visits that it was in.
type modelVisits struct {
	all    []*modelVisit
	ids    map[string][]*modelVisit
	prints map[string][]*modelVisit
	orders map[string]bool
}

func (v *modelVisits) know(m *map[string][]*modelVisit, id string, visit *modelVisit) {
	if *m == nil {
		*m = map[string][]*modelVisit{}
	}
	if id != "" && !slices.Contains((*m)[id], visit) {
		(*m)[id] = append((*m)[id], visit)
		(*m)[id] = (*m)[id][max(0, len((*m)[id])-4):]
	}
}

func modelVisitor(e *event.Event) string {
	switch {
	case e.User != "":
		sum := sha1.Sum([]byte(e.User))
		return hex.EncodeToString(sum[:])[:16]
	case e.Anonymous == e.Extra.Get("fingerprint").Text:
		return ""
	}
	return e.Anonymous
}

func latest(visits []*modelVisit, ok func(*modelVisit) bool) (found *modelVisit) {
	for _, v := range visits {
		if ok(v) && (found == nil || v.last > found.last || v.last == found.last && v.ord > found.ord) {
			found = v
		}
	}
	return found
}

// of finds the visit a hit goes on with, nil when it begins one.
func (v *modelVisits) of(r *event.Record, day func(int64) int32) *modelVisit {
	half := sessionGap.Milliseconds()
	e, h := &r.Event, r.Hit
	visitor := modelVisitor(e)
	var found *modelVisit
	if visitor != "" {
		found = latest(v.ids[visitor], func(v *modelVisit) bool { return v.visitor == visitor && v.last-e.Time <= half })
	}
	if found == nil && !h.IDOnly {
		found = latest(v.prints[e.Extra.Get("fingerprint").Text], func(v *modelVisit) bool {
			return v.last-e.Time <= half && e.Time-v.last < half && (e.User == "" || v.user == "" || v.user == e.User)
		})
	}
	switch {
	case found == nil, h.New && !h.Ping, e.Time-found.last >= half, day(found.last) != day(e.Time):
		return nil
	}
	campaign, keyword := modelCampaign(e)
	if campaign != "" && found.came && (campaign != found.campaign || keyword != found.keyword) {
		return nil
	}
	return found
}

func modelCampaign(e *event.Event) (name, keyword string) {
	name = e.Context.Get("utm_campaign").Text
	for _, key := range []string{"utm_source", "utm_medium"} {
		if name == "" {
			name = e.Context.Get(key).Text
		}
	}
	return name, e.Context.Get("utm_term").Text
}

// hit judges a hit before it is stored.
func (s *modelSite) hit(r *event.Record) (status event.Status, err *event.FieldError) {
	e, v := &r.Event, s.hits.of(r, func(at int64) int32 { return dayOf(at, s.site.Location) })
	switch h := r.Hit; {
	case h.Ping:
		if v != nil && e.Time > v.last {
			v.ping = max(v.ping, e.Time)
		}
		if v != nil {
			v.said = append(v.said, said{e, true})
		}
		return event.Excluded, nil
	case h.After > 0 && (v == nil || e.Time-v.first <= h.After), h.Once && v != nil && slices.Contains(v.goals, modelGoal(e)):
		return event.Excluded, nil
	case h.Order && s.hits.orders[e.Name]:
		return event.Rejected, &event.FieldError{Field: "ec_id"}
	}
	return event.Stored, nil
}

func modelGoal(e *event.Event) string {
	if id := e.Properties.Get("goal_id").Text; e.Type == event.Goal {
		if _, err := strconv.Atoi(id); err == nil {
			return id
		}
	}
	return "none"
}

// arrive takes in where the visitor came from, as an event says.
func (v *modelVisit) arrive(e *event.Event) {
	campaign, keyword := modelCampaign(e)
	if remembered := e.Extra.Get("_rcn").Text; campaign == "" && remembered != "" && e.Type == event.Page && !v.viewed {
		campaign, keyword = remembered, ""
	}
	switch came := campaign != "" || e.Context.Get("referrer_host").Text != ""; {
	case came && !v.came, campaign != "" && v.campaign == "" && e.Type == event.Page && !v.viewed:
		v.came, v.campaign, v.keyword = came, strings.ToLower(campaign), keyword
	}
	v.viewed = v.viewed || e.Type == event.Page
}

// visit stores a hit in its visit.
func (s *modelSite) visit(r *event.Record) uint64 {
	e, h := &r.Event, &s.hits
	v := h.of(r, func(at int64) int32 { return dayOf(at, s.site.Location) })
	if v == nil {
		v = &modelVisit{ord: e.Seq, first: e.Time, last: e.Time}
		h.all = append(h.all, v)
		h.know(&h.prints, e.Extra.Get("fingerprint").Text, v)
	}
	if visitor := modelVisitor(e); visitor != "" {
		if visitor != v.visitor {
			h.know(&h.ids, visitor, v)
		}
		v.visitor = visitor
	}
	if e.User != "" {
		v.user = e.User
	}
	v.arrive(e)
	s.unite(v, e)
	v.said = append(v.said, said{e, false})
	v.first, v.last = min(v.first, e.Time), max(v.last, e.Time)
	if id := modelGoal(e); id != "none" && !slices.Contains(v.goals, id) {
		v.goals = append(v.goals, id)
	}
	if e.Type == event.Order {
		if h.orders == nil {
			h.orders = map[string]bool{}
		}
		h.orders[e.Name] = true
	}
	return v.ord
}

// unite notes which anonymous ids the event shows to be one person: the fingerprint that its
// visit has had, and the id that it has.
func (s *modelSite) unite(v *modelVisit, e *event.Event) {
	if s.united == nil {
		s.united = map[uint64][][2]string{}
	}
	same := func(fingerprint, other string) {
		if fingerprint != "" && other != "" && fingerprint != other {
			s.united[e.Seq] = append(s.united[e.Seq], [2]string{fingerprint, other})
		}
	}
	switch print := e.Extra.Get("fingerprint").Text; {
	case e.Anonymous == "":
	case e.Anonymous != print:
		same(v.print, e.Anonymous)
		if v.id == "" {
			v.id = e.Anonymous
		}
	default:
		same(print, v.id)
		same(v.print, print)
		if v.print == "" {
			v.print = print
		}
	}
}

// beyond returns how long a visit went on after its last event, its campaign, and what its hits
// say about it as a whole.
func (s *modelSite) beyond(ord uint64, start, end int64) (ms int64, campaign string, properties event.Object) {
	for _, v := range s.hits.all {
		if v.ord != ord {
			continue
		}
		if until := max(v.ping, end); until > start {
			ms = until - end + 1000
		}
		var left modelVisit
		for _, e := range s.living() {
			if e.SessionOrd == ord {
				left.arrive(e)
			}
		}
		return ms, left.campaign, varProperties(s.vars(v))
	}
	return 0, "", nil
}

// hit makes an event one of Matomo's.
func (g *generator) hit(r *event.Record) {
	e := &r.Event
	e.Dialect, e.Session, e.Previous, e.Groups = event.Matomo, "", "", nil
	e.Type = pick(g, event.Page, event.Page, event.Track, event.Download, event.Outlink, event.Search, event.Content, event.Goal, event.Goal, event.Order, event.Cart)
	h := &event.Hit{New: g.chance(12), Ping: g.chance(12), IDOnly: g.chance(10)}
	r.Hit, r.Visit = h, event.Visit{}
	print := "f" + strconv.Itoa(g.skewed(5))
	if e.Extra.Set("fingerprint", event.Str(print)); e.Anonymous == "" || g.chance(3) {
		e.Anonymous = print
	}
	if g.chance(2) {
		e.User = ""
	}
	if g.chance(3) {
		e.Time = 0
	}
	if g.chance(6) {
		e.Context.Set("utm_campaign", event.Str(pick(g, "spring", "autumn")))
	}
	if g.chance(10) {
		e.Context.Set("referrer_host", event.Str(pick(g, "a.example", "b.example")))
	}
	if g.chance(10) {
		e.Extra.Set("_rcn", event.Str(pick(g, "spring", "winter")))
	}
	if g.chance(4) {
		e.Extra.Set("_idts", event.Num(pick(g, "1700000000", "9", "99999999999999999")))
	}
	if g.chance(3) {
		e.Properties.Set("dimension1", pick(g, event.Str("gold"), event.Str("silver"), event.Value{Kind: event.Null}))
	}
	if g.chance(4) {
		e.Properties.Set("_cvar", event.Raw(pick(g, `{"Plan":"free"}`, `{"Plan":"paid","Age":"30"}`)))
	}
	switch e.Type {
	case event.Goal:
		e.Properties = nil
		e.Properties.Set("goal_id", event.Num(strconv.Itoa(1+g.skewed(4))))
		if h.Once = g.chance(2); g.chance(3) {
			h.After = int64(1 + g.IntN(20*60_000))
		}
	case event.Order:
		e.Name = "o" + strconv.Itoa(g.IntN(60))
		h.Order = true
	}
}
