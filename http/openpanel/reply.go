package openpanel

import (
	"errors"
	"strconv"

	"cairn/engine/event"
	"cairn/http/dialect"
)

const contentType = "application/json; charset=utf-8"

// Reply answers a write: 200 with the ids of the device and its session, which the SDKs
// remember from every answer. The id of the session is "" until there is one; what a server
// or a bot tracks has none, and is answered with an id nevertheless, as by the vendor. A bot
// gets 202, which SDKs take for a success too.
func (protocol) Reply(req *dialect.Request, res *dialect.Response, result dialect.Result) {
	res.ContentType = contentType
	if result.Failure != dialect.OK {
		fail(res, result.Failure, result.Err)
		return
	}
	if len(result.Outcomes) == 0 || len(result.Records) != len(result.Outcomes) {
		fail(res, dialect.Internal, nil)
		return
	}
	for i := range result.Outcomes {
		if o := &result.Outcomes[i]; o.Status == event.Rejected {
			fail(res, dialect.BadRequest, o.Err)
			return
		}
	}
	outcome, e := &result.Outcomes[0], &result.Records[0].Event
	kind := kindOf(req.Path)
	switch kind {
	case kindEvent:
		accept(res, "ok")
		return
	case kindProfile, kindIncrement, kindDecrement:
		accept(res, e.User)
		return
	}
	session := outcome.Session
	if !outcome.Live && (kind == kindDeviceID || e.Type != event.Track && e.Type != event.Page) {
		session = ""
	}
	res.Status = 200
	body := append(res.Body[:0], `{"deviceId":`...)
	body = event.AppendString(body, outcome.Device)
	body = event.AppendString(append(body, `,"sessionId":`...), session)
	switch {
	case kind == kindDeviceID:
		body = append(body, `,"message":`...)
		body = event.AppendString(body, deviceMessage(session))
	case outcome.Bot != "":
		res.Status = 202
		body = append(body, `,"bot":{"name":`...)
		body = append(event.AppendString(body, outcome.Bot), `,"type":"bot"}`...)
	case outcome.Status == event.Duplicate:
		body = append(body, `,"duplicate":true`...)
	}
	res.Body = append(body, '}')
}

func deviceMessage(session string) string {
	if session == "" {
		return "no session is live for this device"
	}
	return "device id and live session"
}

// accept is how the older routes answer.
func accept(res *dialect.Response, text string) {
	res.Status, res.ContentType = 202, "text/plain; charset=utf-8"
	res.Body = append(res.Body[:0], text...)
}

// fail writes {"status","error","message"}. A 401 never says which of id, secret and
// origin was wrong.
func fail(res *dialect.Response, failure dialect.Failure, err error) {
	status, short, message := failure.Status(), failure.String(), ""
	var field *event.FieldError
	var chosen *dialect.StatusError
	switch {
	case failure == dialect.Unauthorized:
		short = "Invalid client credentials"
		message = "check the client id, and the client secret or the site's allowed origins"
	case failure == dialect.Internal || err == nil:
		message = short
	case errors.As(err, &field):
		if field == nil {
			message = short
			break
		}
		message = field.Error()
	case errors.As(err, &chosen) && chosen.Field != "" && chosen.Field != "site":
		message = chosen.Field + ": " + chosen.Msg
	default:
		message = err.Error()
	}
	if len(message) > errorBytesMax {
		message = message[:errorBytesMax] // it may quote a key as long as the body
	}
	res.Status, res.ContentType = status, contentType
	body := strconv.AppendInt(append(res.Body[:0], `{"status":`...), int64(status), 10)
	body = event.AppendString(append(body, `,"error":`...), short)
	body = event.AppendString(append(body, `,"message":`...), message)
	res.Body = append(body, '}')
}
