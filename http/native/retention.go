package native

import (
	"context"
	"strconv"
	"time"

	"cairn/engine/calendar"
	"cairn/engine/query"
)

// This file answers GET /api/v1/retention and /api/v1/retention/entities.

var cohorts = []string{string(query.CohortFirst), string(query.CohortRange), string(query.CohortEach)}

// askRetention reads the parameters that both calls have.
func (n *API) askRetention(ctx context.Context, c *reading) (*asked, query.Retention, error) {
	var q query.Retention
	a, err := n.ask(ctx, c)
	if err != nil {
		return nil, q, err
	}
	q.Report = a.Report
	if q.Start, err = c.query.optionalFilter("start"); err != nil {
		return nil, q, err
	}
	if q.Return, err = c.query.optionalFilter("return"); err != nil {
		return nil, q, err
	}
	q.Period, q.Cohort = c.query.choice("period"), query.Cohort(c.query.choice("cohort"))
	q.After = c.query.choice("count") == "after"
	starts, ok := calendar.BucketTimes(q.From, q.To, q.Period, c.site.Location)
	if !ok || len(starts) > query.RetentionPeriodsMax {
		return nil, q, badField("period", "more than "+strconv.Itoa(query.RetentionPeriodsMax)+" periods; ask for longer ones or a shorter range")
	}
	return a, q, nil
}

// retention is GET /api/v1/retention.
func (n *API) retention(ctx context.Context, c *reading) error {
	a, q, err := n.askRetention(ctx, c)
	if err != nil {
		return err
	}
	answer, as, err := n.engine.Retention(ctx, &q)
	if err != nil {
		return engineError(err)
	}
	if c.has(as) {
		return nil
	}
	loc := location(c.site)
	if a.CSV {
		columns := []string{"period", "size"}
		for i := range answer.Average {
			columns = append(columns, strconv.Itoa(i+1))
		}
		c.sendCSV(columns, len(answer.Cohorts), func(dst []byte, i int) []byte {
			cohort := &answer.Cohorts[i]
			dst = appendPeriod(dst, cohort, loc)
			for k := range cohort.Cells {
				dst = appendCount(dst, strconv.Itoa(k+1), cohort.Cells[k].Users)
			}
			return append(dst, '}')
		})
		return nil
	}
	dst := append(append(a.open(c.out, as), `,"period":"`...), q.Period...)
	dst = append(append(dst, `","cohort":"`...), q.Cohort...)
	dst = append(dst, map[bool]string{false: `","count":"on","cohorts":[`, true: `","count":"after","cohorts":[`}[q.After]...)
	for i := range answer.Cohorts {
		if i > 0 {
			dst = append(dst, ',')
		}
		cohort := &answer.Cohorts[i]
		dst = append(appendPeriod(dst, cohort, loc), `,"cells":[`...)
		for k, cell := range cohort.Cells {
			if k > 0 {
				dst = append(dst, ',')
			}
			dst = strconv.AppendUint(append(dst, `{"users":`...), cell.Users, 10)
			dst = appendRate(dst, "rate", cell.Users, cohort.Size)
			dst = append(strconv.AppendBool(append(dst, `,"complete":`...), cell.Complete), '}')
		}
		dst = append(dst, "]}"...)
	}
	dst = append(dst, `],"average":[`...)
	for i, average := range answer.Average {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendQuotient(dst, int64(average.Returned), int64(average.Size), 4)
	}
	c.out = append(dst, "]}"...)
	return nil
}

// appendPeriod appends {"period":…,"size":…
func appendPeriod(dst []byte, cohort *query.RetentionCohort, loc *time.Location) []byte {
	dst = append(dst, `{"period":"`...)
	dst = time.UnixMilli(cohort.Period).In(loc).AppendFormat(dst, time.DateOnly)
	return appendCount(append(dst, '"'), "size", cohort.Size)
}

// retentionEntities is GET /api/v1/retention/entities.
func (n *API) retentionEntities(ctx context.Context, c *reading) error {
	page := c.query.entityPage()
	a, q, err := n.askRetention(ctx, c)
	if err != nil {
		return err
	}
	e := query.RetentionEntities{Retention: q, EntityPage: page}
	date, err := time.Parse(time.DateOnly, c.query.single["at"])
	if err != nil {
		return badField("at", paramCohortAt.must)
	}
	e.At = calendar.DayStart(date, c.site.Location).UnixMilli()
	starts, _ := calendar.BucketTimes(q.From, q.To, q.Period, c.site.Location)
	later := -1
	for i, start := range starts {
		if start == e.At {
			later = len(starts) - 1 - i
		}
	}
	if later < 0 {
		return badField("at", "no cohort has this period")
	}
	if e.Cell, err = c.query.numberTo("cell", later); err != nil {
		return err
	}
	answer, as, err := n.engine.RetentionEntities(ctx, &e)
	return c.entities(a, answer, as, err)
}
