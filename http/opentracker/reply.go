package opentracker

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"slices"
	"strings"

	"cairn/engine/event"
	"cairn/http/dialect"
)

// answer is the form of the answer that a client asked for.
type answer struct {
	callback  string // "" = none
	pix, json bool
	bad       bool   // the callback is not the name of a function
	eid       string // the client's own id of the event
}

const (
	typeText = "text/plain; charset=utf-8"
	typeJSON = "application/json; charset=utf-8"
	typeJS   = "application/javascript; charset=utf-8"
	typeGIF  = "image/gif"
)

// noStore is on every answer, because a cached pixel would not be counted again.
var noStore = [2]string{"Cache-Control", "no-store"}

// pixel is a transparent GIF of 1×1.
const pixel = "GIF89a\x01\x00\x01\x00\x80\x00\x00\x00\x00\x00\x00\x00\x00!\xf9\x04\x01\x00\x00\x00\x00,\x00\x00\x00\x00\x01\x00\x01\x00\x00\x02\x02D\x01\x00;"

// answerTo reads the parameters that shape an answer.
func answerTo(list []param) (a answer) {
	for i := range list {
		switch p := &list[i]; p.name {
		case "callback":
			if a.callback = p.value; !isFunction(p.value) {
				a.bad, a.callback = p.value != "", ""
			}
		case "pix":
			a.pix = !off(p.value)
		case "json":
			a.json = !off(p.value)
		case "eid":
			a.eid = p.value
		}
	}
	return a
}

// isFunction says that s is dotted names of JavaScript. A JSONP answer repeats nothing else of
// a request.
func isFunction(s string) bool {
	if len(s) > callbackMax {
		return false
	}
	for name := range strings.SplitSeq(s, ".") {
		if name == "" || '0' <= name[0] && name[0] <= '9' ||
			strings.Trim(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_$") != "" {
			return false
		}
	}
	return true
}

// wanted is the form that a request asks for, also when Decode did not see the request.
func wanted(req *dialect.Request) answer {
	if a, ok := req.State.(*answer); ok {
		return *a
	}
	var list []param
	for name, value := range dialect.Form(req.RawQuery) {
		switch name {
		case "pix", "json", "callback":
			list = append(list, param{name: name, value: value})
		}
	}
	return answerTo(list)
}

// Reply answers an event with its id, or with the failure, in the form that was asked for.
func (protocol) Reply(req *dialect.Request, res *dialect.Response, result dialect.Result) {
	res.Header = append(res.Header, noStore)
	if req.Route != nil && req.Route.Reads {
		failRead(req, res, result)
		return
	}
	a := wanted(req)
	if result.Failure != dialect.OK {
		if result.Failure == dialect.MethodNotAllowed {
			res.Header = append(res.Header, [2]string{"Allow", "GET, POST, OPTIONS"})
		}
		a.fail(res, result.Failure, result.Err)
		return
	}
	if len(result.Outcomes) != 1 || len(result.Records) != 1 {
		a.fail(res, dialect.Internal, nil) // Decode makes exactly one record
		return
	}
	outcome, e := &result.Outcomes[0], &result.Records[0].Event
	if outcome.Status == event.Rejected {
		a.fail(res, dialect.BadRequest, outcome.Err)
		return
	}
	eid, sid, uid := outcome.ID, outcome.Session, e.User
	if outcome.Status == event.Excluded { // the event was accepted and not stored, so it has no id
		eid, sid = newEventID(), e.Session
	}
	if a.eid != "" {
		eid = a.eid
	}
	if uid == "" {
		uid = e.Anonymous
	}
	for _, h := range [...][2]string{{"X-Event-Id", eid}, {"X-Session-Id", sid}, {"X-User-Id", uid}} {
		if h[1] != "" && isASCII(h[1]) {
			res.Header = append(res.Header, h)
		}
	}
	res.Status = 200
	body := res.Body[:0]
	switch {
	case a.callback != "":
		res.ContentType = typeJS
		body = append(append(body, a.callback...), '(')
		body = append(appendIDs(body, eid, sid, uid), ");"...)
	case a.pix:
		res.ContentType = typeGIF
		body = append(body, pixel...)
	case a.json:
		res.ContentType = typeJSON
		body = appendIDs(body, eid, sid, uid)
	default:
		res.ContentType = typeText
		body = append(body, eid...)
	}
	res.Body = body
}

// newEventID returns an id of the form that stored events have. Scripts wait for one, also
// where the visitor has opted out.
func newEventID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // it never fails
	return hex.EncodeToString(b[:])
}

func appendIDs(dst []byte, eid, sid, uid string) []byte {
	dst = event.AppendString(append(dst, `{"eid":`...), eid)
	dst = event.AppendString(append(dst, `,"sid":`...), sid)
	dst = event.AppendString(append(dst, `,"uid":`...), uid)
	return append(dst, '}')
}

// errorBytesMax bounds the text of an error, which may quote a name.
const errorBytesMax = 512

// reason is what a client sees of a failure.
func reason(failure dialect.Failure, err error) string {
	text := failure.String()
	var field *event.FieldError
	var status *dialect.StatusError
	switch {
	case failure == dialect.Internal || err == nil:
	case errors.As(err, &field):
		if field == nil {
			break // a rejected outcome without a reason
		}
		bad := *field
		if name, ok := strings.CutPrefix(bad.Field, "properties."); ok {
			bad.Field = name
		}
		text = bad.Error()
	case errors.As(err, &status) && status.Field != "":
		text = status.Field + ": " + status.Msg
	default:
		text = err.Error()
	}
	if len(text) > errorBytesMax {
		text = strings.ToValidUTF8(text[:errorBytesMax], "")
	}
	return text
}

// fail answers with the status and the reason; a pixel has the status alone.
func (a *answer) fail(res *dialect.Response, failure dialect.Failure, err error) {
	res.Status = failure.Status()
	text := reason(failure, err)
	body := res.Body[:0]
	switch {
	case a.callback != "":
		res.ContentType = typeJS
		body = append(append(body, a.callback...), `({"error":`...)
		body = append(event.AppendString(body, text), "});"...)
	case a.pix:
		res.ContentType = typeGIF
		body = append(body, pixel...)
	case a.json:
		res.ContentType = typeJSON
		body = append(event.AppendString(append(body, `{"error":`...), text), '}')
	default:
		res.ContentType = typeText
		body = append(append(body, "error: "...), text...)
	}
	res.Body = body
}

// failRead answers a read that failed with JSON, or with JSONP if that was asked for. The
// answer to a login that failed is the word false, as it is the vendor's.
func failRead(req *dialect.Request, res *dialect.Response, result dialect.Result) {
	if slices.Contains(loginPaths, req.Path) {
		switch result.Failure {
		case dialect.BadRequest, dialect.Unauthorized, dialect.Forbidden, dialect.NotFound:
			res.Status, res.ContentType = 200, typeText
			res.Body = append(res.Body[:0], "false"...)
			return
		}
	}
	a := wanted(req)
	a.pix, a.json = false, true
	a.fail(res, result.Failure, result.Err)
}
