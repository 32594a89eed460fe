package httpd

import (
	"context"
	"errors"

	"cairn/engine"
	"cairn/engine/event"
	"cairn/engine/query"
	"cairn/http/dialect"
	"cairn/http/wire"
)

var (
	errRate     = errors.New("too many requests")
	errInternal = errors.New("internal error")
)

// failures says what an error of the engine or of a body means to a client. says is the text
// that clients see in place of one that is Go's own.
var failures = []struct {
	err     error
	failure dialect.Failure
	says    error
}{
	{query.ErrBusy, dialect.Busy, nil},
	{query.ErrStopping, dialect.Busy, nil},
	{query.ErrFailed, dialect.Busy, nil},
	{query.ErrReadOnly, dialect.Busy, nil},
	{query.ErrQueryTimeout, dialect.Busy, nil},
	{query.ErrReportsBusy, dialect.Busy, nil},
	{query.ErrExportsBusy, dialect.Busy, nil},
	{query.ErrTooMany, dialect.RateLimited, nil},
	{query.ErrDiskFull, dialect.DiskFull, nil},
	{query.ErrNotFound, dialect.NotFound, nil},
	{query.ErrConflict, dialect.Conflict, nil},
	{query.ErrBadCursor, dialect.BadRequest, nil},
	{query.ErrBadQuery, dialect.BadRequest, nil},
	{context.Canceled, dialect.Busy, query.ErrStopping},
	{context.DeadlineExceeded, dialect.Busy, query.ErrQueryTimeout},
	{wire.ErrBodyLarge, dialect.TooLarge, nil},
	{wire.ErrBodyMemory, dialect.Busy, nil},
	{wire.ErrBodyShare, dialect.Busy, nil},
	{wire.ErrBodyChunk, dialect.BadRequest, nil},
	{wire.ErrPacked, dialect.BadRequest, nil},
	{wire.ErrEncoding, dialect.BadMedia, nil},
}

// failureOf turns an error of Decode, Read or the engine into what Reply shows. Anything
// unknown is Internal; its own text may name files, so clients do not see it.
func failureOf(err error) dialect.Result {
	var status *dialect.StatusError
	if errors.As(err, &status) {
		return dialect.Result{Failure: status.Failure, Err: err}
	}
	var field *event.FieldError
	if errors.As(err, &field) {
		return dialect.Result{Failure: dialect.BadRequest, Err: err}
	}
	for _, f := range failures {
		switch {
		case !errors.Is(err, f.err):
		case f.says != nil:
			return dialect.Result{Failure: f.failure, Err: f.says}
		case f.failure == dialect.BadRequest || f.failure == dialect.Conflict:
			return dialect.Result{Failure: f.failure, Err: err} // it says what is wrong with the question
		default:
			return dialect.Result{Failure: f.failure, Err: f.err}
		}
	}
	if corrupt := engine.Damaged(err); corrupt != nil {
		return dialect.Result{Failure: dialect.Internal, Err: corrupt}
	}
	return dialect.Result{Failure: dialect.Internal, Err: errInternal}
}

// connectionFault is the status of an error of the client's connection, 0 for an error of
// another kind.
func connectionFault(err error) int {
	switch {
	case errors.Is(err, wire.ErrBodySlow):
		return 408
	case errors.Is(err, wire.ErrBodyTorn):
		return 400
	}
	return 0
}
