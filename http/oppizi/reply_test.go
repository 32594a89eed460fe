package oppizi

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"cairn/engine/event"
	"cairn/http/dialect"
	"cairn/http/dialect/dialecttest"
)

func TestFailures(t *testing.T) {
	for _, c := range []struct {
		name    string
		result  dialect.Result
		status  int
		message string
	}{
		{"401 has the vendor's message", dialect.Result{Failure: dialect.Unauthorized, Err: errors.New("unknown key")}, 401, "Unauthorized"},
		{"403", dialect.Result{Failure: dialect.Forbidden}, 403, "Forbidden"},
		{"404", dialect.Result{Failure: dialect.NotFound}, 404, "Not Found"},
		{"405", dialect.Result{Failure: dialect.MethodNotAllowed}, 405, "Method Not Allowed"},
		{"413", dialect.Result{Failure: dialect.TooLarge}, 413, "Content Too Large"},
		{"415", dialect.Result{Failure: dialect.BadMedia}, 415, "Unsupported Media Type"},
		{"429", dialect.Result{Failure: dialect.RateLimited, Err: errors.New("rate limit")}, 429, "rate limit"},
		{"503", dialect.Result{Failure: dialect.Busy, Err: errors.New("the queue is full, try again")}, 503, "the queue is full, try again"},
		{"507", dialect.Result{Failure: dialect.DiskFull}, 507, "Insufficient Storage"},
		{"500 hides the cause", dialect.Result{Failure: dialect.Internal, Err: errors.New("open /var/lib: EIO")}, 500, "Internal Server Error"},
		{"a field", dialect.Result{Failure: dialect.BadRequest, Err: &event.FieldError{Field: "value", Msg: "required"}}, 400, "value: required"},
		{"a field with the engine's name", dialect.Result{Failure: dialect.BadRequest, Err: &event.FieldError{Field: "user", Msg: "too long"}}, 400, "userId: too long"},
		{"a property with the engine's name", dialect.Result{Failure: dialect.BadRequest, Err: &event.FieldError{Field: "properties.a.b", Msg: "no"}}, 400, "metadata.a.b: no"},
		{"a nil field error", dialect.Result{Failure: dialect.BadRequest, Err: (*event.FieldError)(nil)}, 400, "Bad Request"},
		{"an error with HTML", dialect.Result{Failure: dialect.BadRequest, Err: errors.New("<b>")}, 400, "<b>"},
		{"a long error", dialect.Result{Failure: dialect.BadRequest, Err: errors.New(strings.Repeat("x", 5000))}, 400, strings.Repeat("x", errorBytesMax)},
		{"rejected by the engine", dialect.Result{
			Outcomes: []dialect.Outcome{{Outcome: event.Outcome{Status: event.Rejected, Err: &event.FieldError{Field: "name", Msg: "no"}}}},
			Records:  make([]dialect.Record, 1),
		}, 400, "eventName: no"},
		{"no outcome", dialect.Result{}, 500, "Internal Server Error"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var res dialect.Response
			New().Reply(nil, &res, c.result)
			var body struct {
				Success *bool
				Error   string
			}
			if err := json.Unmarshal(res.Body, &body); err != nil || body.Success == nil || *body.Success || body.Error != c.message {
				t.Errorf("the body is %s (%v), want %q", res.Body, err, c.message)
			}
			if res.Status != c.status || res.ContentType != contentType || strings.ContainsAny(string(res.Body), "<>") {
				t.Errorf("%d %s %s", res.Status, res.ContentType, res.Body)
			}
		})
	}
}

// A retry with an Idempotency-Key is a duplicate. Its answer is 201 again, with the id and the
// time of the first event.
func TestReplyToDuplicate(t *testing.T) {
	var res dialect.Response
	New().Reply(nil, &res, dialect.Result{
		Outcomes: []dialect.Outcome{{Outcome: event.Outcome{Status: event.Duplicate, ID: "0f", Received: dialecttest.Start.UnixMilli()}}},
		Records:  []dialect.Record{{Record: event.Record{Event: event.Event{Name: "E", Value: event.Num("1")}}}},
	})
	const want = `{"success":true,"data":{"id":"0f","eventName":"E","value":1,"metadata":{},"createdAt":"2026-11-20T12:00:00.000Z"}}`
	if res.Status != 201 || string(res.Body) != want {
		t.Errorf("%d %s", res.Status, res.Body)
	}
}

func TestRoutes(t *testing.T) {
	for _, r := range New().Routes() {
		if r.Auth != dialect.AuthBearer || r.CORS != dialect.CORSAny {
			t.Errorf("%v %s needs no key, or does not allow every origin", r.Methods, r.Path)
		}
		for _, m := range r.Methods {
			if m != "GET" && m != "POST" {
				t.Errorf("%s has method %s", r.Path, m)
			}
		}
	}
}
