package dashboard

import (
	"context"
	"errors"
	"strings"

	"cairn/engine/event"
	"cairn/http/dialect"
)

// This file lets people in: by a key, or by the one-time link that the server printed.

// doorView is a form of one field or one button.
type doorView struct {
	frameView
	Heading, Text, Error string
	Action, Next         string
	Field                bool // a key is asked for
	Button               string
	Readable             bool
	Press                bool   // the script presses the button
	Shown                string // a text to copy
	Status               int    // of the answer; 0 = 200, or 403 with an Error
}

// loginForm is GET /dashboard/login.
func (d *Dashboard) loginForm(_ context.Context, req *dialect.Request, res *dialect.Response) {
	d.door(req, res, &doorView{Heading: "Log in", Field: true, Action: d.path("login"), Button: "Log in",
		Text: textLoginKey, Next: d.nextPath(formValue(req.RawQuery, "next")), Readable: d.gate.Readable(req)})
}

// login is POST /dashboard/login.
func (d *Dashboard) login(_ context.Context, req *dialect.Request, res *dialect.Response) {
	if !d.fromPage(req, res) {
		return
	}
	form := string(req.Body)
	next := d.nextPath(formValue(form, "next"))
	cookie, err := d.gate.Login(req, strings.TrimSpace(formValue(form, "key")))
	if err != nil {
		d.door(req, res, &doorView{Heading: "Log in", Field: true, Action: d.path("login"), Button: "Log in", Error: err.Error(), Status: statusOf(err),
			Text: textLoginKey, Next: next, Readable: d.gate.Readable(req)})
		return
	}
	if next == "" {
		next = d.path()
	}
	head(res, "Set-Cookie", cookie)
	d.redirect(res, next)
}

// openForm is GET /dashboard/open/CODE. Only the POST spends the code, so previews do not.
func (d *Dashboard) openForm(_ context.Context, req *dialect.Request, res *dialect.Response) {
	d.door(req, res, &doorView{Heading: "Open the dashboard", Text: textOpen, Action: d.addresses.Base() + req.Path, Button: "Open", Press: true})
}

// open is POST /dashboard/open/CODE.
func (d *Dashboard) open(_ context.Context, req *dialect.Request, res *dialect.Response) {
	if !d.fromPage(req, res) {
		return
	}
	_, code, _ := strings.Cut(req.Path, "/dashboard/open/")
	cookie, err := d.gate.Open(req, code)
	if err != nil {
		d.door(req, res, &doorView{Heading: "This link does not open", Error: err.Error(), Status: statusOf(err), Text: textSpent, Action: d.path("login")})
		return
	}
	head(res, "Set-Cookie", cookie)
	d.redirect(res, d.path())
}

// logout is POST /dashboard/logout.
func (d *Dashboard) logout(_ context.Context, req *dialect.Request, res *dialect.Response) {
	if !d.fromPage(req, res) {
		return
	}
	head(res, "Set-Cookie", d.gate.Logout(req))
	head(res, "Clear-Site-Data", `"cache"`)
	d.redirect(res, d.path("login"))
}

// fromPage refuses a form that no page of this server sent. It returns false then.
func (d *Dashboard) fromPage(req *dialect.Request, res *dialect.Response) bool {
	if d.gate.FromPage(req) {
		return true
	}
	d.plain(res, 403, textForeign)
	return false
}

// door writes a form.
func (d *Dashboard) door(req *dialect.Request, res *dialect.Response, v *doorView) {
	v.Title = v.Heading + " · cairn"
	d.shell(req.Header("Cookie"), &v.frameView)
	if v.Error != "" {
		res.Status = 403
	}
	if v.Status != 0 {
		res.Status = v.Status
	}
	p := &page{d: d}
	p.write("door", v)
	d.html(req, res, p.out.Bytes())
}

// notFound is a page that says so.
func (d *Dashboard) notFound(req *dialect.Request, res *dialect.Response) {
	res.Status = 404
	d.door(req, res, &doorView{Heading: textNotFound, Action: d.path()})
}

// notice is a page of one sentence, with a way back. shown is a text to copy.
func (d *Dashboard) notice(req *dialect.Request, res *dialect.Response, status int, heading, text, back string, shown ...string) {
	res.Status = status
	d.door(req, res, &doorView{Heading: heading, Text: text, Action: back, Shown: strings.Join(shown, "")})
	setHead(res, "Cache-Control", "no-store")
}

// formValues are the values of a key in a form or query.
func formValues(raw, key string) (values []string) {
	for pair := range strings.SplitSeq(raw, "&") {
		if k, v, _ := strings.Cut(pair, "="); k == key {
			values = append(values, event.Unescape(v))
		}
	}
	return values
}

// formValue is the last value of a key in a form or query; "" when there is none.
func formValue(raw, key string) string {
	values := formValues(raw, key)
	if len(values) == 0 {
		return ""
	}
	return values[len(values)-1]
}

// statusOf is the status of a refusal; 0 when it has none of its own.
func statusOf(err error) int {
	var status *dialect.StatusError
	if errors.As(err, &status) && status.Failure == dialect.RateLimited {
		return status.Failure.Status()
	}
	return 0
}
