package httpd

import (
	"errors"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"cairn/engine"
	"cairn/engine/event"
	"cairn/engine/query"
	"cairn/http/auth"
	"cairn/http/dialect"
	"cairn/http/wire"
)

// This file is the way of a write, in the order in which a request is checked: whether the
// engine takes writes now, whether the body is small enough and of a known encoding,
// whether it decodes, whose its records are, and whether they may send so much. Then the
// engine stores it, and the answer follows when it is durable.

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

// readBody fills req.Body with the inflated body, at most the route's limit, and
// at most what the budget has for one body.
func (x *exchange) readBody() error {
	if x.c.BodyDone() {
		return nil
	}
	enc, badEncoding := wire.ParseEncoding(x.header("Content-Encoding"))
	limit := min(x.route.Body, x.s.shares.BodyMax(x.grant.Private, enc != wire.Identity))
	if x.c.BodyLength() > limit {
		return wire.ErrBodyLarge
	}
	if badEncoding != nil {
		return badEncoding
	}
	if !x.grant.Private {
		addr := x.req.Peer
		if x.sites.exempt(addr) {
			addr = netip.Addr{}
		}
		x.share = x.s.shares.Of(addr)
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

// store takes the records of the batch in: it resolves whose each one is, leaves out what
// is not to be stored, hands the others to the engine and fills x.outcomes. An error means
// that nothing was stored.
func (x *exchange) store() error {
	records := x.batch.Records
	if err := x.idempotent(records); err != nil {
		return err
	}
	from := senders{private: true}
	if x.route.Auth != dialect.AuthBearer {
		from.origin = x.header("Origin")
	}
	x.outcomes = slices.Grow(x.outcomes, len(records))[:len(records)] // zero, see reset
	for i := range records {
		x.outcomes[i].Received = x.req.ReceivedUnixMilli
		if err := x.take(i, &from); err != nil {
			return err
		}
	}
	if from.private && x.charged && len(records) > 0 {
		x.sites.perIP.refund(x.req.Peer)
		x.charged = false
	}
	if len(x.records) == 0 {
		return nil
	}
	first, repeated := x.repeated(from.origin)
	if repeated {
		return nil
	}
	if first == nil {
		return x.commit()
	}
	stored := false
	defer func() { first.finish(stored, &x.outcomes[0].Outcome) }() // also when the engine panics
	err := x.commit()
	stored = err == nil
	return err
}

// senders is what the records of one write say of who sent it, as far as they were
// looked at.
type senders struct {
	origin  string     // the Origin header, where a credential without a secret may need it
	last    auth.Grant // of the record known
	known   int        // index of the newest record whose credential opened a site
	private bool       // every credential so far proved a secret
}

// take decides what becomes of record i: it is refused, answered, left out, or appended to
// x.records, without ids that are none. An error refuses the whole request.
func (x *exchange) take(i int, from *senders) error {
	r, out := &x.batch.Records[i], &x.outcomes[i]
	if r.Err != nil {
		x.explain(r.Err)
		x.rejectRecord(r, r.Err)
		if !x.batch.Partial {
			return r.Err
		}
		out.Status, out.Err = event.Rejected, r.Err
		return nil
	}
	// A bulk mostly has one credential: it is resolved once.
	if from.last.Account == nil || r.Credential != x.batch.Records[from.known].Credential {
		if refused, err := x.resolve(i, from); refused != nil || err != nil {
			out.Status, out.Err = event.Rejected, refused
			return err
		}
	}
	from.known = i
	if !r.Event.Imported { // then its ids have been judged
		event.RefuseIDs(&r.Event, x.s.metrics.noID)
	}
	site, private := x.sites.tenant(from.last.Account), from.last.Private
	x.payer = site
	// An application's server may be trusted by its address instead of a secret. Behind a
	// proxy, the peer is whoever sent the request to the proxy.
	if r.Claimed.IsValid() && (private || x.sites.proxies.Trusts(x.req.Peer)) {
		r.Source.IP = r.Claimed
	}
	if !private && r.NeedsSecret {
		x.s.metrics.rejected.add("credential", 1)
		return &dialect.StatusError{Failure: dialect.Unauthorized, Msg: auth.ErrUnauthorized.Error()}
	}
	if x.exclude(r, out, site, private) {
		return nil
	}
	x.records = append(x.records, engine.Record{Site: site.Site.Site, Record: &r.Record})
	x.places = append(x.places, i)
	return nil
}

// resolve finds whose record i is, for from.last. A credential that opens nothing refuses
// the record alone where the dialect lets the others go on; otherwise the error refuses the
// whole request.
func (x *exchange) resolve(i int, from *senders) (refused *event.FieldError, err error) {
	records := x.batch.Records
	c := &records[i].Credential
	g := x.grant
	if c.Kind != dialect.CredentialNone || g.Account == nil {
		var failure dialect.Failure
		if g, failure, err = x.sites.registry.Resolve(*c, from.origin); failure != dialect.OK {
			x.s.metrics.rejected.add("credential", 1)
			if err == auth.ErrOrigin {
				x.refuseOrigin(c.ID, from.origin)
			}
			x.rejectCredential(c, err)
			if !x.batch.Partial || len(records) == 1 {
				return nil, &dialect.StatusError{Failure: failure, Msg: err.Error()}
			}
			return &event.FieldError{Index: i, Msg: err.Error()}, nil
		}
	}
	from.last, from.private = g, from.private && g.Private
	return nil, nil
}

// exclude says whether a record is answered and not stored; its outcome has the reason.
func (x *exchange) exclude(r *dialect.Record, out *dialect.Outcome, site *tenant, private bool) bool {
	if r.Ask {
		out.Status = event.Excluded
		x.visit(r, out, site)
		return true
	}
	reason := x.excluded(r, site, private)
	if reason == "" {
		return false
	}
	x.s.metrics.excluded.add(reason, 1)
	out.Status, out.Reason = event.Excluded, reason
	if reason == excludedBot || reason == r.Exclude {
		x.visit(r, out, site)
	}
	if reason == excludedBot && r.Exclude == "" {
		out.Bot = x.s.engine.Bot(&r.Source)
	}
	return true
}

// repeated says whether an equal request came a moment ago and was stored: the records are
// duplicates then. Otherwise first, unless it is nil, has to be told what becomes of this
// request, because equal ones may wait for it.
func (x *exchange) repeated(origin string) (first *repeat, is bool) {
	records := x.batch.Records
	if records[0].Repeats <= 0 || origin == "" || x.header("Idempotency-Key") != "" {
		return nil, false
	}
	first, mine := x.s.repeats.begin(x.repeatKey(&records[0]), x.started, records[0].Repeats)
	if mine {
		return first, false
	}
	answer, ok := first.wait(x.s.running)
	if !ok {
		return nil, false
	}
	for _, i := range x.places {
		out := &x.outcomes[i]
		out.Status, out.Device, out.Session, out.Live = event.Duplicate, answer.Device, answer.Session, answer.Live
	}
	return nil, true
}

// commit charges the sites of x.records and hands them to the engine, which returns when
// they are durable.
func (x *exchange) commit() error {
	if err := x.chargeSites(); err != nil {
		return err
	}
	results, err := x.s.engine.Ingest(x.s.running, x.records, !x.batch.Partial, &x.memory)
	if err != nil {
		x.lost = errors.Is(err, query.ErrFailed) || errors.Is(err, query.ErrHeld)
		return err
	}
	return x.fillOutcomes(results)
}

// fillOutcomes says of each record what the engine did with it. Where one refused record
// refuses the request, that is the error.
func (x *exchange) fillOutcomes(results []event.Outcome) error {
	for k := range results {
		r, i := &results[k], x.places[k]
		out := &x.outcomes[i]
		received := out.Received
		if out.Outcome = *r; r.Received == 0 {
			out.Received = received // the engine has not looked at it
		}
		if r.Err == nil {
			continue
		}
		x.logRefusal(r.Err) // the engine has counted it
		x.reject(x.records[k].Site.Name, r.Err.Field, r.Err.Plainly())
		bad := *r.Err
		if bad.Index = i; len(x.batch.Records) == 1 {
			bad.Index = -1
		}
		if out.Err = &bad; !x.batch.Partial {
			return out.Err
		}
	}
	return nil
}

// explain counts a record that its dialect refuses. The reason is counted and logged where
// it holds nothing that a client sent.
func (x *exchange) explain(err *event.FieldError) {
	reason := "invalid"
	if _, ok := x.route.wire.Dialect.(dialect.Explaining); ok {
		reason = string(x.route.wire.Name()) + " " + err.Field
	}
	x.s.metrics.rejected.add(reason, 1)
	x.logRefusal(err)
}

// logRefusal logs why a record is refused, if its dialect allows that.
func (x *exchange) logRefusal(err *event.FieldError) {
	if _, ok := x.route.wire.Dialect.(dialect.Explaining); !ok {
		return
	}
	name := string(x.route.wire.Name())
	field, _, _ := strings.Cut(err.Field, ".") // the engine's fields go on with names that the client sent
	if ok, dropped := x.s.lines.count("refused "+name+" "+field, x.started); ok {
		x.s.log.Info("refused", "dialect", name, "field", field, "reason", err.Msg, "request_id", string(x.id), "unlogged", dropped)
	}
}

// visit answers what a record that is not stored asks about its visitor.
func (x *exchange) visit(r *dialect.Record, out *dialect.Outcome, site *tenant) {
	if r.Visit.Ask {
		x.s.engine.Visit(engine.Record{Site: site.Site.Site, Record: &r.Record}, &out.Outcome)
	}
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
		if a := x.sites.tenant(x.sites.registry.ByID(site.ID)); a != nil {
			if x.wait = a.events.take(x.started, n); x.wait > 0 {
				return &dialect.StatusError{Failure: dialect.RateLimited, Msg: errRate.Error()}
			}
		}
		from += n
	}
	return nil
}
