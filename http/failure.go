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

// failures says what an error of the engine or of a body means to a client.
var failures = []struct {
	err     error
	failure dialect.Failure
}{
	{query.ErrBusy, dialect.Busy},
	{query.ErrStopping, dialect.Busy},
	{query.ErrFailed, dialect.Busy},
	{query.ErrQueryTimeout, dialect.Busy},
	{query.ErrDiskFull, dialect.DiskFull},
	{query.ErrNotFound, dialect.NotFound},
	{query.ErrBadCursor, dialect.BadRequest},
	{query.ErrBadQuery, dialect.BadRequest},
	{context.Canceled, dialect.Busy},
	{context.DeadlineExceeded, dialect.Busy},
	{wire.ErrBodyLarge, dialect.TooLarge},
	{wire.ErrBodyMemory, dialect.Busy},
	{wire.ErrBodyShare, dialect.Busy},
	{wire.ErrBodyChunk, dialect.BadRequest},
	{wire.ErrPacked, dialect.BadRequest},
	{wire.ErrEncoding, dialect.BadMedia},
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
		if errors.Is(err, f.err) {
			return dialect.Result{Failure: f.failure, Err: err}
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
