package dashboard

import (
	"context"
	"encoding/json"
	"net/url"
	"strconv"
	"strings"
	"time"

	"cairn/http/dialect"
)

// This file changes what a site has saved: filters, goals, funnels, shares and notes. Forms do
// what POST, PUT and DELETE of /api/v1/saved do.

// savedThing is a saved thing of the API.
type savedThing struct {
	ID       string   `json:"id,omitempty"`
	Kind     string   `json:"kind"`
	Name     string   `json:"name"`
	Query    string   `json:"query"`
	Revision uint64   `json:"revision,omitempty"`
	Scope    *string  `json:"scope,omitempty"`
	Filter   *string  `json:"filter,omitempty"`
	Props    []string `json:"props,omitempty"`
	Embed    []string `json:"embed,omitempty"`
	Expires  *string  `json:"expires,omitempty"`
	Time     *string  `json:"time,omitempty"`
	Text     *string  `json:"text,omitempty"`
	Token    string   `json:"token,omitempty"`
}

// savedKinds are the kinds with their headings.
var savedKinds = []struct{ kind, title string }{
	{"filter", "Filters"}, {"goal", "Goals"}, {"funnel", "Funnels"}, {"share", "Shares"}, {"note", "Notes"},
}

// change is POST /dashboard/site/NAME/saved. Its form has what is saved, and do = "save" (a new
// one, or another name of the one with id) or "delete".
func (d *Dashboard) change(ctx context.Context, req *dialect.Request, res *dialect.Response) {
	if !d.fromPage(req, res) {
		return
	}
	v := d.gate.Viewer(req, false)
	if v == nil {
		d.redirect(res, d.path("login"))
		return
	}
	segments := pathAfter(req, "/dashboard/site/")
	site := v.site(segments[0])
	if site == nil || len(segments) != 2 || segments[1] != "saved" {
		d.notFound(req, res)
		return
	}
	form := string(req.Body)
	back := d.nextPath(formValue(form, "next"))
	if back == "" {
		back = d.path("site", site.Name, "setup") + "#saved"
	}
	method, call, body, err := savedCall(form, d.now())
	if err != nil {
		d.notice(req, res, 400, "This was not saved", err.Error(), back)
		return
	}
	a := d.reports.Change(ctx, v, site, method, call, body)
	if a.Status != 200 {
		var f failure
		_ = json.Unmarshal(a.Body, &f)
		d.notice(req, res, a.Status, "This was not saved", f.Error, back)
		return
	}
	var s savedThing
	if json.Unmarshal(a.Body, &s) == nil && s.Token != "" {
		d.notice(req, res, 200, "The link of “"+s.Name+"”", textToken, back, d.addresses.Public(req, "/dashboard/s/"+s.Token))
		return
	}
	d.redirect(res, back)
}

// savedCall is the call of the API that a form asks for. A note without a time is of now.
func savedCall(form string, now time.Time) (method, call string, body []byte, err error) {
	get := func(key string) string { return strings.TrimSpace(formValue(form, key)) }
	id := get("id")
	if get("do") == "delete" {
		if get("kind") == "share" && (get("confirm") == "" || get("confirm") != get("name")) {
			return "", "", nil, unsure{}
		}
		return "DELETE", "saved/" + url.PathEscape(id), nil, nil
	}
	s := savedThing{ID: id, Kind: get("kind"), Name: get("name"), Query: formValue(form, "query")}
	if id != "" {
		if s.Revision, err = strconv.ParseUint(get("revision"), 10, 64); err != nil {
			return "", "", nil, old{}
		}
	}
	optional := func(key string) *string {
		if text := get(key); text != "" {
			return &text
		}
		return nil
	}
	switch s.Kind {
	case "goal":
		if m, ok := readMatcher(parseRaw(form), 0); ok && s.Query == "" {
			s.Query = m.query()
		}
	case "share":
		s.Scope, s.Filter, s.Expires = optional("scope"), optional("filter"), optional("expires")
		s.Props, s.Embed = words(formValues(form, "props")), words(formValues(form, "embed"))
	case "note":
		s.Text, s.Time = optional("text"), optional("time")
		if s.Time == nil {
			at := now.UTC().Format(time.RFC3339)
			s.Time = &at
		}
	}
	body, err = json.Marshal(s)
	if id != "" {
		return "PUT", "saved/" + url.PathEscape(id), body, err
	}
	return "POST", "saved", body, err
}

// unsure is the answer to who ends a share without its name.
type unsure struct{}

func (unsure) Error() string { return textConfirm }

// old is the answer to a form that lacks what is changed.
type old struct{}

func (old) Error() string { return textOldForm }

// words are the parts of some texts between blanks and commas.
func words(texts []string) []string {
	return strings.FieldsFunc(strings.Join(texts, "\n"), func(r rune) bool { return r == ' ' || r == ',' || r == '\n' || r == '\r' || r == '\t' })
}
