package native

import (
	"slices"
	"strings"

	"cairn/engine/query"
	"cairn/http/dialect"
)

// This file holds a call to the share that its request came by, see dialect.Share.

// shared refuses what the share of the request does not show, and adds the share's filter to the
// conditions of the call as a group of its own.
func (c *reading) shared(route *route) error {
	share := c.req.Share
	switch {
	case share == nil:
		return nil
	case route.read == nil, route.share == shareNever:
		return notShown(share, "this share does not show that")
	case share.Numbers:
		if err := shareMay(route, &c.query, share); err != nil {
			return err
		}
	}
	if share.Filter == "" || route.unfiltered {
		return nil
	}
	where, err := savedFilters(&query.Saved{Query: share.Filter})
	if err != nil {
		return err
	}
	takes := route.params.find("saved") != nil
	if !takes || route.params.find("visit.") == nil && slices.ContainsFunc(where, func(w query.Cond) bool { return w.Visit }) {
		return &dialect.StatusError{Failure: dialect.Forbidden, Msg: "this share has a filter, which this call does not take"}
	}
	c.query.saved = append(slices.Clip(c.query.saved), where...)
	return nil
}

// shows says whether the list of fields may name a field.
func (c *reading) shows(field string) bool {
	return c.req.Share == nil || !c.req.Share.Numbers || shareNames(strings.TrimSpace(field), c.req.Share)
}
