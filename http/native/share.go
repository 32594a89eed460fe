package native

import (
	"slices"
	"strings"

	"cairn/engine/event"
	"cairn/engine/query"
	"cairn/http/dialect"
)

// This file says what a share of the scope "numbers" may ask: numbers of the site, and nothing
// that tells people apart. It knows nothing of where the share came from.

// personal are the fields that tell people apart, or that hold what somebody has typed: the query
// of an address may be a name. No filter, break-down or list of values of such a share names one.
var personal = []string{"user", "anonymous", "session", "message_id", "ip", "latitude", "longitude", "url", "referrer"}

// shareMay returns why a share of numbers may not ask something: nil when it may. The conditions of
// the share's own filter are no part of q; those that saved= has brought in are. A parameter that can
// name a field, and of which the table says neither that nor that it is a filter, is a leak:
// TestShareParameters knows all parameters.
func shareMay(r *route, q *params, share *dialect.Share) error {
	if r.read == nil || r.names || r.right != dialect.Read || r.share != shareNumbers {
		return notShown(share, "this share shows numbers alone")
	}
	for _, c := range slices.Concat(q.where, q.saved) {
		if !shareNames(c.Field, share) {
			return notShared(share, c.Field, c.Field)
		}
	}
	each := func(check func(param, value string) error) error {
		for param, value := range q.single {
			if err := check(param, value); err != nil {
				return err
			}
		}
		for param, values := range q.lists {
			for _, value := range values {
				if err := check(param, value); err != nil {
					return err
				}
			}
		}
		return nil
	}
	err := each(func(param, value string) error {
		switch p := r.params.find(param); {
		case p.filter:
			where, err := filterIn(param, value)
			if err != nil {
				return err
			}
			for _, c := range where {
				if !shareNames(c.Field, share) {
					return notShared(share, param, c.Field)
				}
			}
		case p.field:
			for _, name := range append(strings.Split(value, ","), value) {
				if !shareNames(name, share) {
					return notShared(share, param, name)
				}
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	// A counter is of a property, unless it is one of those that every event has.
	if strings.HasSuffix(r.path, "/counters") {
		if q.single["property"] == "" && !share.AllProps {
			return &dialect.StatusError{Failure: dialect.Forbidden, Field: "property", Msg: "property: " + share.Called() + " needs one; it does not list properties"}
		}
		for _, param := range []string{"property", "segment"} {
			if name := q.single[param]; name != "" && name != "name" && !event.Detected(name) && !share.Property(name) {
				return notShared(share, param, name)
			}
		}
	}
	return nil
}

// notShown refuses a whole call with what a share says; an assistant sees no share.
func notShown(share *dialect.Share, msg string) error {
	if share.Assistant {
		msg = "an assistant may see numbers alone"
	}
	return &dialect.StatusError{Failure: dialect.Forbidden, Msg: msg}
}

// notShared refuses a parameter for the field that it names.
func notShared(share *dialect.Share, param, field string) error {
	param, field = shorten(param, 128), shorten(field, 128)
	return &dialect.StatusError{Failure: dialect.Forbidden, Field: param, Msg: param + ": " + share.Called() + " may not name " + field}
}

// shareNames reports whether a share of numbers may name a field, in any notation: with visit. or
// context. before it, or a path in quotes. A name that is none of a field is left to the call.
func shareNames(name string, share *dialect.Share) bool {
	name = strings.TrimSpace(name)
	for {
		bare := strings.TrimPrefix(strings.TrimPrefix(name, "visit."), "context.")
		if bare == name {
			break
		}
		name = bare
	}
	for _, prefix := range []string{"prop.", "extra."} {
		path, ok := strings.CutPrefix(name, prefix)
		if !ok {
			continue
		}
		if len(path) >= 2 && path[0] == '"' && path[len(path)-1] == '"' {
			path = path[1 : len(path)-1]
		}
		return share.Property(path)
	}
	return !slices.Contains(personal, name)
}

// sharedGoals returns the goals that a share of numbers may see: those of the configuration,
// and saved ones whose filters name nothing that it may not name. The others are left out, with their names.
func sharedGoals(goals []query.Goal, share *dialect.Share) []query.Goal {
	return slices.DeleteFunc(slices.Clone(goals), func(g query.Goal) bool {
		return g.Kind != query.GoalOfSite && slices.ContainsFunc(g.Where, func(c query.Cond) bool { return !shareNames(c.Field, share) })
	})
}
