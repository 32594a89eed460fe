// Listings for callers who may have them already: a page is not kept, but whether it is still
// the same is known.

package read

import (
	"context"

	"cairn/engine/query"
)

// List returns one page of the events that q selects, in the order of receipt; see
// engine.API. When the time is over it returns the events found so far and a cursor to go
// on, unless q skips events: then it returns query.ErrQueryTimeout.
func (rd *Reader) List(ctx context.Context, q query.Query) (query.Page, error) {
	return listing(ctx, rd, &q, "events", 0, func() (query.Page, error) { return rd.list(ctx, q) })
}

// Sessions returns one page of sessions, ordered by their first events, newest first. A
// session is listed when one of its events satisfies the conditions and times of q. next is
// the cursor of the next page, "" on the last one.
func (rd *Reader) Sessions(ctx context.Context, q query.Query) (sessions []query.Session, next string, err error) {
	// A session is shown whole, with its events outside of the range.
	_, err = listing(ctx, rd, &q, "sessions", AnyRow, func() (_ struct{}, err error) {
		sessions, next, err = rd.sessions(ctx, q)
		return struct{}{}, err
	})
	return sessions, next, err
}

// Users returns one page of profiles, ordered by the persons' first events, newest first.
// next is the cursor of the next page, "" on the last one. When the time is over, Users
// returns the profiles computed so far and a cursor to go on. q selects the site and the page
// only.
func (rd *Reader) Users(ctx context.Context, q query.Query) (users []query.User, next string, err error) {
	_, err = listing(ctx, rd, &q, "users", AnyRow, func() (_ struct{}, err error) {
		users, next, err = rd.users(ctx, q)
		return struct{}{}, err
	})
	return users, next, err
}

// listing returns what page returns, or nothing if the caller of q has it already.
func listing[T any](ctx context.Context, rd *Reader, q *query.Query, kind string, rules Rule, page func() (T, error)) (T, error) {
	if q.Fresh == nil {
		return page()
	}
	v := rd.view(ctx, q.Site) // of the moment before the page is read
	defer v.Close()
	ask := rd.ask(q, kind+" "+pagingKey(q), rules)
	ask.listing = true
	return keep(rd.results, v, ask, q.Fresh, nil, page)
}
