package matomo

import (
	"slices"
	"strconv"

	"cairn/engine/event"
	"cairn/http/dialect"
)

// This file makes goals: those that a hit names, and those of the site's configuration that
// an action reaches by itself.

// conversion is a hit with idgoal>0.
func (h *hit) conversion(id int64) *event.FieldError {
	i := slices.IndexFunc(h.settings.goals, func(g goal) bool { return int64(g.ID) == id })
	if i < 0 {
		return dialect.Refuse("idgoal", "the site has no such goal")
	}
	g := &h.settings.goals[i]
	revenue, ok := h.p.number(pRevenue)
	if !ok {
		revenue = g.Revenue
	}
	e := &h.goal(g, revenue).Event
	e.Properties, e.Extra = h.variables(e.Properties), h.extra()
	return nil
}

// goal adds the event of a goal.
func (h *hit) goal(g *goal, revenue float64) *dialect.Record {
	r := h.add(event.Goal, cutBytes(g.Name, event.MaxNameBytes))
	e := &r.Event
	e.Value = event.Num(money(revenue))
	e.Properties = append(h.objects.Make(1), event.Member{Key: "goal_id", Value: event.Num(strconv.Itoa(g.ID))})
	e.Extra = h.attribution(h.objects.Make(8))
	r.Hit.Once = !g.AllowMultiple
	return r
}

// reach adds the goals that a text of an action reaches. value is that of the action.
func (h *hit) reach(value event.Value, match goalMatch, text string) {
	if text == "" {
		return
	}
	for i := range h.settings.goals {
		g := &h.settings.goals[i]
		if g.match != match || g.reached == nil || !g.reached(text) || len(h.batch.Records) >= recordsMax {
			continue
		}
		revenue := g.Revenue
		if g.EventValue && value.Kind == event.Number {
			revenue, _ = parseFloat(value.Text)
		}
		h.goal(g, revenue)
	}
}

// last adds the goals of long visits to an action. The engine knows how long the visit has
// been.
func (h *hit) last() {
	first := &h.batch.Records[h.first]
	if t := first.Event.Type; first.Exclude != "" || t == event.Goal || t == event.Order || t == event.Cart {
		return
	}
	for i := range h.settings.goals {
		if g := &h.settings.goals[i]; g.match == goalDuration && len(h.batch.Records) < recordsMax {
			h.goal(g, g.Revenue).Hit.After = int64(g.minutes * 60_000)
		}
	}
}
