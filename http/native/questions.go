package native

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
	"sync"

	"cairn/http/dialect"
)

// This file gives the table of calls to those who ask them elsewhere: the command line, assistants
// and the documentation.

// Question is a call that answers with one JSON object: what a person, a script or an assistant
// may ask.
type Question struct {
	Name   string  // what stands below /api/v1/, such as "visits" or "funnel/entities"
	Path   string  // "/api/v1/" and the name
	About  string  // one sentence, without a full stop
	Detail string  // more sentences; "" = none
	Params []Param // in the order of the contract
	Result string  // the name of its schema in the contract, see Schema
	Admin  bool    // the admin's token alone may ask, and no site is named
	People bool    // the answer names people, whatever is asked
	CSV    bool    // format=csv gives one of its tables
	Range  bool    // it speaks of a range of time
}

// Param is a parameter of a question.
type Param struct {
	Name    string          // a name that ends in "." stands for every name that begins with it, such as "prop."
	Filter  bool            // a condition on events; the operators of filters may follow its name, and a repeat means OR
	Repeats bool            // may be given more than once
	About   string          // sentences; "" = the name says it
	Schema  json.RawMessage // the JSON Schema of one value
	Values  []string        // all values that are allowed; nil = others say what is
	Default string          // what an absent one means; "" = see About
}

// questionNames are the questions in the order in which they are listed.
var questionNames = []string{"visits", "pages", "breakdown", "aggregate", "funnel", "funnel/entities", "retention", "retention/entities",
	"paths", "live", "goals", "shop", "fields", "values", "count", "series", "counters", "events", "sessions", "users", "site", "sites"}

// Questions returns all questions. The caller must not change them.
func Questions() []Question { return questions() }

// QuestionNamed returns the question with a name.
func QuestionNamed(name string) (q Question, ok bool) {
	i := slices.Index(questionNames, name)
	if i < 0 {
		return q, false
	}
	return questions()[i], true
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

type contract struct {
	Paths      map[string]map[string]operation
	Components struct {
		Parameters map[string]contractParam
		Schemas    map[string]json.RawMessage
	}
}

type operation struct {
	Summary, Description string
	Parameters           []contractParam
	Responses            map[string]struct {
		Content map[string]struct {
			Schema struct {
				Ref string `json:"$ref"`
			}
		}
	}
}

type contractParam struct {
	Ref                   string `json:"$ref"`
	Name, In, Description string
	Explode               bool
	Schema                json.RawMessage
}

// theContract is the contract, read.
var theContract = sync.OnceValue(func() *contract {
	var c contract
	if err := json.Unmarshal(OpenAPI, &c); err != nil {
		panic(err)
	}
	return &c
})

var questions = sync.OnceValue(func() []Question {
	c := theContract()
	list := make([]Question, len(questionNames))
	for i, name := range questionNames {
		r, _ := routeFor("GET", "/api/v1/"+name)
		op := c.Paths[r.path]["get"]
		list[i] = Question{Name: name, Path: r.path, About: op.Summary, Detail: op.Description, Admin: r.right&dialect.Admin != 0,
			People: r.names, CSV: r.takes&takesCSV != 0, Range: r.takes&takesRange != 0,
			Result: strings.TrimPrefix(op.Responses["200"].Content["application/json"].Schema.Ref, schemaPrefix)}
		for _, p := range op.Parameters {
			if p.Ref != "" {
				p = c.Components.Parameters[strings.TrimPrefix(p.Ref, "#/components/parameters/")]
			}
			list[i].Params = append(list[i].Params, p.params(c)...)
		}
	}
	return list
})

const schemaPrefix = "#/components/schemas/"

// params are the parameters that one of the contract stands for.
func (p contractParam) params(c *contract) []Param {
	var s struct {
		Type, Ref         string
		Enum              []string
		Default           any
		Items             json.RawMessage
		Properties        map[string]json.RawMessage
		PatternProperties map[string]json.RawMessage
	}
	if json.Unmarshal(p.Schema, &s) != nil {
		return nil
	}
	one := Param{Name: p.Name, About: p.Description, Schema: p.Schema, Filter: slices.Contains(filterParams, p.Name), Values: s.Enum}
	if s.Default != nil {
		text, _ := json.Marshal(s.Default)
		one.Default = string(bytes.Trim(text, `"`))
	}
	if p.Explode {
		var list []Param
		for name := range s.Properties {
			list = append(list, Param{Name: name, Filter: true, Repeats: true, About: p.Description, Schema: json.RawMessage(`{"type":"string"}`)})
		}
		for pattern := range s.PatternProperties {
			name, _, _ := strings.Cut(strings.TrimPrefix(pattern, "^"), `\`)
			list = append(list, Param{Name: name + ".", Filter: true, Repeats: true, About: p.Description, Schema: json.RawMessage(`{"type":"string"}`)})
		}
		slices.SortFunc(list, func(a, b Param) int { return strings.Compare(a.Name, b.Name) })
		return list
	}
	if s.Type == "array" {
		one.Repeats, one.Schema = true, s.Items
	}
	return []Param{one}
}

// Schema returns the JSON Schema of the answer of a question, whole: what it refers to is in its
// "$defs".
func (q *Question) Schema() json.RawMessage {
	schemas := theContract().Components.Schemas
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
				defs[name] = add(schemas[name])
			}
			rest = after
		}
	}
	whole := map[string]any{"$ref": "#/$defs/" + q.Result, "$defs": defs, "type": "object"}
	defs[q.Result] = nil
	defs[q.Result] = add(schemas[q.Result])
	text, err := json.Marshal(whole)
	if err != nil {
		panic(err)
	}
	return text
}
