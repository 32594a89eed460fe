package mcp

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"cairn/http/native"
)

// This file turns the arguments of a tool into the query of the API, which checks them. What is no
// argument of the tool becomes a parameter as well, so that the API refuses it by its name.

// queryBytesMax bounds a query. It is what a request line of the API may have.
const queryBytesMax = 32 << 10

// queryOf is the query of some arguments. An error is an answer to the assistant; it begins with
// the name of the argument.
func queryOf(q *native.Question, arguments json.RawMessage) (rawQuery string, err error) {
	args, err := readArguments(arguments)
	if err != nil {
		return "", err
	}
	var b strings.Builder
	for _, a := range args {
		values, err := valuesOf(a.value)
		if err != nil {
			return "", fmt.Errorf("%s: %w", cut(a.name), err)
		}
		if p := q.Param(a.name); p != nil && p.Some && len(values) > 1 {
			values = []string{strings.Join(values, ",")}
		}
		for _, value := range values {
			name := a.name
			if name == filters {
				var ok bool
				if name, value, ok = native.CutFilter(value); !ok {
					return "", fmt.Errorf(`filters: %q is no condition; write one such as country=DE, path~=/blog/*, value>=10 or has=prop.plan`, cut(name))
				}
			}
			if name == "format" {
				return "", errors.New("format: a tool answers with JSON alone")
			}
			if p := q.Param(name); p != nil && p.Inside {
				value = plainFilter(value)
			}
			if b.Len() > 0 {
				b.WriteByte('&')
			}
			b.WriteString(url.QueryEscape(name))
			b.WriteByte('=')
			b.WriteString(url.QueryEscape(value))
			if b.Len() > queryBytesMax {
				return "", fmt.Errorf("%s: all arguments together are too long; they may have %d bytes", cut(a.name), queryBytesMax)
			}
		}
	}
	return b.String(), nil
}

type argument struct {
	name  string
	value any // as encoding/json has it, with json.Number
}

// readArguments reads an object, by name. It is nil or null where there are no arguments.
func readArguments(text json.RawMessage) ([]argument, error) {
	if len(text) == 0 {
		return nil, nil
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	var object map[string]any
	if err := d.Decode(&object); err != nil || !json.Valid(text) {
		return nil, errors.New("arguments: must be an object")
	}
	list := make([]argument, 0, len(object))
	for name, value := range object {
		list = append(list, argument{name, value})
	}
	slices.SortFunc(list, func(a, b argument) int { return strings.Compare(a.name, b.name) })
	return list, nil
}

// valuesOf are the values of an argument: a text, a number, true or false, or a list of such.
// null, and an empty list, are no value.
func valuesOf(value any) ([]string, error) {
	list, ok := value.([]any)
	if !ok {
		list = []any{value}
	}
	var texts []string
	for _, one := range list {
		switch one := one.(type) {
		case nil:
		case string:
			texts = append(texts, one)
		case json.Number:
			texts = append(texts, numberText(one))
		case bool:
			texts = append(texts, fmt.Sprint(one))
		default:
			return nil, errors.New("must be a text, a number, or a list of texts")
		}
	}
	return texts, nil
}

// numberText is a number as the API has it. 5.0 and 5e0 are the integer 5, in JSON Schema as in the
// programs that write arguments.
func numberText(n json.Number) string {
	const whole = 1 << 53 // above it not every integer is a float
	text := n.String()
	if f, err := n.Float64(); strings.ContainsAny(text, ".eE") && err == nil && f == math.Trunc(f) && math.Abs(f) <= whole {
		return strconv.FormatInt(int64(f), 10)
	}
	return text
}

// plainFilter is a query string of filters that may be percent-encoded once more, as it stands in
// the address of a call: name%3Dsignup.
func plainFilter(text string) string {
	if strings.Contains(text, "=") {
		return text
	}
	if plain, err := url.QueryUnescape(text); err == nil && strings.Contains(plain, "=") {
		return plain
	}
	return text
}
