package dashboard

import (
	"context"
	"errors"
	"slices"
	"strings"

	"cairn/http/dialect"
)

// This file shows shares: screens to whoever has a link, and panels inside pages of others. The
// token in the path is all there is: no cookie, no storage.

// shared is GET /dashboard/s/TOKEN and all below it.
func (d *Dashboard) shared(ctx context.Context, req *dialect.Request, res *dialect.Response) {
	v, segments := d.sharedBy(req, res, "/dashboard/s/")
	if v == nil {
		return
	}
	if len(segments) > 1 && segments[0] == "data" {
		d.sharedData(ctx, req, res, v, segments[1:])
	} else if s, args := screenOf(segments); s == nil || s.keys || s.people && !v.Share.People {
		d.notFound(req, res)
	} else {
		d.show(ctx, req, res, v, v.Sites[0], s, args)
	}
	setHead(res, "Referrer-Policy", "no-referrer")
	head(res, "X-Robots-Tag", "noindex")
}

// embedded is GET /dashboard/e/TOKEN: the panels that _show names.
func (d *Dashboard) embedded(ctx context.Context, req *dialect.Request, res *dialect.Response) {
	v, segments := d.sharedBy(req, res, "/dashboard/e/")
	if v == nil {
		return
	}
	v.Share.Embedded = true
	switch {
	case len(segments) > 0:
		d.notFound(req, res)
	case len(v.Share.Embed) == 0:
		d.notice(req, res, 403, textNoEmbed, textEmbed, "")
	default:
		d.show(ctx, req, res, v, v.Sites[0], embedScreen, nil)
	}
	ancestors := "'none'"
	if len(v.Share.Embed) > 0 {
		ancestors = strings.Join(v.Share.Embed, " ")
	}
	setHead(res, "Content-Security-Policy", strings.Replace(policy, "frame-ancestors 'none'", "frame-ancestors "+ancestors, 1))
	setHead(res, "Cross-Origin-Resource-Policy", "cross-origin")
	setHead(res, "Referrer-Policy", "no-referrer")
	head(res, "X-Robots-Tag", "noindex")
}

// sharedBy finds the share of a request's token, and the rest of the path. The viewer is nil when
// there is none; the request is answered then.
func (d *Dashboard) sharedBy(req *dialect.Request, res *dialect.Response, prefix string) (*Viewer, []string) {
	segments := pathAfter(req, prefix)
	v, err := d.gate.Share(req, segments[0])
	switch {
	case err != nil:
		d.refused(req, res, err)
	case v == nil:
		d.notFound(req, res)
	}
	if err != nil || v == nil {
		setHead(res, "Referrer-Policy", "no-referrer")
		head(res, "X-Robots-Tag", "noindex")
		return nil, nil
	}
	v.Share.Base = d.path("s", segments[0])
	if prefix == "/dashboard/e/" {
		v.Share.Base = d.path("e", segments[0])
	}
	return v, segments[1:]
}

// refused tells why a share is not shown. What the server could not read is for its log alone.
func (d *Dashboard) refused(req *dialect.Request, res *dialect.Response, err error) {
	var said *dialect.StatusError
	if errors.As(err, &said) {
		d.notice(req, res, said.Failure.Status(), textNoShare, said.Error(), "")
		return
	}
	d.log.Error("dashboard: read a share", "error", err.Error())
	d.notice(req, res, 500, textNoShare, textFailed, "")
}

// sharedData is GET /dashboard/s/TOKEN/data/CALL: what the API answers to the share, as JSON or
// CSV. segments are those of the call.
func (d *Dashboard) sharedData(ctx context.Context, req *dialect.Request, res *dialect.Response, v *Viewer, segments []string) {
	call := segment(segments[0])
	for _, s := range segments[1:] {
		call += "/" + segment(s)
	}
	if call == "live/stream" {
		d.sharedStream(req, res, v)
		return
	}
	if _, known := d.reports.Takes(call, "site"); !known && !slices.Contains([]string{"events", "users", "sessions"}, segments[0]) { // these go on with an id
		d.plain(res, 404, textNotFound)
		return
	}
	d.send(ctx, req, res, v, call, req.RawQuery)
}

// send answers with what the API answers to a share. Its links need no cookie, so the answers of an
// address differ by time alone.
func (d *Dashboard) send(ctx context.Context, req *dialect.Request, res *dialect.Response, v *Viewer, call, query string) {
	a := d.reports.Send(ctx, req, v, v.Sites[0], call, query)
	res.Status, res.ContentType, res.Body, res.Stream = a.Status, "application/json", append(res.Body[:0], a.Body...), a.Stream
	switch {
	case a.Status == 304:
		res.ContentType = ""
	case a.Stream != nil:
		res.ContentType = "text/csv; charset=utf-8"
	}
	for _, h := range a.Header {
		head(res, h[0], h[1])
	}
	head(res, "Cache-Control", "private, no-cache")
	head(res, "Cross-Origin-Resource-Policy", "same-origin")
}

// sharedStream is GET /dashboard/s/TOKEN/data/live/stream.
func (d *Dashboard) sharedStream(req *dialect.Request, res *dialect.Response, v *Viewer) {
	a := d.reports.Follow(req, v, v.Sites[0], req.RawQuery)
	res.Status, res.ContentType, res.Body, res.Stream = a.Status, "application/json", append(res.Body[:0], a.Body...), a.Stream
	if a.Stream != nil {
		res.ContentType = "text/event-stream"
		head(res, "X-Accel-Buffering", "no") // for nginx
	}
	head(res, "Cache-Control", "no-store")
}

// embedScreen is the overview, of which an embed shows some panels.
var embedScreen = &screen{title: "Numbers", panels: func(p *page) [][]*panel {
	shown := strings.Split(p.state.get("_show"), ",")
	if p.state.get("_show") == "" {
		shown = []string{"numbers", "chart"}
	}
	p.state = p.state.without("_full")
	all := overview(p)
	known := func(n *panel) bool { return slices.Contains(shown, n.name) }
	if !slices.ContainsFunc(slices.Concat(all...), known) {
		shown = []string{"numbers", "chart"}
	}
	var rows [][]*panel
	for _, row := range all {
		row = slices.DeleteFunc(row, func(n *panel) bool { return !slices.Contains(shown, n.name) })
		if len(row) > 0 {
			rows = append(rows, row)
		}
	}
	return rows
}}

// setHead sets a header in place of the one that is there.
func setHead(res *dialect.Response, name, value string) {
	for i := range res.Header {
		if res.Header[i][0] == name {
			res.Header[i][1] = value
			return
		}
	}
	head(res, name, value)
}
