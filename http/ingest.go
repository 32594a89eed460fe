package httpd

import (
	"errors"
	"strconv"
	"strings"

	"cairn/engine"
	"cairn/engine/event"
	"cairn/engine/query"
	"cairn/http/auth"
	"cairn/http/dialect"
	"cairn/http/wire"
)

// This file is the life of a write, in the order in which a request is checked:
// would the engine take it, is the body small enough and of a known encoding,
// does it decode, whose is it, may they send so much; then the engine, and only
// when that says durable, the answer.

// ingest answers a write.
func (x *exchange) ingest() {
	if err := x.s.engine.Admit(); err != nil {
		x.failWith(err)
		return
	}
	if err := x.readBody(); err != nil {
		x.failWith(err)
		return
	}
	if next := x.route.byForm(x.req.Method, x.header("Content-Type"), x.req.Body); next != x.route {
		x.route, x.req.Route = next, &next.Route
		if next.Reads {
			x.read()
			return
		}
	}
	if n := workOf(x.req.Body); n > workFreeBytes {
		x.s.work.take(n)
		defer x.s.work.give(n)
	}
	w := x.route.wire
	x.batch = w.batches.get()
	if err := w.Decode(&x.req, x.batch); err != nil {
		x.s.metrics.rejected.add("undecodable", 1)
		x.failWith(err)
	} else if err := x.store(); err != nil {
		x.failWith(err)
	} else {
		x.reply(dialect.Result{Outcomes: x.outcomes, Records: x.batch.Records})
	}
	if !x.lost {
		x.batch.Reset()
		w.batches.put(x.batch)
	}
	x.batch = nil
}

// readBody fills req.Body with the inflated body, at most the route's limit.
func (x *exchange) readBody() error {
	if x.c.BodyDone() {
		return nil
	}
	limit := x.route.Body
	if x.c.BodyLength() > limit {
		return wire.ErrBodyLarge
	}
	enc, err := wire.ParseEncoding(x.header("Content-Encoding"))
	if err != nil {
		return err
	}
	if enc == wire.Identity {
		if err := x.c.ReadAll(&x.body, limit); err != nil {
			return err
		}
	} else {
		if err := x.c.ReadAll(&x.packed, limit); err != nil {
			return err
		}
		if err := x.s.inflater.Inflate(enc, x.packed.B, &x.body, limit); err != nil {
			return err
		}
	}
	x.req.Body = x.body.B
	return nil
}

// store resolves the records' credentials, hands the good ones to the engine and
// fills x.outcomes. An error means that nothing was stored.
func (x *exchange) store() error {
	records, partial := x.batch.Records, x.batch.Partial
	if err := x.idempotent(records); err != nil {
		return err
	}
	private, stored := true, false
	origin := ""
	if x.route.Auth != dialect.AuthBearer {
		origin = x.header("Origin")
	}
	var last auth.Grant // of the record that is known
	known := 0
	for i := range records {
		r := &records[i]
		x.outcomes = append(x.outcomes, dialect.Outcome{Received: x.req.ReceivedUnixMilli})
		out := &x.outcomes[i]
		if r.Err != nil {
			x.explain(r.Err)
			if !partial {
				return r.Err
			}
			out.Status, out.Err = dialect.Rejected, r.Err
			continue
		}
		g := x.grant
		if last.Account != nil && r.Credential == records[known].Credential {
			g = last // as of the record before: a bulk has mostly one
		} else if r.Credential.Kind != dialect.CredentialNone || g.Account == nil {
			var failure dialect.Failure
			var err error
			if g, failure, err = x.s.registry.Resolve(r.Credential, origin); failure != dialect.OK {
				x.s.metrics.rejected.add("credential", 1)
				if err == auth.ErrOrigin {
					x.refuseOrigin(r.Credential.ID, origin)
				}
				if !partial || len(records) == 1 {
					return &dialect.StatusError{Failure: failure, Msg: err.Error()}
				}
				out.Status, out.Err = dialect.Rejected, &event.FieldError{Index: i, Msg: err.Error()}
				continue
			}
		}
		last, known = g, i
		private = private && g.Private
		site := x.s.tenant(g.Account)
		x.payer = site
		if g.Private {
			if r.Claimed.IsValid() {
				r.Source.IP = r.Claimed
			}
		} else if r.NeedsSecret {
			x.s.metrics.rejected.add("credential", 1)
			return &dialect.StatusError{Failure: dialect.Unauthorized, Msg: auth.ErrUnauthorized.Error()}
		}
		if r.Ask {
			out.Status = dialect.Excluded
			x.visit(r, site)
			continue
		}
		if reason := x.excluded(r, site, g.Private); reason != "" {
			x.s.metrics.excluded.add(reason, 1)
			out.Status, out.Reason = dialect.Excluded, reason
			if reason == excludedBot || reason == r.Exclude {
				x.visit(r, site)
			}
			if reason == excludedBot && r.Exclude == "" {
				out.Bot = x.s.engine.Bot(&r.Source)
			}
			continue
		}
		x.records = append(x.records, engine.Record{Site: site.Site.Site, Event: &r.Event, Source: &r.Source})
		x.places = append(x.places, i)
	}
	if private && x.charged && len(records) > 0 {
		x.s.perIP.refund(x.req.Peer)
		x.charged = false
	}
	if len(x.records) == 0 {
		return nil
	}
	if records[0].Repeats > 0 && origin != "" && x.header("Idempotency-Key") == "" {
		first, mine := x.s.repeats.begin(x.repeatKey(&records[0]), x.started, records[0].Repeats)
		if mine {
			defer func() { first.finish(stored, records[0].Event.Visit) }()
		} else if visit, ok := first.wait(x.s.running); ok {
			for _, i := range x.places {
				x.outcomes[i].Status = dialect.Duplicate
				records[i].Event.Visit = visit
			}
			return nil
		}
	}
	if err := x.chargeSites(); err != nil {
		return err
	}
	results, err := x.s.engine.Ingest(x.s.running, x.records, !partial, &x.memory)
	if err != nil {
		x.lost = errors.Is(err, query.ErrFailed)
		return err
	}
	for k := range results {
		r, i := &results[k], x.places[k]
		out := &x.outcomes[i]
		if r.Status == engine.Rejected && r.Err != nil {
			bad := *r.Err
			if bad.Index = i; len(records) == 1 {
				bad.Index = -1
			}
			out.Err = &bad
			x.logRefusal(r.Err) // the engine has counted it
			if !partial {
				return out.Err
			}
		}
		out.Status = statusOf(r.Status)
		out.ID, out.Session = r.ID, r.Session
		if at := records[i].Event.Received; at != 0 {
			out.Received = at
		}
	}
	stored = true
	return nil
}

// explain counts a record that its dialect refuses, and says why where that holds
// nothing of a client's.
func (x *exchange) explain(err *event.FieldError) {
	reason := "invalid"
	if _, ok := x.route.wire.Dialect.(dialect.Explaining); ok {
		reason = string(x.route.wire.Name()) + " " + err.Field
	}
	x.s.metrics.rejected.add(reason, 1)
	x.logRefusal(err)
}

// logRefusal logs why a record is refused, if its dialect lets it.
func (x *exchange) logRefusal(err *event.FieldError) {
	if _, ok := x.route.wire.Dialect.(dialect.Explaining); !ok {
		return
	}
	name := string(x.route.wire.Name())
	field, _, _ := strings.Cut(err.Field, ".") // below it the engine quotes names of the client's
	if ok, dropped := x.s.lines.count("refused "+name+" "+field, x.started); ok {
		x.s.log.Info("refused", "dialect", name, "field", field, "reason", err.Msg, "unlogged", dropped)
	}
}

// visit answers what a record that is not stored asks of its visitor.
func (x *exchange) visit(r *dialect.Record, site *tenant) {
	if r.Event.Visit.Ask {
		x.s.engine.Visit(site.Site.Site, &r.Event, &r.Source)
	}
}

func statusOf(s engine.OutcomeStatus) dialect.Status {
	switch s {
	case engine.Stored:
		return dialect.Stored
	case engine.Duplicate:
		return dialect.Duplicate
	case engine.Ignored:
		return dialect.Excluded
	}
	return dialect.Rejected
}

// idempotent gives records without a message id the request's Idempotency-Key.
func (x *exchange) idempotent(records []dialect.Record) error {
	key := x.header("Idempotency-Key")
	if key == "" {
		return nil
	}
	if len(key) > 128 {
		return &event.FieldError{Index: -1, Field: "Idempotency-Key", Msg: "must be 1 to 128 characters"}
	}
	for i := range records {
		if e := &records[i].Event; e.MessageID == "" {
			if e.MessageID = key; len(records) > 1 {
				e.MessageID = key + "#" + strconv.Itoa(i)
			}
		}
	}
	return nil
}

// chargeSites spends the events of the request at their sites' rates. A batch of
// several sites is refused by the first that has none left.
func (x *exchange) chargeSites() error {
	for from := 0; from < len(x.records); {
		site, n := x.records[from].Site, 1
		for from+n < len(x.records) && x.records[from+n].Site == site {
			n++
		}
		if a := x.s.tenant(x.s.registry.ByID(site.ID)); a != nil {
			if x.wait = a.events.take(x.started, n); x.wait > 0 {
				return &dialect.StatusError{Failure: dialect.RateLimited, Msg: errRate.Error()}
			}
		}
		from += n
	}
	return nil
}
