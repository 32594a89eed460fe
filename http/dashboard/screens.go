package dashboard

// This file is the table of the screens of a site.

// screen is one view of a site.
type screen struct {
	path               string // below the site; "" = the first
	title              string
	key                string // that opens it
	args               bool   // the path goes on with what it shows, such as the id of a person
	hidden             bool   // it stands in no menu
	under              string // path of the screen that the menu shows as current then
	noRange, noCompare bool
	filters            bool             // it takes filters, though it has no range
	people             bool             // it shows people
	keys               bool             // it is for those who have a key of the site
	when               func(*page) bool // nil = always
	panels             func(*page) [][]*panel
	form               func(*page) state // the state that its own form asks for, which has the field _form
}

var screens = []*screen{
	{path: "", title: "Overview", key: "o", panels: overview},
	{path: "live", title: "Live", key: "l", noRange: true, filters: true, panels: liveScreen},
	{path: "pages", title: "Pages", key: "p", panels: pagesScreen},
	{path: "page", title: "Page", hidden: true, under: "pages", panels: onePage},
	{path: "events", title: "Events", key: "e", noCompare: true, people: true, panels: eventsScreen},
	{path: "events", title: "Event", args: true, hidden: true, noRange: true, people: true, panels: eventScreen},
	{path: "people", title: "People", key: "u", noCompare: true, people: true, panels: peopleScreen},
	{path: "people", title: "Person", args: true, hidden: true, noRange: true, people: true, panels: profileScreen},
	{path: "visit", title: "Visit", args: true, hidden: true, under: "people", noRange: true, people: true, panels: visitScreen},
	{path: "funnels", title: "Funnels", key: "b", noCompare: true, panels: funnels, form: funnelForm},
	{path: "retention", title: "Retention", key: "r", noCompare: true, panels: retention, form: retentionAsked},
	{path: "paths", title: "Paths", key: "h", noCompare: true, panels: paths, form: pathsAsked},
	{path: "numbers", title: "Numbers", panels: aggregates, form: aggregatesAsked},
	{path: "shop", title: "Shop", key: "s", when: func(p *page) bool { return p.info.Shop }, panels: shop},
	{path: "setup", title: "Set-up", hidden: true, keys: true, noRange: true, panels: setUp},
}

// screenOf finds the screen of a path below a site, and what the path goes on with.
func screenOf(segments []string) (*screen, []string) {
	if len(segments) == 0 {
		return screens[0], nil
	}
	for _, s := range screens[1:] {
		if s.path == segments[0] && (len(segments) == 1 || s.args) {
			return s, segments[1:]
		}
	}
	return nil, nil
}
