package tables

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"slices"
	"strings"
	"time"

	"cairn/http/native"
)

// This file makes the report of an answer: it reads the JSON and what all answers have in common.

// object is a JSON object. Its numbers are json.Number.
type object map[string]any

var errNotAnswer = errors.New("this is no answer of cairn")

// parse reads an object.
func parse(text []byte) (object, error) {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	var o object
	if err := d.Decode(&o); err != nil || o == nil {
		return nil, errNotAnswer
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, errNotAnswer
	}
	return o, nil
}

func (o object) object(key string) object { return asObject(o[key]) }

func (o object) list(key string) []any { list, _ := o[key].([]any); return list }

// text is a text as it was sent: not safe.
func (o object) text(key string) string { text, _ := o[key].(string); return text }

func (o object) number(key string) (float64, bool) {
	n, ok := o[key].(json.Number)
	if !ok {
		return 0, false
	}
	x, err := n.Float64()
	return x, err == nil
}

func (o object) isTrue(key string) bool { is, _ := o[key].(bool); return is }

// time is a time of the contract; zero when there is none.
func (o object) time(key string) time.Time {
	t, _ := time.Parse(time.RFC3339, o.text(key))
	return t
}

func asObject(v any) object {
	m, _ := v.(map[string]any)
	return m
}

// maker makes one report.
type maker struct {
	*format
	r     *Report
	q     *native.Question
	query url.Values
	body  object
}

// Read makes the report of an answer: the JSON that a question gave for a query. The error says
// that the answer is not one of that question.
func Read(q *native.Question, query url.Values, answer []byte, o Options) (*Report, error) {
	m, err := newMaker(q, query, answer, o)
	if err != nil {
		return nil, err
	}
	m.head()
	if shape := shapes[q.Name]; shape != nil {
		shape(m)
	} else {
		m.anything()
	}
	return m.r, nil
}

// shapes make the reports of questions.
var shapes = map[string]func(*maker){
	"visits": (*maker).visits, "pages": (*maker).pages, "breakdown": (*maker).breakdown, "aggregate": (*maker).aggregate,
	"fields": (*maker).fields, "values": (*maker).values, "count": (*maker).totals, "series": (*maker).buckets, "counters": (*maker).counters,
	"funnel": (*maker).funnel, "funnel/entities": (*maker).entities, "retention": (*maker).retention, "retention/entities": (*maker).entities,
	"paths": (*maker).paths, "live": (*maker).live, "goals": (*maker).goals, "shop": (*maker).shop,
	"events": (*maker).events, "sessions": (*maker).sessions, "users": (*maker).users, "site": (*maker).site, "sites": (*maker).sites,
}

func newMaker(q *native.Question, query url.Values, answer []byte, o Options) (*maker, error) {
	body, err := parse(answer)
	if err != nil {
		return nil, err
	}
	m := &maker{format: newFormat(o.Zone), q: q, query: query, body: body}
	m.zone = m.zoneOf(body)
	m.r = &Report{Name: q.Name, Title: title(q.Name), Site: Safe(body.text("site")), Zone: m.zone, From: body.time("from"), To: body.time("to"),
		Until: body.time("until"), AsOf: body.object("as_of").time("time"), Compared: body["compare"] != nil, Stepwise: query.Get("interval") != ""}
	return m, nil
}

// zoneOf is the zone that an object names, else that of the report.
func (m *maker) zoneOf(o object) *time.Location {
	if name := o.text("zone"); name != "" {
		if zone, err := time.LoadLocation(name); err == nil {
			return zone
		}
	}
	return m.zone
}

// title is the name of a question with a capital: "Funnel entities".
func title(name string) string {
	name = strings.ReplaceAll(name, "/", " ")
	return strings.ToUpper(name[:1]) + name[1:]
}

// head writes the lines that say what was asked.
func (m *maker) head() {
	add := func(name, text string) {
		if text != "" {
			m.r.Head = append(m.r.Head, Line{name, text})
		}
	}
	if r := m.r; !r.From.IsZero() && !r.To.IsZero() {
		text := m.span(r.From, r.To)
		if !r.Until.IsZero() && r.Until.Before(r.To) {
			text += ", so far"
		}
		add("Range", text)
	} else {
		add("Range", m.asked())
	}
	if c := m.body.object("compare"); c != nil {
		add("Compared with", m.span(c.time("from"), c.time("to")))
	}
	add("Zone", m.zone.String())
	add("Filters", strings.Join(filters(m.q, m.query), ", "))
	if !m.r.AsOf.IsZero() {
		add("As of", m.time(m.r.AsOf))
	}
}

// asked is the range of an answer that names none: as it was asked.
func (m *maker) asked() string {
	if !m.q.Range {
		return ""
	}
	if name := m.query.Get("range"); name != "" {
		return Safe(name)
	}
	from, to := Safe(m.query.Get("from")), Safe(m.query.Get("to"))
	switch {
	case from == "" && to == "":
		return "all"
	case from == "":
		return "up to " + to
	case to == "":
		return "from " + from
	}
	return from + " – " + to
}

// filters are the filters of a query as people write them, in the order of their names.
func filters(q *native.Question, query url.Values) (list []string) {
	for name, values := range query {
		if p := q.Param(strings.TrimRight(name, "!~<>")); p == nil || !p.Filter && p.Name != "saved" {
			continue
		}
		for _, value := range values {
			list = append(list, Safe(name+"="+value))
		}
	}
	slices.Sort(list)
	return list
}

// cell makes the cell of a number of a row; was is the row of the compared range, nil = none.
func (m *maker) cell(me metric, row, was object) Cell {
	x, has := row.number(me.key)
	if !has {
		return Cell{Text: nothing}
	}
	c := Cell{Text: m.format.number(me.kind, x), Number: x, Has: true}
	if before, ok := was.number(me.key); ok {
		c.Change = m.change(me, x, before)
	}
	return c
}

// textCell makes the cell of a text of an event.
func textCell(text string) Cell {
	if text == "" {
		return Cell{}
	}
	return Cell{Text: Safe(text), Has: true}
}

// timeCell makes the cell of a time.
func (m *maker) timeCell(t time.Time) Cell {
	if t.IsZero() {
		return Cell{}
	}
	return Cell{Text: m.time(t), Number: float64(t.UnixMilli()) / 1000, Has: true}
}

// numbers makes numbers of the whole range: those of keys, or all that the object has. was is of
// the compared range.
func (m *maker) numbers(of, was object, keys ...string) {
	for _, me := range metricsIn([]any{map[string]any(of)}, keys, []string{"next"}) {
		n := Number{Key: me.key, Title: me.title, Kind: me.kind, Cell: m.cell(me, of, was)}
		if x, ok := was.number(me.key); ok {
			n.Was = m.format.number(me.kind, x)
		}
		m.r.Numbers = append(m.r.Numbers, n)
	}
}

// metricsIn are the numbers that some rows have: those of first, then the others in the order of
// the table, then those that it does not know. A known number that is null in every row is one, too.
func metricsIn(rows []any, first, skip []string) (list []metric) {
	have := make(map[string]bool)
	for _, row := range rows {
		for key, v := range asObject(row) {
			_, is := v.(json.Number)
			if is = is || v == nil && known(key); is && !slices.Contains(skip, key) {
				have[key] = true
			}
		}
	}
	take := func(key string) {
		if have[key] {
			list = append(list, metricOf(key))
			delete(have, key)
		}
	}
	for _, key := range first {
		take(key)
	}
	for i := range metrics {
		take(metrics[i].key)
	}
	rest := make([]string, 0, len(have))
	for key := range have {
		rest = append(rest, key)
	}
	slices.Sort(rest)
	for _, key := range rest {
		take(key)
	}
	return list
}

// series makes the series of a number from steps.
func (m *maker) series(me metric, interval string, steps, was []any) *Series {
	s := Series{Key: me.key, Title: me.title, Kind: me.kind, Interval: interval, Steps: m.steps(me, interval, steps), Was: m.steps(me, interval, was)}
	m.r.Series = append(m.r.Series, s)
	return &m.r.Series[len(m.r.Series)-1]
}

func (m *maker) steps(me metric, interval string, steps []any) (list []Step) {
	for _, one := range steps {
		o := asObject(one)
		t := o.time("time")
		list = append(list, Step{Time: t, Label: m.step(t, interval), Cell: m.cell(me, o, nil), Partial: o.isTrue("partial")})
	}
	return list
}

// course makes a series of each number that steps have. Those whose number is among the numbers of
// the report stand beside it.
func (m *maker) course(steps, was []any, first ...string) {
	interval := m.body.text("interval")
	for _, me := range metricsIn(steps, first, notNumbers) {
		m.series(me, interval, steps, was)
	}
}

// anything makes tables of whatever an answer has, for a question that this room does not know.
func (m *maker) anything() {
	m.numbers(m.body, nil)
	m.numbers(m.body.object("total"), nil)
	keys := make([]string, 0, len(m.body))
	for key := range m.body {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	for _, key := range keys {
		list := m.body.list(key)
		if len(list) == 0 || asObject(list[0]) == nil {
			continue
		}
		var leads []lead
		names := make(map[string]bool)
		for _, row := range list {
			for name, v := range asObject(row) {
				if s, is := v.(string); is && s != "" {
					names[name] = true
				}
			}
		}
		for _, name := range sorted(names) {
			leads = append(leads, text(name, Safe(name)))
		}
		m.table(Safe(key), Safe(title(key)), list, leads)
	}
}

func sorted(set map[string]bool) []string {
	list := make([]string, 0, len(set))
	for name := range set {
		list = append(list, name)
	}
	slices.Sort(list)
	return list
}

// compact writes a JSON object in one line, for people: plan=pro, size=3. It is not safe yet.
func compact(o object) string {
	var parts []string
	keys := make([]string, 0, len(o))
	for key := range o {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	for _, key := range keys {
		switch v := o[key].(type) {
		case map[string]any, []any:
			text, _ := json.Marshal(v)
			parts = append(parts, key+"="+string(text))
		default:
			parts = append(parts, fmt.Sprint(key, "=", v))
		}
	}
	return strings.Join(parts, ", ")
}
