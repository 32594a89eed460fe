package native

import (
	"slices"
	"strings"

	"cairn/engine/query"
	"cairn/http/dialect"
)

// This file holds a call to the share that its request came by, see dialect.Share.

// neverShared are the reads that no share may ask: they tell of all that is saved, and of all
// sites; and an export is work that only few may ask for.
var neverShared = []string{"/api/v1/saved", "/api/v1/sites", "/api/v1/export"}

// unfiltered is the one call that a share with a filter may ask though it takes none: what a site
// is.
const unfiltered = "/api/v1/site"

// shared refuses what the share of the request does not show, and adds the share's filter to the
// conditions of the call as a group of its own.
func (c *reading) shared(route *route) error {
	share := c.req.Share
	switch {
	case share == nil:
		return nil
	case route.read == nil, slices.Contains(neverShared, route.path):
		return &dialect.StatusError{Failure: dialect.Forbidden, Msg: "this share does not show that"}
	case share.Numbers:
		if err := shareMay(route, &c.query, share.Props); err != nil {
			return err
		}
	}
	if share.Filter == "" || route.path == unfiltered {
		return nil
	}
	where, err := savedFilters(&query.Saved{Query: share.Filter})
	if err != nil {
		return err
	}
	takes := slices.Contains(route.params, "saved")
	if !takes || !slices.Contains(route.params, "visit.") && slices.ContainsFunc(where, func(w query.Cond) bool { return w.Visit }) {
		return &dialect.StatusError{Failure: dialect.Forbidden, Msg: "this share has a filter, which this call does not take"}
	}
	c.query.saved = append(slices.Clip(c.query.saved), where...)
	return nil
}

// shows says whether the list of fields may name a field.
func (c *reading) shows(field string) bool {
	return c.req.Share == nil || !c.req.Share.Numbers || shareNames(strings.TrimSpace(field), c.req.Share.Props)
}
