package dashboard

import (
	"fmt"
	"time"
)

// This file draws a funnel: a bar for each step, one below the other, so that long names and ten
// steps have room on a phone, too.

// FunnelBar is one step of a funnel.
type FunnelBar struct {
	Name  string
	Count uint64
	// Median is the time from the step before; Timed is false when nobody got here, or it is the
	// first step.
	Median time.Duration
	Timed  bool
	Href   string // those who stopped at this step; "" = none
}

// FunnelView is the bars of a funnel, as the template "funnel" takes them.
type FunnelView struct {
	Summary string
	Steps   []funnelStep
}

type funnelStep struct {
	Name, Count   string
	Width         string // of those who got here
	Lost          string // of those who stopped at the step before, right of it
	OfFirst       string
	OfBefore      string // "" at the first step
	Dropped, Rate string // who went no further, and their share; "" at the last step
	Median        string // "" = none
	Href          string
}

// Funnel draws steps. who is who goes through them: "people", "visits".
func Funnel(l *Locale, who string, steps []FunnelBar) *FunnelView {
	v := &FunnelView{}
	if len(steps) == 0 {
		return v
	}
	first, last := steps[0].Count, steps[len(steps)-1].Count
	v.Summary = fmt.Sprintf("%s of %s %s went all the way: %s", l.Number(last), l.Number(first), who, l.Share(last, first))
	for i, s := range steps {
		step := funnelStep{Name: s.Name, Count: l.Number(s.Count), Width: percent(share(s.Count, first)), OfFirst: l.Share(s.Count, first), Href: s.Href}
		before := s.Count
		if i > 0 {
			before = steps[i-1].Count
			step.OfBefore = l.Share(s.Count, before)
		}
		step.Lost = percent(share(before, first))
		if s.Timed {
			step.Median = l.Duration(s.Median)
		}
		if i+1 < len(steps) && steps[i+1].Count <= s.Count {
			dropped := s.Count - steps[i+1].Count
			step.Dropped, step.Rate = l.Number(dropped), l.Share(dropped, s.Count)
		}
		v.Steps = append(v.Steps, step)
	}
	return v
}
