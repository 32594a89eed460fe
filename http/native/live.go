package native

import (
	"context"

	"cairn/engine/event"
	"cairn/engine/query"
)

// This file answers what happens on a site right now; stream.go keeps on telling it.

// live is GET /api/v1/live.
func (n *API) live(ctx context.Context, c *reading) error {
	answer, err := n.engine.Live(ctx, &query.Live{Report: query.Report{Site: c.site, Where: c.query.conds(), Now: c.query.now, MaxAge: c.query.maxAge()}})
	if err != nil {
		return engineError(err)
	}
	c.out = append(appendLive(c.out, c.site, answer), '}')
	return nil
}

// appendLive appends what happens now, without the closing brace.
func appendLive(dst []byte, site *query.Site, a *query.LiveAnswer) []byte {
	dst = event.AppendString(append(dst, `{"site":`...), site.Name)
	dst = appendTime(append(dst, `,"as_of":{"time":`...), a.Time)
	dst = append(appendUint(dst, `,"seq":`, a.Seq), '}')
	dst = appendUint(dst, `,"visitors":`, a.Visitors)
	dst = appendUint(dst, `,"visitors_30":`, a.Total.Visitors)
	dst = appendUint(dst, `,"views_30":`, a.Total.Views)
	dst = appendUint(dst, `,"events_30":`, a.Total.Events)
	dst = append(dst, `,"minutes":[`...)
	for i := range a.Minutes {
		m := &a.Minutes[i]
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendTime(append(dst, `{"time":`...), a.Start+int64(i)*60_000)
		dst = appendUint(dst, `,"events":`, m.Events)
		dst = appendUint(dst, `,"views":`, m.Views)
		dst = append(appendUint(dst, `,"visitors":`, m.Visitors), '}')
	}
	dst = append(dst, ']')
	for _, table := range []struct {
		name string
		rows []query.LiveRow
	}{{"pages", a.Pages}, {"sources", a.Sources}, {"countries", a.Countries}, {"names", a.Names}} {
		dst = append(append(append(dst, `,"`...), table.name...), `":[`...)
		for i := range table.rows {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = event.AppendString(append(dst, `{"value":`...), table.rows[i].Value)
			dst = append(appendUint(dst, `,"visitors":`, table.rows[i].Visitors), '}')
		}
		dst = append(dst, ']')
	}
	return dst
}
