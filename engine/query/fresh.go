// Fresh: how new an answer is to be, which one the caller has, and whose work it is.

package query

import (
	"context"
	"time"
)

// Fresh says how new the answer to a Query or a CounterQuery is to be, and is told what it is
// true of. Of a Report the fields of the same names say it.
type Fresh struct {
	Now    int64         // Unix milliseconds
	MaxAge time.Duration // an answer as old as this will do; 0 = one that is true now
	Tag    string        // the tags of answers that the caller has, separated by commas

	AsOf AsOf // set by the call; with Same the answer is empty
}

type workKey struct{}

// WithWork returns a context whose queries call begin before they begin to work, which a kept
// answer is not. begin returns what to call at the end of the work, or an error, with which the
// query ends.
func WithWork(ctx context.Context, begin func() (end func(), err error)) context.Context {
	return context.WithValue(ctx, workKey{}, begin)
}

// BeginWork begins the work of a query, see WithWork.
func BeginWork(ctx context.Context) (end func(), err error) {
	if begin, ok := ctx.Value(workKey{}).(func() (func(), error)); ok {
		return begin()
	}
	return func() {}, nil
}
