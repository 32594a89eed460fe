package matomo

import (
	"errors"
	"strconv"

	"cairn/engine/event"
	"cairn/http/dialect"
)

// This file answers: an image or nothing for a hit, counts for a bulk.

// pixel is a transparent GIF of 1×1, the 43 bytes that clients compare.
const pixel = "GIF89a\x01\x00\x01\x00\x80\x00\x00\x00\x00\x00\x00\x00\x00!\xf9\x04\x01\x00\x00\x00\x00,\x00\x00\x00\x00\x01\x00\x01\x00\x00\x02\x02D\x01\x00;"

// notice is the answer to a request without parameters. Monitors look for its first words.
const notice = "This resource is part of Matomo.\nTo be precise: of cairn, which takes what Matomo's trackers send here.\n"

const (
	typeGIF  = "image/gif"
	typeHTML = "text/html; charset=UTF-8"
	typeJSON = "application/json"
	typeText = "text/plain; charset=UTF-8"
)

var noStore = [2]string{"Cache-Control", "no-store"}

// Reply answers a hit or a bulk.
func (protocol) Reply(req *dialect.Request, res *dialect.Response, result dialect.Result) {
	res.Header = append(res.Header, noStore)
	a, _ := req.State.(*asked)
	if a == nil { // the request was refused before it was decoded
		a = new(asked)
		if req.Method == "POST" && (isBulk(req.Body) || len(req.Body) == 0 && isJSON(req.Header("Content-Type"))) {
			a.bulk = new(bulk)
		}
		for name, value := range dialect.Form(req.RawQuery) {
			if name == "send_image" {
				a.noImage = value == "0"
			}
		}
	}
	if a.bulk != nil {
		a.replyBulk(res, result)
		return
	}
	a.reply(req, res, result)
}

func isJSON(media string) bool { return len(media) >= 16 && media[:16] == "application/json" }

// reply answers one hit.
func (a *asked) reply(req *dialect.Request, res *dialect.Response, result dialect.Result) {
	failure := result.Failure
	for i := range result.Outcomes {
		if result.Outcomes[i].Status == event.Rejected {
			failure, result.Err = dialect.BadRequest, result.Outcomes[i].Err
		}
		if result.Outcomes[i].Reason == "dnt" {
			res.Header = append(res.Header, [2]string{"Tk", "N"})
		}
	}
	res.Status = 200
	if failure != dialect.OK {
		res.Status = failure.Status()
	}
	body := res.Body[:0]
	switch {
	case a.debug:
		res.ContentType = typeText
		body = appendDebug(body, failure, result)
	case a.empty:
		res.ContentType = typeHTML
		body = append(body, notice...)
	case a.noImage && failure == dialect.OK:
		res.Status, res.ContentType = 204, ""
	default:
		res.ContentType = typeHTML
		if !a.noImage {
			res.ContentType = typeGIF
			body = append(body, pixel...)
		}
		if failure == dialect.BadRequest {
			body = append(body, notice...)
		}
	}
	res.Body = body
}

// appendDebug says what became of a hit, as the vendor's debug mode does.
func appendDebug(b []byte, failure dialect.Failure, result dialect.Result) []byte {
	if failure != dialect.OK {
		return append(append(append(b, "An exception occurred: "...), reason(failure, result.Err)...), '\n')
	}
	for i := range result.Outcomes {
		o := &result.Outcomes[i]
		switch o.Status {
		case event.Excluded:
			b = append(append(b, "Not recorded: "...), o.Reason...)
		case event.Duplicate:
			b = append(append(b, "Recorded before: "...), o.ID...)
		default:
			b = append(append(b, "Recorded: "...), result.Records[i].Event.Type...)
			b = append(append(b, " event "...), o.ID...)
			b = append(append(b, " of visit "...), o.Session...)
		}
		b = append(b, '\n')
	}
	if len(result.Outcomes) == 0 {
		b = append(b, "Not recorded\n"...)
	}
	return b
}

// reason is what a client sees of an error.
func reason(failure dialect.Failure, err error) string {
	var field *event.FieldError
	var status *dialect.StatusError
	switch {
	case errors.As(err, &field) && field != nil:
		return field.Error()
	case errors.As(err, &status) && failure != dialect.Internal:
		return status.Msg
	}
	return failure.String()
}

// replyBulk answers a bulk. Hits that were left out on purpose count as tracked, so that the
// sender goes on. With a valid token the answer also has the index of each invalid hit, and
// why it is invalid.
func (a *asked) replyBulk(res *dialect.Response, result dialect.Result) {
	res.ContentType = typeJSON
	body := res.Body[:0]
	if result.Failure != dialect.OK {
		res.Status = result.Failure.Status()
		body = append(body, `{"status":"error","tracked":0,"invalid":0,"message":`...)
		res.Body = append(event.AppendString(body, reason(result.Failure, result.Err)), '}')
		return
	}
	if a.noImage {
		res.Status, res.ContentType, res.Body = 204, "", body
		return
	}
	tracked := 0
	type fault struct {
		index int
		err   *event.FieldError
	}
	var invalid []fault
	for _, e := range a.bulk.entries {
		if e.empty {
			continue
		}
		err, bad := (*event.FieldError)(nil), false
		for k := e.from; k < e.to; k++ {
			if o := &result.Outcomes[k]; o.Status == event.Rejected {
				err, bad = o.Err, true
			}
		}
		if bad {
			invalid = append(invalid, fault{e.index, err})
		} else {
			tracked++
		}
	}
	res.Status = 200
	body = append(body, `{"status":"success","tracked":`...)
	body = strconv.AppendInt(body, int64(tracked), 10)
	body = append(body, `,"invalid":`...)
	body = strconv.AppendInt(body, int64(len(invalid)), 10)
	if a.bulk.trusted {
		body = append(body, `,"invalid_indices":[`...)
		for i, f := range invalid {
			if i > 0 {
				body = append(body, ',')
			}
			body = strconv.AppendInt(body, int64(f.index), 10)
		}
		body = append(body, ']')
		if len(invalid) > 0 {
			body = append(body, `,"errors":[`...)
			for i, f := range invalid {
				if i > 0 {
					body = append(body, ',')
				}
				text := "refused"
				if f.err != nil {
					text = f.err.Error()
				}
				body = event.AppendString(body, text)
			}
			body = append(body, ']')
		}
	}
	res.Body = append(body, '}')
}
