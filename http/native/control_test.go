package native

import (
	"strings"
	"testing"

	"cairn/http/adminlog"
	"cairn/http/dialect"
	"cairn/http/native/nativetest"
)

// Story: the calls that change the configuration ask the process and nobody else, answer as
// openapi.json describes, and refuse what the process refuses.

// fakeControl is a process with the sites shop, which is configured, and blog.
type fakeControl struct {
	asked []string
	err   error
	noted []adminlog.Entry // by the API
}

func (f *fakeControl) did(what string) (Change, error) {
	f.asked = append(f.asked, what)
	site := f.AllSites()[1]
	return Change{Changed: []string{"site blog"}, Notes: []string{"note"}, Site: &site}, f.err
}

func (f *fakeControl) Reload() (Change, error) {
	_, err := f.did("reload")
	return Change{Changed: []string{"ip_rate"}, Restart: []string{"listen"}}, err
}

func (f *fakeControl) AllSites() []ConfiguredSite {
	return []ConfiguredSite{
		{Name: "shop", ID: 1, File: "/etc/cairn.toml", Settings: []byte(`{"timezone":"UTC"}`)},
		{Name: "blog", ID: 2, Made: true, Settings: []byte(`{}`)},
	}
}

func (f *fakeControl) AddSite(name string, settings map[string]any) (Change, error) {
	return f.did("add " + name)
}

func (f *fakeControl) SetSite(name string, settings map[string]any) (Change, error) {
	return f.did("set " + name)
}

func (f *fakeControl) RemoveSite(name string, purged bool) (Change, error) {
	if purged {
		name += " purged"
	}
	return f.did("remove " + name)
}

func (f *fakeControl) Removable(name string) error {
	if name != "blog" {
		return &dialect.StatusError{Failure: dialect.Conflict, Msg: name + " is configured"}
	}
	return nil
}

func TestControl(t *testing.T) {
	doc := nativetest.Contract(t, OpenAPI())
	ops := nativetest.Operations(t, doc)
	const sites = "/api/v1/admin/sites"
	for _, c := range []struct {
		method, target, form, body string
		status                     int
		asked                      string // of the process
		answer                     string // is in the answer
	}{
		{"POST", "/api/v1/admin/reload", "", "", 200, "reload", `"restart":["listen"]`},
		{"POST", sites, "application/json", `{"name":"blog","timezone":"UTC"}`, 200, "add blog", `"changed":["site blog"]`},
		{"POST", sites, "application/json", `{"timezone":"UTC"}`, 400, "", `name`},
		{"POST", sites, "application/json", `{"name":7}`, 400, "", `name`},
		{"POST", sites, "application/json", `[{"name":"a"}]`, 400, "", `JSON object`},
		{"POST", sites, "application/json", `null`, 400, "", `JSON object`},
		{"POST", sites, "application/json", `{"name":"a"}{}`, 400, "", `JSON object`},
		{"POST", sites, "text/plain", `{"name":"blog"}`, 415, "", `application/json`},
		{"PATCH", sites + "/blog", "application/json", `{"hosts":["a"]}`, 200, "set blog", `"made":true`},
		{"DELETE", sites + "/blog", "", "", 200, "remove blog", `"notes":["note"]`},
		{"DELETE", sites + "/blog?dry_run=1", "", "", 400, "", `purge`},
		{"DELETE", sites + "/shop", "", "", 409, "", `configured`},
		{"DELETE", sites + "/blog?purge=1", "", "", 200, "remove blog purged", `"removed":{"changed"`},
		{"DELETE", sites + "/blog?purge=1&dry_run=1", "", "", 200, "", `"rows"`},
		{"DELETE", sites + "/blog?purge=1&keep=1", "", "", 200, "", `"rows"`},
		{"DELETE", sites + "/blog?keep=1", "", "", 400, "", `purge`},
		{"DELETE", sites + "/shop?purge=1", "", "", 200, "", `"rows"`},
		{"GET", sites, "", "", 200, "", `"settings":{"timezone":"UTC"}`},
		{"GET", sites + "/blog", "", "", 200, "", `"file":null`},
		{"GET", sites + "/none", "", "", 404, "", `no such site`},
	} {
		f := new(fakeControl)
		res := callWith(t, nativetest.Full(), f, c.method, c.target, c.form, c.body)
		if got := strings.Join(f.asked, ","); res.Status != c.status || got != c.asked || !strings.Contains(string(res.Body), c.answer) {
			t.Errorf("%s %s %s: %d %s, asked %q; want %d, %q", c.method, c.target, c.body, res.Status, res.Body, got, c.status, c.asked)
		}
		path, _, _ := strings.Cut(c.target, "?")
		if path != sites && strings.HasPrefix(path, sites) {
			path = sites + "/*"
		}
		nativetest.ValidateAnswer(t, doc, ops[c.method+" "+path], res, c.method+" "+c.target)
	}
	// What the process refuses is the answer, and a process that cannot be asked is 404.
	f := &fakeControl{err: &dialect.StatusError{Failure: dialect.BadRequest, Field: "timezone", Msg: "cairn.toml:7: no"}}
	if res := callWith(t, nativetest.Full(), f, "POST", "/api/v1/admin/reload", "", ""); res.Status != 400 || !strings.Contains(string(res.Body), "cairn.toml:7: no") {
		t.Errorf("%d %s", res.Status, res.Body)
	}
	if res := callWith(t, nativetest.Full(), nil, "POST", "/api/v1/admin/reload", "", ""); res.Status != 404 {
		t.Errorf("%d %s", res.Status, res.Body)
	}
}
