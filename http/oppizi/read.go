package oppizi

import (
	"context"
	"errors"
	"strconv"
	"strings"

	"cairn/engine/event"
	"cairn/engine/query"
	"cairn/http/dialect"
)

// Read answers a GET: one page of the site's Oppizi events, newest first, and
// how many match the filters in all.
func (protocol) Read(ctx context.Context, req *dialect.Request, r dialect.Reader, res *dialect.Response) error {
	if err := found(req.Path); err != nil {
		return err
	}
	q, err := parseQuery(req.RawQuery)
	if err != nil {
		return err
	}
	page, err := r.List(ctx, q)
	if err != nil {
		// The query was checked above, so the Reader means the cursor.
		var status *dialect.StatusError
		if q.After != "" && errors.As(err, &status) && status.Failure == dialect.BadRequest {
			return dialect.Refuse("startingAfter", "not a cursor of this account")
		}
		return err
	}
	totals, err := r.Count(ctx, query.Query{Where: q.Where})
	if err != nil {
		return err
	}
	res.Status, res.ContentType = 200, contentType
	res.Body = appendPage(res.Body[:0], page.Events, totals.Events, page.Next)
	return nil
}

// parseQuery reads the parameters of a listing. Values of one parameter are alternatives;
// different parameters must all hold. Unknown parameters are ignored. A refusal is an
// *event.FieldError.
func parseQuery(raw string) (query.Query, error) {
	q := query.Query{Limit: pageDefault}
	names := query.Cond{Field: "name"}
	values := query.Cond{Field: "value"}
	var entries []query.Cond // in the order first seen
	limit := ""
	for name, text := range dialect.Form(raw) {
		switch name {
		case "limit":
			limit = text
		case "startingAfter":
			q.After = text
		case "eventName", "eventName[]":
			names.Values = appendPieces(names.Values, text)
		case "value", "value[]":
			values.Values = appendPieces(values.Values, text)
		default:
			key, ok := strings.CutPrefix(name, "metadata.")
			if !ok {
				continue
			}
			if key == "" {
				return q, dialect.Refuse("metadata.", "a key must not be empty")
			}
			// The key is literal: "a.b" is one key, as metadata does not nest.
			entries = appendEntry(entries, "prop."+key, text)
		}
		if len(entries) > entriesMax {
			return q, dialect.Refuse("metadata", "at most 50 keys")
		}
	}
	if limit != "" {
		n, ok := pageSize(limit)
		if !ok {
			return q, dialect.Refuse("limit", "must be an integer from 1 to 100")
		}
		q.Limit = n
	}
	if q.After != "" && !isCursor(q.After) {
		return q, dialect.Refuse("startingAfter", "not a cursor")
	}

	q.Where = append(q.Where, query.Cond{Field: "dialect", Values: []string{string(event.Oppizi)}})
	for _, cond := range append([]query.Cond{names, values}, entries...) {
		if len(cond.Values) > valuesMax {
			return q, dialect.Refuse(param(cond.Field), "at most 100 values")
		}
		if len(cond.Values) > 0 {
			q.Where = append(q.Where, cond)
		}
	}
	return q, nil
}

// param is the parameter, or family of parameters, that asks for field.
func param(field string) string {
	switch field {
	case "name":
		return "eventName"
	case "value":
		return "value"
	}
	return "metadata"
}

// appendPieces adds the values that one text of eventName or value asks for: the whole text,
// so that a name with a comma can be found, and each piece between commas. An empty text
// asks for nothing.
func appendPieces(values []string, text string) []string {
	if text == "" {
		return values
	}
	values = append(values, text)
	if strings.IndexByte(text, ',') < 0 {
		return values
	}
	for piece := range strings.SplitSeq(text, ",") {
		if piece = strings.TrimSpace(piece); piece != "" {
			values = append(values, piece)
		}
	}
	return values
}

func appendEntry(entries []query.Cond, field, text string) []query.Cond {
	for i := range entries {
		if entries[i].Field == field {
			entries[i].Values = append(entries[i].Values, text)
			return entries
		}
	}
	return append(entries, query.Cond{Field: field, Values: []string{text}})
}

// pageSize reads a limit: ASCII digits only.
func pageSize(s string) (int, bool) {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return 0, false
		}
	}
	n, err := strconv.Atoi(s)
	return n, err == nil && 1 <= n && n <= pageMax
}

// isCursor says that s has the shape of an event id. The Reader decides whether it is one of
// this site.
func isCursor(s string) bool {
	return len(s) == 32 && strings.Trim(s, "0123456789abcdef") == ""
}
