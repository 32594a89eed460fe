package matomo

import (
	"fmt"
	"io"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"cairn/http/dialect"
)

// This file has what a site can set for this dialect, and what a hit makes of it.

// Settings are the keys of [site.matomo].
type Settings struct {
	CDTWindow         dialect.Duration `toml:"cdt_window"`          // how old a hit may be without a token
	Dimensions        []int            `toml:"dimensions"`          // the custom dimensions that are taken
	SearchParams      []string         `toml:"search_params"`       // parameters of a url that hold what was searched for
	OnlyHosts         bool             `toml:"only_hosts"`          // hits of other hosts than the site's are excluded
	ExcludeReferrers  []string         `toml:"exclude_referrers"`   // hosts: hits referred by them, or by what is below them, are excluded
	KeepFragment      bool             `toml:"keep_fragment"`       // urls keep what follows #
	TrackingToken     string           `toml:"tracking_token"`      // may do what token_auth may, except read
	TrackingTokenFile string           `toml:"tracking_token_file"` // has the token
	TrackerFile       string           `toml:"tracker_file"`        // the script to serve for all sites in place of cairn's own; "" = none
	Debug             bool             `toml:"debug"`               // answers say what became of a hit
}

// Defaults are the settings of a site that sets none.
func Defaults() Settings {
	return Settings{
		CDTWindow:    dialect.Duration(freeDefault),
		SearchParams: []string{"q", "query", "s", "search", "searchword", "k", "keyword", "keywords"},
	}
}

// Goal is one [[site.goal]].
type Goal struct {
	ID            int     `toml:"id"` // from 1
	Name          string  `toml:"name"`
	Match         string  `toml:"match"`        // one of goalMatches
	Pattern       string  `toml:"pattern"`      // minutes, where it matches the duration
	PatternType   string  `toml:"pattern_type"` // contains, exact or regex
	CaseSensitive bool    `toml:"case_sensitive"`
	Revenue       float64 `toml:"revenue"`
	EventValue    bool    `toml:"event_value"`    // the value of the event that reaches it is its revenue
	AllowMultiple bool    `toml:"allow_multiple"` // in one visit
}

// DefaultGoal is a goal that sets nothing.
func DefaultGoal() Goal { return Goal{Match: goalMatches[goalManually], PatternType: "contains"} }

// goalMatch is what a goal looks at.
type goalMatch uint8

const (
	goalManually goalMatch = iota
	goalURL
	goalTitle
	goalFile
	goalOutlink
	goalEventCategory
	goalEventAction
	goalEventName
	goalDuration
)

// goalMatches are the words for what a goal can look at, by goalMatch.
var goalMatches = []string{
	goalManually:      "manually",
	goalURL:           "url",
	goalTitle:         "title",
	goalFile:          "file",
	goalOutlink:       "external_website",
	goalEventCategory: "event_category",
	goalEventAction:   "event_action",
	goalEventName:     "event_name",
	goalDuration:      "visit_duration",
}

// Compiled is what a hit needs of a site's settings. It never changes. A *Compiled among
// dialect.Site.Settings holds for the site.
type Compiled struct {
	Settings
	hosts   []string // the site's own, lower case
	spam    []string // ExcludeReferrers, lower case
	search  []string // SearchParams, lower case
	goals   []goal
	tracker []byte // the text of TrackerFile; nil = none
}

// goal is a Goal that can be looked for.
type goal struct {
	Goal
	match   goalMatch
	minutes float64           // with goalDuration: a visit longer than this
	reached func(string) bool // with the others: whether a text reaches the goal; nil = none does
}

// none are the settings of a site without any.
var none Compiled

// settingsOf are the settings of a site.
func settingsOf(site *dialect.Site) *Compiled {
	if c := dialect.SettingsOf[Compiled](site); c != nil {
		return c
	}
	return &none
}

// Warnings says what is unusual in the settings. They are good nevertheless.
func (s *Settings) Warnings() (warnings []string) {
	if time.Duration(s.CDTWindow) > freeUsual {
		warnings = append(warnings, "matomo.cdt_window is over 30d: anybody can send hits that change reports of so long ago")
	}
	return warnings
}

// Compile checks the settings and goals of a site with its own hosts, and reads TrackerFile.
// The error names the key. It is or wraps a *dialect.WordError where a word is wrong.
func (s Settings) Compile(hosts []string, goals []Goal) (*Compiled, error) {
	switch {
	case time.Duration(s.CDTWindow) < freeMin:
		return nil, fmt.Errorf("matomo.cdt_window: must be at least 4h")
	case s.OnlyHosts && len(hosts) == 0:
		return nil, fmt.Errorf("matomo.only_hosts: list the site's own hosts in hosts, which is empty")
	}
	c := &Compiled{Settings: s, hosts: lower(hosts), spam: lower(s.ExcludeReferrers), search: lower(s.SearchParams)}
	var err error
	if c.tracker, err = readTracker(s.TrackerFile); err != nil {
		return nil, fmt.Errorf("matomo.tracker_file: %w", err)
	}
	seen := map[int]bool{}
	for i := range goals {
		g, err := goals[i].compile()
		if err != nil {
			return nil, fmt.Errorf("goal %d: %w", goals[i].ID, err)
		}
		if seen[g.ID] {
			return nil, fmt.Errorf("goal %d is configured twice", g.ID)
		}
		seen[g.ID] = true
		c.goals = append(c.goals, g)
	}
	return c, nil
}

func lower(list []string) []string {
	var out []string
	for _, text := range list {
		out = append(out, strings.ToLower(text))
	}
	return out
}

func (g *Goal) compile() (out goal, err error) {
	match := slices.Index(goalMatches, g.Match)
	switch {
	case g.ID < 1:
		return out, fmt.Errorf("id must be above 0")
	case g.Name == "":
		return out, fmt.Errorf("name is empty")
	case match < 0:
		return out, &dialect.WordError{Key: "match", Value: g.Match, Words: goalMatches}
	case !slices.Contains([]string{"contains", "exact", "regex"}, g.PatternType):
		return out, fmt.Errorf("pattern_type = %q: must be contains, exact or regex", g.PatternType)
	case goalMatch(match) != goalManually && g.Pattern == "":
		return out, fmt.Errorf("pattern is empty")
	}
	out = goal{Goal: *g, match: goalMatch(match)}
	if out.match == goalDuration {
		if out.minutes, err = strconv.ParseFloat(g.Pattern, 64); err != nil {
			return out, fmt.Errorf("pattern = %q: for a visit_duration, the pattern must be a number of minutes", g.Pattern)
		}
		return out, nil
	}
	reached, err := g.matcher()
	if err != nil {
		return out, fmt.Errorf("pattern: %w", err)
	}
	if out.match != goalManually {
		out.reached = reached
	}
	return out, nil
}

// matcher says whether a text has the pattern. Without case both sides are compared in lower
// case.
func (g *Goal) matcher() (func(string) bool, error) {
	fold := func(s string) string { return s }
	if !g.CaseSensitive {
		fold = strings.ToLower
	}
	want := fold(g.Pattern)
	switch g.PatternType {
	case "exact":
		return func(s string) bool { return fold(s) == want }, nil
	case "regex":
		// An error shows the pattern as it is configured.
		re, err := regexp.Compile(g.Pattern)
		if err == nil && !g.CaseSensitive {
			re, err = regexp.Compile("(?i)" + g.Pattern)
		}
		if err != nil {
			return nil, err
		}
		return re.MatchString, nil
	}
	return func(s string) bool { return strings.Contains(fold(s), want) }, nil
}

// trackerBytesMax is larger than any real tracker script.
const trackerBytesMax = 4 << 20

// readTracker reads the operator's tracker script. It returns nil without a file.
func readTracker(file string) ([]byte, error) {
	if file == "" {
		return nil, nil
	}
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, trackerBytesMax+1))
	switch {
	case err != nil:
		return nil, err
	case len(text) == 0:
		return nil, fmt.Errorf("%s is empty", file)
	case len(text) > trackerBytesMax:
		return nil, fmt.Errorf("%s has more than %d bytes", file, trackerBytesMax)
	}
	return text, nil
}
