package native

import (
	"encoding/json"
	"slices"
	"strings"
)

// This file says more of the parameters of questions, for those who describe them elsewhere.

// Filters reports whether the value of a parameter is itself a query string of plain filters, such
// as that of step.
func (p *Param) Filters() bool { return slices.Contains(filterInside, p.Name) }

// Whole returns the JSON Schema of one value without references: what it refers to stands in their
// place.
func (p *Param) Whole() json.RawMessage {
	var schema any
	if err := json.Unmarshal(p.Schema, &schema); err != nil {
		panic(err)
	}
	text, err := json.Marshal(whole(schema))
	if err != nil {
		panic(err)
	}
	return text
}

// whole replaces references. No schema of a parameter refers to itself.
func whole(schema any) any {
	switch schema := schema.(type) {
	case map[string]any:
		if ref, ok := schema["$ref"].(string); ok {
			var to any
			if err := json.Unmarshal(theContract().Components.Schemas[strings.TrimPrefix(ref, schemaPrefix)], &to); err != nil {
				panic(err)
			}
			return whole(to)
		}
		for key, value := range schema {
			schema[key] = whole(value)
		}
	case []any:
		for i, value := range schema {
			schema[i] = whole(value)
		}
	}
	return schema
}
