package native

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
	"sync"

	"cairn/engine/query"
	"cairn/http/dialect"
)

// This file gives the table of calls to those who ask them elsewhere: the command line, assistants
// and the documentation.

// Question is a call that answers with one JSON object: what a person, a script or an assistant
// may ask.
type Question struct {
	Name    string  // what stands below /api/v1/, such as "visits" or "funnel/entities"
	Path    string  // "/api/v1/" and the name
	About   string  // one sentence, without a full stop
	Detail  string  // more sentences; "" = none
	Params  []Param // its own ones first, the filters last
	Result  string  // the name of its schema in the contract, see Schema
	Answers string  // what the answer is, one sentence
	Admin   bool    // the admin's token alone may ask, and no site is named
	People  bool    // the answer names people, whatever is asked
	CSV     bool    // format=csv gives one of its tables
	Range   bool    // it speaks of a range of time
}

// Param is a parameter of a question.
type Param struct {
	Name     string          // a name that ends in "." stands for every name that begins with it, such as "prop."
	Filter   bool            // a condition on events; the operators of filters may follow its name, and a repeat means OR
	Repeats  bool            // may be given more than once
	Required bool            // must be given
	About    string          // sentences
	Schema   json.RawMessage // the JSON Schema of one value, of a filter without an operator; it refers to nothing
	Values   []string        // all values that are allowed; nil = others say what is
	Some     bool            // several of Values, separated by commas
	Examples []string        // of what is allowed besides what the rest says
	Default  string          // what an absent one means; "" = see About
	Field    bool            // its value names a field of events, or several, separated by commas
	Inside   bool            // its value is a query string of plain filters
	Group    string          // of those that many calls have alike: range, compare, series, rows, csv, site, filters; "" = the call's own
}

// Questions returns all questions, in the order in which they are listed. The caller must not change them.
func Questions() []Question { return questions() }

// QuestionNamed returns the question with a name.
func QuestionNamed(name string) (q Question, ok bool) {
	all := questions()
	i := slices.IndexFunc(all, func(q Question) bool { return q.Name == name })
	if i < 0 {
		return q, false
	}
	return all[i], true
}

// Param returns the parameter that a name gives, such as that of "prop.plan"; nil when there is
// none. An operator is no part of the name.
func (q *Question) Param(name string) *Param {
	for i := range q.Params {
		p := &q.Params[i]
		if p.Name == name || strings.HasSuffix(p.Name, ".") && len(name) > len(p.Name) && strings.HasPrefix(name, p.Name) {
			return p
		}
	}
	return nil
}

var questions = sync.OnceValue(func() (list []Question) {
	for _, r := range table {
		if !r.isQuestion() {
			continue
		}
		q := Question{Name: strings.TrimPrefix(r.path, "/api/v1/"), Path: r.path, About: r.about, Detail: r.detail, Result: r.result, Answers: r.answers,
			Admin: r.right&dialect.Admin != 0, People: r.names, CSV: r.takes&takesCSV != 0, Range: r.ranged()}
		for i, p := range r.params {
			group := ""
			if i >= len(r.own) {
				group = groupOf(r.takes, p)
			}
			for _, name := range p.stands() {
				one := *p
				if p.kind == filterKind {
					one.values = query.ClosedValues(name)
				}
				q.Params = append(q.Params, Param{Name: name, Group: group, Filter: p.kind == filterKind, Repeats: p.kind != singleKind, Required: p.required, About: p.about,
					Schema: json.RawMessage(one.valueSchema(false)), Values: one.values, Some: p.some, Examples: p.examples, Default: p.absent,
					Field: p.field, Inside: p.filter})
			}
		}
		list = append(list, q)
	}
	return list
})

// groupOf is the name of the group of a call that a parameter is in.
func groupOf(takes takes, p *param) string {
	for _, g := range groups {
		if takes&g.takes != 0 && slices.Contains(g.list, p) {
			return g.name
		}
	}
	return ""
}

// Takes reports whether the call of a name, below /api/v1/, takes a parameter, such as "limit" or "visit.";
// and whether there is a read of that name that answers at once and needs no id.
func Takes(call, param string) (takes, known bool) {
	r, _ := routeFor("GET", "/api/v1/"+call)
	if r == nil || !r.isQuestion() && r.path != savedPath {
		return false, false
	}
	return r.params.has(param) || r.params.find(param) != nil, true
}

// CutFilter parts a condition as people write it, such as path~=/blog/*, into the name and the value of a
// parameter. A path in quotes may hold a "=". Of a text that is no condition, the name is all of it.
func CutFilter(text string) (name, value string, ok bool) {
	from := 0
	if dot := strings.Index(text, `."`); dot >= 0 && !strings.Contains(text[:dot], "=") {
		if end := strings.Index(text[dot+2:], `"`); end >= 0 {
			from = dot + 2 + end
		}
	}
	at := strings.IndexByte(text[from:], '=')
	if at < 0 {
		return text, "", false
	}
	return text[:from+at], text[from+at+1:], true
}

const schemaPrefix = "#/components/schemas/"

// schemas are those of the contract, by name.
var schemas = sync.OnceValue(func() map[string]json.RawMessage {
	all := make(map[string]json.RawMessage)
	for _, name := range openapiGroups {
		if err := json.Unmarshal(readOpenAPIGroup(name).Components.Schemas, &all); err != nil {
			panic(err)
		}
	}
	return all
})

// Schema returns the JSON Schema of the answer of a question, whole: what it refers to is in its
// "$defs".
func (q *Question) Schema() json.RawMessage {
	all := schemas()
	defs := make(map[string]json.RawMessage)
	var add func(text json.RawMessage) json.RawMessage
	add = func(text json.RawMessage) json.RawMessage {
		for rest := text; ; {
			_, after, ok := bytes.Cut(rest, []byte(`"`+schemaPrefix))
			if !ok {
				return bytes.ReplaceAll(text, []byte(schemaPrefix), []byte("#/$defs/"))
			}
			ref, _, _ := bytes.Cut(after, []byte(`"`))
			name, _, _ := strings.Cut(string(ref), "/")
			if _, have := defs[name]; !have {
				defs[name] = nil // before what it refers to, which may be itself
				defs[name] = add(all[name])
			}
			rest = after
		}
	}
	whole := map[string]any{"$ref": "#/$defs/" + q.Result, "$defs": defs, "type": "object"}
	defs[q.Result] = nil
	defs[q.Result] = add(all[q.Result])
	text, err := json.Marshal(whole)
	if err != nil {
		panic(err)
	}
	return text
}
