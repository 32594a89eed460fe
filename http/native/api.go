package native

import (
	"context"
	"strconv"
	"sync"
	"time"

	"cairn/engine/event"
	"cairn/engine/query"
	"cairn/http/adminlog"
	"cairn/http/dialect"
)

// This file is the native API as the server sees it: a dialect that reads and acts. It asks
// the Engine itself, without a dialect.Reader, because it answers all that can be asked.
//
// The server has framed, routed, authorised, limited and inflated a request before any
// method is called, and it adds CORS, Retry-After, WWW-Authenticate and metrics
// afterwards. An error of Decode, Read or Act comes back to Reply, so none of them renders
// an error itself. Errors of the engine are returned as they are.
//
// HEAD is answered wherever GET is, and OPTIONS everywhere, without being listed.
// Request.Path is as it was sent, still percent-encoded and without the query.

// Engine is what the native API asks of the engine. The errors are those of engine/query:
// ErrNotFound for an id that the site does not have, ErrBadCursor for one that is none of
// its cursors. A site given to it stays as it is during the call.
type Engine interface {
	List(context.Context, query.Query) (query.Page, error)
	Event(ctx context.Context, site *query.Site, id string) (*event.Event, error)
	Count(context.Context, query.Query) (query.Totals, error)
	Series(ctx context.Context, q query.Query, interval string, loc *time.Location) ([]query.Bucket, error)
	Counters(context.Context, query.CounterQuery) (query.CounterPage, error)
	Users(context.Context, query.Query) (users []query.User, next string, err error)
	User(ctx context.Context, site *query.Site, id string) (query.User, error)
	Sessions(context.Context, query.Query) (sessions []query.Session, next string, err error)
	Session(ctx context.Context, site *query.Site, id string) (query.Session, error)
	Group(ctx context.Context, site *query.Site, id string) (query.Group, error)

	// Reports of people and paths. An answer is nil when the caller has it already.
	Funnel(context.Context, *query.Funnel) (*query.FunnelAnswer, query.AsOf, error)
	FunnelEntities(context.Context, *query.FunnelEntities) (*query.Entities, query.AsOf, error)
	Retention(context.Context, *query.Retention) (*query.RetentionAnswer, query.AsOf, error)
	RetentionEntities(context.Context, *query.RetentionEntities) (*query.Entities, query.AsOf, error)
	Paths(context.Context, *query.Paths) (*query.PathsAnswer, query.AsOf, error)
	VisitReport(context.Context, query.VisitsQuery) (*query.VisitsAnswer, error)
	Pages(context.Context, query.PagesQuery) (*query.PagesAnswer, error)
	Goals(context.Context, query.GoalsQuery) (*query.GoalsAnswer, error)
	Shop(context.Context, query.ShopQuery) (*query.ShopAnswer, error)
	// Reports of events by fields. Only AsOf is set when the caller has the answer already.
	Breakdown(context.Context, query.BreakdownQuery) (*query.BreakdownAnswer, error)
	Aggregate(context.Context, query.AggregateQuery) (*query.AggregateAnswer, error)
	Fields(context.Context, query.FieldsQuery) (*query.FieldsAnswer, error)
	Values(context.Context, query.ValuesQuery) (*query.BreakdownAnswer, error)

	// Bounds returns the least and the greatest event time of a site, in Unix milliseconds;
	// first > last when it has no events.
	Bounds(ctx context.Context, site *query.Site) (first, last int64, err error)

	// Facts returns what the rows of a site say of it.
	Facts(ctx context.Context, site *query.Site) (query.Facts, error)
	// Live returns what happens now.
	Live(context.Context, *query.Live) (*query.LiveAnswer, error)
	// Place returns the seq of a public id, of "" that of the newest row; Tail the events that
	// have come after a place.
	Place(site *query.Site, id string) (seq uint64, err error)
	Tail(context.Context, query.Tail) (query.TailPage, error)

	// BeginExport checks an export and takes its place among those that run, until ctx is over;
	// query.ErrExportsBusy.
	BeginExport(ctx context.Context, q query.Export) (query.ExportRun, error)

	// AllSaved returns what a site has saved, by kind and name; Saved one of it.
	AllSaved(ctx context.Context, site *query.Site) ([]query.Saved, error)
	Saved(ctx context.Context, site *query.Site, id string) (query.Saved, error)
	// Save writes a saved thing and returns it as it is then: a new one when it has no ID, else
	// one that takes the place of the one with the same revision. query.ErrConflict: that one
	// has another.
	Save(ctx context.Context, site *query.Site, s query.Saved) (query.Saved, error)
	// Unsave removes a saved thing; query.ErrConflict when another one needs it.
	Unsave(ctx context.Context, site *query.Site, id string) error

	// Delete hides the events that a deletion selects, durably, and lets them be purged; its
	// error is query.ErrNotFound when there are none. Deletions returns those of a site.
	Delete(ctx context.Context, site *query.Site, d query.Deletion) (query.Receipt, error)
	Deletions(ctx context.Context, site *query.Site) ([]query.Receipt, error)

	// RetentionPlan returns what retention will delete of a site next.
	RetentionPlan(ctx context.Context, site *query.Site) (query.RetentionPlan, error)

	// Snapshot writes a copy that can be restored to dir, which must not exist.
	Snapshot(ctx context.Context, dir string) (query.Snapshot, error)
}

// Options is what the native API needs. Engine and Now have to be set.
type Options struct {
	Engine      Engine
	SnapshotDir func() string // where snapshots are put; "" = none are made; nil = none
	Backups     Backups       // nil = there is no backup
	Sinks       Sinks         // nil = nothing carries events elsewhere
	Now         func() time.Time
	Version     string                 // of cairn
	Sites       func() []*dialect.Site // all sites as they are now; nil = none
	// Geo is what is known of where addresses are: country, region or city, "" = nothing; and the text
	// that whoever shows it must show, too. nil = nothing.
	Geo     func() (finest, credit string)
	Refused func() map[string]uint64 // events refused since the start, by reason
	// Note puts what was done into admin.log. Who did it and from where is taken from the request.
	Note func(*dialect.Request, adminlog.Entry)
	// Rejected returns the newest refused events, the oldest first. nil = there are none.
	Rejected func() []Rejected
	// Control changes the configuration of the process; nil = nobody does.
	Control Control
	// Keyring changes the keys of the sites; nil = nobody does.
	Keyring Keyring
	// LoginLink makes a link that opens the dashboard once, until a time.
	LoginLink func(*dialect.Request) (url string, until time.Time, err error)
}

// API is the native API, a dialect.
type API struct {
	engine    Engine
	options   Options
	run       string // names this run of the server in cursors of refused events
	now       func() time.Time
	pace      streamPace
	snapshots sync.Mutex // held while a snapshot is made
}

// New makes the native API. It asks nothing of the engine yet.
func New(o Options) *API {
	if o.Sites == nil {
		o.Sites = func() []*dialect.Site { return nil }
	}
	if o.SnapshotDir == nil {
		o.SnapshotDir = func() string { return "" }
	}
	if o.Note == nil {
		o.Note = func(*dialect.Request, adminlog.Entry) {}
	}
	if o.LoginLink == nil {
		o.LoginLink = func(*dialect.Request) (url string, until time.Time, err error) { return "", until, errNoDashboard }
	}
	return &API{run: strconv.FormatInt(time.Now().UnixNano(), 16), engine: o.Engine, options: o, now: o.Now, pace: streamPaceDefault}
}

var (
	_ dialect.Reading = (*API)(nil)
	_ dialect.Acting  = (*API)(nil)
)

// Name is native.
func (n *API) Name() event.Dialect { return event.Native }

// Routes are all below /api/v1/, and want a key in their header.
func (n *API) Routes() []dialect.Route { return routes }
