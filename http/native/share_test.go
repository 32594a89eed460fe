package native

import (
	"context"
	"errors"
	"net/url"
	"slices"
	"strings"
	"testing"

	"cairn/engine/query"
	"cairn/http/dialect"
)

// sharedAsk returns whether a share that lists the property plan may ask a call, and the field that is
// named if not. saved is the query of a saved filter.
func sharedAsk(t *testing.T, r *route, raw, saved string) (field string, may bool) {
	t.Helper()
	q, err := parseQuery(raw, r.params)
	if err != nil {
		t.Fatal(r.path, raw, err)
	}
	if q.saved, err = savedFilters(&query.Saved{Query: saved}); err != nil {
		t.Fatal(saved, err)
	}
	err = shareMay(r, &q, &dialect.Share{Numbers: true, Props: []string{"plan", "address.city"}})
	var status *dialect.StatusError
	switch {
	case err == nil:
		return "", true
	case !errors.As(err, &status) || status.Failure != dialect.Forbidden:
		t.Errorf("%s?%s: %v", r.path, raw, err)
		return "", false
	}
	return status.Field, false
}

// everything is a call with all parameters.
func everything(path string) *route {
	return declare(&route{method: "GET", path: path, right: dialect.Read, read: func(*API, context.Context, *reading) error { return nil }, share: shareNumbers,
		own: savedParams, takes: takesSite})[0]
}

// A share of numbers may ask the calls of numbers, and no other.
func TestShareCalls(t *testing.T) {
	var may []string
	for _, r := range table {
		q := params{}
		if r.params.has("property") {
			q.single = map[string]string{"property": "country"}
		}
		if shareMay(r, &q, &dialect.Share{Numbers: true}) == nil {
			may = append(may, strings.TrimPrefix(r.path, "/api/v1/"))
			if r.names {
				t.Errorf("%s names people", r.path)
			}
		}
	}
	for _, path := range []string{"count", "series", "counters", "live", "site", "visits", "pages", "funnel", "retention", "paths"} {
		if !slices.Contains(may, path) {
			t.Errorf("%s is not shared", path)
		}
	}
	if len(may) != 16 {
		t.Errorf("shared are %q", may)
	}
}

// Each row is a parameter that a share may not send, in each notation and place.
func TestShareFields(t *testing.T) {
	r := everything("/api/v1/breakdown")
	for _, field := range append(slices.Clone(personal), "prop.email", "extra.email", "prop.plan.x", `prop."email"`) {
		plain := strings.ReplaceAll(field, `"`, "")
		inside := url.QueryEscape("name=a&" + field + "=1")
		asks := []string{field + "=1", field + "!=1", field + "~=1*", "visit." + field + "=1", "visit." + field + "!~=1",
			"has=" + plain, "has!=" + plain, "visit.has=" + plain, "visit.has!=" + plain}
		if slices.Contains([]string{"ip", "latitude", "longitude", "url", "referrer"}, field) {
			asks = append(asks, "context."+field+"=1", "has=context."+field)
		}
		for _, param := range []string{"step", "start", "end", "return", "goal"} {
			asks = append(asks, param+"="+inside)
		}
		for _, param := range []string{"by", "of", "split", "sort", "field", "property", "segment"} {
			for _, name := range []string{field, "visit." + field, "context." + field, "visit.context." + field, "country," + field} {
				asks = append(asks, param+"="+url.QueryEscape(name))
			}
		}
		asks = append(asks, "by=country&by="+url.QueryEscape(field))
		for _, ask := range asks {
			if named, may := sharedAsk(t, r, "range=7d&"+ask, ""); may || named == "" {
				t.Errorf("%s: may %v, named %q", ask, may, named)
			}
		}
		if named, may := sharedAsk(t, r, "", field+"=1"); may || named != plain {
			t.Errorf("saved %s: may %v, named %q", field, may, named)
		}
	}
	for _, ask := range []string{"", "range=7d&country=DE&visit.source!=Google&page~=/blog/*", "prop.plan=pro&prop.address.city=Utrecht&extra.plan=x&has=prop.plan", `prop."plan"=pro`,
		"by=prop.plan&by=country&sort=visits&of=value", "by=visit.prop.plan", "by=referrer_host,title", "goal=" + url.QueryEscape("name=signup&prop.plan=pro"), "step=" + url.QueryEscape("type=page") + "&step=name%3Da",
		"split=prop.plan", "field=city", "then=/p/1&fold=/p/*", "search=url"} {
		if named, may := sharedAsk(t, r, ask, "country=DE&prop.plan=pro"); !may {
			t.Errorf("%s: may not name %s", ask, named)
		}
	}
}

// Counters are of properties: those that events have by themselves, and those that are listed.
func TestShareCounters(t *testing.T) {
	r := everything("/api/v1/counters")
	for ask, may := range map[string]bool{"property=country": true, "property=name&segment=country": true, "property=plan": true, "property=plan&segment=address.city": true,
		"": false, "property=email": false, "property=country&segment=email": false, "segment=country": false, "property=address": false} {
		if named, got := sharedAsk(t, r, ask, ""); got != may || !may && named == "" {
			t.Errorf("%q: may %v, named %q", ask, got, named)
		}
	}
}

// Goals that tell people apart are not shown to a share of numbers. A goal of the configuration
// names prop.goal_id, which the configuration shows anyway.
func TestShareGoals(t *testing.T) {
	goal := func(id string, kind query.GoalKind, where ...query.Cond) query.Goal {
		return query.Goal{ID: id, Kind: kind, Where: where}
	}
	name := query.Cond{Field: "name", Values: []string{"a"}}
	var shown []string
	for _, g := range sharedGoals([]query.Goal{
		goal("1", query.GoalOfSite, query.Cond{Field: "type"}, query.Cond{Field: "prop.goal_id"}),
		goal("2", query.GoalIsSaved, name),
		goal("3", query.GoalIsSaved, name, query.Cond{Field: "user", Op: query.OpHas}),
		goal("4", query.GoalIsSaved, query.Cond{Field: "url"}),
		goal("5", query.GoalIsSaved, query.Cond{Field: "prop.email"}),
		goal("6", query.GoalIsSaved, query.Cond{Field: "prop.plan"}),
	}, &dialect.Share{Numbers: true, Props: []string{"plan"}}) {
		shown = append(shown, g.ID)
	}
	if got := strings.Join(shown, " "); got != "1 2 6" {
		t.Errorf("shown are %s", got)
	}
}

// Every parameter is known to name fields, to be a filter, or to be harmless. A new one has to say in
// its row which it is, or be put in this list.
func TestShareParameters(t *testing.T) {
	harmless := []string{"site", "from", "to", "range", "max_age", "compare", "interval", "format", "metrics", "limit", "after", "search", "order", "at_least",
		"fold", "saved", "entity", "mode", "window", "at", "state", "period", "cohort", "count", "cell", "depth", "anchor", "kind",
		"dry_run", "now", "reason", "purge", "keep", "take", "import", "head", "up_to", "since", "counts"}
	for _, r := range table {
		for _, p := range r.params {
			n := 0
			for _, is := range []bool{slices.Contains(harmless, p.name), p.field, p.filter} {
				if is {
					n++
				}
			}
			if p.kind != filterKind && n != 1 {
				t.Errorf("%s: %s is %d of these", r.path, p.name, n)
			}
		}
	}
}

// What a share never shows is refused whatever its scope: all that is saved, all sites, files of events, and
// all that is of the admin.
func TestShareNever(t *testing.T) {
	var never []string
	for _, r := range table {
		if r.read == nil {
			continue
		}
		c := &reading{req: &dialect.Request{Share: &dialect.Share{}}}
		var status *dialect.StatusError
		switch err := c.shared(r); {
		case errors.As(err, &status) && status.Failure == dialect.Forbidden:
			if !strings.HasPrefix(r.path, adminPath) {
				never = append(never, strings.TrimPrefix(r.path, "/api/v1/"))
			}
		case err != nil || strings.HasPrefix(r.path, adminPath):
			t.Errorf("%s: %v", r.path, err)
		}
	}
	slices.Sort(never)
	if got := strings.Join(never, " "); got != "export saved sites" {
		t.Errorf("never shared are %s", got)
	}
}
