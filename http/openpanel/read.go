package openpanel

import (
	"context"
	"net/url"
	"strconv"
	"strings"
	"time"

	"cairn/engine/calendar"
	"cairn/engine/event"
	"cairn/engine/query"
	"cairn/http/dialect"
)

// This file finds who answers a read:
//
//	/export/events                           events, page by page
//	/insights/PROJECT/live                   visitors of the last five minutes
//	/insights/PROJECT/metrics                sessions, visitors, views, revenue
//	/insights/PROJECT/profiles               people, the newest first
//	/insights/PROJECT/profiles/ID            one of them
//	/insights/PROJECT/profiles/ID/sessions   and their sessions
//
// PROJECT is the site's name or id. The answers cover the events of all protocols, like those
// of the native API.

const (
	pageDefault = 50
	pageMax     = 1000
	skipMax     = 1_000_000 // events before a page
	liveMillis  = 5 * 60 * 1000
)

var (
	errNoPath = &dialect.StatusError{Failure: dialect.NotFound, Msg: "there is nothing here"}
	errWide   = dialect.Refuse("limit", "the events of this page have more than 8 MiB together; ask for fewer")
	errLate   = &dialect.StatusError{Failure: dialect.Busy, Msg: "the query took too long; narrow it by event, start and end"}
)

// reading is one read as it is answered.
type reading struct {
	ctx   context.Context
	req   *dialect.Request
	store dialect.Reader
	query params
	out   []byte
}

// Read answers a GET of the export or of insights.
func (protocol) Read(ctx context.Context, req *dialect.Request, r dialect.Reader, res *dialect.Response) error {
	query, err := paramsOf(req.RawQuery)
	if err != nil {
		return err
	}
	x := &reading{ctx: ctx, req: req, store: r, query: query, out: res.Body[:0]}
	if err := x.answer(plain(req.Path)); err != nil {
		return err
	}
	res.Status, res.ContentType, res.Body = 200, contentType, x.out
	return nil
}

func (x *reading) answer(path string) error {
	if path == "/export/events" {
		project := x.query.last("projectId", "project_id")
		if project == "" {
			return dialect.Refuse("projectId", "required: the site's name or id")
		}
		if err := x.project(project); err != nil {
			return err
		}
		return x.exportEvents()
	}
	rest, ok := strings.CutPrefix(path, "/insights/")
	if !ok {
		return errNoPath
	}
	parts := strings.Split(rest, "/")
	for i := range parts {
		part, err := url.PathUnescape(parts[i])
		if err != nil || part == "" || len(part) > event.MaxIDBytes {
			return errNoPath
		}
		parts[i] = part
	}
	if err := x.project(parts[0]); err != nil {
		return err
	}
	switch {
	case len(parts) == 2 && parts[1] == "live":
		return x.live()
	case len(parts) == 2 && parts[1] == "metrics":
		return x.metrics()
	case len(parts) == 2 && parts[1] == "profiles":
		return x.profiles()
	case len(parts) == 3 && parts[1] == "profiles":
		return x.profile(parts[2])
	case len(parts) == 4 && parts[1] == "profiles" && parts[3] == "sessions":
		return x.sessions(parts[2])
	}
	return errNoPath
}

// project checks that a name or id is that of the client's site.
func (x *reading) project(name string) error {
	if site := x.req.Site; site != nil && (name == site.Name || name == strconv.FormatUint(uint64(site.ID), 10)) {
		return nil
	}
	for _, kind := range []dialect.CredentialKind{dialect.CredentialSiteName, dialect.CredentialSiteID} {
		if x.req.Find == nil {
			break
		}
		switch other := x.req.Find(dialect.Credential{Kind: kind, ID: name}); {
		case other == nil:
		case x.req.Site != nil && other.ID == x.req.Site.ID:
			return nil // no site is configured: every name means the only site
		default:
			return &dialect.StatusError{Failure: dialect.Forbidden, Msg: "the project is another client's"}
		}
	}
	return &dialect.StatusError{Failure: dialect.NotFound, Msg: "there is no such project"}
}

// params is a query string, repeated names and all.
type params map[string][]string

// paramsMax bounds the parameters of one query.
const paramsMax = 256

func paramsOf(raw string) (params, error) {
	p, n := params{}, 0
	for name, value := range dialect.Form(raw) {
		if n++; n > paramsMax {
			return nil, dialect.Refuse("", "at most 256 parameters")
		}
		name = strings.TrimSuffix(name, "[]")
		p[name] = append(p[name], value)
	}
	return p, nil
}

// last is the last value of the first name that has one.
func (p params) last(names ...string) string {
	for _, name := range names {
		if v := p[name]; len(v) > 0 {
			return v[len(v)-1]
		}
	}
	return ""
}

// all is every value of a name that is not empty.
func (p params) all(name string) (all []string) {
	for _, v := range p[name] {
		if v != "" {
			all = append(all, v)
		}
	}
	return all
}

// list is every value of a name, also those with commas between them.
func (p params) list(name string) (all []string) {
	for _, v := range p[name] {
		for part := range strings.SplitSeq(v, ",") {
			if part = strings.TrimSpace(part); part != "" {
				all = append(all, part)
			}
		}
	}
	return all
}

// number is an integer of a name within bounds.
func (p params) number(name string, without, least, most int) (int, error) {
	text := p.last(name)
	if text == "" {
		return without, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < least || n > most {
		return 0, dialect.Refuse(name, "must be an integer from "+strconv.Itoa(least)+" to "+strconv.Itoa(most))
	}
	return n, nil
}

// zone is the time zone of the site's days.
func (x *reading) zone() *time.Location {
	if x.req.Site != nil && x.req.Site.Location != nil {
		return x.req.Site.Location
	}
	return time.UTC
}

// now is when the request came, in the site's zone.
func (x *reading) now() time.Time { return time.UnixMilli(x.req.ReceivedUnixMilli).In(x.zone()) }

// between reads a pair of parameters, both or neither: days, the last one included,
// or moments.
func (x *reading) between(startName, endName string) (from, to int64, err error) {
	start, end := x.query.last(startName), x.query.last(endName)
	if start == "" && end == "" {
		return 0, 0, nil
	}
	if start == "" || end == "" {
		return 0, 0, dialect.Refuse(startName, "and "+endName+" come together")
	}
	a, _, ok := x.moment(start)
	if !ok {
		return 0, 0, dialect.Refuse(startName, "must be a date or an ISO 8601 time")
	}
	_, b, ok := x.moment(end)
	if !ok {
		return 0, 0, dialect.Refuse(endName, "must be a date or an ISO 8601 time")
	}
	if !b.After(a) {
		return 0, 0, dialect.Refuse(endName, "must not be before "+startName)
	}
	return a.UnixMilli(), b.UnixMilli(), nil
}

// moment reads a day, from its first instant to that of the day after, or an instant,
// which is both.
func (x *reading) moment(text string) (from, to time.Time, ok bool) {
	if t, err := time.Parse(time.DateOnly, text); err == nil {
		year, month, day := t.Date()
		return x.start(year, month, day), x.start(year, month, day+1), inYears(t)
	}
	if ms, ok := event.UnixTime(text); ok {
		t := time.UnixMilli(ms)
		return t, t, true
	}
	for _, layout := range timeLayouts {
		if t, err := time.Parse(layout, text); err == nil {
			if !strings.Contains(layout, "Z07:00") { // the text names no zone
				t = calendar.Local(t, x.zone())
			}
			return t, t, inYears(t)
		}
	}
	return from, to, false
}

func inYears(t time.Time) bool { return t.Year() >= 1970 && t.Year() < 9999 }

// live answers how many people have been there in the last five minutes.
func (x *reading) live() error {
	totals, err := x.store.Count(x.ctx, query.Query{From: x.req.ReceivedUnixMilli - liveMillis, To: x.req.ReceivedUnixMilli + 1, Where: acts()})
	if err != nil {
		return err
	}
	x.out = append(strconv.AppendUint(append(x.out, `{"visitors":`...), totals.Users, 10), '}')
	return nil
}

// acts selects what OpenPanel calls an event: what visitors did, without what clients said
// about people and groups.
func acts() []query.Cond {
	types := make([]string, 0, len(event.Types))
	for _, t := range event.Types {
		if event.Countable(t) {
			types = append(types, string(t))
		}
	}
	return []query.Cond{{Field: "type", Values: types}}
}
