package native

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"errors"
	"slices"
	"strconv"
	"strings"

	"cairn/engine/event"
	"cairn/engine/query"
	"cairn/http/dialect"
)

// This file keeps filters, goals, funnels, shares and notes: the calls below /api/v1/saved, and
// the parameter saved, which adds the filters of a saved filter to a call.

// savedNamesMax is how many saved filters one call may name.
const savedNamesMax = 8

// addSaved adds the filters that the parameter saved names. The conditions of each are a group
// of their own.
func (n *API) addSaved(ctx context.Context, c *reading) error {
	ids := c.query.lists["saved"]
	if len(ids) > savedNamesMax {
		return badField("saved", "at most "+strconv.Itoa(savedNamesMax))
	}
	for _, id := range ids {
		s, err := n.engine.Saved(ctx, c.site, id)
		switch {
		case errors.Is(err, query.ErrNotFound):
			return &dialect.StatusError{Failure: dialect.NotFound, Field: "saved", Msg: "saved: no such saved filter"}
		case err != nil:
			return err
		case s.Kind != query.SavedFilter:
			return badField("saved", "is no filter but a "+string(s.Kind))
		}
		where, err := savedFilters(&s)
		if err != nil {
			return err
		}
		if c.query.known.find("visit.") == nil && slices.ContainsFunc(where, func(w query.Cond) bool { return w.Visit }) {
			return badField("saved", "has a filter on visits, which this call does not take")
		}
		c.query.saved = append(c.query.saved, where...)
	}
	return nil
}

// savedFilters returns the filters in the query of a saved filter.
func savedFilters(s *query.Saved) ([]query.Cond, error) {
	q, err := parseQuery(s.Query, savedParams)
	var status *dialect.StatusError
	if errors.As(err, &status) { // a filter of another cairn
		return nil, badField("saved", "in its query: "+status.Msg)
	}
	return q.where, err
}

// conds returns all conditions of a query. Its own are merged by field and operator, where a
// repeat means OR; those of saved filters are not.
func (q *params) conds() []query.Cond { return slices.Concat(q.where, q.saved) }

// allSaved is GET /api/v1/saved, by kind and name.
func (n *API) allSaved(ctx context.Context, c *reading) error {
	kind := query.SavedKind(c.query.single["kind"])
	all, err := n.engine.AllSaved(ctx, c.site)
	if err != nil {
		return err
	}
	if kind != "" {
		all = slices.DeleteFunc(slices.Clone(all), func(s query.Saved) bool { return s.Kind != kind })
	}
	c.out = append(c.out, `{"saved":[`...)
	for i := range all {
		if i > 0 {
			c.out = append(c.out, ',')
		}
		c.out = append(appendSaved(c.out, &all[i]), '}')
	}
	c.out = append(c.out, "]}"...)
	return nil
}

// save is POST /api/v1/saved and PUT /api/v1/saved/{id}. The answer to a new share has its token,
// which nothing shows again.
func (n *API) save(ctx context.Context, c *reading) error {
	if form, err := formOf(c.req.Header("Content-Type")); err != nil || form != formJSON {
		return &dialect.StatusError{Failure: dialect.BadMedia, Field: "Content-Type", Msg: "send application/json"}
	}
	id := ""
	if len(c.ids) > 0 {
		id = c.ids[0]
	}
	s, err := readSaved(c.req.Body, id, location(c.site))
	if err != nil {
		return err
	}
	token := ""
	if s.ID == "" && s.Share != nil {
		var random [20]byte
		_, _ = rand.Read(random[:])
		token = strings.ToLower(base32.StdEncoding.EncodeToString(random[:]))
		s.Share.Token = sha256.Sum256([]byte(token))
	}
	if s, err = n.engine.Save(ctx, c.site, s); err != nil {
		return engineError(err)
	}
	c.out = append(appendText(appendSaved(c.out, &s), "token", token), '}')
	return nil
}

// unsave is DELETE /api/v1/saved/{id}.
func (n *API) unsave(ctx context.Context, c *reading) error {
	if err := n.engine.Unsave(ctx, c.site, c.ids[0]); err != nil {
		return err
	}
	c.out = append(event.AppendString(append(c.out, `{"id":`...), c.ids[0]), '}')
	return nil
}

// appendSaved appends a saved thing without the closing brace.
func appendSaved(dst []byte, s *query.Saved) []byte {
	for _, member := range [...][2]string{{`{"id":`, s.ID}, {`,"kind":`, string(s.Kind)}, {`,"name":`, s.Name}, {`,"query":`, s.Query}} {
		dst = event.AppendString(append(dst, member[0]...), member[1])
	}
	dst = appendUint(dst, `,"revision":`, s.Revision)
	if share := s.Share; share != nil {
		dst = event.AppendString(append(dst, `,"scope":`...), share.Scope)
		dst = appendTextOrNull(append(dst, `,"filter":`...), query.Text{Text: share.Filter, Null: share.Filter == ""})
		dst = event.AppendStrings(append(dst, `,"props":`...), share.Props)
		dst = event.AppendStrings(append(dst, `,"embed":`...), share.Embed)
		dst = append(dst, `,"expires":`...)
		if share.Expires == 0 {
			dst = append(dst, "null"...)
		} else {
			dst = appendTime(dst, share.Expires)
		}
	}
	if note := s.Note; note != nil {
		dst = appendTime(append(dst, `,"time":`...), note.Time)
		dst = event.AppendString(append(dst, `,"text":`...), note.Text)
	}
	return dst
}
