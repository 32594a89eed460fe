package native

import (
	"context"
	"errors"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"

	"cairn/engine/event"
	"cairn/engine/query"
	"cairn/http/adminlog"
	"cairn/http/dialect"
)

// This file deletes events: those of a person, those that filters select, and all of a site. It
// also tells how far deletions have come, and what retention will delete next.

// reasonMax is how many bytes the reason of a deletion may have.
const reasonMax = 256

// forget is DELETE /api/v1/users/{id}: all events of the person who has the id.
func (n *API) forget(ctx context.Context, c *reading) error {
	d := query.Deletion{Kind: query.DeletePerson, Where: []query.Cond{{Field: "user", Values: []string{c.ids[0]}}}}
	return n.delete(ctx, c, &d, c.ids[0])
}

// deleteEvents is DELETE /api/v1/events: the events that the filters select.
func (n *API) deleteEvents(ctx context.Context, c *reading) (err error) {
	d := query.Deletion{Kind: query.DeleteFilter, Where: c.query.conds()}
	if d.From, d.To, err = c.query.timeRange(c.site.Location); err != nil {
		return err
	}
	if len(d.Where) == 0 && d.From == 0 && d.To == 0 {
		return badRequest("name at least one filter or a time: without one this would delete every event of the site. To do that, use DELETE /api/v1/admin/sites/{name}?purge=1")
	}
	return n.delete(ctx, c, &d, "")
}

// deleteSite deletes all events of the site in the path.
func (n *API) deleteSite(ctx context.Context, c *reading) error {
	if c.site == nil || c.ids[0] != c.site.Name {
		c.site = nil
		for _, s := range n.options.Sites() {
			if s.Name == c.ids[0] {
				c.site = &s.Site
			}
		}
		if c.site == nil {
			return errNoSite
		}
	}
	return n.delete(ctx, c, &query.Deletion{Kind: query.DeleteSite}, "")
}

// delete answers with the receipt of a deletion. id is the one of a person, "" = none.
func (n *API) delete(ctx context.Context, c *reading, d *query.Deletion, id string) (err error) {
	d.DryRun, d.Now, d.Reason = c.query.yes("dry_run"), c.query.yes("now"), c.query.single["reason"]
	d.By = "secret_key"
	if c.req.Admin {
		d.By = "admin_token"
	}
	saved, err := n.savedNaming(ctx, c.site, id)
	if err != nil {
		return err
	}
	r, err := n.engine.Delete(ctx, c.site, *d)
	if errors.Is(err, query.ErrNotFound) {
		return &dialect.StatusError{Failure: dialect.NotFound, Msg: "no event is selected; nothing was changed"}
	}
	if err != nil {
		return engineError(err)
	}
	c.out = appendReceipt(c.out, &r)
	if !d.DryRun {
		n.options.Note(c.req, adminlog.Entry{Action: adminlog.Deletion, Site: c.site.Name, What: strconv.FormatUint(r.ID, 10)})
		c.out = event.AppendStrings(append(c.out, `,"snapshots":`...), n.snapshotNames())
	}
	c.out = append(event.AppendStrings(append(c.out, `,"saved":`...), saved), '}')
	return nil
}

// savedNaming returns the ids of the saved things whose query names an id of a person.
func (n *API) savedNaming(ctx context.Context, site *query.Site, id string) ([]string, error) {
	naming := []string{}
	if id == "" {
		return naming, nil
	}
	all, err := n.engine.AllSaved(ctx, site)
	for i := range all {
		if names(all[i].Query, id, 3) {
			naming = append(naming, all[i].ID)
		}
	}
	return naming, err
}

// names reports whether a value in a query string is an id. A step of a funnel is a query inside
// the query; depth is how deep these are looked into.
func names(query, id string, depth int) bool {
	values, _ := url.ParseQuery(query) // what it cannot read names nobody
	for _, list := range values {
		for _, v := range list {
			if v == id || depth > 1 && strings.Contains(v, "=") && names(v, id, depth-1) {
				return true
			}
		}
	}
	return false
}

// snapshotNames returns the names of the snapshots that were made, by age. Each of them may hold
// what is deleted now.
func (n *API) snapshotNames() []string {
	names := []string{}
	entries, _ := os.ReadDir(n.options.SnapshotDir()) // without the directory there are none
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), snapshotPrefix) && e.IsDir() {
			names = append(names, e.Name())
		}
	}
	return names
}

// deletions is GET /api/v1/admin/deletions, the newest first.
func (n *API) deletions(ctx context.Context, c *reading) error {
	all, err := n.engine.Deletions(ctx, c.site)
	if err != nil {
		return err
	}
	limit := int(c.query.number("limit"))
	slices.Reverse(all)
	if text := c.query.single["after"]; text != "" {
		after, err := strconv.ParseUint(text, 10, 64)
		if err != nil {
			return badField("after", query.ErrBadCursor.Error())
		}
		all = slices.DeleteFunc(all, func(r query.Receipt) bool { return r.ID >= after })
	}
	next := ""
	if len(all) > limit {
		all = all[:limit]
		next = strconv.FormatUint(all[limit-1].ID, 10)
	}
	c.out = append(c.out, `{"deletions":[`...)
	for i := range all {
		if i > 0 {
			c.out = append(c.out, ',')
		}
		c.out = append(appendReceipt(c.out, &all[i]), '}')
	}
	c.out = append(c.out, `],"next":`...)
	if next == "" {
		c.out = append(c.out, "null}"...)
		return nil
	}
	c.out = append(event.AppendString(c.out, next), '}')
	return nil
}

// deletion is GET /api/v1/admin/deletions/{id}.
func (n *API) deletion(ctx context.Context, c *reading) error {
	all, err := n.engine.Deletions(ctx, c.site)
	if err != nil {
		return idError(err)
	}
	id, err := strconv.ParseUint(c.ids[0], 10, 64)
	for i := range all {
		if err == nil && all[i].ID == id {
			c.out = append(appendReceipt(c.out, &all[i]), '}')
			return nil
		}
	}
	return query.ErrNotFound
}

// appendReceipt appends a receipt without the closing brace. It does not say what the condition
// was: that may name a person.
func appendReceipt(dst []byte, r *query.Receipt) []byte {
	dst = append(dst, `{"id":`...)
	if r.ID == 0 {
		dst = append(dst, "null"...)
	} else {
		dst = strconv.AppendUint(dst, r.ID, 10)
	}
	dst = event.AppendString(append(dst, `,"kind":`...), string(r.Kind))
	dst = appendUint(dst, `,"rows":`, r.Rows)
	at := func(name string, milli int64, is bool) {
		dst = append(append(append(dst, `,"`...), name...), `":`...)
		if is {
			dst = appendTime(dst, milli)
		} else {
			dst = append(dst, "null"...)
		}
	}
	at("first", r.First, r.Rows > 0)
	at("last", r.Last, r.Rows > 0)
	if r.ID == 0 { // a dry run
		return dst
	}
	dst = event.AppendString(append(dst, `,"state":`...), string(r.State))
	at("hidden_at", r.HiddenAt, true)
	at("purge_by", r.PurgeBy, r.PurgeBy != 0)
	at("done_at", r.DoneAt, r.DoneAt != 0)
	dst = event.AppendString(append(dst, `,"by":`...), r.By)
	dst = event.AppendString(append(dst, `,"reason":`...), r.Reason)
	if len(r.Sinks) == 0 || r.Kind == query.DeleteRetention {
		return dst
	}
	dst = append(dst, `,"sinks":[`...)
	for i, s := range r.Sinks {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = event.AppendString(append(dst, `{"name":`...), s.Name)
		at("done_at", s.At, s.At != 0)
		if len(s.Beyond) > 0 {
			dst = append(dst, `,"beyond":`...)
			numbers := make([]string, len(s.Beyond))
			for i, n := range s.Beyond {
				numbers[i] = strconv.FormatUint(n, 10)
			}
			dst = event.AppendStrings(dst, numbers)
		}
		dst = append(dst, '}')
	}
	return append(dst, ']')
}

// retentionPlan is GET /api/v1/admin/retention.
func (n *API) retentionPlan(ctx context.Context, c *reading) error {
	p, err := n.engine.RetentionPlan(ctx, c.site)
	if err != nil {
		return engineError(err)
	}
	dst := event.AppendString(append(c.out, `{"site":`...), c.site.Name)
	dst = appendUint(dst, `,"retention_days":`, uint64(p.Days))
	at := func(name string, milli int64) {
		dst = append(append(append(dst, `,"`...), name...), `":`...)
		if milli == 0 {
			dst = append(dst, "null"...)
		} else {
			dst = appendTime(dst, milli)
		}
	}
	at("keeps_from", p.KeepsFrom)
	at("next_at", p.NextAt)
	dst = appendUint(dst, `,"events":`, p.Events)
	dst = appendUint(dst, `,"bytes":`, uint64(p.Bytes))
	at("first", p.First)
	at("oldest_left", p.Left)
	dst = append(dst, `,"runs":[`...)
	for i, r := range p.Runs {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendUint(dst, `{"events":`, r.Rows)
		dst = appendUint(dst, `,"gone":`, r.Gone)
		dst = append(strconv.AppendBool(append(dst, `,"at_once":`...), r.Now), '}')
	}
	c.out = append(dst, "]}"...)
	return nil
}
