package nativetest

import (
	"cmp"
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"cairn/engine/event"
	"cairn/engine/query"
)

// Engine answers every read with its fields and records the question.
type Engine struct {
	Asked string     // the last question, as text
	Err   error      // when set, every call returns it
	AsOf  query.AsOf // what a caller with a Fresh is told; Same when its Tag is the one of AsOf

	EventPage   query.Page
	Totals      query.Totals
	Buckets     []query.Bucket
	CounterPage query.CounterPage
	UserList    []query.User
	SessionList []query.Session
	GroupInfo   query.Group
	VisitsTold  query.VisitsAnswer
	PagesTold   query.PagesAnswer
	Next        string
	SavedList   []query.Saved
	SiteFacts   query.Facts
	Receipts    []query.Receipt
	LiveNow     query.LiveAnswer
	Came        []*event.Event // for Tail; see Come
	mu          sync.Mutex     // guards Came
	Missing     string         // an id that does not exist
	Exports
	PeopleReports
	RowReports
	ShopReports
}

// tell tells a caller what the answer is true of.
func (n *Engine) tell(f *query.Fresh) {
	if f != nil {
		f.AsOf = n.AsOf
		f.AsOf.Same = f.Tag != "" && f.Tag == n.AsOf.Tag
	}
}

func (n *Engine) note(call string, q query.Query) {
	n.tell(q.Fresh)
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s", call, q.Site.Name)
	b.WriteString(filters(q.Where))
	if q.From != 0 || q.To != 0 {
		fmt.Fprintf(&b, " [%d,%d)", q.From, q.To)
	}
	if q.Ascending {
		b.WriteString(" asc")
	}
	if q.Limit != 0 {
		fmt.Fprintf(&b, " limit %d", q.Limit)
	}
	if q.After != "" {
		fmt.Fprintf(&b, " after %s", q.After)
	}
	if q.Metrics != 0 {
		fmt.Fprintf(&b, " metrics %b", q.Metrics)
	}
	if q.ByLast {
		b.WriteString(" by last")
	}
	if q.Fresh != nil {
		b.WriteString(aged(q.Fresh.MaxAge))
	}
	n.Asked = b.String()
}

// aged writes how old an answer may be, when it may be.
func aged(age time.Duration) string {
	if age == 0 {
		return ""
	}
	return " max_age " + age.String()
}

// filters writes conditions: " country=[\"DE\"] path match [\"/*\"]".
func filters(where []query.Cond) string {
	var b strings.Builder
	for _, c := range where {
		b.WriteString(" ")
		if c.Visit {
			b.WriteString("visit.")
		}
		if c.Op == "" {
			fmt.Fprintf(&b, "%s=%q", c.Field, c.Values)
		} else {
			fmt.Fprintf(&b, "%s %s %q", c.Field, c.Op, c.Values)
		}
	}
	return b.String()
}

func (n *Engine) find(call, id string) error {
	n.Asked = call + " " + id
	if n.Err == nil && n.Missing != "" && id == n.Missing {
		return query.ErrNotFound
	}
	return n.Err
}

func (n *Engine) List(_ context.Context, q query.Query) (query.Page, error) {
	n.note("list", q)
	return n.EventPage, n.Err
}

func (n *Engine) Event(_ context.Context, _ *query.Site, id string) (*event.Event, error) {
	if err := n.find("event", id); err != nil {
		return nil, err
	}
	return n.EventPage.Events[0], nil
}

func (n *Engine) Count(_ context.Context, q query.Query) (query.Totals, error) {
	n.note("count", q)
	return n.Totals, n.Err
}

func (n *Engine) Series(_ context.Context, q query.Query, interval string, loc *time.Location) ([]query.Bucket, error) {
	n.note("series "+interval+" "+loc.String(), q)
	return n.Buckets, n.Err
}

func (n *Engine) Counters(_ context.Context, q query.CounterQuery) (query.CounterPage, error) {
	n.tell(q.Fresh)
	n.Asked = fmt.Sprintf("counters %s property=%s values=%q segment=%s times=%d,%d days=%d,%d sort=%s limit=%d offset=%d",
		q.Site.Name, q.Property, q.Values, q.Segment, q.From, q.To, q.FromDay, q.ToDay, q.Sort, q.Limit, q.Offset) + filters(q.Where)
	if q.Fresh != nil {
		n.Asked += aged(q.Fresh.MaxAge)
	}
	return n.CounterPage, n.Err
}

func (n *Engine) Users(_ context.Context, q query.Query) ([]query.User, string, error) {
	n.note("users", q)
	return n.UserList, n.Next, n.Err
}

func (n *Engine) User(_ context.Context, _ *query.Site, id string) (query.User, error) {
	if err := n.find("user", id); err != nil {
		return query.User{}, err
	}
	return n.UserList[0], nil
}

func (n *Engine) Sessions(_ context.Context, q query.Query) ([]query.Session, string, error) {
	n.note("sessions", q)
	return n.SessionList, n.Next, n.Err
}

func (n *Engine) Session(_ context.Context, _ *query.Site, id string) (query.Session, error) {
	if err := n.find("session", id); err != nil {
		return query.Session{}, err
	}
	return n.SessionList[0], nil
}

func (n *Engine) Group(_ context.Context, _ *query.Site, id string) (query.Group, error) {
	if err := n.find("group", id); err != nil {
		return query.Group{}, err
	}
	return n.GroupInfo, nil
}

// Bounds says that the events are of the day before SomeDay and of SomeDay.
func (n *Engine) Bounds(context.Context, *query.Site) (first, last int64, err error) {
	return SomeDay - 86_400_000, SomeDay, n.Err
}

func (n *Engine) Facts(context.Context, *query.Site) (query.Facts, error) {
	return n.SiteFacts, n.Err
}

func (n *Engine) Live(_ context.Context, q *query.Live) (*query.LiveAnswer, error) {
	n.Asked = fmt.Sprintf("live %s%s at %d max_age %v", q.Site.Name, filters(q.Where), q.Now, q.MaxAge)
	a := n.LiveNow
	return &a, n.Err
}

// Place takes public ids of a number, in hex digits.
func (n *Engine) Place(_ *query.Site, id string) (seq uint64, err error) {
	if id == "" {
		return uint64(len(n.Came)), n.Err
	}
	if _, err := fmt.Sscanf(id, "%x", &seq); err != nil || n.Err != nil {
		return 0, cmp.Or(n.Err, query.ErrBadCursor)
	}
	return seq, nil
}

// Tail answers with Came.
func (n *Engine) Tail(_ context.Context, q query.Tail) (p query.TailPage, err error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	p.Next = uint64(len(n.Came))
	from := min(q.After, p.Next)
	if q.RowsMax > 0 && p.Next-from > q.RowsMax {
		p.Skipped, from = p.Next-from-q.RowsMax, p.Next-q.RowsMax
	}
	p.Events = n.Came[from:]
	if len(p.Events) > q.Limit {
		if q.Skip {
			p.Skipped += uint64(len(p.Events) - q.Limit)
		} else {
			p.Next, p.More = from+uint64(q.Limit), true
		}
		p.Events = p.Events[:q.Limit]
	}
	if p.Next > 0 {
		p.ID = fmt.Sprintf("%032x", p.Next)
	}
	return p, n.Err
}

// Come adds an event to Came.
func (n *Engine) Come(e *event.Event) {
	n.mu.Lock()
	defer n.mu.Unlock()
	e.Seq = uint64(len(n.Came) + 1)
	e.ID = fmt.Sprintf("%032x", e.Seq)
	n.Came = append(n.Came, e)
}

func (n *Engine) AllSaved(_ context.Context, site *query.Site) ([]query.Saved, error) {
	n.Asked = "saved " + site.Name
	return n.SavedList, n.Err
}

func (n *Engine) Saved(_ context.Context, _ *query.Site, id string) (query.Saved, error) {
	for _, s := range n.SavedList {
		if s.ID == id {
			return s, n.Err
		}
	}
	return query.Saved{}, query.ErrNotFound
}

func (n *Engine) Save(_ context.Context, site *query.Site, s query.Saved) (query.Saved, error) {
	n.Asked = fmt.Sprintf("save %s %q %s %q %q %d", site.Name, s.ID, s.Kind, s.Name, s.Query, s.Revision)
	if s.Share != nil {
		n.Asked += fmt.Sprintf(" %s %q %q %q %d %x", s.Share.Scope, s.Share.Filter, s.Share.Props, s.Share.Embed, s.Share.Expires, s.Share.Token)
	}
	if s.Note != nil {
		n.Asked += fmt.Sprintf(" %d %q", s.Note.Time, s.Note.Text)
	}
	if s.ID == "" {
		s.ID = SavedID
	}
	s.Revision++
	return s, n.Err
}

func (n *Engine) Unsave(_ context.Context, site *query.Site, id string) error {
	return n.find("unsave "+site.Name, id)
}

// Sinks implements native.Sinks.
func (n *Engine) Sinks(_ context.Context, counts bool) ([]byte, error) {
	n.Asked = fmt.Sprintf("sinks, counts %t", counts)
	if n.Err != nil {
		return nil, n.Err
	}
	return []byte(`{"sinks":[{"name":"clickhouse","state":"stopped","code":"60","error":"Table cairn.events does not exist","since":1795176000123,"lag_seconds":7.5,"deletions":1,` +
		`"sites":[{"site":"shop","number":1,"store":"18446744073709551615","cursor":10,"last":30,"sending":{"first":11,"last":20},"lag_seconds":7.5,"missed":0,"skipped":0,` +
		`"stores":[{"store":"18446744073709551615","first":1,"last":10}],"checked":5,"checked_at":1795176000123,"wrong":{"first":6,"last":10,"missing":1,"surplus":0,"at":1795176000123},"counts":[{"store":"18446744073709551615","first":1,"last":10,"rows":9,"gone":1}]}]}]}`), nil
}

// Backups implements native.Backups, as BackUp does.
func (n *Engine) Backups() ([]byte, error) {
	if n.Err != nil {
		return nil, n.Err
	}
	return []byte(`{"to":"s3://bucket/shop","encrypted":true,"leased":true,"last_verified":null,"verified_share":0.5,"lag_seconds":1.5,` +
		`"snapshots":[{"time":"2026-11-30T14:05:06.789Z","name":"snap/20261130T140506.789Z.json","events":7,"bytes":4096,"incarnation":"0123abcd-0001"}]}`), nil
}

func (n *Engine) BackUp(_ context.Context, take bool) ([]byte, error) {
	n.Asked = fmt.Sprintf("back up, take %t", take)
	if n.Err != nil {
		return nil, n.Err
	}
	return []byte(`{"time":"2026-11-30T14:05:06.789Z","name":"snap/20261130T140506.789Z.json","events":7,"bytes":4096,"incarnation":"0123abcd-0001","objects":3,"sent":2048,"seconds":0.25}`), nil
}

func (n *Engine) Snapshot(_ context.Context, dir string) (query.Snapshot, error) {
	n.Asked = "snapshot " + filepath.Base(dir)
	return query.Snapshot{Path: dir, Events: 7, Bytes: 4096}, n.Err
}

// These are in the answers of Full: two public ids of events, and a day in Unix milliseconds.
const (
	SomeID        = "0123456789abcdef0123456789abcdef"
	OtherID       = "fedcba9876543210fedcba9876543210"
	SavedID       = "0123456789abcdef" // of the saved filter
	SomeDay int64 = 1795219200000      // 2026-11-21T00:00:00Z
)

// Full returns an Engine that has one object of each kind, with every field set.
func Full() *Engine {
	return &Engine{
		PeopleReports: fullPeopleReports(),
		RowReports:    fullRowReports(),
		ShopReports:   fullShopReports(),
		Receipts: []query.Receipt{{ID: 1, Kind: query.DeletePerson, Condition: "user", By: "secret_key", Reason: "asked", State: query.DeletionDone,
			UpTo: 9, Rows: 3, First: SomeDay, Last: SomeDay + 1, HiddenAt: SomeDay + 2, PurgeBy: SomeDay + 3, DoneAt: SomeDay + 3}, {ID: 2, Kind: query.DeleteRetention, State: query.DeletionHidden}},
		EventPage: query.Page{Next: OtherID, Events: []*event.Event{
			{
				ID: SomeID, Seq: 42, Site: "shop", Dialect: event.Native, Type: event.Order, Name: "order <1>",
				Time: SomeDay + 1, Received: SomeDay + 2, User: "u-1", Anonymous: "a-1", Session: "s-1", Previous: "p-1",
				Groups: []string{"g-1"}, MessageID: "m-1", Value: event.Num("12.50"),
				Properties: event.Object{{Key: "plan", Value: event.Str("pro")}, {Key: "seats", Value: event.Num("3")},
					{Key: "tags", Value: event.Raw(`["a",{"b":null}]`)}, {Key: "trial", Value: event.Boolean(true)}},
				Context: event.Object{{Key: "country", Value: event.Str("NL")}, {Key: "latitude", Value: event.Num("52.1")},
					{Key: "bot", Value: event.Boolean(false)}},
				Extra:      event.Object{{Key: "integrations", Value: event.Raw(`{"All":true}`)}},
				Increments: []event.Amount{{Property: "seats", By: 3}}, Segments: []string{"plan"}, Uncounted: true,
			},
			{ID: OtherID, Seq: 41, Site: "shop", Dialect: event.Oppizi, Type: event.Track, Time: SomeDay, Received: SomeDay},
		}},
		Totals:  query.Totals{Events: 3, Users: 2, Sessions: 1},
		Buckets: []query.Bucket{{Time: SomeDay, Totals: query.Totals{Events: 3, Users: 2, Sessions: 1}}, {Time: SomeDay + 3_600_000}},
		CounterPage: query.CounterPage{
			Rows: []query.CounterRow{{Value: "pro", Segment: "NL", Values: 9, Events: -5, Sessions: 2, Users: 1},
				{Value: "free", Values: 1, Events: 4}},
			Total: query.CounterRow{Events: -1, Sessions: 2, Users: 1},
		},
		UserList: []query.User{{ID: "u-1", Properties: event.Object{{Key: "plan", Value: event.Str("pro")}},
			Aliases: []string{"old"}, Anonymous: []string{"a-1"}, Groups: []string{"g-1"},
			FirstSeen: SomeDay, LastSeen: SomeDay + 5, Events: 9, Sessions: 2, Cursor: SomeID}, {ID: "u-2", Cursor: OtherID}},
		SessionList: []query.Session{{ID: "s-1", User: "u-1", Anonymous: "a-1", Dialect: event.Matomo,
			Start: SomeDay, End: SomeDay + 61_999, Events: 4, Actions: 3, Entry: "/in", Exit: "/out",
			Referrer: "https://x.example/", ReferrerType: "website", Campaign: "c", Goals: []string{"signup"},
			Orders: []string{"o-1"}, Cart: "c-1", Cursor: SomeID}, {ID: "s-2", Dialect: event.Native, Bounce: true, Cursor: OtherID}},
		SiteFacts: query.Facts{First: SomeDay, Last: SomeDay + 1, Dialects: []event.Dialect{event.Native, event.Matomo}, Shop: true},
		LiveNow: query.LiveAnswer{AsOf: query.AsOf{Time: SomeDay, Seq: 9}, Visitors: 2, Total: query.LiveNumbers{Events: 4, Views: 3, Visitors: 3}, Start: SomeDay - 29*60_000,
			Minutes: [query.LiveMinutes]query.LiveNumbers{29: {Events: 4, Views: 3, Visitors: 3}}, Pages: []query.LiveRow{{Value: "/<a>", Visitors: 2}, {Value: "/b", Visitors: 1}},
			Sources: []query.LiveRow{{Value: "Google", Visitors: 1}}, Countries: []query.LiveRow{{Value: "NL", Visitors: 2}}, Names: []query.LiveRow{{Value: "signup", Visitors: 1}}},
		SavedList: []query.Saved{
			{ID: SavedID, Kind: query.SavedFilter, Name: "from Germany", Query: "country=DE&range=7d&visit.source=Google", Revision: 3},
			{ID: "0123456789abcdee", Kind: query.SavedShare, Name: "board", Revision: 1, Share: &query.Share{Scope: "numbers", Filter: SavedID,
				Props: []string{"plan"}, Embed: []string{"https://a.example"}, Expires: SomeDay}},
			{ID: "0123456789abcded", Kind: query.SavedShare, Name: "all", Revision: 1, Share: &query.Share{Scope: "people"}},
			{ID: "0123456789abcdec", Kind: query.SavedNote, Revision: 1, Note: &query.Note{Time: SomeDay, Text: "release"}},
			{ID: "0123456789abcdeb", Kind: query.SavedFilter, Name: "plain", Query: "name=a&name=b&country=NL", Revision: 1},
		},
		GroupInfo: query.Group{ID: "g-1", Type: "company", Name: "Acme", Properties: event.Object{{Key: "size", Value: event.Num("9")}},
			Members: []string{"u-1", "u-2"}},
	}
}

// Line returns an event as `cairn bench` sends it: about 380 bytes, 5 properties.
func Line(i int) string {
	return fmt.Sprintf(`{"type":"track","name":"Product Viewed","time":"2026-11-21T12:%02d:%02d.123Z","user":"user-%06d","anonymous":"3f1e2b1c-0d4a-4f4e-9b7a-%012x","session":"9b2d7c1e0f3a4b5c6d7e8f90a1b2%04x","message_id":"0b7e6f5a-1c2d-4e3f-8a9b-%012x","properties":{"plan":"pro","country":"NL","product":"sku-%04d","order":%d,"amount":%d.50},"context":{"url":"https://shop.example/p/%d"}}`,
		i/60%60, i%60, i*7919%100000, i, i%65536, i*31, i%5000, i, i%10000, i%5000)
}

// VisitReport answers with VisitsTold.
func (n *Engine) VisitReport(_ context.Context, q query.VisitsQuery) (*query.VisitsAnswer, error) {
	n.Asked = fmt.Sprintf("visits %s by %q%s%s", q.Site.Name, q.By, filters(q.Where), aged(q.MaxAge))
	n.noteRows(q.Rows)
	answer := n.VisitsTold
	answer.AsOf = n.AsOf
	answer.Series, answer.ComparedSteps = make([]query.VisitNumbers, len(q.Steps)), make([]query.VisitNumbers, len(q.CompareSteps))
	for i := range q.By {
		table := query.VisitTable{Count: 3, More: true}
		table.Rows = []query.VisitRow{{Value: query.Text{Text: "a"}, VisitNumbers: answer.Total}, {Value: query.Text{Null: true}}}
		if q.By[i] == "region" {
			table.Rows[0].In = []string{"DE"}
		}
		if q.Compare != nil {
			table.Rows[0].Was = &answer.Total
		}
		answer.By = append(answer.By, table)
	}
	if q.Compare != nil {
		answer.Compared = &answer.Total
	}
	return &answer, n.Err
}

// Pages answers with PagesTold.
func (n *Engine) Pages(_ context.Context, q query.PagesQuery) (*query.PagesAnswer, error) {
	n.Asked = fmt.Sprintf("pages %s of %s%s%s", q.Site.Name, q.Of, filters(q.Where), aged(q.MaxAge))
	n.noteRows(q.Rows)
	answer := n.PagesTold
	answer.AsOf = n.AsOf
	answer.Count, answer.More = 3, true
	answer.Rows = []query.PageRow{{Value: query.Text{Text: "/"}, PageNumbers: answer.Total}, {Value: query.Text{Null: true}}}
	if q.Compare != nil {
		answer.Rows[0].Was, answer.Compared = &answer.Total, &answer.Total
	}
	return &answer, n.Err
}

// Target is a request target of a call that is not refused. pattern has a "*" for each id.
func Target(method, pattern string) string {
	id, query := SomeID, needed[pattern]
	switch {
	case strings.HasPrefix(pattern, "/api/v1/admin/deletions"):
		id = "1" // these have numbers
	case strings.HasPrefix(pattern, "/api/v1/admin/sites"):
		id = "shop"
	}
	if method == "DELETE" {
		query = map[string]string{"/api/v1/events": "?name=a", "/api/v1/admin/sites/*": "?purge=1"}[pattern]
	}
	return strings.ReplaceAll(pattern, "*", id) + query
}

// needed are the parameters without which a GET is refused.
var needed = map[string]string{
	"/api/v1/breakdown":          "?by=name",
	"/api/v1/aggregate":          "?of=value",
	"/api/v1/values":             "?field=name",
	"/api/v1/funnel":             "?step=name%3Da&step=name%3Db",
	"/api/v1/funnel/entities":    "?step=name%3Da&step=name%3Db",
	"/api/v1/retention/entities": "?from=2026-11-20&to=2026-11-21&period=day&at=2026-11-21",
}

func (n *Engine) Delete(_ context.Context, site *query.Site, d query.Deletion) (query.Receipt, error) {
	n.note(fmt.Sprintf("delete %s by %s now %v dry %v %q", d.Kind, d.By, d.Now, d.DryRun, d.Reason), query.Query{Site: site, Where: d.Where, From: d.From, To: d.To})
	if len(n.Receipts) == 0 {
		return query.Receipt{}, query.ErrNotFound
	}
	r := n.Receipts[0]
	if d.DryRun {
		r.ID = 0
	}
	return r, n.Err
}

func (n *Engine) RetentionPlan(_ context.Context, site *query.Site) (query.RetentionPlan, error) {
	n.Asked = "retention plan " + site.Name
	if len(n.Receipts) < 2 {
		return query.RetentionPlan{}, n.Err
	}
	return query.RetentionPlan{Days: 30, KeepsFrom: SomeDay, NextAt: SomeDay + 1, Events: 7, Bytes: 700, First: SomeDay - 1, Left: SomeDay + 2,
		Runs: []query.PlannedRun{{Rows: 8, Gone: 7, Now: true}, {Rows: 80, Gone: 1}}}, n.Err
}

func (n *Engine) Deletions(_ context.Context, site *query.Site) ([]query.Receipt, error) {
	n.Asked = "deletions " + site.Name
	return append([]query.Receipt(nil), n.Receipts...), n.Err
}
