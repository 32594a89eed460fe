package tables

import (
	"encoding/json"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"cairn/http/native"
)

// This file compares the numbers of a text with those of the answer that it was made of.

var (
	timeToken   = regexp.MustCompile(`\b[0-9]{4}-[0-9]{2}(?:-[0-9]{2})?(?: [0-9:]+)?\b`)
	unitToken   = regexp.MustCompile(`([0-9.]+)([dhms])`)
	numberToken = regexp.MustCompile(`-?[0-9][0-9,.]*(?:[dhms][0-9.]*)*(?: %)?`)
)

// numbersIn are the numbers that a person reads in a text; durations in seconds, rates as shares.
func numbersIn(text string) (list []float64) {
	text = timeToken.ReplaceAllString(text, " ")
	for _, token := range numberToken.FindAllString(text, -1) {
		token = strings.ReplaceAll(token, ",", "")
		if rate, is := strings.CutSuffix(token, " %"); is {
			x, _ := strconv.ParseFloat(rate, 64)
			list = append(list, x/100)
			continue
		}
		if x, err := strconv.ParseFloat(token, 64); err == nil {
			list = append(list, x)
			continue
		}
		sum := 0.0
		for _, part := range unitToken.FindAllStringSubmatch(token, -1) {
			x, _ := strconv.ParseFloat(part[1], 64)
			sum += x * map[string]float64{"d": 86400, "h": 3600, "m": 60, "s": 1}[part[2]]
		}
		list = append(list, sum)
	}
	return list
}

// shown reports whether a number of an answer is among those of a text, as it is rounded there.
func shown(list []float64, x float64) bool {
	return slices.ContainsFunc(list, func(y float64) bool {
		off := math.Abs(x - y)
		return off <= 1e-9 || x != math.Trunc(x) && (off <= 0.00501 || math.Abs(x) < 1 && off <= 0.000501) || x >= 10 && off <= 0.501 && y == math.Trunc(y) || x > 3600 && off <= 30 || x > 86400 && off <= 1800
	})
}

// unseen are members of an answer that its text does not have: what orders or names things, rows of
// a compared range, of which the text has the change, and what a table of events leaves to JSON.
var unseen = map[string]bool{"as_of": true, "compare": true, "was": true, "seq": true, "id": true, "next": true, "window": true, "exact": true, "properties": true,
	"context": true, "extra": true, "days": true, "yesterday": true, "count": false, "revision": true, "cells": false, "column": true, "cart": true, "geo": true}

// perValue is a step of the series, or of the funnel, of a value.
var perValue = regexp.MustCompile(`^\.(series|split)\.[0-9]+\.steps\.`)

// Every number of an answer stands in its plain text.
func TestTextHasTheNumbers(t *testing.T) {
	for _, a := range answers {
		q, query := asked(t, a.question, a.query)
		text := answer(t, a.name)
		r, err := Read(q, query, text, Options{})
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range []Style{{}, {Width: 400, Draw: true}} {
			if s.Draw {
				r.Stepwise = true
			}
			written := numbersIn(r.Text(s))
			n := 0
			var walk func(v any, path string)
			walk = func(v any, path string) {
				switch v := v.(type) {
				case map[string]any:
					for key, inner := range v {
						if unseen[key] || perValue.MatchString(path) && key != "events" && key != "count" { // -json has the others of a value
							continue
						}
						if key == "other" || key == "stopped" { // of paths, where there are some
							if x, is := inner.(float64); is && x == 0 {
								continue
							}
						}
						if rows, has := v["rows"].([]any); key == "count" && has && len(rows) >= int(v["count"].(float64)) {
							continue // of rows that are all there
						}
						walk(inner, path+"."+key)
					}
				case []any:
					for i, inner := range v {
						walk(inner, path+"."+strconv.Itoa(i))
					}
				case float64:
					n++
					if !shown(written, v) {
						t.Errorf("%s%s: %v is not in\n%s", a.name, path, v, r.Text(s))
					}
				}
			}
			var body map[string]any
			if err := json.Unmarshal(text, &body); err != nil {
				t.Fatal(err)
			}
			walk(body, "")
			if n == 0 && a.question != "events" && !strings.HasSuffix(a.question, "entities") {
				t.Errorf("%s has no number", a.name)
			}
		}
	}
}

// Each question has a report of its own, and testdata an answer of each.
func TestEveryQuestionHasAReport(t *testing.T) {
	for _, q := range native.Questions() {
		if shapes[q.Name] == nil {
			t.Errorf("%s has none", q.Name)
		}
		if !slices.ContainsFunc(answers, func(a struct{ name, question, query string }) bool { return a.question == q.Name }) {
			t.Errorf("there is no answer of %s", q.Name)
		}
	}
	for name := range shapes {
		if _, ok := native.QuestionNamed(name); !ok {
			t.Errorf("%s is no question", name)
		}
	}
}

// An answer of a question that the room does not know has its numbers and rows all the same.
func TestUnknownAnswers(t *testing.T) {
	r, err := Read(&native.Question{Name: "new/thing"}, nil, []byte(`{"site":"s","visits":12345,"things":[{"label":"a","size":7},{"label":"b","size":9.5}]}`), Options{})
	if err != nil {
		t.Fatal(err)
	}
	text := r.Text(Style{})
	for _, want := range []string{"New thing · s", "12,345", "Things", "a", "7", "b", "9.5"} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not in\n%s", want, text)
		}
	}
	for _, wrong := range []string{``, `[]`, `null`, `{"a":1}{"b":2}`, `{"a":`} {
		if _, err := Read(&native.Question{Name: "visits"}, nil, []byte(wrong), Options{}); err == nil {
			t.Errorf("%q is taken for an answer", wrong)
		}
	}
}
