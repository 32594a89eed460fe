package segment

import (
	"errors"
	"strconv"
	"strings"

	"cairn/engine/event"
	"cairn/http/dialect"
)

const contentType = "application/json"

const success = `{"success": true}`

// problem is one error as the seed writes it.
type problem struct {
	err, message, details string
	index                 int // of the event in its batch, -1 = of the whole request
	messageID             string
}

// Reply answers a write. A batch is 200 when all of it was stored, now or before. It is 207
// when some of its events were refused; the answer then names them. It is 400 when all were
// refused, and 413 when each was too large.
func (protocol) Reply(req *dialect.Request, res *dialect.Response, result dialect.Result) {
	e := endpointOf(req)
	shape := e.form()
	d, decoded := req.State.(*decoder)
	if decoded {
		shape = d.form // the body of a webhook decides
	}
	res.ContentType = contentType
	res.Body = res.Body[:0]
	if result.Failure != dialect.OK {
		p := whole(result, shape)
		res.Status = statusOf(result.Failure)
		res.Body = appendProblems(res.Body, shape, []problem{p}, res.Status, req)
		return
	}
	var problems []problem
	large := 0
	for i := range result.Outcomes {
		o := &result.Outcomes[i]
		if o.Status != event.Rejected {
			continue
		}
		p := one(o.Err)
		if p.details == tooLarge {
			large++
		}
		if p.index = i; i < len(result.Records) {
			if id := result.Records[i].Event.MessageID; !decoded || !d.ids.has(id) {
				p.messageID = id
			}
		}
		problems = append(problems, p)
	}
	switch n := len(problems); {
	case n == 0 && shape == pixelForm:
		res.Status, res.ContentType = 200, "image/gif"
		res.Header = append(res.Header, [2]string{"Cache-Control", "no-store"})
		res.Body = append(res.Body, gif...)
		return
	case n == 0:
		res.Status = 200
		res.Body = append(res.Body, success...)
		return
	case n < len(result.Outcomes):
		res.Status = 207
	case n == large:
		res.Status = 413
	default:
		res.Status = 400
	}
	res.Body = appendProblems(res.Body, shape, problems, res.Status, req)
}

// statusOf is the code of a failure. A wrong key is 400 here, and so is an unknown encoding.
// Clients drop what was refused with any 4xx except 429, so a failure that may pass by
// itself is 503.
func statusOf(f dialect.Failure) int {
	switch f {
	case dialect.Unauthorized, dialect.Forbidden, dialect.BadMedia:
		return 400
	case dialect.DiskFull, dialect.Internal:
		return 503
	}
	return f.Status()
}

// whole is why a request was refused.
func whole(result dialect.Result, shape form) problem {
	switch result.Failure {
	case dialect.TooLarge:
		p := problem{err: "Request Entity Too Large", message: unread, details: tooLarge, index: -1}
		if shape == batchForm {
			p.err = badRequest // as in the seed's example
		}
		return p
	case dialect.Unauthorized, dialect.Forbidden:
		return problem{err: badRequest, message: badKey, index: -1}
	case dialect.BadRequest, dialect.BadMedia:
		var field *event.FieldError
		if errors.As(result.Err, &field) {
			p := one(field)
			if p.index = -1; shape == batchForm {
				p.message = unread
			}
			return p
		}
		return problem{err: badRequest, message: unread, details: textOf(result.Err), index: -1}
	case dialect.Internal:
		return problem{err: dialect.Busy.String(), message: "internal error, try again", index: -1}
	case dialect.DiskFull:
		return problem{err: dialect.Busy.String(), message: textOf(result.Err), index: -1}
	}
	return problem{err: result.Failure.String(), message: textOf(result.Err), index: -1}
}

const (
	badRequest = "Bad Request"
	unread     = "Error reading request body"
	badEvent   = "Invalid event"
)

// one is why an event was refused.
func one(err *event.FieldError) problem {
	switch {
	case err == nil:
		return problem{err: badRequest, message: badEvent}
	case err.Msg == badKey:
		return problem{err: badRequest, message: badKey}
	case err.Msg == tooLarge:
		return problem{err: badRequest, message: unread, details: tooLarge}
	case err.Field == "":
		return problem{err: badRequest, message: unread, details: cut(err.Msg)}
	}
	return problem{err: badRequest, message: badEvent, details: cut(vendorField(err.Field) + ": " + err.Msg)}
}

// vendorField is the vendor's name of a field that the engine has refused.
func vendorField(field string) string {
	name, rest, dotted := strings.Cut(field, ".")
	switch name {
	case "name":
		name = "event"
	case "user":
		name = "userId"
	case "anonymous":
		name = "anonymousId"
	case "session":
		name = "context.sessionId"
	case "groups":
		name = "groupId"
	case "previous":
		name = "previousId"
	case "message_id":
		name = "messageId"
	case "extra":
		if dotted {
			return rest
		}
	}
	if dotted {
		name += "." + rest
	}
	return name
}

func textOf(err error) string {
	if err == nil {
		return ""
	}
	return cut(err.Error())
}

// detailsMax bounds a text that may quote what a client sent, in bytes.
const detailsMax = 256

func cut(s string) string {
	if len(s) > detailsMax {
		s = s[:detailsMax]
	}
	return s
}

// appendProblems writes one error in the form of a single event, or a list in the form of a
// batch. analytics-python reads code and message from an error, and sends everything again
// ten times when they are missing, so they are added for it.
func appendProblems(dst []byte, shape form, problems []problem, status int, req *dialect.Request) []byte {
	python := strings.HasPrefix(req.Header("User-Agent"), "analytics-python/")
	if shape != batchForm {
		dst = appendProblem(dst, &problems[0])
		return appendPython(dst, python, status, problems[0].message)
	}
	dst = append(dst, `{"Success":false,"Errors":[`...)
	for i := range problems {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(appendProblem(dst, &problems[i]), '}')
	}
	return appendPython(append(dst, ']'), python, status, problems[0].message)
}

// appendProblem leaves the object open.
func appendProblem(dst []byte, p *problem) []byte {
	dst = event.AppendString(append(dst, `{"Error":`...), p.err)
	dst = event.AppendString(append(dst, `,"Message":`...), p.message)
	dst = event.AppendString(append(dst, `,"Details":`...), p.details)
	if p.index >= 0 {
		dst = strconv.AppendInt(append(dst, `,"Index":`...), int64(p.index), 10)
		if p.messageID != "" {
			dst = event.AppendString(append(dst, `,"MessageId":`...), p.messageID)
		}
	}
	return dst
}

// appendPython closes the object.
func appendPython(dst []byte, python bool, status int, message string) []byte {
	if python {
		dst = strconv.AppendInt(append(dst, `,"code":"`...), int64(status), 10)
		dst = event.AppendString(append(dst, `","message":`...), message)
	}
	return append(dst, '}')
}
