package native

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
)

// The questions are these, in this order: terminals, assistants and the documentation list them so. A new
// call of the table is one, and is put in here.
func TestQuestionsAreListed(t *testing.T) {
	var names []string
	for _, q := range Questions() {
		names = append(names, q.Name)
	}
	const want = "visits pages breakdown aggregate funnel funnel/entities retention retention/entities paths live goals shop fields values " +
		"count series counters events sessions users site sites"
	if got := strings.Join(names, " "); got != want {
		t.Errorf("%s\nwant %s", got, want)
	}
	for _, name := range names {
		if q, ok := QuestionNamed(name); !ok || q.Name != name {
			t.Errorf("%s: %+v", name, q)
		}
	}
	if q, ok := QuestionNamed("saved"); ok {
		t.Errorf("%+v", q)
	}
}

// Every question has all that is asked elsewhere: a sentence of itself and of each parameter, schemas that
// need nothing else, and the answers' names.
func TestQuestionsAreWhole(t *testing.T) {
	for _, q := range Questions() {
		if q.About == "" || q.Result == "" || q.Answers == "" || strings.HasSuffix(q.About, ".") || len(q.Params) == 0 {
			t.Errorf("%+v", q)
		}
		for _, p := range q.Params {
			var schema struct {
				Ref     string `json:"$ref"`
				Enum    []string
				Default any
			}
			if err := json.Unmarshal(p.Schema, &schema); err != nil || schema.Ref != "" || !p.Some && !slices.Equal(schema.Enum, p.Values) {
				t.Errorf("%s %s: schema %s, values %q: %v", q.Name, p.Name, p.Schema, p.Values, err)
			}
			if !strings.HasSuffix(p.About, ".") {
				t.Errorf("%s %s: %q is no sentence", q.Name, p.Name, p.About)
			}
			if p.Filter && (!p.Repeats || p.Group != "filters") || p.Required && p.Default != "" || p.Some && p.Values == nil {
				t.Errorf("%s: %+v", q.Name, p)
			}
			name := p.Name
			if strings.HasSuffix(name, ".") {
				name += "x"
			}
			if found := q.Param(name); found == nil || found.Name != p.Name {
				t.Errorf("%s: parameter %s: %+v", q.Name, name, found)
			}
		}
		var schema struct {
			Defs map[string]any `json:"$defs"`
		}
		if err := json.Unmarshal(q.Schema(), &schema); err != nil || schema.Defs[q.Result] == nil || strings.Contains(string(q.Schema()), schemaPrefix) {
			t.Errorf("%s: schema %s, %v", q.Name, q.Schema(), err)
		}
	}
}

func TestTakes(t *testing.T) {
	for call, want := range map[string]bool{
		"visits interval": true, "visits name": true, "visits visit.": true, "visits prop.plan": true, "visits step": false, "visits operator": false,
		"funnel/entities at": true, "live range": false, "live max_age": true, "sites site": false, "saved kind": true, "events order": true,
	} {
		name, param, _ := strings.Cut(call, " ")
		if takes, known := Takes(name, param); takes != want || !known {
			t.Errorf("%s: %v, known %v", call, takes, known)
		}
	}
	for _, name := range []string{"", "export", "live/stream", "events/x", "admin/sites", "nothing", "visits/"} {
		if _, known := Takes(name, "site"); known {
			t.Errorf("%q is known", name)
		}
	}
}
