package oppizi

import (
	"errors"
	"strconv"
	"strings"
	"time"

	"cairn/engine/event"
	"cairn/http/dialect"
)

const errorBytesMax = 512

const contentType = "application/json; charset=utf-8"

// Reply answers a POST: 201 with the event as it was stored, or the failure.
func (protocol) Reply(_ *dialect.Request, res *dialect.Response, result dialect.Result) {
	res.ContentType = contentType
	if result.Failure != dialect.OK {
		fail(res, result.Failure, result.Err)
		return
	}
	if len(result.Outcomes) != 1 || len(result.Records) != 1 {
		fail(res, dialect.Internal, nil) // Decode makes exactly one record
		return
	}
	outcome := &result.Outcomes[0]
	if outcome.Status == event.Rejected {
		fail(res, dialect.BadRequest, outcome.Err)
		return
	}
	res.Status = 201
	body := append(res.Body[:0], `{"success":true,"data":`...)
	body = appendEvent(body, outcome.ID, outcome.Received, &result.Records[0].Event)
	res.Body = append(body, '}')
}

// fail writes {"success":false,"error":TEXT}. TEXT is that of err, or else the phrase of the
// status. A 401 always says Unauthorized, as the vendor's does.
func fail(res *dialect.Response, failure dialect.Failure, err error) {
	text := failure.String()
	var field *event.FieldError
	var status *dialect.StatusError
	switch {
	case failure == dialect.Unauthorized || failure == dialect.Internal || err == nil:
	case errors.As(err, &field):
		if field == nil {
			break // a rejected outcome without a reason
		}
		text = (&event.FieldError{Field: vendorField(field.Field), Msg: field.Msg}).Error()
	case errors.As(err, &status) && status.Field != "":
		text = status.Field + ": " + status.Msg
	default:
		text = err.Error()
	}
	if len(text) > errorBytesMax {
		text = text[:errorBytesMax] // it may quote a key as long as the body
	}
	res.Status = failure.Status()
	body := append(res.Body[:0], `{"success":false,"error":`...)
	res.Body = append(event.AppendString(body, text), '}')
}

// vendorField is the vendor's name of a field that the engine has refused.
func vendorField(field string) string {
	switch field {
	case "name":
		return "eventName"
	case "user":
		return "userId"
	case "properties":
		return "metadata"
	}
	if key, ok := strings.CutPrefix(field, "properties."); ok {
		return "metadata." + key
	}
	if key, ok := strings.CutPrefix(field, "extra."); ok {
		return key
	}
	return field
}

// appendEvent appends the vendor's form of an event: id, eventName, value, metadata (always
// an object), the optional fields that were sent, and createdAt, the time of receipt. An
// event that was accepted and not stored has no id.
func appendEvent(dst []byte, id string, receivedUnixMilli int64, e *event.Event) []byte {
	dst = append(dst, '{')
	if id != "" {
		dst = append(event.AppendString(append(dst, `"id":`...), id), ',')
	}
	dst = event.AppendString(append(dst, `"eventName":`...), e.Name)
	dst = event.AppendValue(append(dst, `,"value":`...), e.Value)
	dst = event.AppendObject(append(dst, `,"metadata":`...), e.Properties)
	for _, field := range optional {
		v := e.Extra.Get(field)
		if v.Kind == event.Absent && field == "userId" && e.User != "" {
			v = event.Str(e.User)
		}
		if v.Kind == event.Absent {
			continue
		}
		dst = append(append(append(dst, ',', '"'), field...), '"', ':')
		dst = event.AppendValue(dst, v)
	}
	dst = append(dst, `,"createdAt":"`...)
	dst = time.UnixMilli(receivedUnixMilli).UTC().AppendFormat(dst, "2006-01-02T15:04:05.000Z")
	return append(dst, '"', '}')
}

// appendPage appends a listing. next is the id to go on after, "" on the last
// page.
func appendPage(dst []byte, events []*event.Event, total uint64, next string) []byte {
	dst = append(dst, `{"success":true,"data":{"nodes":[`...)
	for i, e := range events {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendEvent(dst, e.ID, e.Received, e)
	}
	dst = strconv.AppendUint(append(dst, `],"totalCount":`...), total, 10)
	dst = appendCursor(dst, next)
	dst = appendCursor(append(dst, '}'), next)
	return append(dst, '}')
}

func appendCursor(dst []byte, next string) []byte {
	dst = append(dst, `,"nextCursor":`...)
	if next == "" {
		return append(dst, "null"...)
	}
	return event.AppendString(dst, next)
}
