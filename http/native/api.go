package native

import (
	"sync"
	"time"

	"cairn/engine"
	"cairn/engine/event"
	"cairn/http/dialect"
)

// This file is the native API as the server sees it: a dialect that reads and acts. It asks
// the engine directly, without a dialect.Reader, because it answers all that the engine
// knows.
//
// The server has framed, routed, authorised, limited and inflated a request before any
// method is called, and it adds CORS, Retry-After, WWW-Authenticate and metrics
// afterwards. An error of Decode, Read or Act comes back to Reply, so none of them renders
// an error itself. Errors of the engine are returned as they are.
//
// HEAD is answered wherever GET is, and OPTIONS everywhere, without being listed.
// Request.Path is as it was sent, still percent-encoded and without the query.

// Options is what the native API needs. All fields except SnapshotDir have to be set.
type Options struct {
	Engine      engine.API
	Site        func(*dialect.Site) *engine.Site // the engine's site of a request
	SnapshotDir string                           // where snapshots are put; "" = none are made
	Now         func() time.Time
}

// API is the native API, a dialect.
type API struct {
	engine      engine.API
	site        func(*dialect.Site) *engine.Site
	snapshotDir string
	now         func() time.Time
	snapshots   sync.Mutex // held while a snapshot is made
}

// New makes the native API. It asks nothing of the engine yet.
func New(o Options) *API {
	return &API{engine: o.Engine, site: o.Site, snapshotDir: o.SnapshotDir, now: o.Now}
}

var (
	_ dialect.Reading = (*API)(nil)
	_ dialect.Acting  = (*API)(nil)
)

// Name is native.
func (n *API) Name() event.Dialect { return event.Native }

// Routes are all below /api/v1/, and want a key in their header.
func (n *API) Routes() []dialect.Route { return nativeRoutes }
