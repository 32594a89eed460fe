package native

import (
	"bytes"
	"embed"
	"encoding/json"
	"fmt"
)

// This file joins the contract from the files in openapi/: api.json is the frame, with empty
// paths and schemas, and each group of calls has a file with its own of both. shared.json
// has the schemas that several groups use. All of it is written by hand.

//go:embed openapi
var openapiFiles embed.FS

// openapiGroups are the files in the order of the document.
var openapiGroups = []string{"shared", "visits", "shop", "events", "totals", "people", "rows", "funnels", "live", "saved", "deletions", "control", "keys", "server"}

// OpenAPI is the contract of the native API, OpenAPI 3.1, as GET /openapi.json answers it.
// openapi_test.go holds it equal to the table and tries its schemas on real answers.
var OpenAPI = joinOpenAPI()

// openapiParameters are the parameters that a group of the table of calls stands for, see
// groups. An operation lists them by the group's name.
var openapiParameters = map[string][]string{
	"@site": {"site"},
	"@filters": {"name", "user", "anonymous", "session", "group", "type", "dialect", "value", "message_id",
		"dimensions", "context", "paths", "has", "visit", "saved"},
	"@plain": {"name", "user", "anonymous", "session", "group", "type", "dialect", "value", "message_id",
		"dimensions", "context", "paths", "has", "saved"},
	"@range":   {"range", "from", "to", "max_age"},
	"@compare": {"compare"},
	"@steps":   {"steps"},
	"@rows":    {"rows", "cursor", "search", "sort", "rowOrder", "at_least"},
	"@csv":     {"format"},
}

// openapiGroup is what a file adds to the document.
type openapiGroup struct {
	Paths      json.RawMessage
	Components struct{ Schemas json.RawMessage }
}

// joinOpenAPI puts the members of the groups into the frame, byte for byte.
func joinOpenAPI() []byte {
	var paths, schemas [][]byte
	for _, name := range openapiGroups {
		var g openapiGroup
		if err := json.Unmarshal(openapiFile(name), &g); err != nil {
			panic(fmt.Sprintf("openapi/%s.json: %v", name, err))
		}
		paths, schemas = appendMembers(paths, g.Paths), appendMembers(schemas, g.Components.Schemas)
	}
	doc := openapiFile("api")
	for name, parameters := range openapiParameters {
		var refs [][]byte
		for _, p := range parameters {
			refs = append(refs, []byte(`{"$ref": "#/components/parameters/`+p+`"}`))
		}
		for i, path := range paths {
			paths[i] = bytes.ReplaceAll(path, []byte(`"`+name+`"`), bytes.Join(refs, []byte(", ")))
		}
	}
	doc = bytes.Replace(doc, []byte(`"paths": {}`), object(`"paths": {`, paths, "\n  }"), 1)
	return bytes.Replace(doc, []byte(`"schemas": {}`), object(`"schemas": {`, schemas, "\n    }"), 1)
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
