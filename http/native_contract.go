package httpd

import (
	"sync"
	"time"

	"cairn/engine"
	"cairn/engine/event"
	"cairn/http/dialect"
)

// This file is the native API as the server sees it: a dialect that reads and acts. It
// asks the engine itself, and not through a dialect.Reader, because it answers all that
// the engine knows.
//
// The server has framed, routed, authorised, limited and inflated a request before any
// method is called, and it adds CORS, Retry-After, WWW-Authenticate and metrics
// afterwards. An error of Decode, Read or Act comes back to Reply, so none of them renders
// an error itself. Errors of the engine are returned as they are.
//
// HEAD is answered wherever GET is, and OPTIONS everywhere, without being listed.
// Request.Path is as it was sent, still percent-encoded and without the query.

// nativeOptions is what the native API needs. All of it but SnapshotDir has to be set.
type nativeOptions struct {
	Engine      engine.API
	Site        func(*dialect.Site) *engine.Site // the engine's site of a request
	SnapshotDir string                           // where snapshots are put; "" = none are made
	Now         func() time.Time
}

// native is the native API, a dialect.
type native struct {
	engine      engine.API
	site        func(*dialect.Site) *engine.Site
	snapshotDir string
	now         func() time.Time
	snapshots   sync.Mutex // held while a snapshot is made
}

func newNative(o nativeOptions) *native {
	return &native{engine: o.Engine, site: o.Site, snapshotDir: o.SnapshotDir, now: o.Now}
}

var (
	_ dialect.Reading = (*native)(nil)
	_ dialect.Acting  = (*native)(nil)
)

// Name is native.
func (n *native) Name() event.Dialect { return event.Native }

// Routes are all below /api/v1/, and want a key in their header.
func (n *native) Routes() []dialect.Route { return nativeRoutes }
