package openpanel

import (
	"slices"
	"strings"

	"cairn/engine/event"
	"cairn/engine/query"
	"cairn/http/dialect"
)

// This file answers GET /export/events: it reads the query and finds the events of a page.

const (
	namesMax   = 100     // events asked for by name
	scanMax    = 100_000 // events looked at for filters that the index does not answer
	derivedMax = 2000    // sessions for session_start and session_end
	pageBytes  = 8 << 20 // of the events of a page, and of its text
)

// exporting is the query for a page of the export.
type exporting struct {
	page, limit int
	query       query.Query
	filters     []filter // those that the index does not answer
	include     map[string]bool
}

// exportEvents answers with one page of events in order of receipt, newest first.
func (x *reading) exportEvents() error {
	var e exporting
	var err error
	if e.page, err = x.query.number("page", 1, 1, skipMax); err != nil {
		return err
	}
	if e.limit, err = x.query.number("limit", pageDefault, 1, pageMax); err != nil {
		return err
	}
	if (e.page-1)*e.limit > skipMax {
		return dialect.Refuse("page", "at most 1000000 events come before a page; narrow by start and end")
	}
	if e.query.From, e.query.To, err = x.between("start", "end"); err != nil {
		return err
	}
	e.query.Where = acts()
	if id := x.query.last("profileId", "profile_id"); id != "" {
		e.query.Where = append(e.query.Where, query.Cond{Field: "user", Values: []string{id}})
	}
	conds, filters, err := filtersOf(x.query.last("filters"))
	if err != nil {
		return err
	}
	e.query.Where, e.filters = append(e.query.Where, conds...), filters
	if e.include, err = includesOf(x.query.list("includes")); err != nil {
		return err
	}
	names := x.query.all("event")
	if len(names) > namesMax {
		return dialect.Refuse("event", "at most 100 names")
	}
	derived := 0
	for _, name := range names {
		if name == "session_start" || name == "session_end" {
			derived++
		}
	}
	switch {
	case derived > 0 && derived < len(names):
		return dialect.Refuse("event", "session_start and session_end are listed by themselves")
	case derived > 0:
		return x.exportSessions(&e, names)
	case len(names) > 0:
		e.query.Where = append(e.query.Where, query.Cond{Field: "name", Values: names})
	}
	lines, total, err := x.page(&e)
	if err != nil {
		return err
	}
	return x.writePage(&e, lines, total)
}

// exported is one line of an export.
type exported struct {
	*event.Event
	duration int64 // of a session that ended, milliseconds
}

// page reads the events of a page and counts those of all.
func (x *reading) page(e *exporting) (lines []exported, total uint64, err error) {
	skip := (e.page - 1) * e.limit
	q := e.query
	totals, err := x.store.Count(x.ctx, q)
	if err != nil {
		return nil, 0, err
	}
	if len(e.filters) == 0 {
		if uint64(skip) >= totals.Events {
			return nil, totals.Events, nil
		}
		q.Limit, q.Skip, q.Bytes = e.limit, skip, pageBytes
		page, err := x.store.List(x.ctx, q)
		for _, ev := range page.Events {
			lines = append(lines, exported{Event: ev})
		}
		switch { // pages have numbers, so this one has to be whole
		case err != nil:
		case page.Full:
			err = errWide
		case page.Next != "" && len(lines) < e.limit:
			err = errLate
		}
		return lines, totals.Events, err
	}
	if totals.Events > scanMax {
		return nil, 0, dialect.Refuse("filters", "these are compared event by event, with at most 100000; narrow by event, start and end")
	}
	left := pageBytes
	for q.Limit = pageMax; ; {
		page, err := x.store.List(x.ctx, q)
		if err != nil {
			return nil, 0, err
		}
		for _, ev := range page.Events {
			if x.ctx.Err() != nil { // many patterns take a while for one event
				return nil, 0, errLate
			}
			if !matchesAll(e.filters, ev) {
				continue
			}
			if total >= uint64(skip) && len(lines) < e.limit {
				if left -= size(ev); left < 0 {
					return nil, 0, errWide
				}
				lines = append(lines, exported{Event: ev})
			}
			total++
		}
		if q.After = page.Next; page.Next == "" {
			return lines, total, nil
		}
	}
}

// size is about how many bytes an event takes.
func size(e *event.Event) (n int) {
	for _, o := range []event.Object{e.Properties, e.Context, e.Extra} {
		for i := range o {
			n += len(o[i].Key) + len(o[i].Value.Text)
		}
	}
	return n
}

// given are the fields that every line of an export has. A query may name them as well.
var given = []string{
	"id", "name", "deviceId", "profileId", "sessionId", "projectId", "createdAt", "path", "duration", "city", "country", "os", "browser",
}

// includable are the fields that a line has only when the query names them.
var includable = []string{
	"properties", "groups", "revenue", "referrer", "referrerName", "referrerType", "origin", "region", "longitude", "latitude",
	"osVersion", "browserVersion", "device", "brand", "model", "meta", "profile",
}

func includesOf(names []string) (map[string]bool, error) {
	include := make(map[string]bool, len(names))
	for _, name := range names {
		if name == "referrer_name" || name == "referrer_type" || name == "os_version" || name == "browser_version" {
			first, second, _ := strings.Cut(name, "_")
			name = first + strings.ToUpper(second[:1]) + second[1:]
		}
		if !slices.Contains(includable, name) && !slices.Contains(given, name) {
			return nil, dialect.Refuse("includes", "must be of "+strings.Join(includable, ", "))
		}
		include[name] = true
	}
	return include, nil
}
