package nativetest

import (
	"encoding/json"
	"fmt"
	"math"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"cairn/http/dialect"
)

// Object is a node of the document.
type Object = map[string]any

// Contract parses the JSON of an OpenAPI document.
func Contract(t testing.TB, text []byte) Object {
	t.Helper()
	var doc Object
	if err := json.Unmarshal(text, &doc); err != nil {
		t.Fatal(err)
	}
	return doc
}

// Deref follows a $ref inside the document. Members next to the $ref override those of the target.
func Deref(t testing.TB, doc Object, node any) Object {
	t.Helper()
	o, ok := node.(Object)
	if !ok {
		t.Fatalf("%v is not an object", node)
	}
	ref, ok := o["$ref"].(string)
	if !ok {
		return o
	}
	var at any = doc
	for _, part := range strings.Split(strings.TrimPrefix(ref, "#/"), "/") {
		m, _ := at.(Object)
		if at, ok = m[part]; !ok {
			t.Fatalf("the reference %s has no target", ref)
		}
	}
	whole := Object{}
	for k, v := range Deref(t, doc, at) {
		whole[k] = v
	}
	for k, v := range o {
		if k != "$ref" {
			whole[k] = v
		}
	}
	return whole
}

// Operations returns the operations of the document by "METHOD /path", with "*" for a parameter.
func Operations(t testing.TB, doc Object) map[string]Object {
	t.Helper()
	ops := map[string]Object{}
	for path, item := range doc["paths"].(Object) {
		for method, op := range item.(Object) {
			ops[strings.ToUpper(method)+" "+regexp.MustCompile(`\{[^}]*\}`).ReplaceAllString(path, "*")] = op.(Object)
		}
	}
	return ops
}

// ValidateAnswer checks an answer of the operation op against the schema that doc has for the
// status. what names the answer in error messages.
func ValidateAnswer(t *testing.T, doc, op Object, res *dialect.Response, what string) {
	t.Helper()
	answers := op["responses"].(Object)
	node, ok := answers[fmt.Sprint(res.Status)]
	if !ok {
		t.Errorf("%s: status %d is not in the document: %s", what, res.Status, res.Body)
		return
	}
	schema := Deref(t, doc, node)["content"].(Object)["application/json"].(Object)["schema"]
	var value any
	if err := json.Unmarshal(res.Body, &value); err != nil {
		t.Fatal(err)
	}
	v := Validator{t, doc}
	if err := v.Check(schema, value, "$"); err != "" {
		t.Errorf("%s: %s\n%.500s", what, err, res.Body)
	}
}

// Validator checks a value against the part of JSON Schema 2020-12 that
// openapi.json uses. Any other keyword fails the test, so that none is ignored.
type Validator struct {
	T   testing.TB
	Doc Object
}

// Check returns "" for a valid value, otherwise the path and the error.
func (v Validator) Check(node, value any, at string) string {
	v.T.Helper()
	schema := Deref(v.T, v.Doc, node)
	o, isObject := value.(Object)
	list, isArray := value.([]any)
	text, isText := value.(string)
	number, isNumber := value.(float64)
	for keyword, rule := range schema {
		bound, _ := rule.(float64)
		bad := func(format string, args ...any) string {
			return at + ": " + keyword + ": " + fmt.Sprintf(format, args...)
		}
		switch keyword {
		case "description", "default":
		case "type":
			names, several := rule.([]any)
			if !several {
				names = []any{rule}
			}
			if !slices.ContainsFunc(names, func(name any) bool { return hasType(value, name) }) {
				return bad("%v is not %v", value, rule)
			}
		case "enum":
			if !slices.ContainsFunc(rule.([]any), func(e any) bool { return reflect.DeepEqual(e, value) }) {
				return bad("%v", value)
			}
		case "const":
			if !reflect.DeepEqual(rule, value) {
				return bad("%v", value)
			}
		case "oneOf":
			fits := 0
			var why []string
			for _, one := range rule.([]any) {
				if err := v.Check(one, value, at); err == "" {
					fits++
				} else {
					why = append(why, err)
				}
			}
			if fits != 1 {
				return bad("%d fit: %s", fits, strings.Join(why, "; "))
			}
		case "minimum":
			if isNumber && number < bound {
				return bad("%v", number)
			}
		case "maximum":
			if isNumber && number > bound {
				return bad("%v", number)
			}
		case "minLength":
			if isText && utf8.RuneCountInString(text) < int(bound) {
				return bad("%q", text)
			}
		case "maxLength":
			if isText && utf8.RuneCountInString(text) > int(bound) {
				return bad("%q", text)
			}
		case "pattern":
			if isText && !regexp.MustCompile(rule.(string)).MatchString(text) {
				return bad("%q", text)
			}
		case "format":
			layout := map[any]string{"date": "2006-01-02", "date-time": time.RFC3339Nano}[rule]
			if layout == "" {
				v.T.Fatalf("%s: the validator does not know the format %v", at, rule)
			}
			if _, err := time.Parse(layout, text); isText && err != nil {
				return bad("%q", text)
			}
		case "minItems":
			if isArray && len(list) < int(bound) {
				return bad("%d", len(list))
			}
		case "maxItems":
			if isArray && len(list) > int(bound) {
				return bad("%d", len(list))
			}
		case "items":
			for i, e := range list {
				if err := v.Check(rule, e, fmt.Sprintf("%s[%d]", at, i)); err != "" {
					return err
				}
			}
		case "maxProperties":
			if isObject && len(o) > int(bound) {
				return bad("%d", len(o))
			}
		case "required":
			for _, name := range rule.([]any) {
				if _, ok := o[name.(string)]; isObject && !ok {
					return bad("%s is missing", name)
				}
			}
		case "properties":
			for name, sub := range rule.(Object) {
				if e, ok := o[name]; ok {
					if err := v.Check(sub, e, at+"."+name); err != "" {
						return err
					}
				}
			}
		case "additionalProperties":
			known, _ := schema["properties"].(Object)
			for name, e := range o {
				if _, ok := known[name]; ok {
					continue
				}
				switch rule := rule.(type) {
				case bool:
					if !rule {
						return bad("%s", name)
					}
				default:
					if err := v.Check(rule, e, at+"."+name); err != "" {
						return err
					}
				}
			}
		default:
			v.T.Fatalf("%s: the validator does not know %q", at, keyword)
		}
	}
	return ""
}

func hasType(value, name any) bool {
	switch value := value.(type) {
	case nil:
		return name == "null"
	case bool:
		return name == "boolean"
	case string:
		return name == "string"
	case float64:
		return name == "number" || name == "integer" && value == math.Trunc(value)
	case []any:
		return name == "array"
	case Object:
		return name == "object"
	}
	return false
}
