package httpd

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"cairn/engine/event"
	"cairn/engine/query"
	"cairn/http/dialect"
	"cairn/http/wire"

	"github.com/cockroachdb/pebble/v2"
)

// What a client sees of each error, also of a wrapped one. It does not see a text that may
// name files.
func TestFailures(t *testing.T) {
	own := &dialect.StatusError{Failure: dialect.Forbidden, Msg: "no"}
	for _, c := range []struct {
		err  error
		want dialect.Failure
		says string
	}{
		{own, dialect.Forbidden, "no"},
		{&event.FieldError{Index: -1, Field: "name", Msg: "missing"}, dialect.BadRequest, "name: missing"},
		{query.ErrBusy, dialect.Busy, query.ErrBusy.Error()},
		{query.ErrStopping, dialect.Busy, query.ErrStopping.Error()},
		{query.ErrFailed, dialect.Busy, query.ErrFailed.Error()},
		{query.ErrQueryTimeout, dialect.Busy, query.ErrQueryTimeout.Error()},
		{query.ErrDiskFull, dialect.DiskFull, query.ErrDiskFull.Error()},
		{query.ErrNotFound, dialect.NotFound, query.ErrNotFound.Error()},
		{query.ErrBadCursor, dialect.BadRequest, query.ErrBadCursor.Error()},
		{query.ErrBadQuery, dialect.BadRequest, query.ErrBadQuery.Error()},
		{context.Canceled, dialect.Busy, context.Canceled.Error()},
		{context.DeadlineExceeded, dialect.Busy, context.DeadlineExceeded.Error()},
		{wire.ErrBodyLarge, dialect.TooLarge, wire.ErrBodyLarge.Error()},
		{wire.ErrBodyMemory, dialect.Busy, wire.ErrBodyMemory.Error()},
		{wire.ErrBodyChunk, dialect.BadRequest, wire.ErrBodyChunk.Error()},
		{wire.ErrPacked, dialect.BadRequest, wire.ErrPacked.Error()},
		{wire.ErrEncoding, dialect.BadMedia, wire.ErrEncoding.Error()},
		{errors.New("open /var/lib/cairn/log: input/output error"), dialect.Internal, "internal error"},
		{&query.Panic{Value: "index out of range"}, dialect.Internal, "internal error"},
		{fmt.Errorf("read run 5: %w", pebble.ErrCorruption), dialect.Internal, "corrupt: store: read run 5: pebble: corruption"},
	} {
		if got := failureOf(c.err); got.Failure != c.want || got.Err.Error() != c.says {
			t.Errorf("%v: %v %q, want %v %q", c.err, got.Failure, got.Err, c.want, c.says)
		}
		if got := failureOf(fmt.Errorf("asked: %w", c.err)); got.Failure != c.want {
			t.Errorf("%v, wrapped: %v, want %v", c.err, got.Failure, c.want)
		}
	}
	for err, status := range map[error]int{wire.ErrBodySlow: 408, wire.ErrBodyTorn: 400, wire.ErrBodyLarge: 0, query.ErrBusy: 0} {
		if got := connectionFault(err); got != status {
			t.Errorf("%v: status %d, want %d", err, got, status)
		}
	}
}
