package httpd

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"net/http"
	"reflect"
	"regexp"
	"slices"
	"sort"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"cairn/engine"
	"cairn/engine/event"
	"cairn/http/dialect"
)

// The promise: openapi.json says neither more nor less than the server does.
// Paths, methods, rights and parameters are compared with nativeTable, and every
// answer the handlers give is held against its schema.

// object is a node of the document.
type object = map[string]any

func contract(t testing.TB) object {
	t.Helper()
	var doc object
	if err := json.Unmarshal(openapi, &doc); err != nil {
		t.Fatal(err)
	}
	return doc
}

// deref follows a $ref inside the document; members beside it are kept over it.
func deref(t testing.TB, doc object, node any) object {
	t.Helper()
	o, ok := node.(object)
	if !ok {
		t.Fatalf("%v is no object", node)
	}
	ref, ok := o["$ref"].(string)
	if !ok {
		return o
	}
	var at any = doc
	for _, part := range strings.Split(strings.TrimPrefix(ref, "#/"), "/") {
		m, _ := at.(object)
		if at, ok = m[part]; !ok {
			t.Fatalf("%s leads nowhere", ref)
		}
	}
	whole := object{}
	for k, v := range deref(t, doc, at) {
		whole[k] = v
	}
	for k, v := range o {
		if k != "$ref" {
			whole[k] = v
		}
	}
	return whole
}

// openPaths are the server's own, which are not in nativeTable.
var openPaths = []string{"GET /healthz", "GET /readyz", "GET /metrics", "GET /openapi.json"}

// operations lists "METHOD /path" of the document, with "*" for a parameter.
func operations(t testing.TB, doc object) map[string]object {
	t.Helper()
	ops := map[string]object{}
	for path, item := range doc["paths"].(object) {
		for method, op := range item.(object) {
			ops[strings.ToUpper(method)+" "+regexp.MustCompile(`\{[^}]*\}`).ReplaceAllString(path, "*")] = op.(object)
		}
	}
	return ops
}

func TestContractRoutes(t *testing.T) {
	doc := contract(t)
	ops := operations(t, doc)
	var got, want []string
	for key := range ops {
		got = append(got, key)
	}
	want = append(want, openPaths...)
	for _, r := range nativeTable {
		want = append(want, r.method+" "+r.path)
	}
	sort.Strings(got)
	sort.Strings(want)
	if !reflect.DeepEqual(got, want) {
		t.Fatalf("document %q\nserver   %q", got, want)
	}
	ids := map[string]bool{}
	for key, op := range ops {
		id, _ := op["operationId"].(string)
		if id == "" || ids[id] {
			t.Errorf("%s: operationId %q", key, id)
		}
		ids[id] = true
	}
}

func TestContractRights(t *testing.T) {
	doc := contract(t)
	ops := operations(t, doc)
	for _, r := range nativeTable {
		word := map[dialect.Right]string{dialect.Read: "read", dialect.Write: "write", dialect.Write | dialect.Admin: "write"}[r.right]
		want := []any{object{"bearer": []any{word}}}
		if got := ops[r.method+" "+r.path]["security"]; !reflect.DeepEqual(got, want) {
			t.Errorf("%s %s: security %v, want %v", r.method, r.path, got, want)
		}
	}
}

// parametersOf lists what the query of an operation may hold, as nativeTable
// writes it. An exploded object stands for one parameter a property.
func parametersOf(t testing.TB, doc, op object) (query []string, single map[string]bool, path int) {
	t.Helper()
	single = map[string]bool{}
	list, _ := op["parameters"].([]any)
	for _, node := range list {
		p := deref(t, doc, node)
		name, schema := p["name"].(string), deref(t, doc, p["schema"])
		switch {
		case p["in"] == "path":
			if p["required"] != true {
				t.Errorf("%s is not required", name)
			}
			path++
		case p["in"] == "header":
		case p["in"] != "query" || p["required"] == true:
			t.Errorf("%s: in %v, required %v", name, p["in"], p["required"])
		case p["explode"] == true && p["style"] == "form" && schema["type"] == "object":
			properties, _ := schema["properties"].(object)
			for key := range properties {
				query = append(query, key)
			}
			patterns, _ := schema["patternProperties"].(object)
			for pattern := range patterns {
				prefix := strings.TrimSuffix(strings.TrimPrefix(pattern, "^"), `\..+$`)
				query = append(query, prefix+".")
			}
		default:
			query = append(query, name)
			single[name] = schema["type"] != "array"
		}
	}
	sort.Strings(query)
	return query, single, path
}

func TestContractParameters(t *testing.T) {
	doc := contract(t)
	ops := operations(t, doc)
	for _, r := range nativeTable {
		query, single, path := parametersOf(t, doc, ops[r.method+" "+r.path])
		want := slices.Clone(r.params)
		sort.Strings(want)
		if !slices.Equal(query, want) || path != strings.Count(r.path, "*") {
			t.Errorf("%s %s:\ndocument %q\nserver   %q", r.method, r.path, query, want)
		}
		for name, is := range single {
			if is != singleParams[name] {
				t.Errorf("%s %s: %s: the document says single %v", r.method, r.path, name, is)
			}
		}
	}
}

// What the code knows as lists and limits, the document repeats.
func TestContractLists(t *testing.T) {
	doc := contract(t)
	schema := func(path string) object { return deref(t, doc, object{"$ref": "#/components/schemas/" + path}) }
	texts := func(list any) (s []string) {
		for _, v := range list.([]any) {
			s = append(s, v.(string))
		}
		return s
	}
	keys := func(o any) (s []string) {
		for k := range o.(object) {
			s = append(s, k)
		}
		sort.Strings(s)
		return s
	}
	var types, dialects []string
	for _, v := range event.Types {
		types = append(types, string(v))
	}
	for _, v := range event.Dialects {
		dialects = append(dialects, string(v))
	}
	if got := texts(schema("Type")["enum"]); !slices.Equal(got, types) {
		t.Errorf("types %q", got)
	}
	if got := texts(schema("Dialect")["enum"]); !slices.Equal(got, dialects) {
		t.Errorf("dialects %q", got)
	}
	contexts := slices.Clone(event.ContextKeys)
	sort.Strings(contexts)
	if got := keys(schema("Context")["properties"]); !slices.Equal(got, contexts) {
		t.Errorf("context %q", got)
	}
	in := deref(t, doc, object{"$ref": "#/components/schemas/EventInput/properties"})
	for name, limit := range map[string]int{"name": event.MaxNameBytes, "user": event.MaxIDBytes, "anonymous": event.MaxIDBytes, "session": event.MaxIDBytes,
		"previous": event.MaxIDBytes, "message_id": event.MaxIDBytes} {
		if got := in[name].(object)["maxLength"]; got != float64(limit) {
			t.Errorf("%s: maxLength %v, want %d", name, got, limit)
		}
	}
	if got := in["groups"].(object)["maxItems"]; got != float64(event.MaxGroups) {
		t.Errorf("groups %v", got)
	}
	if got := in["segments"].(object)["maxItems"]; got != float64(event.MaxSegments) {
		t.Errorf("segments %v", got)
	}
	if got := schema("Properties")["maxProperties"]; got != float64(event.MaxProperties) {
		t.Errorf("properties %v", got)
	}
	// Every key the document names is taken, and no other.
	for name := range in {
		value := map[string]string{"type": `"page"`, "time": `1`, "groups": `[]`, "segments": `[]`, "properties": `{}`, "context": `{}`, "extra": `{}`, "increments": `{}`, "counted": `true`, "value": `1`, "seq": `1`}[name]
		if value == "" {
			value = `"x"`
		}
		if err := new(event.Parser).Event([]byte(`{"name":"a","`+name+`":`+value+`}`), new(event.Event)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	limit := deref(t, doc, object{"$ref": "#/components/parameters/limit"})["schema"].(object)
	if limit["maximum"] != float64(pageMax) || limit["default"] != float64(pageDefault) {
		t.Errorf("limit %v", limit)
	}
}

// Every 200 of every read, with all fields set and with none, and every error.
func TestContractAnswers(t *testing.T) {
	doc := contract(t)
	ops := operations(t, doc)
	bare := &nativeEngine{
		page:     engine.Page{Events: []*event.Event{{ID: someID, Seq: 1, Site: "shop", Dialect: event.Native, Type: event.Page, Time: 1, Received: 1}}},
		users:    []engine.User{{ID: "u"}},
		sessions: []engine.Session{{ID: "s", Dialect: event.Native}},
		group:    engine.GroupInfo{ID: "g"},
	}
	paged := fullEngine()
	paged.counters.More, paged.next = true, someID
	for _, r := range nativeTable {
		op := ops[r.method+" "+r.path]
		if r.read == nil {
			continue
		}
		target := strings.ReplaceAll(r.path, "*", someID)
		for name, n := range map[string]*nativeEngine{"full": fullEngine(), "bare": bare, "paged": paged} {
			targets := []string{target}
			if strings.HasSuffix(r.path, "counters") {
				targets = append(targets, target+"?property=plan", target+"?property=plan&segment=country")
			}
			for _, target := range targets {
				res := n.call(t, "UTC", "GET", target)
				if res.Status != 200 {
					t.Fatalf("%s %s: %d %s", name, target, res.Status, res.Body)
				}
				validateAnswer(t, doc, op, res, name+" "+target)
			}
		}
		errs := []error{engine.ErrNotFound, engine.ErrBadCursor, engine.ErrQueryTimeout, engine.ErrStopping, fmt.Errorf("disk"), &dialect.StatusError{Failure: dialect.RateLimited, Msg: "slow"}}
		if strings.HasSuffix(r.path, "counters") {
			errs = append(errs, engine.ErrDiskFull)
		}
		for _, err := range errs {
			n := fullEngine()
			n.err = err
			res := n.call(t, "UTC", "GET", target)
			validateAnswer(t, doc, op, res, target+" "+err.Error())
		}
	}
	for _, err := range []error{nil, engine.ErrDiskFull, engine.ErrFailed} {
		n := fullEngine()
		n.err = err
		validateAnswer(t, doc, ops["POST "+snapshotPath], n.call(t, "UTC", "POST", snapshotPath), "snapshot")
	}
}

func TestContractSend(t *testing.T) {
	doc := contract(t)
	op := operations(t, doc)["POST /api/v1/events"]
	duplicate := func(i int, _ *event.Event) dialect.Outcome {
		if i == 0 {
			return dialect.Outcome{Status: dialect.Duplicate, ID: someID}
		}
		return dialect.Outcome{Status: dialect.Rejected}
	}
	for _, body := range []string{`{"name":"a"}`, `{}`, `{`, ``, `[{"name":"a"}]`, `[{"name":"a"},{}]`, `[{}]`, `[]`, `[`} {
		for _, contentType := range []string{"application/json", "application/x-ndjson", "text/csv"} {
			res, _ := send(t, contentType, "", body, nil)
			validateAnswer(t, doc, op, res, contentType+" "+body)
			res, _ = send(t, contentType, "", body, duplicate)
			validateAnswer(t, doc, op, res, contentType+" "+body)
		}
	}
	// The document's own examples are taken, and follow its schemas.
	content := op["requestBody"].(object)["content"].(object)
	for contentType, media := range content {
		for name, example := range media.(object)["examples"].(object) {
			value := example.(object)["value"]
			body, isText := value.(string)
			if !isText {
				raw, _ := json.Marshal(value)
				body = string(raw)
			}
			if res, _ := send(t, contentType, "", body, nil); res.Status != 200 {
				t.Errorf("example %s: %d %s", name, res.Status, res.Body)
			}
			v := validator{t, doc}
			if err := v.check(media.(object)["schema"], value, name); err != "" {
				t.Error(err)
			}
		}
	}
}

// The whole server, over a socket: every operation of the document answers with
// the right key, and refuses no key and the wrong one, as the document says.
func TestContractServed(t *testing.T) {
	doc := contract(t)
	engines := fullEngine()
	s := start(t, func(o *Options) { o.Engine = engines })
	ask := func(method, path, key, body string) *dialect.Response {
		t.Helper()
		req, err := http.NewRequest(method, "http://"+s.addr+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		if key != "" {
			req.Header.Set("Authorization", "Bearer "+key)
		}
		answer, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer answer.Body.Close()
		res := &dialect.Response{Status: answer.StatusCode, ContentType: answer.Header.Get("Content-Type")}
		if res.Body, err = io.ReadAll(answer.Body); err != nil {
			t.Fatal(err)
		}
		if res.Status == 401 && answer.Header.Get("WWW-Authenticate") != "Bearer" {
			t.Errorf("%s %s: 401 without WWW-Authenticate", method, path)
		}
		return res
	}
	for key, op := range operations(t, doc) {
		method, path, _ := strings.Cut(key, " ")
		path = strings.ReplaceAll(path, "*", someID)
		body := ""
		if op["requestBody"] != nil {
			body = `{"name":"a"}`
		}
		expect := func(bearer string, status int) {
			t.Helper()
			res := ask(method, path, bearer, body)
			media, _, _ := strings.Cut(res.ContentType, ";")
			content := deref(t, doc, op["responses"].(object)[fmt.Sprint(status)])["content"].(object)
			if res.Status != status || content[media] == nil {
				t.Errorf("%s with %q: %d %s %.200s", key, bearer, res.Status, res.ContentType, res.Body)
			} else if media == "application/json" {
				validateAnswer(t, doc, op, res, key)
			}
		}
		expect("admin", 200)
		if security := op["security"].([]any); len(security) != 1 {
			expect("", 200) // open, as far as this machine is concerned
			continue
		}
		expect("", 401)
		expect("nobody's", 401)
		switch right := op["security"].([]any)[0].(object)["bearer"].([]any)[0]; {
		case path == snapshotPath:
			expect("shop-secret", 403)
		case right == "read":
			expect("shop-read", 200)
			expect("shop-secret", 200)
			expect("shop-write", 403)
		default:
			expect("shop-write", 200)
			expect("shop-secret", 200)
			expect("shop-read", 403)
		}
	}
	engines.err = engine.ErrDiskFull
	if res := ask("GET", "/readyz", "", ""); res.Status != 503 {
		t.Errorf("%d %s", res.Status, res.Body)
	} else {
		validateAnswer(t, doc, operations(t, doc)["GET /readyz"], res, "readyz")
	}
	if res := ask("GET", "/openapi.json", "", ""); string(res.Body) != string(openapi) {
		t.Error("another document is served")
	}
}

func validateAnswer(t *testing.T, doc, op object, res *dialect.Response, what string) {
	t.Helper()
	answers := op["responses"].(object)
	node, ok := answers[fmt.Sprint(res.Status)]
	if !ok {
		t.Errorf("%s: status %d is not in the document: %s", what, res.Status, res.Body)
		return
	}
	schema := deref(t, doc, node)["content"].(object)["application/json"].(object)["schema"]
	var value any
	if err := json.Unmarshal(res.Body, &value); err != nil {
		t.Fatal(err)
	}
	v := validator{t, doc}
	if err := v.check(schema, value, "$"); err != "" {
		t.Errorf("%s: %s\n%.500s", what, err, res.Body)
	}
}

// validator checks a value against the part of JSON Schema 2020-12 that
// openapi.json uses; any other keyword fails the test, so none is passed over.
type validator struct {
	t   testing.TB
	doc object
}

// check returns "" or what is wrong, at which path.
func (v validator) check(node, value any, at string) string {
	v.t.Helper()
	schema := deref(v.t, v.doc, node)
	o, isObject := value.(object)
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
				if err := v.check(one, value, at); err == "" {
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
				v.t.Fatalf("%s: format %v is not checked", at, rule)
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
				if err := v.check(rule, e, fmt.Sprintf("%s[%d]", at, i)); err != "" {
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
			for name, sub := range rule.(object) {
				if e, ok := o[name]; ok {
					if err := v.check(sub, e, at+"."+name); err != "" {
						return err
					}
				}
			}
		case "additionalProperties":
			known, _ := schema["properties"].(object)
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
					if err := v.check(rule, e, at+"."+name); err != "" {
						return err
					}
				}
			}
		default:
			v.t.Fatalf("%s: the validator does not know %q", at, keyword)
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
	case object:
		return name == "object"
	}
	return false
}

// The validator itself finds what it is there to find.
func TestContractValidator(t *testing.T) {
	doc := contract(t)
	v := validator{t, doc}
	for _, c := range []struct{ schema, value, wrong string }{
		{"Totals", `{"events":1,"users":2,"sessions":3}`, ""},
		{"Series", `{"interval":"day"}`, "$: required: buckets is missing"},
		{"Totals", `{"events":1.5,"users":2,"sessions":3}`, "$.events: type: 1.5 is not integer"},
		{"Totals", `{"events":-1,"users":2,"sessions":3}`, "$.events: minimum: -1"},
		{"Totals", `{"events":1,"users":2,"sessions":3,"x":4}`, "$: additionalProperties: x"},
		{"Totals", `[]`, "$: type: [] is not object"},
		{"EventID", `"0123"`, `$: pattern: "0123"`},
		{"Type", `"clicked"`, "$: enum: clicked"},
		{"Next", `null`, ""},
		{"Next", `5`, "$: type: 5 is not [string null]"},
		{"Time", `"2026-11-21T00:00:00.000Z"`, ""},
		{"Time", `"2026-13-21T00:00:00.000Z"`, `$: format: "2026-13-21T00:00:00.000Z"`},
		{"Moment", `"2026-11-21"`, ""},
		{"Moment", `1000`, ""},
		{"Properties", `{"a":{"b":[]}}`, ""},
		{"Increments", `{"a":"b"}`, "$.a: type: b is not integer"},
	} {
		var value any
		if err := json.Unmarshal([]byte(c.value), &value); err != nil {
			t.Fatal(err)
		}
		if got := v.check(object{"$ref": "#/components/schemas/" + c.schema}, value, "$"); got != c.wrong {
			t.Errorf("%s %s: %q, want %q", c.schema, c.value, got, c.wrong)
		}
	}
}

// Every reference leads somewhere, and everything named is used.
func TestContractReferences(t *testing.T) {
	doc := contract(t)
	used := map[string]bool{}
	var walk func(any)
	walk = func(node any) {
		switch node := node.(type) {
		case object:
			if ref, ok := node["$ref"].(string); ok {
				used[ref] = true
				deref(t, doc, node)
			}
			for _, v := range node {
				walk(v)
			}
		case []any:
			for _, v := range node {
				walk(v)
			}
		}
	}
	walk(doc)
	for kind, named := range doc["components"].(object) {
		for name := range named.(object) {
			if ref := "#/components/" + kind + "/" + name; kind != "securitySchemes" && !used[ref] {
				t.Errorf("%s is not used", ref)
			}
		}
	}
	if !strings.HasPrefix(doc["openapi"].(string), "3.1.") {
		t.Error(doc["openapi"])
	}
}
