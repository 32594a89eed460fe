package httpd

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"cairn/http/dialect"
)

// This file turns a site's goals and its [site.matomo] into the settings that the dialect
// takes.

// GoalMatches are the words for what a goal can look at, by dialect.GoalMatch: what
// Goal.Match may be.
var GoalMatches = []string{
	dialect.GoalManually:      "manually",
	dialect.GoalURL:           "url",
	dialect.GoalTitle:         "title",
	dialect.GoalFile:          "file",
	dialect.GoalOutlink:       "external_website",
	dialect.GoalEventCategory: "event_category",
	dialect.GoalEventAction:   "event_action",
	dialect.GoalEventName:     "event_name",
	dialect.GoalDuration:      "visit_duration",
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
	i := slices.Index(GoalMatches, g.Match)
	if i < 0 {
		return out, fmt.Errorf("%q is nothing a goal looks at", g.Match)
	}
	match := dialect.GoalMatch(i)
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
