package native

import (
	"context"
	"slices"
	"strconv"
	"time"

	"cairn/engine/event"
	"cairn/engine/query"
)

// This file answers GET /api/v1/funnel and /api/v1/funnel/entities.

// The window of a funnel.
const (
	windowLeast   = 30 * time.Second
	windowMost    = 365 * 24 * time.Hour
	windowDefault = 14 * 24 * time.Hour // of people; visits have none
)

var funnelModes = []string{string(query.FunnelOrdered), string(query.FunnelStrict), string(query.FunnelAny)}

// askFunnel reads the parameters that both calls have.
func (n *API) askFunnel(ctx context.Context, c *reading) (*asked, query.Funnel, error) {
	a, err := n.ask(ctx, c)
	if err != nil {
		return nil, query.Funnel{}, err
	}
	q, err := c.query.funnel()
	q.Report, q.Limit = a.Report, a.Limit
	return a, q, err
}

// funnelParams are what makes a funnel.
var funnelParams = paramList{paramStep, paramEntity, paramMode, paramWindow, paramSplit}

// funnel reads what makes a funnel: its steps, and how they are counted. The query has been checked.
func (q *params) funnel() (f query.Funnel, err error) {
	if split := q.single["split"]; split != "" {
		if f.Split, err = fieldNamed("split", split, true); err != nil {
			return f, err
		}
	}
	for _, step := range q.lists["step"] {
		conds, err := filterIn("step", step)
		if err != nil {
			return f, err
		}
		f.Step = append(f.Step, conds)
	}
	f.Visits = q.choice("entity") == "visit"
	f.Mode = query.FunnelMode(q.choice("mode"))
	if text := q.single["window"]; text != "" {
		f.Window, _ = windowOf(text)
	} else if !f.Visits {
		f.Window = windowDefault.Milliseconds()
	}
	return f, nil
}

// windowOf reads the parameter window, in milliseconds.
func windowOf(text string) (milli int64, ok bool) {
	unit := map[byte]time.Duration{'s': time.Second, 'm': time.Minute, 'h': time.Hour, 'd': 24 * time.Hour}[text[len(text)-1]]
	number, err := strconv.ParseUint(text[:len(text)-1], 10, 32)
	if window := time.Duration(number) * unit; err == nil && unit != 0 && number <= uint64(windowMost/unit) && window >= windowLeast {
		return window.Milliseconds(), true
	}
	return 0, false
}

func isWindow(text string) bool {
	_, ok := windowOf(text)
	return ok
}

// funnel is GET /api/v1/funnel.
func (n *API) funnel(ctx context.Context, c *reading) error {
	a, q, err := n.askFunnel(ctx, c)
	if err != nil {
		return err
	}
	if a.CSV {
		q.Split = "" // the table is that of the steps
	}
	answer, as, err := n.engine.Funnel(ctx, &q)
	if err != nil {
		return engineError(err)
	}
	if c.has(as) {
		return nil
	}
	steps := c.query.lists["step"]
	if a.CSV {
		columns := []string{"step", "count", "rate", "step_rate", "dropped", "median", "p90"}
		c.sendCSV(columns, len(steps), func(dst []byte, i int) []byte { return appendFunnelStep(dst, &q, &answer.FunnelRow, steps, i) })
		return nil
	}
	dst := a.open(c.out, as)
	dst = append(dst, map[bool]string{false: `,"entity":"user","mode":"`, true: `,"entity":"visit","mode":"`}[q.Visits]...)
	dst = append(append(dst, q.Mode...), `","window":`...)
	if q.Window == 0 {
		dst = append(dst, "null"...)
	} else {
		dst = strconv.AppendInt(dst, q.Window/1000, 10)
	}
	dst = appendFunnelRow(dst, &q, &answer.FunnelRow, steps)
	dst = append(dst, `,"split":[`...)
	for i := range answer.Split {
		row := &answer.Split[i]
		if i > 0 {
			dst = append(dst, ',')
		}
		if row.Other {
			dst = append(dst, `{"other":true`...)
		} else {
			dst = appendIn(appendTextOrNull(append(dst, `{"value":`...), row.Value), row.In)
		}
		dst = append(appendFunnelRow(dst, &q, row, steps), '}')
	}
	dst = append(dst, ']')
	if a.Interval == "" {
		dst = append(dst, `,"series":[]`...)
	}
	dst = a.series(dst, as, func(dst []byte, i int) []byte {
		step := &answer.Series[i]
		return appendFunnelRates(dst, step.Entered, step.Converted)
	})
	c.out = append(dst, '}')
	return nil
}

func appendFunnelRates(dst []byte, entered, converted uint64) []byte {
	dst = appendCount(dst, "entered", entered)
	dst = appendCount(dst, "converted", converted)
	return appendRate(dst, "rate", converted, entered)
}

// appendFunnelRow appends ,"entered":… and the steps.
func appendFunnelRow(dst []byte, q *query.Funnel, row *query.FunnelRow, steps []string) []byte {
	dst = appendFunnelRates(dst, row.Entered(), row.Converted())
	dst = append(dst, `,"steps":[`...)
	for i := range row.Steps {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendFunnelStep(dst, q, row, steps, i)
	}
	return append(dst, ']')
}

// appendFunnelStep appends one step as an object.
func appendFunnelStep(dst []byte, q *query.Funnel, row *query.FunnelRow, steps []string, i int) []byte {
	step := &row.Steps[i]
	dst = event.AppendString(append(dst, `{"step":`...), steps[i])
	dst = appendCount(dst, "count", step.Count)
	dst = appendRate(dst, "rate", step.Count, row.Entered())
	if i > 0 {
		dst = appendRate(dst, "step_rate", step.Count, row.Steps[i-1].Count)
	}
	dropped := uint64(0)
	if i+1 < len(row.Steps) {
		dropped = step.Count - row.Steps[i+1].Count
	}
	dst = appendCount(dst, "dropped", dropped)
	if i > 0 && q.Mode != query.FunnelAny {
		tenths := int64(10)
		if !step.Timed {
			tenths = 0 // null
		}
		dst = appendMean(dst, "median", step.Median, tenths, 1)
		dst = appendMean(dst, "p90", step.P90, tenths, 1)
	}
	return append(dst, '}')
}

// funnelEntities is GET /api/v1/funnel/entities.
func (n *API) funnelEntities(ctx context.Context, c *reading) error {
	page := c.query.entityPage()
	a, q, err := n.askFunnel(ctx, c)
	if err != nil {
		return err
	}
	q.Split, q.Report.Steps = "", nil
	e := query.FunnelEntities{Funnel: q, EntityPage: page}
	if e.At, err = c.query.numberTo("at", len(q.Step)); err != nil {
		return err
	}
	e.Dropped = c.query.choice("state") == "dropped"
	answer, as, err := n.engine.FunnelEntities(ctx, &e)
	return c.entities(a, answer, as, err)
}

// entityPage reads the parameters limit and after of a call that lists entities, and takes them
// out of the query: the cursor is the public id of an event, not that of a table.
func (q *params) entityPage() query.EntityPage {
	p := query.EntityPage{Limit: int(q.number("limit")), After: q.single["after"]}
	delete(q.single, "limit")
	delete(q.single, "after")
	return p
}

// entities answers with a page of entities.
func (c *reading) entities(a *asked, answer *query.Entities, as query.AsOf, err error) error {
	if err != nil {
		return engineError(err)
	}
	if c.has(as) {
		return nil
	}
	dst := append(a.open(c.out, as), `,"entities":`...)
	dst = append(event.AppendStrings(dst, answer.IDs), `,"next":`...)
	dst = appendTextOrNull(dst, query.Text{Text: answer.Next, Null: answer.Next == ""})
	c.out = append(dst, '}')
	return nil
}

// optionalFilter is filterIn of a parameter of which there is at most one; nil when it is absent.
func (q *params) optionalFilter(name string) ([]query.Cond, error) {
	if q.single[name] == "" {
		return nil, nil
	}
	conds, err := filterIn(name, q.single[name])
	return slices.Clip(conds), err
}
