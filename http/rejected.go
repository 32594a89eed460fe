package httpd

import (
	"errors"
	"slices"
	"strings"
	"sync"

	"cairn/engine/event"
	"cairn/http/auth"
	"cairn/http/dialect"
	"cairn/http/native"
)

// This file keeps the newest refused events in memory, for GET /api/v1/admin/rejected. An entry
// says when, of which site and protocol, which field was wrong and why, and the id of the
// request. It has nothing of what the client sent: neither values nor names that the client
// chose, since both may name a person.

// rejectedKinds is how many kinds of refusals are told apart within one second.
const rejectedKinds = 256

// rejections are the newest native.RejectedMax refused events. Of one kind at most
// linesPerSecond are kept in a second, so that a flood of one kind hides no other.
type rejections struct {
	mu    sync.Mutex
	ring  []native.Rejected // seq n is at (n-1) modulo native.RejectedMax
	last  uint64            // seq of the newest
	kinds map[rejectedKind]*lineCount
}

// rejectedKind is what refusals that are alike have in common.
type rejectedKind struct {
	site          string
	dialect       event.Dialect
	field, reason string
}

// add keeps an entry, unless there are too many of its kind. id is copied.
func (r *rejections) add(k rejectedKind, milli int64, id []byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	second := milli / 1000
	c := r.kinds[k]
	if c == nil {
		if r.kinds == nil || len(r.kinds) >= rejectedKinds {
			r.kinds = map[rejectedKind]*lineCount{}
		}
		c = new(lineCount)
		r.kinds[k] = c
	}
	if c.second != second {
		c.second, c.lines = second, 0
	}
	if c.lines++; c.lines > linesPerSecond {
		c.dropped++
		return
	}
	r.last++
	e := native.Rejected{Seq: r.last, Time: milli, Site: k.site, Dialect: k.dialect, Field: k.field, Reason: k.reason, RequestID: string(id), More: uint64(c.dropped)}
	c.dropped = 0
	if len(r.ring) < native.RejectedMax {
		r.ring = append(r.ring, e)
		return
	}
	r.ring[(r.last-1)%native.RejectedMax] = e
}

// list returns the entries, the oldest first.
func (r *rejections) list() []native.Rejected {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.last <= native.RejectedMax {
		return slices.Clone(r.ring)
	}
	at := r.last % native.RejectedMax
	return slices.Concat(r.ring[at:], r.ring[:at])
}

// reject keeps that an event of the request, or the request itself, was refused.
func (x *exchange) reject(site, field, reason string) {
	x.rejections++
	k := rejectedKind{site: site, dialect: x.route.wire.Name(), field: fieldName(field), reason: reason}
	x.s.rejections.add(k, x.req.ReceivedUnixMilli, x.id)
}

// rejectRecord keeps that a record was refused.
func (x *exchange) rejectRecord(r *dialect.Record, err *event.FieldError) {
	site := x.req.Site
	if r.Credential.Kind != dialect.CredentialNone {
		site = x.find(r.Credential)
	}
	x.reject(siteName(site), err.Field, err.Plainly())
}

// rejectCredential keeps that a record's credential opens nothing.
func (x *exchange) rejectCredential(c *dialect.Credential, err error) {
	site := ""
	if err == auth.ErrOrigin {
		if a := x.sites.registry.ByClient(c.ID); a != nil {
			site = a.Site.Name
		}
	}
	x.reject(site, "", credentialReason(err))
}

// credentialReason says more than a client may learn.
func credentialReason(err error) string {
	switch err {
	case auth.ErrOrigin:
		return "the origin of the page is not in the site's origins"
	case auth.ErrUnauthorized:
		return "the key or id opens no site"
	}
	return dialect.Plainly(err)
}

// rejectAll keeps that a write was refused as a whole, unless a record has been named as the
// reason.
func (x *exchange) rejectAll(result dialect.Result) {
	if x.rejections > 0 || x.route == nil || x.route.wire == nil || x.route.Reads || x.route.Acts ||
		result.Failure == dialect.OK || result.Failure == dialect.MethodNotAllowed {
		return
	}
	site := siteName(x.req.Site)
	switch {
	case x.req.Site != nil:
	case x.payer != nil:
		site = x.payer.Name
	case x.keyOf != nil:
		site = x.keyOf.Site.Name
	case x.batch != nil && x.batch.Credential.Kind != dialect.CredentialNone:
		site = siteName(x.find(x.batch.Credential))
	case x.batch != nil && len(x.batch.Records) > 0: // the last one was at fault
		site = siteName(x.find(x.batch.Records[len(x.batch.Records)-1].Credential))
	}
	field, reason := "", strings.ToLower(result.Failure.String())
	var status *dialect.StatusError
	var bad *event.FieldError
	switch {
	case result.Failure == dialect.Internal:
	case errors.As(result.Err, &status):
		field, reason = status.Field, status.Plainly()
	case errors.As(result.Err, &bad):
		field, reason = bad.Field, bad.Plainly()
	case result.Err != nil:
		reason = credentialReason(result.Err) // or of failures
	}
	x.reject(site, field, reason)
}

func siteName(s *dialect.Site) string {
	if s == nil {
		return ""
	}
	return s.Name
}

// fieldName is the first part of a field's path if the protocols know it, else "": a client may
// have chosen it. It is a text of this program.
func fieldName(path string) string {
	if end := strings.IndexAny(path, ".["); end >= 0 {
		path = path[:end]
	}
	if at, ok := slices.BinarySearch(fieldNames, path); ok {
		return fieldNames[at]
	}
	return ""
}

// fieldNames are the fields of all protocols. A test finds the missing ones.
var fieldNames = func() []string {
	names := strings.Fields(`
		name user anonymous session previous message_id type properties context extra groups segments increments value
		time counted uncounted heartbeat source dialect received site import Content-Type Idempotency-Key
		eventName userId metadata transactionId eventTime
		si eid uid sid ti ts callback
		event anonymousId groupId previousId messageId writeKey batch data traits integrations timestamp sentAt
		payload profileId property groupIds chunk_index events_count profileIds
		requests idsite token_auth cdt cip cid _id uid rec action_name url urlref e_c e_a e_n e_v search search_cat
		idgoal revenue ec_id ec_items ec_st ec_tx ec_sh ec_dt c_n c_p c_t c_i link download
	`)
	slices.Sort(names)
	return slices.Compact(names)
}()
