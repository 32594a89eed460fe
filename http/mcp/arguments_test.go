package mcp

import (
	"encoding/json"
	"net/url"
	"strings"
	"testing"

	"cairn/http/native"
)

// This file tries what becomes of the arguments of tools.

// The arguments of a tool become the query of the API.
func TestArguments(t *testing.T) {
	visits, _ := native.QuestionNamed("visits")
	for _, test := range []struct{ arguments, want, fault string }{
		{``, ``, ""},
		{`null`, ``, ""},
		{`{}`, ``, ""},
		{`{"range":"7d","by":["source","entry"],"limit":5}`, `by=source&by=entry&limit=5&range=7d`, ""},
		{`{"by":"source","limit":1e3,"interval":null,"saved":[]}`, `by=source&limit=1000`, ""},
		{`{"limit":5.0}`, `limit=5`, ""},
		{`{"limit":[5.50,-0.0,2E+1,1e300]}`, `limit=5.50&limit=0&limit=20&limit=1e300`, ""},
		{`{"limit":12345678901234567890}`, `limit=12345678901234567890`, ""},
		{`{"metrics":["visits","views"]}`, `metrics=visits%2Cviews`, ""},
		{`{"bot":false}`, `bot=false`, ""},
		{`{"filters":["path~=/blog/*","country!=DE","value>=10","name!~=a=b","prop.a.b=","has!=prop.x"]}`, `path~=%2Fblog%2F%2A&country%21=DE&value%3E=10&name%21~=a%3Db&prop.a.b=&has%21=prop.x`, ""},
		{`{"filters":"country=DE"}`, `country=DE`, ""},
		{`{"filters":["prop.\"a=b\"!=c=d","visit.prop.\"=\"=x","prop.\"a=b","name=\".x=y"]}`, `prop.%22a%3Db%22%21=c%3Dd&visit.prop.%22%3D%22=x&prop.%22a=b&name=%22.x%3Dy`, ""},
		{`{"goal":"type=order&value>=5"}`, `goal=type%3Dorder%26value%3E%3D5`, ""},
		{`{"goal":"type%3Dorder"}`, `goal=type%3Dorder`, ""},
		{`{"goal":"100%"}`, `goal=100%25`, ""},
		{`{"search":"a&b=c#d"}`, `search=a%26b%3Dc%23d`, ""},
		{`{"filters":["country"]}`, "", `filters: "country" is no condition`},
		{`{"filters":["` + strings.Repeat("x", 300) + `"]}`, "", `filters: "` + strings.Repeat("x", 199) + `…" is no condition`},
		{`{"format":"csv"}`, "", "format: a tool answers with JSON alone"},
		{`{"filters":["country=DE","format=csv"]}`, "", "format: a tool answers with JSON alone"},
		{`{"filters":["range=7d","format=csv"]}`, "", "format: a tool answers with JSON alone"},
		{`{"by":{"a":1}}`, "", "by: must be a text, a number, or a list of texts"},
		{`{"by":[["a"]]}`, "", "by: must be a text"},
		{`[1]`, "", "arguments: must be an object"},
		{`"x"`, "", "arguments: must be an object"},
		{`{"a` + "\u202e" + `":{}}`, "", `a\u202e: must be a text`},
	} {
		got, err := queryOf(&visits, json.RawMessage(test.arguments))
		if test.fault != "" {
			if err == nil || !strings.HasPrefix(err.Error(), test.fault) {
				t.Errorf("%s: %q %v", test.arguments, got, err)
			}
			continue
		}
		if err != nil || got != test.want {
			t.Errorf("%s: %s %v, want %s", test.arguments, got, err, test.want)
		}
	}
}

// Whatever the arguments are, the query is one, and holds nothing that they do not.
func FuzzArguments(f *testing.F) {
	for _, seed := range []string{`{}`, `{"filters":["a~=b","prop.\"=\"=1"],"limit":1}`, `{"goal":"a%3Db"}`, `{"step":["a=b",1,true,null]}`, `[`, `{"":0}}`, `null00`, `{"a":{"b":1}}`, `{"filters":"format=csv"}`, "{\"\u202e\":\"\x00\"}"} {
		f.Add(seed)
	}
	funnel, _ := native.QuestionNamed("funnel")
	f.Fuzz(func(t *testing.T, arguments string) {
		raw, err := queryOf(&funnel, json.RawMessage(arguments))
		if err != nil {
			if !isShown(err.Error()) {
				t.Errorf("an error that cannot be seen: %q", err)
			}
			return
		}
		query, err := url.ParseQuery(raw)
		if err != nil || len(raw) > queryBytesMax || raw != "" && !json.Valid([]byte(arguments)) {
			t.Fatalf("%q: %v", raw, err)
		}
		if query.Has("format") {
			t.Errorf("%q asks for a format", raw)
		}
	})
}
