package dashboard

import (
	"maps"
	"net/url"
	"path"
	"slices"
	"strings"
	"time"

	"cairn/engine/calendar"
)

// This file makes what stands around the panels: the bar, the range, the comparison, the filters.

// frameView is the frame of a page as its templates take it.
type frameView struct {
	Theme               string // "light", "dark", "" = as the system has it
	Title               string
	Style, Script, Icon string // addresses
	Home, Logout        string // "" = there is none
	SetUp               string
	Heading             string // what the screen is about; "" = it needs no words
	Site                string
	Sites, Nav          []link
	Here                string // the screen that is open, as Nav calls it
	Now                 string // people of now; "" = not known yet

	ReadOnly           bool // the page says that nothing can be saved
	HasTools, HasRange bool
	Range              string // the days, in words
	RangeName          string
	Ranges             []link
	Before, After      string // addresses of the ranges beside this one; "" = there is none
	From, Last         string // the days, for the form
	HasCompare         bool
	Compare            string
	Compares           []link
	Chips              []chipView
	Keep, KeepAll      []pairView // what a form must send again: without the range, with it
	Action             string
	Fields             []fieldGroup
	Editing            filterForm
	CompareFrom        string // of a compared range of one's own, for the form
	CompareTo          string
	KeepCompare        []pairView // what that form must send again
	Operators          []link
	Zone, AsOf, AsOfAt string
	Saved              []link // saved filters
	SavedAs            string // the saved filter that has just these filters; "" = none
	Save, SaveQuery    string // where the filters are saved, and what; "" = nothing is
	SaveNext           string
	Clear              string // address without filters; "" = there are none
	Share              string // where a share is made
	Values             string // address of the call that suggests values; "" = none
	Credit             link   // whose the locations are
	Plain              bool   // an embed has no ground of its own
	CSVs               []link // the tables of the screen
	Open               bool   // the range holds now, so the numbers may change
}

// pairView is a hidden input.
type pairView struct{ Key, Value string }

// chipView is a filter in words.
type chipView struct {
	Field, Words, Values string
	Remove               string // address without it
	Edit                 string // address with the form that changes it; "" = none does
}

// fieldGroup is a part of the list of fields.
type fieldGroup struct {
	Title  string
	Of     string // what its fields are usually asked of; "" = nothing is said
	Fields []link // Text; Href is the name in the API
}

// ranges are those of the menu, with their shortcuts.
var ranges = []struct{ name, title, key string }{
	{"today", "Today", "t"}, {"yesterday", "Yesterday", "y"}, {"24h", "Last 24 hours", "d"},
	{"7d", "Last 7 days", "w"}, {"30d", "Last 30 days", "m"}, {"90d", "Last 90 days", "q"},
	{"week", "This week", ""}, {"lastweek", "Last week", ""}, {"month", "This month", ""}, {"lastmonth", "Last month", ""}, {"year", "This year", ""}, {"lastyear", "Last year", ""},
	{"12mo", "Last 12 months", ""}, {"all", "All time", "a"},
}

var comparisons = []struct{ name, title string }{
	{"previous", "Period before"}, {"year", "Year before"}, {"year52", "Same weekdays, a year before"},
}

// frame makes the frame of the page.
func (p *page) frame() *frameView {
	f := &frameView{
		Title: p.screen.title + " · " + p.site.Name, Site: p.site.Name, Heading: p.heading,
		Zone: p.zone.String(), Action: p.href(nil), ReadOnly: p.d.readOnly, HasTools: !p.screen.noRange || p.screen.filters, HasRange: !p.screen.noRange, HasCompare: !p.screen.noRange && !p.screen.noCompare,
	}
	f.Credit = p.credit()
	p.d.shell(p.req.Header("Cookie"), f)
	share := p.viewer.Share
	if share == nil {
		f.Home, f.Logout, f.SetUp = p.d.path("sites"), p.d.path("logout"), p.screenHref("setup", nil)
		f.Values = p.apiHref("values", p.question("values", nil), "")
		for _, s := range p.viewer.Sites {
			f.Sites = append(f.Sites, link{Text: s.Name, Href: p.d.path("site", s.Name), On: s == p.site})
		}
	}
	kept := p.state.common()
	for _, s := range screens {
		if share != nil && (s.keys || s.people && !share.People) {
			continue
		}
		if !s.hidden && (s.when == nil || s.when(p)) {
			f.Nav = append(f.Nav, link{Text: s.title, Href: p.screenHref(s.path, kept), On: s.path == p.screen.path || p.screen.under != "" && s.path == p.screen.under, Key: s.key})
		}
	}
	f.Here = p.screen.title
	for _, l := range f.Nav {
		if l.On {
			f.Here = l.Text
		}
	}
	p.rangeOf(f)
	bare := p.state.anew()
	for _, c := range p.state.filters() {
		f.Chips = append(f.Chips, p.chip(c))
		bare = bare.without(c.key)
	}
	if len(f.Chips) > 0 {
		f.Clear = p.href(bare)
	}
	keep := p.state.anew().without("_edit")
	f.KeepAll, f.KeepCompare, f.Keep = keep.inputs(), keep.without("compare").inputs(), keep.without("range", "from", "to").inputs()
	f.Editing = p.edited()
	for _, s := range p.savedFilters() {
		f.Saved = append(f.Saved, link{Text: s.Name, Href: p.savedHereHref(&s), On: slices.Contains(p.state.all("saved"), s.ID)})
	}
	f.Fields = p.fieldGroups(f.Editing.Field, p.propertyGroup(p.fields, f.Editing.Field))
	f.Open = f.Open || p.state.get("range") == "all"
	if p.viewer.Save && share == nil {
		if only := p.state.onlyFilters(); len(only) > 0 {
			f.Save, f.SaveQuery, f.SaveNext = p.d.path("site", p.site.Name, "saved"), only.String(), p.href(p.state)
			if s := p.savedAs(); s != nil {
				f.SavedAs = s.Name
			}
		}
		f.Share = p.newHref("share", append(p.state.onlyFilters(), p.savedPair()...))
	}
	for _, o := range operatorChoices {
		f.Operators = append(f.Operators, link{Text: o.words, Href: o.name, On: o.name == f.Editing.Operator})
	}
	if p.asOf.IsZero() {
		p.asOf = p.now
	}
	f.AsOf, f.AsOfAt = p.locale.Seconds(p.asOf), p.locale.Machine(p.asOf)
	return f
}

// common is what all screens of a site share of a state: the range, the comparison, the filters.
func (s state) common() (c state) {
	for _, p := range s {
		if group := keeps[p.key]; p.ofAPI() && (group == "" || group == "range" || group == "compare") {
			c = append(c, p)
		}
	}
	return c
}

// onlyFilters are the conditions of a state.
func (s state) onlyFilters() (only state) {
	for _, p := range s {
		if p.ofAPI() && keeps[p.key] == "" && p.key != "saved" {
			only = append(only, p)
		}
	}
	return only
}

// shell fills what every page has, with or without a site.
func (d *Dashboard) shell(cookie string, f *frameView) {
	f.Theme = themeOf(cookie)
	f.Style, f.Script, f.Icon = d.path("assets", style().name), d.path("assets", script().name), d.path("assets", icon().name)
}

// themeOf is the theme that the cookie names.
func themeOf(cookies string) string {
	for c := range strings.SplitSeq(cookies, ";") {
		if name, value, _ := strings.Cut(strings.TrimSpace(c), "="); name == "cairn_theme" && (value == "light" || value == "dark") {
			return value
		}
	}
	return ""
}

// rangeOf fills what the frame says of the range and the comparison.
func (p *page) rangeOf(f *frameView) {
	name := p.state.get("range")
	from, to, known := p.span()
	s := p.state.anew()
	for _, r := range ranges {
		l := link{Text: r.title, Href: p.href(s.without("from", "to").with("range", r.name)), On: r.name == name, Key: r.key}
		if r.name == "all" {
			l.Href = p.href(s.without("from", "to", "compare").with("range", r.name))
		}
		if l.On {
			f.RangeName = r.title
		}
		f.Ranges = append(f.Ranges, l)
	}
	if known {
		f.Range, f.Open = p.locale.Range(time.UnixMilli(from), time.UnixMilli(to)), to > p.now.UnixMilli()-60_000
		f.From, f.Last = p.day(from), p.day(to-1)
		if start, end := calendar.Compared("previous", name, from, to, to, p.zone); start < end {
			f.Before = p.href(p.between(s, start, end))
		}
		if next, end := p.after(name, from, to); next < p.now.UnixMilli() {
			f.After = p.href(p.between(s, next, end))
		}
	}
	if f.RangeName == "" {
		f.RangeName = f.Range
	}
	compare := p.state.get("compare")
	f.Compare = "Not compared"
	if name == "all" {
		f.HasCompare = false
	}
	for _, c := range comparisons {
		if c.name == compare {
			f.Compare = "vs. " + strings.ToLower(c.title[:1]) + c.title[1:]
		}
		f.Compares = append(f.Compares, link{Text: c.title, Href: p.href(s.with("compare", c.name)), On: c.name == compare})
	}
	if from, to, ok := strings.Cut(compare, ".."); ok {
		f.Compare = "vs. " + from + " – " + to
		f.CompareFrom, f.CompareTo = from, to
	}
	off := link{Text: "Off", Href: p.href(s.without("compare")), On: compare == ""}
	if off.On {
		f.Compares[0].Key = "x"
	} else {
		off.Key = "x"
	}
	f.Compares = append(f.Compares, off)
}

// fromForm is the state that a form has asked for: a filter that was added, or days.
func (p *page) fromForm() (state, bool) {
	s := p.state.without("_field", "_op", "_of", "_value", "_from", "_to", "_cfrom", "_cto", "_edit")
	field := p.state.get("_field")
	from, to := p.state.get("_from"), p.state.get("_to")
	switch {
	case p.screen.form != nil && p.state.get("_form") != "":
		return p.screen.form(p), true
	case field != "":
		if key := p.state.get("_edit"); key != "" {
			s = s.without(key)
		}
		key, values := filterKey(askedOf(field, p.state.get("_of")), p.state.get("_op"), p.state.all("_value"))
		for _, v := range values {
			s = s.and(key, v)
		}
		return s.anew(), true
	case p.state.get("_cfrom") != "" && p.state.get("_cto") != "":
		from, to := p.state.get("_cfrom"), p.state.get("_cto")
		return s.anew().with("compare", min(from, to)+".."+max(from, to)), true
	case from != "" && to != "":
		if to < from {
			from, to = to, from
		}
		return append(state{{"from", from}, {"to", to}}, s.anew().without("range", "from", "to")...), true
	}
	return nil, false
}

// nowText is how many people are here now.
func (p *page) nowText(q *asked) string {
	var live struct {
		Visitors uint64 `json:"visitors"`
	}
	if q.into(&live) != nil {
		return ""
	}
	return p.locale.Number(live.Visitors)
}

// nextPath is a path below /dashboard/ that somebody may be sent to after the login; "" = none.
func (d *Dashboard) nextPath(next string) string {
	u, err := url.Parse(next)
	if err != nil || u.IsAbs() || u.Host != "" || !strings.HasPrefix(next, d.path()+"/") || strings.ContainsAny(next, "\\\r\n") {
		return ""
	}
	way := u.EscapedPath() // %2F is part of an id; %2E is a dot to browsers
	if dots := strings.NewReplacer("%2e", ".", "%2E", ".").Replace(way); path.Clean(dots) != dots {
		return ""
	}
	return next
}

// sortedKeys are the keys of a map in order.
func sortedKeys[T any](m map[string]T) []string { return slices.Sorted(maps.Keys(m)) }
