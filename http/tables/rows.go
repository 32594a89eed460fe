package tables

import (
	"bytes"
	"encoding/json"
	"slices"
)

// This file finds the rows of an answer as they were sent.

// rowsOf are the members of an answer that have its rows, the first that it has counts.
var rowsOf = []string{"rows", "events", "sessions", "users", "entities", "fields", "goals", "buckets", "cohorts", "sites", "split", "steps", "links", "minutes", "series"}

// Rows returns the rows of an answer, each as compact JSON: those of its table; of visits those of
// the first table by a dimension, else the steps; of an answer without rows the answer itself.
func Rows(answer []byte) ([][]byte, error) {
	var body map[string]json.RawMessage
	if err := json.Unmarshal(answer, &body); err != nil || body == nil {
		return nil, errNotAnswer
	}
	list := func(text json.RawMessage) (rows [][]byte, is bool) {
		var raw []json.RawMessage
		if json.Unmarshal(text, &raw) != nil || raw == nil {
			return nil, false
		}
		for _, row := range raw {
			var b bytes.Buffer
			if json.Compact(&b, row) == nil {
				rows = append(rows, b.Bytes())
			}
		}
		return rows, true
	}
	inner := func(text json.RawMessage) (rows [][]byte, is bool) {
		var table struct{ Rows json.RawMessage }
		if json.Unmarshal(text, &table) != nil {
			return nil, false
		}
		return list(table.Rows)
	}
	var by map[string]json.RawMessage
	if json.Unmarshal(body["by"], &by) == nil && len(by) > 0 {
		names := make([]string, 0, len(by))
		for name := range by {
			names = append(names, name)
		}
		if rows, is := inner(by[slices.Min(names)]); is {
			return rows, nil
		}
	}
	empty := false
	if rows, is := inner(body["products"]); is && len(rows) > 0 {
		return rows, nil
	}
	for _, key := range rowsOf { // an empty one is no reason to look no further: an answer may have steps alone
		rows, is := list(body[key])
		if len(rows) > 0 {
			return rows, nil
		}
		empty = empty || is
	}
	if empty {
		return nil, nil
	}
	rows, _ := list(slices.Concat([]byte("["), answer, []byte("]")))
	return rows, nil
}
