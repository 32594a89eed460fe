package dialect

import (
	"errors"

	"cairn/engine/event"
)

// failures holds the status code and the standard phrase of each Failure, for
// dialects whose protocol does not say otherwise.
var failures = [...]struct {
	status int
	text   string
}{
	OK:               {200, "OK"},
	BadRequest:       {400, "Bad Request"},
	Unauthorized:     {401, "Unauthorized"},
	Forbidden:        {403, "Forbidden"},
	NotFound:         {404, "Not Found"},
	MethodNotAllowed: {405, "Method Not Allowed"},
	Conflict:         {409, "Conflict"},
	TooLarge:         {413, "Content Too Large"},
	BadMedia:         {415, "Unsupported Media Type"},
	RateLimited:      {429, "Too Many Requests"},
	Busy:             {503, "Service Unavailable"},
	DiskFull:         {507, "Insufficient Storage"},
	Internal:         {500, "Internal Server Error"},
}

// Status is the usual HTTP status code of f, 500 for an unknown one.
func (f Failure) Status() int {
	if int(f) >= len(failures) {
		return 500
	}
	return failures[f].status
}

// String is the standard phrase of that code.
func (f Failure) String() string {
	if int(f) >= len(failures) {
		return failures[Internal].text
	}
	return failures[f].text
}

// Refuse is a 400 for a field of a request, or of the record it becomes.
func Refuse(field, msg string) *event.FieldError {
	return &event.FieldError{Index: -1, Field: field, Msg: msg}
}

// RefuseFor is Refuse for what is wrong inside the field.
func RefuseFor(field string, err error) *event.FieldError {
	bad := &event.FieldError{Index: -1, Field: field, Msg: err.Error()}
	if !errors.As(err, &bad.Inside) {
		bad.Inside = &event.FieldError{Msg: "is malformed"}
	}
	return bad
}

// Plainly is the text of an error without any name that the client chose. Only texts of
// *event.FieldError and *StatusError can have some.
func Plainly(err error) string {
	var plain interface{ Plainly() string }
	if errors.As(err, &plain) {
		return plain.Plainly()
	}
	return err.Error()
}
