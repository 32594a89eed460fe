package mcp

import (
	"encoding/json"
	"net/url"
	"slices"
	"strings"

	"cairn/http/native"

	sdk "github.com/modelcontextprotocol/go-sdk/mcp"
)

// This file makes the tools of the questions.

// tool is a tool and the question that it asks.
type tool struct {
	*sdk.Tool
	question *native.Question
}

// left are questions that are no tools: what "count" says is a part of what "breakdown" says, and
// "sites" is of the admin alone, whose errors name the sites.
var left = []string{"count", "sites"}

// tools are all tools. sites says that they have the argument site.
func (s *Server) tools(sites bool) (list []tool) {
	questions := native.Questions()
	no := false
	for i := range questions {
		q := &questions[i]
		if q.Admin || slices.Contains(left, q.Name) || q.People && !s.options.People {
			continue
		}
		list = append(list, tool{question: q, Tool: &sdk.Tool{
			Name:         toolName(q.Name),
			Title:        q.About,
			Description:  describe(q),
			InputSchema:  inputSchema(q, sites),
			OutputSchema: outputSchema(q),
			Annotations:  &sdk.ToolAnnotations{Title: q.About, ReadOnlyHint: true, IdempotentHint: true, DestructiveHint: &no, OpenWorldHint: &no},
		}})
	}
	return list
}

// toolName is the name of the tool of a question: names of tools have no slash.
func toolName(question string) string { return strings.ReplaceAll(question, "/", "_") }

func describe(q *native.Question) string {
	text := q.About + "."
	if q.Detail != "" {
		text += " " + q.Detail
	}
	return text
}

// filters is the argument that has the conditions of a question.
const filters = "filters"

// hidden are parameters that are no arguments: an answer is JSON, and how old it may be is a matter
// of screens that ask again and again.
var hidden = []string{"format", "max_age"}

// takes reports whether a parameter is an argument by its own name in the schema. Filters are in
// the argument filters, or else each tool had sixty arguments.
func takes(p *native.Param, sites bool) bool {
	return !p.Filter && !strings.HasSuffix(p.Name, ".") && !slices.Contains(hidden, p.Name) && (p.Name != "site" || sites)
}

// inputSchema is the JSON Schema of the arguments of a question. It lets other arguments pass: the
// API refuses them in its own words.
func inputSchema(q *native.Question, sites bool) json.RawMessage {
	properties := make(map[string]any)
	conditions, visit := false, false
	var required []string
	for i := range q.Params {
		p := &q.Params[i]
		conditions = conditions || p.Filter
		visit = visit || p.Name == "visit."
		if !takes(p, sites) {
			continue
		}
		one := schemaOf(p)
		if p.Repeats {
			one = map[string]any{"type": "array", "items": one}
		}
		if about := aboutParam(p); about != "" {
			one["description"] = about
		}
		properties[p.Name] = one
		if p.Required {
			required = append(required, p.Name)
		}
	}
	if conditions {
		about := "Conditions that must all hold: country=DE, path~=/blog/*, value>=10, prop.plan=pro, has=prop.plan. Operators: = != ~= !~= >= <="
		if visit {
			about += ". Of the whole visit: visit.source=Google"
		}
		properties[filters] = map[string]any{"type": "array", "items": map[string]any{"type": "string"}, "description": about}
	}
	schema := map[string]any{"type": "object", "properties": properties}
	if required != nil {
		schema["required"] = required
	}
	return marshal(schema)
}

// schemaOf is the schema of one value of a parameter.
func schemaOf(p *native.Param) map[string]any {
	var one map[string]any
	if err := json.Unmarshal(p.Schema, &one); err != nil {
		panic(err) // the contract is part of the program
	}
	return one
}

// aboutParam says what a parameter is, in the words of the table. Assistants read all tools before
// they ask: of what many tools take, the first sentences have to do. An argument is a plain text,
// where an address has a percent-encoded one.
func aboutParam(p *native.Param) string {
	about := p.About
	switch {
	case p.Inside:
		about = strings.ReplaceAll(about, "percent-encoded query string of plain filters", "list of plain filters with & between them")
		parts := strings.Split(about, "`")
		for i := 1; i < len(parts); i += 2 {
			if plain, err := url.QueryUnescape(parts[i]); err == nil {
				parts[i] = plain
			}
		}
		about = strings.Join(parts, "`")
	case p.Group != "": // other calls have it too
		about = firstSentences(about)
	}
	if p.Some {
		about += " Some of " + strings.Join(p.Values, ", ") + ", separated by commas."
	}
	return strings.TrimSpace(about)
}

// sentencesMax is how long the first sentences of a text may be.
const sentencesMax = 140

// firstSentences are as many sentences as are short together, one at least.
func firstSentences(text string) string {
	at := 0
	for {
		end := strings.Index(text[at:], ". ")
		if end < 0 {
			end = len(text) - at - 1
		}
		if at > 0 && at+end >= sentencesMax {
			return strings.TrimSpace(text[:at])
		}
		if at += end + 1; at >= len(text) {
			return text
		}
	}
}

// outputSchema is the schema of the answer. A text that was cut or escaped still is one of it: no
// pattern is on texts that visitors send.
func outputSchema(q *native.Question) json.RawMessage { return q.Schema() }

func marshal(v any) json.RawMessage {
	text, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return text
}
