// Faults: what an error does to the way of a sink, and what the log says of it.

package sink

import (
	"context"
	"errors"

	"cairn/engine/store"
)

// sinkError is an error of the sink, and not of one site.
type sinkError struct{ error }

func (e *sinkError) Unwrap() error { return e.error }

// failed notes an error, and says when to try again. s is nil for one that is of no site.
func (r *Runner) failed(ctx context.Context, s *carried, err error) {
	if ctx.Err() != nil {
		return
	}
	f, now := FaultOf(err), r.src.Now().UnixMilli()
	own := (*sinkError)(nil)
	ofSink := s == nil || errors.As(err, &own)
	_, known := errors.AsType[*Fault](err)
	if store.Damaged(err) != nil {
		f, known = &Fault{Code: "damaged_data", Err: err}, false
	} else if !known && own == nil {
		f = &Fault{Passes: true, Code: "store_error", Err: err}
	}
	wait := retryTimes * r.cfg.Retry
	if f.Passes {
		wait = r.wait
	}
	before := (*Fault)(nil)
	r.change(func() {
		fault, since := &r.fault, &r.since
		if !ofSink {
			fault, since = &s.fault, &s.since
		}
		if before = *fault; before == nil {
			*since = now
		}
		*fault = f
	})
	r.errors.Add(1)
	if ofSink {
		r.ready = false
		r.remet++
		r.again = r.src.Elapsed() + wait
		r.wait = min(2*r.wait, retryTimes*r.cfg.Retry)
	} else {
		s.again = r.src.Elapsed() + wait
	}
	if before != nil && before.Code == f.Code {
		return // it is said already
	}
	args := []any{"code", f.Code, "passes", f.Passes}
	if own == nil && (s == nil || !known) { // the store's own; what a sink says may quote a row, and is for the admin alone
		args = append(args, "error", err)
	}
	if s != nil {
		args = append(args, "site", s.Name, "cursor", s.at.Cursor, "sending", s.at.Sending)
	}
	if f.Passes {
		r.log.Warn("sink: rows wait; it is tried again", args...)
	} else {
		r.log.Error("sink: stopped; it is tried again every minute", args...)
	}
}

// well notes that all went well with a site, and so with the sink.
func (r *Runner) well(s *carried) {
	r.wait = r.cfg.Retry
	if s.fault == nil && r.fault == nil {
		return
	}
	r.change(func() { s.fault, r.fault = nil, nil })
	r.log.Info("sink: goes on", "site", s.Name)
}
