package dialecttest

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"cairn/engine/event"
	"cairn/engine/query"
	"cairn/http/dialect"
)

// Store replaces the engine in tests. It keeps the events of one site in memory, and each read
// walks over all of them. It filters as the engine does, except for persons: the filter user
// compares the literal id, and Totals.Users counts distinct ids.
//
// The public id of an event is its seq in 32 hex digits. Only one goroutine at a time may use
// a Store. The zero Store is empty.
type Store struct {
	events []*event.Event // by seq from 1; nil = erased
}

var _ dialect.Reader = (*Store)(nil)

// Add stores a copy of e with the time when it was received, and returns its id. It encodes and
// decodes the copy as a stored record, so that it loses the same data as the real store.
func (s *Store) Add(e *event.Event, receivedUnixMilli int64) (id string, err error) {
	in := *e
	in.Received = receivedUnixMilli
	if in.Time == 0 {
		in.Time = receivedUnixMilli
	}
	record := event.AppendRecord(nil, &event.Head{Session: in.Session}, event.AppendBody(nil, &in))
	kept, err := event.DecodeRecord(record)
	if err != nil {
		return "", fmt.Errorf("decode the record of an event: %w", err)
	}
	s.events = append(s.events, kept)
	kept.Seq = uint64(len(s.events))
	kept.ID = fmt.Sprintf("%032x", kept.Seq)
	return kept.ID, nil
}

// Find returns the seq of the event with a message id, or 0 if there is none.
func (s *Store) Find(d event.Dialect, messageID string) uint64 {
	for i, e := range s.events {
		if e != nil && e.Dialect == d && e.MessageID == messageID && messageID != "" {
			return uint64(i + 1)
		}
	}
	return 0
}

// Erase removes an event. Its id remains valid as a position in listings.
func (s *Store) Erase(id string) {
	if seq, err := s.position(id); err == nil {
		s.events[seq-1] = nil
	}
}

// position returns the seq of an id.
func (s *Store) position(id string) (seq uint64, err error) {
	if n, _ := fmt.Sscanf(id, "%032x", &seq); n != 1 || fmt.Sprintf("%032x", seq) != id || seq < 1 || seq > uint64(len(s.events)) {
		return 0, &dialect.StatusError{Failure: dialect.BadRequest, Field: "after", Msg: "not a cursor of this site"}
	}
	return seq, nil
}

// List returns the page of q. Limit is 1 to 1000.
func (s *Store) List(_ context.Context, q query.Query) (query.Page, error) {
	if q.Limit < 1 || q.Limit > 1000 {
		return query.Page{}, &dialect.StatusError{Failure: dialect.BadRequest, Field: "limit", Msg: "must be 1 to 1000"}
	}
	var after uint64
	if q.After != "" {
		var err error
		if after, err = s.position(q.After); err != nil {
			return query.Page{}, err
		}
	}
	var page query.Page
	skip := q.Skip
	for _, e := range s.ordered(q.Ascending) {
		if after != 0 && (q.Ascending && e.Seq <= after || !q.Ascending && e.Seq >= after) || !matches(e, q) {
			continue
		}
		if skip > 0 {
			skip--
			continue
		}
		if len(page.Events) == q.Limit {
			page.Next = page.Events[q.Limit-1].ID
			break
		}
		page.Events = append(page.Events, e)
	}
	return page, nil
}

// Count counts the events that q selects. It ignores Limit and After.
func (s *Store) Count(_ context.Context, q query.Query) (query.Totals, error) {
	var totals query.Totals
	users, sessions := map[string]bool{}, map[string]bool{}
	for _, e := range s.ordered(true) {
		if !matches(e, q) {
			continue
		}
		totals.Events++
		if who := e.User + e.Anonymous; who != "" {
			if e.User != "" {
				who = e.User
			}
			users[who] = true
		}
		if e.Session != "" {
			sessions[string(e.Dialect)+" "+e.Session] = true
		}
	}
	totals.Users, totals.Sessions = uint64(len(users)), uint64(len(sessions))
	return totals, nil
}

// ordered lists the events that are not erased.
func (s *Store) ordered(ascending bool) []*event.Event {
	var list []*event.Event
	for _, e := range s.events {
		if e != nil {
			list = append(list, e)
		}
	}
	if !ascending {
		slices.Reverse(list)
	}
	return list
}

func matches(e *event.Event, q query.Query) bool {
	if q.From != 0 && e.Time < q.From || q.To != 0 && e.Time >= q.To {
		return false
	}
	for _, cond := range q.Where {
		if holds(e, cond) == (cond.Op == query.OpNot) {
			return false
		}
	}
	return true
}

// holds says whether a term of the field equals a value of cond.
func holds(e *event.Event, cond query.Cond) bool {
	have := terms(e, cond.Field)
	for _, value := range cond.Values {
		for _, term := range event.QueryTerms(value) {
			if slices.Contains(have, term) {
				return true
			}
		}
	}
	return false
}

// terms returns the terms of a filter's field in e.
func terms(e *event.Event, field string) []string {
	text := ""
	switch field {
	case "name":
		text = e.Name
	case "user":
		text = e.User
	case "anonymous":
		text = e.Anonymous
	case "session", "session_name":
		text = e.Session
	case "message_id":
		text = e.MessageID
	case "type":
		text = string(e.Type)
	case "dialect":
		text = string(e.Dialect)
	case "group":
		return e.Groups
	case "value":
		return leaves(nil, e.Value, "", "")
	default:
		if path, ok := strings.CutPrefix(field, "counted."); ok {
			if found := objectLeaves(e.Properties, path); found != nil {
				return found
			}
			return terms(e, path)
		}
		if path, ok := strings.CutPrefix(field, "prop."); ok {
			return objectLeaves(e.Properties, path)
		}
		if path, ok := strings.CutPrefix(field, "extra."); ok {
			return objectLeaves(e.Extra, path)
		}
		return leaves(nil, e.Context.Get(field), "", "")
	}
	if text == "" {
		return nil
	}
	return []string{text}
}

// objectLeaves returns the terms of the scalars of o at a dotted path.
func objectLeaves(o event.Object, path string) []string {
	var list []string
	for i := range o {
		list = leaves(list, o[i].Value, o[i].Key, path)
	}
	return list
}

// leaves appends the terms of the scalars in v whose whole path is want. v itself is at the path
// key.
func leaves(list []string, v event.Value, key, want string) []string {
	event.CellLeaves(event.AppendCell(nil, v), func(path, term string) bool {
		full := key
		if path != "" {
			full += "." + path
		}
		if full == want {
			list = append(list, strings.Clone(term))
		}
		return true
	})
	return list
}
