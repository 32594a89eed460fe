package httpd

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"cairn/http/dialect"
)

// This file turns a site's goals and its [site.matomo] into what the dialect asks.

var goalMatches = map[string]dialect.GoalMatch{
	"manually": dialect.GoalManually, "url": dialect.GoalURL, "title": dialect.GoalTitle,
	"file": dialect.GoalFile, "external_website": dialect.GoalOutlink,
	"event_category": dialect.GoalEventCategory, "event_action": dialect.GoalEventAction, "event_name": dialect.GoalEventName,
	"visit_duration": dialect.GoalDuration,
}

func matomoSettings(s *Site) (*dialect.MatomoSettings, error) {
	m := &dialect.MatomoSettings{
		Window: s.Matomo.CDTWindow, OnlyHosts: s.Matomo.OnlyHosts, KeepFragment: s.Matomo.KeepFragment,
		Dimensions: s.Matomo.Dimensions, Debug: s.Matomo.Debug,
	}
	for _, host := range s.Hosts {
		m.Hosts = append(m.Hosts, strings.ToLower(host))
	}
	for _, host := range s.Matomo.Spam {
		m.Spam = append(m.Spam, strings.ToLower(host))
	}
	for _, name := range s.Matomo.SearchParams {
		m.Search = append(m.Search, strings.ToLower(name))
	}
	for i := range s.Goals {
		g, err := goalOf(&s.Goals[i])
		if err != nil {
			return nil, fmt.Errorf("goal %d: %w", s.Goals[i].ID, err)
		}
		m.Goals = append(m.Goals, g)
	}
	return m, nil
}

func goalOf(g *Goal) (out dialect.Goal, err error) {
	match, ok := goalMatches[g.Match]
	if !ok {
		return out, fmt.Errorf("%q is nothing a goal looks at", g.Match)
	}
	out = dialect.Goal{ID: g.ID, Name: g.Name, Match: match, Revenue: g.Revenue, EventValue: g.EventValue, AllowMultiple: g.AllowMultiple}
	pattern := g.Pattern
	switch match {
	case dialect.GoalManually:
		return out, nil
	case dialect.GoalDuration:
		out.Minutes, err = strconv.ParseFloat(pattern, 64)
		return out, err
	}
	// Without case both sides are compared in lower case.
	fold := func(s string) string { return s }
	if !g.CaseSensitive {
		fold = strings.ToLower
	}
	switch want := fold(pattern); g.PatternType {
	case "exact":
		out.Reached = func(s string) bool { return fold(s) == want }
	case "regex":
		if !g.CaseSensitive {
			pattern = "(?i)" + pattern
		}
		re, err := regexp.Compile(pattern)
		if err != nil {
			return out, err
		}
		out.Reached = re.MatchString
	default:
		out.Reached = func(s string) bool { return strings.Contains(fold(s), want) }
	}
	return out, nil
}
