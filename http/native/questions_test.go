package native

import (
	"encoding/json"
	"strings"
	"testing"
)

// Every call that reads one JSON object of a site is a question, but for those of one thing by its id and
// what is saved; and every question has all that is asked elsewhere.
func TestQuestionsAreAll(t *testing.T) {
	named := map[string]bool{}
	for _, q := range Questions() {
		named[q.Path] = true
		if q.About == "" || q.Result == "" || len(q.Params) == 0 {
			t.Errorf("%+v", q)
		}
		r, _ := routeFor("GET", q.Path)
		for _, name := range r.params.names() {
			if p := q.Param(name + strings.Repeat("x", strings.Count(name[len(name)-1:], "."))); p == nil || p.Name != name || len(p.Schema) == 0 {
				t.Errorf("%s: parameter %s: %+v", q.Name, name, p)
			}
		}
		if len(q.Params) != len(r.params.names()) {
			t.Errorf("%s has %d parameters, the table %d", q.Name, len(q.Params), len(r.params.names()))
		}
		var schema struct {
			Defs map[string]any `json:"$defs"`
		}
		if err := json.Unmarshal(q.Schema(), &schema); err != nil || schema.Defs[q.Result] == nil || strings.Contains(string(q.Schema()), schemaPrefix) {
			t.Errorf("%s: schema %s, %v", q.Name, q.Schema(), err)
		}
	}
	for _, r := range table {
		if r.read != nil && !r.streams && !r.exports && !strings.Contains(r.path, "*") && !strings.HasPrefix(r.path, adminPath) && r.path != savedPath && !named[r.path] {
			t.Errorf("%s is no question", r.path)
		}
	}
}
