// The plan of retention: what a site will delete next.

package engine

import (
	"context"
	"time"

	"cairn/engine/calendar"
	"cairn/engine/query"
)

// RetentionPlan returns what retention will delete of a site next. It changes nothing.
func (e *Engine) RetentionPlan(ctx context.Context, site *query.Site) (p query.RetentionPlan, err error) {
	var s *Site
	for _, one := range e.opts.Sites() {
		if one.ID == site.ID {
			s = one
		}
	}
	if s == nil || s.RetentionDays == 0 {
		return p, nil
	}
	now := e.now()
	tomorrow := calendar.Start(calendar.Day(now.Add(-retentionHour).UnixMilli(), s.Location)+1, s.zone())
	next := time.UnixMilli(tomorrow).Add(retentionHour)
	p.Days, p.KeepsFrom, p.NextAt = s.RetentionDays, s.KeepsFrom(next.UnixMilli()), next.UnixMilli()
	gone, err := e.MatchingBefore(ctx, site, p.KeepsFrom)
	if err != nil {
		return p, err
	}
	if p.Events = gone.Seqs.GetCardinality(); p.Events > 0 {
		p.First = gone.First
	}
	t := e.state(site.ID)
	all := gone.Seqs
	if hidden := t.Hidden(); hidden != nil {
		all.Or(hidden)
	}
	sealed := t.Sealed()
	defer sealed.Close()
	for _, r := range sealed.All {
		n := all.Rank(r.Last()) - all.Rank(r.First-1)
		if n == 0 {
			continue
		}
		bytes, err := r.DiskUsage(e.db)
		if err != nil {
			return p, err
		}
		p.Bytes += int64(float64(bytes) * float64(n) / float64(r.Rows))
		p.Runs = append(p.Runs, query.PlannedRun{Rows: r.Rows, Gone: n, Now: n*retentionShare >= r.Rows})
	}
	page, err := e.Series(ctx, query.Query{Site: site, From: p.KeepsFrom, Metrics: query.MetricEvents}, "day", s.zone())
	for _, b := range page {
		if b.Events > 0 {
			p.Left = b.Time
			break
		}
	}
	return p, err
}
