// The errors that Ingest or a read can return.

package query

import (
	"errors"
	"fmt"
	"runtime/debug"

	"cairn/engine/event"
)

// Reasons why Ingest or a read was not carried out. A call that returns one of these
// has stored nothing.
var (
	ErrBusy         = errors.New("the queue is full, try again")                                                           // 503
	ErrStopping     = errors.New("the server is stopping, try again")                                                      // 503
	ErrReadOnly     = errors.New("this server is read-only: it shows data and takes none; send to the server that writes") // 503
	ErrFailed       = errors.New("the store has failed and takes no writes")                                               // 503
	ErrDiskFull     = errors.New("the disk is nearly full")                                                                // 507
	ErrNotFound     = errors.New("not found")                                                                              // 404
	ErrBadCursor    = errors.New("not a cursor of this site")                                                              // 400
	ErrQueryTimeout = errors.New("the query took too long")                                                                // 503 query_timeout
	ErrReportsBusy  = errors.New("too many reports are at work, try again")                                                // 503
	ErrTooMany      = errors.New("too many queries at once with this key")                                                 // 429
	ErrConflict     = errors.New("conflict")                                                                               // 409; wrapped with what is in the way
	ErrBadQuery     = errors.New("bad query")                                                                              // 400; wrapped with what is wrong
)

// ErrHeld comes with ErrDiskFull when Ingest returns although the store still reads the
// records: the log waits for space. They are stored later, or never.
var ErrHeld = errors.New("the store still reads the request")

// Damage says that stored bytes are not what was written. A read that meets them ends
// with it, and gives no part of its answer.
type Damage struct {
	File string // the damaged file of the store, or the run or the part of the log it holds
	Err  error  // what was found
}

func (d *Damage) Error() string { return "corrupt: " + d.File + ": " + d.Err.Error() }

// Unwrap returns what was found.
func (d *Damage) Unwrap() error { return d.Err }

// DamageOf returns the damage that an error tells of, nil when it tells of none. An error of
// the log or of the index has a method that names its file.
func DamageOf(err error) *Damage {
	var known *Damage
	if errors.As(err, &known) {
		return known
	}
	var below interface {
		error
		Damaged() (file, what string)
	}
	if errors.As(err, &below) {
		file, _ := below.Damaged()
		return &Damage{File: file, Err: err}
	}
	if errors.Is(err, event.ErrCorrupt) { // whoever read it knows no more
		return &Damage{File: "an event of the store", Err: err}
	}
	return nil
}

// Panic is a fault of cairn's in a goroutine of a query, as an error of that query.
type Panic struct {
	Value any
	Stack []byte // of the goroutine
}

func (p *Panic) Error() string { return fmt.Sprint("panic in a query: ", p.Value) }

// Recovered sets *err to the panic of the goroutine that defers it, if there is one. A panic
// that nobody recovers ends the process, and a goroutine of a query is below nobody.
func Recovered(err *error) {
	if r := recover(); r != nil {
		*err = &Panic{Value: r, Stack: debug.Stack()}
	}
}

// BadParameter is ErrBadQuery for one parameter of a question.
type BadParameter struct{ Field, Msg string }

// Bad returns an error about a parameter.
func Bad(field, format string, args ...any) error {
	return &BadParameter{field, fmt.Sprintf(format, args...)}
}

func (b *BadParameter) Error() string { return ErrBadQuery.Error() + ": " + b.Field + ": " + b.Msg }

// Unwrap returns ErrBadQuery.
func (b *BadParameter) Unwrap() error { return ErrBadQuery }
