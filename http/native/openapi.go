package native

import (
	"bytes"
	"embed"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"

	"cairn/http/dialect"
)

// This file makes the contract, OpenAPI 3.1. Its operations and parameters come from the table of calls.
// The files in openapi/ have the rest, written by hand: api.json is the frame, the others have schemas, and of
// operations what the table does not say: the bodies that are sent, what is special of an answer, and the
// calls of the server itself. shared.json has the schemas that several of them use.

//go:embed openapi
var openapiFiles embed.FS

// openapiGroups are the files in the order of the document.
var openapiGroups = []string{"shared", "visits", "shop", "events", "totals", "people", "rows", "funnels", "live", "saved", "deletions", "control", "keys", "sinks", "server"}

// OpenAPI returns the contract of the native API, OpenAPI 3.1, as GET /openapi.json answers it. It is made
// when it is first asked for. The caller must not change it.
func OpenAPI() []byte { return openAPI() }

var openAPI = sync.OnceValue(func() []byte {
	var schemas [][]byte
	special := make(map[string]map[string]operation) // by path and method
	for _, name := range openapiGroups {
		g := readOpenAPIGroup(name)
		schemas = appendMembers(schemas, g.Components.Schemas)
		for path, ops := range g.Paths {
			for method, op := range ops {
				if special[path] == nil {
					special[path] = make(map[string]operation)
				}
				special[path][method] = op
			}
		}
	}
	doc := openapiFile("api")
	doc = bytes.Replace(doc, []byte(`"paths": {}`), object(`"paths": {`, pathsOfContract(special), "\n  }"), 1)
	doc = bytes.Replace(doc, []byte(`"parameters": {}`), object(`"parameters": {`, parametersOfContract(), "\n    }"), 1)
	return bytes.Replace(doc, []byte(`"schemas": {}`), object(`"schemas": {`, schemas, "\n    }"), 1)
})

// openapiGroup is what a file adds to the document.
type openapiGroup struct {
	Paths      map[string]map[string]operation
	Components struct{ Schemas json.RawMessage }
}

// operation is what a file has of an operation. What is a list or an object is added to what the table has.
type operation struct {
	Whole      json.RawMessage `json:"whole"` // of a call that is in no table
	Parameters []json.RawMessage
	Body       json.RawMessage `json:"requestBody"`
	Responses  map[string]json.RawMessage
}

func readOpenAPIGroup(name string) (g openapiGroup) {
	if err := json.Unmarshal(openapiFile(name), &g); err != nil {
		panic(fmt.Sprintf("openapi/%s.json: %v", name, err))
	}
	return g
}

// openapiFile is one of the embedded files.
func openapiFile(name string) []byte {
	text, err := openapiFiles.ReadFile("openapi/" + name + ".json")
	if err != nil {
		panic(err)
	}
	return text
}

// appendMembers appends what stands between the braces of an object, if anything does.
func appendMembers(list [][]byte, object []byte) [][]byte {
	if len(object) == 0 {
		return list
	}
	return append(list, bytes.TrimRight(object[1:len(object)-1], " \n"))
}

// object is the members of several objects between braces.
func object(begin string, members [][]byte, end string) []byte {
	return append(append([]byte(begin), bytes.Join(members, []byte(","))...), end...)
}

// pathsOfContract are the members of paths: the calls of the table, and those that are special alone.
func pathsOfContract(special map[string]map[string]operation) (paths [][]byte) {
	var names []string
	ops := make(map[string][][]byte)
	add := func(path, method string, text []byte) {
		if ops[path] == nil {
			names = append(names, path)
		}
		ops[path] = append(ops[path], fmt.Appendf(nil, "\n      %q: %s", strings.ToLower(method), text))
	}
	for _, r := range table {
		path := r.docPath()
		add(path, r.method, r.operation(special[path][strings.ToLower(r.method)]))
	}
	for _, path := range slices.Sorted(maps.Keys(special)) {
		for method, op := range special[path] { // one each
			if op.Whole != nil {
				add(path, method, op.Whole)
			}
		}
	}
	for _, path := range names {
		paths = append(paths, object(fmt.Sprintf("\n    %q: {", path), ops[path], "\n    }"))
	}
	return paths
}

// docPath is the path with the names of its parts.
func (r *route) docPath() string {
	path := r.path
	for _, p := range r.ids {
		path = strings.Replace(path, "*", "{"+p.name+"}", 1)
	}
	return path
}

// operation is the call as an operation. The names of the rights are those of the keys.
func (r *route) operation(special operation) []byte {
	right := map[dialect.Right]string{dialect.Read: "read", dialect.Write: "write", dialect.Manage: "manage",
		dialect.Read | dialect.Admin: "admin", dialect.Write | dialect.Admin: "write"}[r.right]
	members := []string{`"operationId": ` + quote(r.id), `"tags": [` + quote(r.tag) + `]`, `"summary": ` + quote(r.about)}
	if r.detail != "" {
		members = append(members, `"description": `+quote(r.detail))
	}
	members = append(members, `"security": [{"bearer": [`+quote(right)+`]}]`)
	var parameters []string
	for _, p := range r.ids {
		parameters = append(parameters, p.contract("path"))
	}
	for _, p := range r.params {
		parameters = append(parameters, p.contract("query"))
	}
	for _, p := range special.Parameters {
		parameters = append(parameters, string(p))
	}
	if parameters != nil {
		members = append(members, `"parameters": [`+lines(parameters, 10)+`]`)
	}
	if special.Body != nil {
		members = append(members, `"requestBody": `+string(special.Body))
	}
	members = append(members, `"responses": {`+lines(r.responses(special.Responses), 10)+`}`)
	return []byte("{" + lines(members, 8) + "}")
}

// lines puts each of several texts on a line of its own.
func lines(texts []string, indent int) string {
	begin := "\n" + strings.Repeat(" ", indent)
	return begin + strings.Join(texts, ","+begin) + "\n" + strings.Repeat(" ", indent-2)
}

// quote writes a text as JSON.
func quote(text string) string {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	_ = e.Encode(text) // a text can be encoded
	return strings.TrimSuffix(b.String(), "\n")
}

// standard are the responses that many calls have, by status.
var standard = []struct{ status, name string }{
	{"304", "NotModified"}, {"400", "BadRequest"}, {"401", "Unauthorized"}, {"403", "Forbidden"}, {"404", "NotFound"}, {"409", "Conflict"},
	{"413", "TooLarge"}, {"415", "BadMedia"}, {"429", "TooMany"}, {"500", "Internal"}, {"503", "Unavailable"}, {"507", "DiskFull"},
}

// responses are the members of the responses of a call. Those that are special take the place of others.
func (r *route) responses(special map[string]json.RawMessage) (responses []string) {
	has := map[string]bool{
		"304": r.ranged(),
		"404": r.path != snapshotPath, // which is never missing
		"409": r.conflicts,
		"413": r.body > 0 || r == sendRoute,
		"415": r.body > 0 || r == sendRoute,
		"507": r.read == nil || r.fills,
	}
	content := `"application/json": {"schema": ` + reference("schemas", r.result) + `}`
	if r.takes&takesCSV != 0 {
		content += `, "text/csv": {"schema": {"type": "string"}}`
	}
	all := map[string]string{"200": `{"description": ` + quote(r.answers) + `, "content": {` + content + `}}`}
	for _, s := range standard {
		if is, some := has[s.status]; is || !some {
			all[s.status] = reference("responses", s.name)
		}
	}
	for status, text := range special {
		all[status] = string(text)
	}
	for _, status := range slices.Sorted(maps.Keys(all)) {
		responses = append(responses, quote(status)+": "+all[status])
	}
	return responses
}

func reference(kind, name string) string { return `{"$ref": "#/components/` + kind + `/` + name + `"}` }

// parametersOfContract are the members of components/parameters, in the order in which the table names them.
func parametersOfContract() (members [][]byte) {
	seen := make(map[string]bool)
	for _, r := range table {
		for _, p := range slices.Concat(r.ids, r.params) {
			if p.component != "" && !seen[p.component] {
				seen[p.component] = true
				in := "query"
				if slices.Contains(r.ids, p) {
					in = "path"
				}
				members = append(members, []byte("\n      "+quote(p.component)+": "+p.described(in)))
			}
		}
	}
	return members
}

// contract is a parameter in the list of an operation.
func (p *param) contract(in string) string {
	if p.component != "" {
		return reference("parameters", p.component)
	}
	return p.described(in)
}

// described is a parameter of the contract, whole.
func (p *param) described(in string) string {
	text := `{"name": ` + quote(p.name) + `, "in": "` + in + `"`
	if p.required {
		text += `, "required": true`
	}
	if p.about != "" {
		text += `, "description": ` + quote(p.about)
	}
	if p.names != nil {
		text += `, "style": "form", "explode": true`
	}
	return text + `, "schema": ` + p.schema() + `}`
}

// schema is the JSON Schema of a parameter, with all of its values.
func (p *param) schema() string {
	if p.names != nil {
		return p.bundle()
	}
	text := p.valueSchema(true)
	if p.kind == singleKind {
		return text
	}
	text = `{"type": "array", "items": ` + text
	if p.countMin > 0 {
		text += `, "minItems": ` + strconv.Itoa(p.countMin)
	}
	if p.countMax > 0 {
		text += `, "maxItems": ` + strconv.Itoa(p.countMax)
	}
	return text + `}`
}

// bundle is the schema of filters that are an object in the contract.
func (p *param) bundle() string {
	var properties, patterns []string
	for _, name := range p.names {
		if prefix, ok := strings.CutSuffix(name, "."); ok {
			patterns = append(patterns, quote(`^`+prefix+`\..+$`)+`: `+p.filterSchema())
		} else {
			properties = append(properties, quote(name)+`: `+p.filterSchema())
		}
	}
	text := `{"type": "object"`
	if properties != nil {
		text += `, "properties": {` + strings.Join(properties, ", ") + `}`
	}
	if patterns != nil {
		text += `, "patternProperties": {` + strings.Join(patterns, ", ") + `}`
	}
	return text + `, "additionalProperties": false}`
}

// filterSchema is the schema of one of a bundle.
func (p *param) filterSchema() string {
	if p.empty {
		return `{"type": "array", "items": {"type": "string"}}`
	}
	return reference("schemas", "Filter")
}

// valueSchema is the schema of one value. refers says that it may refer to schemas of the contract.
func (p *param) valueSchema(refers bool) string {
	var members []string
	add := func(name, value string) { members = append(members, quote(name)+": "+value) }
	quoted := func(texts []string) string {
		var all []string
		for _, text := range texts {
			all = append(all, quote(text))
		}
		return "[" + strings.Join(all, ", ") + "]"
	}
	absent := quote(p.absent)
	switch {
	case p.ref != "" && refers:
		return reference("schemas", p.ref)
	case p.some:
		one := "(" + strings.Join(p.values, "|") + ")"
		add("type", `"string"`)
		add("pattern", quote("^"+one+"(,"+one+")*$"))
	case p.values != nil:
		add("enum", quoted(p.values))
	case p.number:
		add("type", `"integer"`)
		add("minimum", strconv.FormatInt(p.least, 10))
		if p.most < countMost {
			add("maximum", strconv.FormatInt(p.most, 10))
		}
		absent = p.absent
	default:
		add("type", `"string"`)
		if (p.kind != singleKind || p.required) && !p.empty {
			add("minLength", "1")
		}
		if p.bytesMax > 0 {
			add("maxLength", strconv.Itoa(p.bytesMax))
		}
		for _, m := range [...][2]string{{"pattern", p.pattern}, {"format", p.format}} {
			if m[1] != "" {
				add(m[0], quote(m[1]))
			}
		}
	}
	if p.examples != nil {
		add("examples", quoted(p.examples))
	}
	if p.absent != "" && p.kind == singleKind {
		add("default", absent)
	}
	return "{" + strings.Join(members, ", ") + "}"
}
