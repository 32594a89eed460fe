package httpd

import (
	"sync"
	"time"

	"cairn/engine"
	"cairn/engine/event"
	"cairn/http/dialect"
)

// This file is the seam between the server and the native API: what the one
// hands over and what the other may take for granted.
//
// The server has framed, routed, authorised, limited and inflated a request
// before any method of native is called, and it adds CORS, Retry-After,
// WWW-Authenticate and metrics afterwards. In native*.go stand
//
//	var nativeRoutes []dialect.Route
//	var openapi []byte // GET /openapi.json
//
//	// decode appends the events of POST /api/v1/events to b.
//	func (n *native) decode(req *dialect.Request, b *dialect.Batch) error
//
//	// reply answers POST /api/v1/events, and every failure of a native route: with
//	// result.Failure set it renders {"error","field","status"} from result.Err.
//	func (n *native) reply(req *dialect.Request, res *dialect.Response, result dialect.Result)
//
//	// read answers every GET under /api/v1/.
//	func (n *native) read(ctx context.Context, a access, req *dialect.Request, res *dialect.Response) error
//
//	// admin answers POST /api/v1/admin/snapshot.
//	func (n *native) admin(ctx context.Context, a access, req *dialect.Request, res *dialect.Response) error
//
// An error of decode, read or admin goes through failureOf and comes back to
// reply, so none of them renders an error itself. Errors of the engine may be
// returned as they are. res is zero when it is handed over; its Body is the
// server's to reuse: append to res.Body[:0].
//
// nativeRoutes carry Auth AuthBearer and the Right each needs. A path segment
// written "*" matches one segment ("/api/v1/users/*/events"); the admin route is
// the one below /api/v1/admin/. HEAD is answered wherever GET is, and OPTIONS
// everywhere, without being listed. Request.Path is as it was sent, still
// percent-encoded and without the query.
type native struct {
	engine      engine.API
	snapshotDir string
	now         func() time.Time
	snapshots   sync.Mutex // held while a snapshot is made
}

// access is the outcome of authorisation: who calls and what they may do.
type access struct {
	site   *Site // never nil, but for an admin on a route below /api/v1/admin/
	rights dialect.Right
	admin  bool
}

// wireNative adapts native to dialect.Dialect, so that a native write takes the
// same way through ingest.go as any other.
type wireNative struct{ *native }

func (w wireNative) Name() event.Dialect     { return event.Native }
func (w wireNative) Routes() []dialect.Route { return nativeRoutes }

func (w wireNative) Decode(req *dialect.Request, b *dialect.Batch) error { return w.decode(req, b) }

func (w wireNative) Reply(req *dialect.Request, res *dialect.Response, result dialect.Result) {
	w.reply(req, res, result)
}
