// The model's time zones: a site gets another one while the store is open. Its days are then those
// of the new zone, also for events that were counted before.

package engine_test

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"cairn/engine"
	"cairn/engine/event"
	"cairn/engine/query"
)

// zonesOfTests are zones that sites change to: with days that the clock makes longer and shorter,
// a day that there never was, and hours that do not begin with those of UTC.
var zonesOfTests = []string{"UTC", "America/New_York", "Pacific/Apia", "America/Havana", "Asia/Kathmandu", "Australia/Lord_Howe", "Pacific/Kiritimati"}

// moveZone gives a site another zone. Queries may still come with the settings from before.
func (p *pair) moveZone() {
	old := p.site()
	site := *old
	loc, err := time.LoadLocation(pick(p.generator, zonesOfTests...))
	if err != nil {
		p.Fatal(err)
	}
	site.Location = loc
	p.setSite(&site)
	p.former = append(p.former, old)
	p.model.moveZone(&site)
}

// asItIs returns the settings that a site has now.
func (p *pair) asItIs(site *query.Site) *query.Site {
	return &p.sites[slices.IndexFunc(p.sites, func(s *engine.Site) bool { return s.ID == site.ID })].Site
}

// modelZones is what the model knows of the zones that a site has had.
type modelZones struct {
	had []*time.Location // all, the first one as well; nil = it has always had one
	// values and names are those of the days of all zones that it has had.
	values map[dayKey]map[string]struct{}
	names  map[int32]map[string]struct{}
}

func (z *modelZones) changed() bool { return z.had != nil }

// note adds what an event counts.
func (z *modelZones) note(e *event.Event, counts []count) {
	for _, zone := range z.had {
		day := dayOf(e.Time, zone)
		for _, c := range counts {
			if c.term != event.Other {
				put(z.values, dayKey{c.property, day}, c.term)
			}
			if !freeName(c.property) {
				put(z.names, day, c.property)
			}
		}
	}
}

// put adds a text to one of several sets.
func put[K comparable](sets map[K]map[string]struct{}, k K, text string) {
	if sets[k] == nil {
		sets[k] = map[string]struct{}{}
	}
	sets[k][text] = struct{}{}
}

// moveZone gives a site another zone.
func (m *model) moveZone(site *engine.Site) {
	m.mu.Lock()
	defer m.mu.Unlock()
	s := m.of(&site.Site)
	if !s.zones.changed() {
		s.zones.had = []*time.Location{s.site.Location}
	}
	s.zones.had = append(s.zones.had, site.Location)
	s.zones.values, s.zones.names = map[dayKey]map[string]struct{}{}, map[int32]map[string]struct{}{}
	s.site = &site.Site
	clear(s.values)
	clear(s.names)
	for _, e := range s.events {
		e.Day = dayOf(e.Time, site.Location)
		s.zones.note(e, s.counted[e.Seq])
	}
}

// onItsDay returns an event that the engine has read, on the day that it has in the zone of its
// site. The day that its row keeps may be that of any zone that the site has had.
func (p *pair) onItsDay(e *event.Event) *event.Event {
	for _, s := range p.model.sites {
		if s.site.Name != e.Site || !s.zones.changed() {
			continue
		}
		if !slices.ContainsFunc(s.zones.had, func(zone *time.Location) bool { return dayOf(e.Time, zone) == e.Day }) {
			p.Errorf("op %d: seq %d of %s is on day %d, which it has in no zone", p.op, e.Seq, e.Site, e.Day)
		}
		moved := *e
		moved.Day = dayOf(e.Time, s.site.Location)
		return &moved
	}
	return e
}

// adoptCaps takes over which values and names of new events are over the cap, if their site has
// changed its zone. Before that the model knows it.
func (p *pair) adoptCaps(records []engine.Record, outcomes []event.Outcome) {
	for i, o := range outcomes {
		site := &records[i].Site.Site
		s := p.model.of(site)
		if o.Status != event.Stored || !s.zones.changed() {
			continue
		}
		e := s.events[o.Seq-1]
		got, err := p.engine.Event(context.Background(), site, e.ID)
		if err != nil {
			p.Fatalf("op %d: event %s: %v", p.op, e.ID, err)
		}
		e.Capped, e.CappedNames = got.Capped, got.CappedNames
		if err := s.capsOf(e); err != nil {
			p.Errorf("op %d: seq %d of %s, day %d: %v", p.op, e.Seq, e.Site, e.Day, err)
		}
	}
}

// capsOf counts an event with the caps that the engine has chosen, and complains about those that
// no rule explains. The engine knows at least the values that were counted on a day since the zone
// changed, and at most those of the day in any zone that the site has had; of more than the cap it
// need not know all.
func (s *modelSite) capsOf(e *event.Event) (err error) {
	judge := func(what string, since, ever map[string]struct{}, text string, most int, over bool) {
		_, fresh := since[text]
		_, known := ever[text]
		switch {
		case over && (len(ever) < most || fresh && len(ever) == most):
			err = fmt.Errorf("%s %q is over the cap of %d: %d since the zone changed, %d ever, %q", what, text, most, len(since), len(ever), slices.Sorted(maps.Keys(ever)))
		case !over && !known && len(since) >= most:
			err = fmt.Errorf("%s %q is not over the cap of %d: %d since the zone changed", what, text, most, len(since))
		}
	}
	var out []count
	for _, c := range countsOf(e, countedLeaves(e.Properties)) {
		if !freeName(c.property) {
			over := slices.Contains(e.CappedNames, c.property)
			if judge("name", s.names[e.Day], s.zones.names[e.Day], c.property, s.model.namesPerDay, over); over {
				continue
			}
			put(s.names, e.Day, c.property)
		}
		if key := (dayKey{c.property, e.Day}); c.term != event.Other {
			over := slices.ContainsFunc(e.Capped, func(t event.Term) bool {
				return t.Property == c.property && (t.Value == c.term || t.Value == event.Other)
			})
			if judge("value of "+c.property, s.values[key], s.zones.values[key], c.term, s.model.valuesPerDay, over); over {
				c.term = event.Other
			} else {
				put(s.values, key, c.term)
			}
		}
		s.zones.note(e, []count{c})
		if !slices.Contains(out, c) {
			out = append(out, c)
		}
	}
	s.counted[e.Seq] = withOther(e, out)
	return err
}
