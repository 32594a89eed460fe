// Exports of random stores: what an export says is what the listing says.

package engine_test

import (
	"bytes"
	"cmp"
	"context"
	"encoding/csv"
	"regexp"
	"slices"
	"strings"

	"cairn/engine"
	"cairn/engine/event"
	"cairn/engine/query"
)

// exported returns an export, and what it says of itself.
func exported(e *engine.Engine, q query.Export) (text []byte, plan query.ExportPlan, done query.Exported, err error) {
	ctx, end := context.WithCancel(context.Background())
	defer end()
	run, err := e.BeginExport(ctx, q)
	if err != nil {
		return nil, plan, done, err
	}
	var b bytes.Buffer
	done, err = run.Write(ctx, &b)
	return b.Bytes(), run.Plan(), done, err
}

// sessionOf is what a line of NDJSON has besides the event of a listing, and heartbeat is too.
var (
	sessionOf = regexp.MustCompile(`,"session_of":(?:null|"([0-9a-f]{32})")`)
	uncounted = regexp.MustCompile(`,"uncounted":\[[^]]*\]`)
	heartbeat = regexp.MustCompile(`,"heartbeat":"([^"]*)"}$`)
)

// listed returns a line of NDJSON as a listing has the event, the session's first event, and the
// heartbeat.
func listed(line string) (text, session, beat string) {
	if at := heartbeat.FindStringSubmatchIndex(line); at != nil {
		beat = line[at[2]:at[3]]
		line = line[:at[0]] + "}"
	}
	if at := sessionOf.FindStringSubmatchIndex(line); at != nil {
		if at[2] >= 0 {
			session = line[at[2]:at[3]]
		}
		line = line[:at[0]] + line[at[1]:]
	}
	return uncounted.ReplaceAllString(line, ""), session, beat
}

// export compares an export with the listing of the same events: whole, and in two pieces.
func (p *pair) export() {
	q := p.query(p.model)
	q.Ascending, q.Limit, q.Shown, q.Skip, q.After = true, 1000, false, 0, ""
	events, err := walk(p.engine, q)
	if err != nil {
		p.Fatalf("op %d: export %s: %v", p.op, showQuery(q), err)
	}
	p.engine.ExportBytes = pick[int64](p.generator, 0, 1, 100_000)
	ask := query.Export{Site: q.Site, Where: q.Where, From: q.From, To: q.To}
	what := "export " + showQuery(q)
	text, plan, done, err := exported(p.engine, ask)
	if err != nil || done.Events != uint64(len(events)) {
		p.Fatalf("op %d: %s: %d events of %d, %v", p.op, what, done.Events, len(events), err)
	}
	lines := strings.SplitAfter(string(text), "\n")
	if lines = lines[:len(lines)-1]; len(lines) != len(events) {
		p.Fatalf("op %d: %s: %d lines, want %d", p.op, what, len(lines), len(events))
	}
	first := make(map[uint64]string) // id by seq, of those that are listed
	for _, e := range events {
		first[e.Seq] = e.ID
	}
	for i, e := range events {
		line, session, _ := listed(strings.TrimSuffix(lines[i], "\n"))
		if want := string(event.AppendJSON(nil, e)); line != want {
			p.Fatalf("op %d: %s: line %d:\n got %s\nwant %s", p.op, what, i, line, want)
		}
		if id := first[e.SessionOrd]; (session != "") != (e.SessionOrd != 0) || id != "" && session != id {
			p.Fatalf("op %d: %s: line %d: session_of is %q, want %q (seq %d)", p.op, what, i, session, id, e.SessionOrd)
		}
	}
	if len(events) == 0 {
		return
	}
	if last := events[len(events)-1].ID; done.Last != last {
		p.Errorf("op %d: %s: the last event is %s, want %s", p.op, what, done.Last, last)
	}

	at := p.IntN(len(events))
	ask.After = events[at].ID
	rest, _, _, err := exported(p.engine, ask)
	if err != nil || strings.Join(lines[:at+1], "")+string(rest) != string(text) {
		p.Fatalf("op %d: %s after event %d: other bytes, %v", p.op, what, at, err)
	}
	ask.After, ask.UpTo = "", events[at].ID
	if head, _, _, err := exported(p.engine, ask); err != nil || strings.Join(lines[:at+1], "") != string(head) {
		p.Fatalf("op %d: %s up to event %d: other bytes, %v", p.op, what, at, err)
	}
	ask.UpTo = ""
	ask.After = plan.UpTo
	if none, _, _, err := exported(p.engine, ask); err != nil || len(none) != 0 {
		p.Fatalf("op %d: %s after all: %q, %v", p.op, what, none, err)
	}
	p.exportCSV(what, query.Export{Site: q.Site, Where: q.Where, From: q.From, To: q.To, Format: query.CSV}, events)
}

// exportCSV compares CSV with the listing.
func (p *pair) exportCSV(what string, q query.Export, events []*event.Event) {
	if p.chance(2) {
		q.Columns = []string{"prop.deep.b", "extra.transactionId", "extra.integrations.Mail.id", "groups", "prop.(other)", "extra.fingerprint"}
	}
	text, plan, _, err := exported(p.engine, q)
	if err != nil {
		p.Fatalf("op %d: %s as CSV: %v", p.op, what, err)
	}
	rows, err := csv.NewReader(bytes.NewReader(text)).ReadAll()
	if err != nil || len(rows) != len(events)+1 {
		p.Fatalf("op %d: %s as CSV: %d rows, want %d, %v", p.op, what, len(rows), len(events)+1, err)
	}
	names := slices.Concat(query.ExportFixed, plan.Columns)
	if !slices.Equal(rows[0], names) {
		p.Fatalf("op %d: %s as CSV: head %q, want %q", p.op, what, rows[0], names)
	}
	for i, e := range events {
		for at, name := range names {
			if got, want := event.Fused(rows[i+1][at]), columnOf(e, name); got != want {
				p.Fatalf("op %d: %s as CSV: row %d, %s: got %q, want %q", p.op, what, i, name, got, want)
			}
		}
	}
}

// columnOf is what a column of CSV says of an event, before it is defused.
func columnOf(e *event.Event, name string) string {
	text := func(v event.Value) string {
		if v.Kind == event.JSON {
			return string(event.AppendValue(nil, v))
		}
		return v.Text
	}
	moment := func(ms int64) string { return string(event.AppendTime(nil, ms)) }
	switch name {
	case "id":
		return e.ID
	case "received":
		return moment(e.Received)
	case "time":
		return moment(e.Time)
	case "type":
		return string(e.Type)
	case "name":
		return e.Name
	case "user":
		return e.User
	case "anonymous":
		return e.Anonymous
	case "session":
		return e.Session
	case "dialect":
		return string(e.Dialect)
	case "value":
		return text(e.Value)
	case "groups":
		if len(e.Groups) == 0 {
			return ""
		}
		return string(event.AppendStrings(nil, e.Groups))
	}
	if path, ok := strings.CutPrefix(name, "prop."); ok {
		return text(event.GetPath(e.Properties, path))
	}
	if path, ok := strings.CutPrefix(name, "extra."); ok {
		return text(event.GetPath(e.Extra, path))
	}
	return text(e.Context.Get(cmp.Or(strings.TrimPrefix(name, "context."), name)))
}
