package matomo

import (
	"fmt"
	"testing"
	"time"

	"cairn/http/dialect"
)

// A goal searches a text for its pattern. It ignores case unless its settings say otherwise.
func TestGoalPatterns(t *testing.T) {
	for _, c := range []struct {
		typ, pattern, text string
		sensitive, reached bool
	}{
		{"contains", "/Thanks", "https://a.example/THANKS/you", false, true},
		{"contains", "/Thanks", "https://a.example/THANKS/you", true, false},
		{"contains", "/Thanks", "https://a.example/Thanks/you", true, true},
		{"exact", "Videos", "videos", false, true},
		{"exact", "Videos", "videos", true, false},
		{"exact", "Videos", "all videos", false, false},
		{"regex", `\.PDF$`, "a.pdf", false, true},
		{"regex", `\.PDF$`, "a.pdf", true, false},
		{"regex", `\.PDF$`, "a.pdf?x", false, false},
	} {
		goals := []Goal{{ID: 1, Name: "g", Match: "url", Pattern: c.pattern, PatternType: c.typ, CaseSensitive: c.sensitive}}
		compiled, err := Defaults().Compile(nil, goals)
		if err != nil {
			t.Fatal(err)
		}
		if got := compiled.goals[0].reached(c.text); got != c.reached {
			t.Errorf("%s %q (case counts: %v) in %q: %v", c.typ, c.pattern, c.sensitive, c.text, got)
		}
	}
}

// The error of Compile names the invalid key.
func TestCompileRefuses(t *testing.T) {
	goal := func(change func(*Goal)) []Goal {
		g := DefaultGoal()
		g.ID, g.Name = 1, "g"
		change(&g)
		return []Goal{g}
	}
	short, alone, noFile := Defaults(), Defaults(), Defaults()
	short.CDTWindow = dialect.Duration(freeMin - 1)
	alone.OnlyHosts = true
	noFile.TrackerFile = "no/such.js"
	for _, c := range []struct {
		settings Settings
		goals    []Goal
		want     string
	}{
		{short, nil, "matomo.cdt_window: must be at least 4h"},
		{alone, nil, "matomo.only_hosts: list the site's own hosts in hosts, which is empty"},
		{noFile, nil, "matomo.tracker_file: open no/such.js: no such file or directory"},
		{Defaults(), goal(func(g *Goal) { g.ID = 0 }), "goal 0: id must be above 0"},
		{Defaults(), goal(func(g *Goal) { g.Name = "" }), "goal 1: name is empty"},
		{Defaults(), goal(func(g *Goal) { g.Match = "link" }), `goal 1: match = "link": must be one of manually, url, title, file, external_website, event_category, event_action, event_name, visit_duration`},
		{Defaults(), goal(func(g *Goal) { g.PatternType = "like" }), `goal 1: pattern_type = "like": must be contains, exact or regex`},
		{Defaults(), goal(func(g *Goal) { g.Match = "url" }), "goal 1: pattern is empty"},
		{Defaults(), goal(func(g *Goal) { g.Match, g.Pattern = "visit_duration", "long" }), `goal 1: pattern = "long": for a visit_duration, the pattern must be a number of minutes`},
		{Defaults(), goal(func(g *Goal) { g.Match, g.Pattern, g.PatternType = "url", "(", "regex" }), "goal 1: pattern: error parsing regexp: missing closing ): `(`"},
		{Defaults(), append(goal(func(*Goal) {}), goal(func(*Goal) {})...), "goal 1 is configured twice"},
	} {
		if _, err := c.settings.Compile(nil, c.goals); err == nil || err.Error() != c.want {
			t.Errorf("got %v\nwant %s", err, c.want)
		}
	}
}

// A hit of a phone that was offline for days is accepted within the site's window.
func TestWindow(t *testing.T) {
	for _, c := range []struct {
		window, age time.Duration
		refused     bool
	}{
		{0, 23 * time.Hour, false}, {0, 24 * time.Hour, true},
		{time.Hour, 3 * time.Hour, false}, {time.Hour, 4 * time.Hour, true},
		{30 * 24 * time.Hour, 29 * 24 * time.Hour, false}, {30 * 24 * time.Hour, 30 * 24 * time.Hour, true},
		{90 * 24 * time.Hour, 89 * 24 * time.Hour, false},
	} {
		req := request(t, "GET", fmt.Sprintf("/matomo.php?idsite=1&rec=1&action_name=a&cdt=%d", received.Add(-c.age).Unix()), "")
		req.Find = func(dialect.Credential) *dialect.Site {
			return &dialect.Site{Settings: []any{&Compiled{Settings: Settings{CDTWindow: dialect.Duration(c.window)}}}}
		}
		var b dialect.Batch
		if err := New(Options{}).Decode(req, &b); err != nil || len(b.Records) != 1 || (b.Records[0].Err != nil) != c.refused {
			t.Errorf("%v old in a window of %v: %v %+v", c.age, c.window, err, b.Records)
		}
	}
}
