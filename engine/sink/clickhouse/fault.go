// Faults: what an error of the server means. The code of ClickHouse tells, and not the status: a missing
// column and a quota are 500, as is a server that is short of memory for a moment.

package clickhouse

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"cairn/engine/sink"
)

// kind says what follows from a code.
type kind int8

const (
	passes kind = iota
	lasts
	badRow // a row of the INSERT cannot be read, or a column is missing: see Sink.refused
)

// kinds has the codes that do not pass. Every other passes: a code that a newer server has, or one that
// nobody has thought of, is tried again with growing pauses.
var kinds = map[int]kind{
	// A row cannot be read, or a constraint of the table refuses it.
	6: badRow, 25: badRow, 26: badRow, 27: badRow, 38: badRow, 41: badRow, 53: badRow, 69: badRow, 70: badRow, 72: badRow, 117: badRow,
	130: badRow, 131: badRow, 321: badRow, 349: badRow, 441: badRow, 467: badRow, 469: badRow, 676: badRow, 691: badRow,

	8: lasts, 10: lasts, 15: lasts, 16: lasts, 20: lasts, 36: lasts, 43: lasts, 44: lasts, 46: lasts, 47: lasts, 48: lasts, 50: lasts, 57: lasts, 60: lasts,
	62: lasts, 73: lasts, 80: lasts, 81: lasts, 82: lasts, 115: lasts, 164: lasts, 170: lasts, 182: lasts,
	191: lasts, 192: lasts, 193: lasts, 194: lasts, 195: lasts, 196: lasts, 201: lasts, 219: lasts, 291: lasts,
	344: lasts, 355: lasts, 371: lasts, 392: lasts, 446: lasts, 452: lasts, 472: lasts, 497: lasts, 511: lasts, 516: lasts, 731: lasts, 746: lasts,
}

const (
	codeUnknownTable    = 60
	codeUnknownDatabase = 81
	codeUnknownEncoding = 89
	codeAccessDenied    = 497
)

// inText finds the code of an error in its text, as old servers give it.
var inText = regexp.MustCompile(`\bCode: (\d{1,5})\b`)

// faultOf makes a Fault of an answer. code is that of the header, "" = none.
func faultOf(status int, code string, text []byte) *sink.Fault {
	said := errors.New(shorten(text))
	number, err := strconv.Atoi(code)
	if err != nil || number <= 0 {
		number = 0
		if m := inText.FindSubmatch(text[:min(len(text), errorBytesMax)]); m != nil {
			number, _ = strconv.Atoi(string(m[1]))
		}
	}
	if number > 0 {
		what := kinds[number]
		return &sink.Fault{Passes: what == passes, BadRow: what == badRow, Code: strconv.Itoa(number), Err: &serverError{number, said}}
	}
	// It is no answer of ClickHouse itself.
	f := &sink.Fault{Code: "http_" + strconv.Itoa(status), Err: fmt.Errorf("status %d: %w", status, said)}
	switch {
	case status >= 300 && status < 400:
		f.Code, f.Err = "redirect", fmt.Errorf("status %d: the server points elsewhere; name the address itself in url", status)
	case status == http.StatusOK, status == http.StatusRequestTimeout, status == http.StatusTooManyRequests, status >= 500:
		f.Passes = true
	}
	return f
}

// serverError is an error that ClickHouse has answered.
type serverError struct {
	code int
	error
}

func (e *serverError) Unwrap() error { return e.error }

// codeOf returns the code of ClickHouse in an error, 0 = none.
func codeOf(err error) int {
	if e, ok := errors.AsType[*serverError](err); ok {
		return e.code
	}
	return 0
}

// answered reports whether the server has answered, so that nothing of the request is under way.
func answered(err error) bool { return err == nil || codeOf(err) != 0 }

// shorten makes a text of an answer that a terminal can show.
func shorten(text []byte) string {
	text = text[:min(len(text), errorBytesMax)]
	return strings.TrimSpace(strings.Map(func(r rune) rune {
		if r < ' ' && r != '\n' && r != '\t' || r == 0x7f || r == utf8.RuneError {
			return '·'
		}
		return r
	}, string(text)))
}

// unanswered makes a Fault of a request without an answer.
func unanswered(err error) *sink.Fault {
	f := &sink.Fault{Passes: true, Code: "unreachable", Err: err}
	var timeout net.Error
	switch {
	case errors.Is(err, context.Canceled):
		f.Code = "stopped"
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		f.Code = "timeout"
	case isCertificate(err):
		f.Code, f.Passes = "certificate", false
	}
	return f
}

func isCertificate(err error) bool {
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return true
	}
	if _, ok := errors.AsType[x509.UnknownAuthorityError](err); ok {
		return true
	}
	_, ok := errors.AsType[x509.HostnameError](err)
	return ok
}
