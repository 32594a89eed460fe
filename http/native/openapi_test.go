package native

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"sort"
	"strings"
	"testing"

	"cairn/engine/event"
	"cairn/engine/query"
	"cairn/http/dialect"
	"cairn/http/native/nativetest"
)

// These tests check that openapi.json describes what the server does: they validate each answer of the
// handlers against its schema. Its operations come from the table of calls; table_test.go tries what that
// says of parameters.

// openPaths are the paths of the server itself. They are not in the table.
var openPaths = []string{"GET /healthz", "GET /readyz", "GET /metrics", "GET /openapi.json"}

func TestContractRoutes(t *testing.T) {
	doc := nativetest.Contract(t, OpenAPI())
	ops := nativetest.Operations(t, doc)
	var got, want []string
	for key := range ops {
		got = append(got, key)
	}
	want = append(want, openPaths...)
	for _, r := range table {
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

// The document has the same lists and limits as the code.
func TestContractLists(t *testing.T) {
	doc := nativetest.Contract(t, OpenAPI())
	schema := func(path string) nativetest.Object {
		return nativetest.Deref(t, doc, nativetest.Object{"$ref": "#/components/schemas/" + path})
	}
	texts := func(list any) (s []string) {
		for _, v := range list.([]any) {
			s = append(s, v.(string))
		}
		return s
	}
	keys := func(o any) (s []string) {
		for k := range o.(nativetest.Object) {
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
	in := nativetest.Deref(t, doc, nativetest.Object{"$ref": "#/components/schemas/EventInput/properties"})
	for name, limit := range map[string]int{"name": event.MaxNameBytes, "user": event.MaxIDBytes, "anonymous": event.MaxIDBytes, "session": event.MaxIDBytes,
		"previous": event.MaxIDBytes, "message_id": event.MaxIDBytes} {
		if got := in[name].(nativetest.Object)["maxLength"]; got != float64(limit) {
			t.Errorf("%s: maxLength %v, want %d", name, got, limit)
		}
	}
	if got := in["groups"].(nativetest.Object)["maxItems"]; got != float64(event.MaxGroups) {
		t.Errorf("groups %v", got)
	}
	if got := in["segments"].(nativetest.Object)["maxItems"]; got != float64(event.MaxSegments) {
		t.Errorf("segments %v", got)
	}
	if got := schema("Properties")["maxProperties"]; got != float64(event.MaxProperties) {
		t.Errorf("properties %v", got)
	}
	// The parser accepts every key in the document.
	for name := range in {
		value := map[string]string{"type": `"page"`, "time": `1795860000`, "groups": `[]`, "segments": `[]`, "properties": `{}`, "context": `{}`, "extra": `{}`, "increments": `{}`, "counted": `true`, "value": `1`, "seq": `1`}[name]
		if value == "" {
			value = `"x"`
		}
		if err := new(event.Parser).Event([]byte(`{"name":"a","`+name+`":`+value+`}`), new(event.Event)); err != nil && name != "source" {
			t.Errorf("%s: %v", name, err)
		}
		if own := map[string]string{"received": `1795860000`, "dialect": `"oppizi"`, "session_of": `null`, "heartbeat": `null`, "uncounted": `["a"]`, "source": `{"ip":"192.0.2.1","user_agent":"x","accept_language":null}`}[name]; own != "" {
			value = own
		}
		if err := new(event.Parser).Import([]byte(`{"name":"a","`+name+`":`+value+`}`), 1795860000000, new(event.Record), new(event.Import)); err != nil {
			t.Errorf("imported, %s: %v", name, err)
		}
	}
}

// moreTargets are targets whose answers have other members.
func moreTargets(r *route) []string {
	const series = "&range=yesterday&interval=day&compare=previous"
	switch target := sample(r); r.path {
	case "/api/v1/breakdown":
		return []string{target + series, target + "&by=region&metrics=users" + series, target + "&metrics=events"}
	case "/api/v1/aggregate":
		return []string{target + series, target + "&by=region" + series, target + "&metrics=sum"}
	}
	return nil
}

// The test validates the 200 of each read, with all fields set and with none, and each error.
func TestContractAnswers(t *testing.T) {
	doc := nativetest.Contract(t, OpenAPI())
	ops := nativetest.Operations(t, doc)
	bare := &nativetest.Engine{
		EventPage:   query.Page{Events: []*event.Event{{ID: nativetest.SomeID, Seq: 1, Site: "shop", Dialect: event.Native, Type: event.Page, Time: 1, Received: 1}}},
		UserList:    []query.User{{ID: "u"}},
		SessionList: []query.Session{{ID: "s", Dialect: event.Native, Cursor: nativetest.SomeID}},
		GroupInfo:   query.Group{ID: "g"},
		Receipts:    []query.Receipt{{ID: 1, Kind: query.DeleteSite, State: query.DeletionHidden}},
	}
	paged := nativetest.Full()
	paged.CounterPage.More, paged.Next = true, nativetest.SomeID
	for _, r := range table {
		op := ops[r.method+" "+r.path]
		if r.read == nil || r.streams {
			continue
		}
		target := sample(r)
		for name, n := range map[string]*nativetest.Engine{"full": nativetest.Full(), "bare": bare, "paged": paged} {
			targets := []string{target}
			if strings.HasSuffix(r.path, "counters") {
				targets = append(targets, target+"?property=plan", target+"?property=plan&segment=country")
			}
			if strings.HasSuffix(r.path, "visits") {
				targets = append(targets, target+"?by=region&by=source&compare=previous&goal=type%3Dorder", target+"?by=entry&interval=none&metrics=visits")
			}
			if strings.HasSuffix(r.path, "pages") {
				targets = append(targets, target+"?compare=year&of=title")
			}
			targets = append(targets, moreTargets(r)...)
			if r.exports { // a file, see TestExport
				targets = nil
			}
			for _, target := range targets {
				res := call(t, n, "UTC", "GET", target)
				if res.Status != 200 {
					t.Fatalf("%s %s: %d %s", name, target, res.Status, res.Body)
				}
				nativetest.ValidateAnswer(t, doc, op, res, name+" "+target)
			}
		}
		errs := []error{query.ErrNotFound, query.ErrBadCursor, query.ErrQueryTimeout, query.ErrStopping, fmt.Errorf("disk"), &dialect.StatusError{Failure: dialect.RateLimited, Msg: "slow"}}
		if responses := op["responses"].(nativetest.Object); responses["507"] != nil {
			errs = append(errs, query.ErrDiskFull)
		}
		for _, err := range errs {
			n := nativetest.Full()
			n.Err = err
			res := call(t, n, "UTC", "GET", target)
			nativetest.ValidateAnswer(t, doc, op, res, target+" "+err.Error())
		}
	}
	for _, err := range []error{nil, query.ErrDiskFull, query.ErrFailed} {
		n := nativetest.Full()
		n.Err = err
		nativetest.ValidateAnswer(t, doc, ops["POST "+snapshotPath], call(t, n, "UTC", "POST", snapshotPath), "snapshot")
	}
}

func TestContractSend(t *testing.T) {
	doc := nativetest.Contract(t, OpenAPI())
	op := nativetest.Operations(t, doc)["POST /api/v1/events"]
	duplicate := func(i int, _ *event.Event) dialect.Outcome {
		if i == 0 {
			return dialect.Outcome{Outcome: event.Outcome{Status: event.Duplicate, ID: nativetest.SomeID}}
		}
		return dialect.Outcome{Outcome: event.Outcome{Status: event.Rejected}}
	}
	for _, body := range []string{`{"name":"a"}`, `{}`, `{`, ``, `[{"name":"a"}]`, `[{"name":"a"},{}]`, `[{}]`, `[]`, `[`} {
		for _, contentType := range []string{"application/json", "application/x-ndjson", "text/csv"} {
			res, _ := send(t, contentType, "", body, nil)
			nativetest.ValidateAnswer(t, doc, op, res, contentType+" "+body)
			res, _ = send(t, contentType, "", body, duplicate)
			nativetest.ValidateAnswer(t, doc, op, res, contentType+" "+body)
		}
	}
	// The server accepts the examples in the document, and they match their schemas.
	content := op["requestBody"].(nativetest.Object)["content"].(nativetest.Object)
	for contentType, media := range content {
		for name, example := range media.(nativetest.Object)["examples"].(nativetest.Object) {
			value := example.(nativetest.Object)["value"]
			body, isText := value.(string)
			if !isText {
				raw, _ := json.Marshal(value)
				body = string(raw)
			}
			if res, _ := send(t, contentType, "", body, nil); res.Status != 200 {
				t.Errorf("example %s: %d %s", name, res.Status, res.Body)
			}
			v := nativetest.Validator{T: t, Doc: doc}
			if err := v.Check(media.(nativetest.Object)["schema"], value, name); err != "" {
				t.Error(err)
			}
		}
	}
}

// The validator finds the errors that it exists for.
func TestContractValidator(t *testing.T) {
	doc := nativetest.Contract(t, OpenAPI())
	v := nativetest.Validator{T: t, Doc: doc}
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
		if got := v.Check(nativetest.Object{"$ref": "#/components/schemas/" + c.schema}, value, "$"); got != c.wrong {
			t.Errorf("%s %s: %q, want %q", c.schema, c.value, got, c.wrong)
		}
	}
}

// The document has everything in its files, and they speak of nothing else. No schema is in two files: the
// second would replace the first.
func TestContractFiles(t *testing.T) {
	files, err := openapiFiles.ReadDir("openapi")
	if err != nil || len(files) != len(openapiGroups)+1 {
		t.Errorf("%d files, %d groups and a frame (%v)", len(files), len(openapiGroups), err)
	}
	calls := map[string]bool{}
	for _, r := range table {
		calls[strings.ToLower(r.method)+" "+r.docPath()] = true
	}
	schemas, whole := 0, 0
	for _, name := range openapiGroups {
		var group struct {
			Components struct{ Schemas map[string]json.RawMessage }
			Paths      map[string]map[string]operation
		}
		d := json.NewDecoder(bytes.NewReader(openapiFile(name)))
		d.DisallowUnknownFields()
		if err := d.Decode(&group); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		schemas += len(group.Components.Schemas)
		for path, ops := range group.Paths {
			for method, op := range ops {
				if calls[method+" "+path] == (op.Whole != nil) {
					t.Errorf("%s: %s %s is in the table: %v, and whole: %v", name, method, path, calls[method+" "+path], op.Whole != nil)
				}
				if op.Whole != nil {
					whole++
				}
			}
		}
	}
	doc := nativetest.Contract(t, OpenAPI())
	if n := len(nativetest.Operations(t, doc)); n != len(table)+whole || whole != len(openPaths) {
		t.Errorf("%d operations, the table has %d and the files %d", n, len(table), whole)
	}
	if n := len(doc["components"].(nativetest.Object)["schemas"].(nativetest.Object)); n != schemas || n == 0 {
		t.Errorf("%d schemas, the files have %d", n, schemas)
	}
}

// Every reference has a target, and every component is used.
func TestContractReferences(t *testing.T) {
	doc := nativetest.Contract(t, OpenAPI())
	used := map[string]bool{}
	var walk func(any)
	walk = func(node any) {
		switch node := node.(type) {
		case nativetest.Object:
			if ref, ok := node["$ref"].(string); ok {
				used[ref] = true
				nativetest.Deref(t, doc, node)
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
	for kind, named := range doc["components"].(nativetest.Object) {
		for name := range named.(nativetest.Object) {
			if ref := "#/components/" + kind + "/" + name; kind != "securitySchemes" && !used[ref] {
				t.Errorf("%s is not used", ref)
			}
		}
	}
	if !strings.HasPrefix(doc["openapi"].(string), "3.1.") {
		t.Error(doc["openapi"])
	}
}
