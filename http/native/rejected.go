package native

import (
	"context"
	"slices"
	"strconv"
	"strings"

	"cairn/engine/event"
	"cairn/engine/query"
)

// This file lists what was refused, to the admin: why events do not arrive.

// RejectedMax is how many refused events the server keeps, in memory.
const RejectedMax = 1000

// Rejected is an event, or a whole request with events, that was refused. It has no value that
// a client sent, and no name that a client chose.
type Rejected struct {
	Seq       uint64 // its number since the server started, from 1
	Time      int64  // in Unix milliseconds
	Site      string // "" = not known, since the credential opens none
	Dialect   event.Dialect
	Field     string // at fault; "" = none, or one whose name the client chose
	Reason    string
	RequestID string
	More      uint64 // like it, refused since the one before it, and not kept by themselves
}

// rejected is GET /api/v1/admin/rejected: the newest first, or from a cursor on with since. A
// cursor is the number of one of them, after the start of the server that gave it.
func (n *API) rejected(_ context.Context, c *reading) error {
	limit := int(c.query.number("limit"))
	since, given, err := n.rejectedCursor(c, "since")
	if err != nil {
		return err
	}
	after, paged, err := n.rejectedCursor(c, "after")
	if err != nil {
		return err
	}
	if given && paged {
		return badField("since", "cannot be used with after")
	}
	var all []Rejected
	if n.options.Rejected != nil {
		all = n.options.Rejected()
	}
	last, lost := uint64(0), uint64(0)
	if len(all) > 0 {
		last = all[len(all)-1].Seq
		if first := all[0].Seq; given && first > since+1 {
			lost = first - since - 1
		}
	}
	all = slices.DeleteFunc(all, func(r Rejected) bool {
		return c.site != nil && r.Site != c.site.Name || given && r.Seq <= since || paged && r.Seq >= after
	})
	next := query.Text{Null: true}
	if given {
		if len(all) > limit {
			all = all[:limit]
			last = all[limit-1].Seq
		}
	} else {
		slices.Reverse(all)
		if len(all) > limit {
			all = all[:limit]
			next = query.Text{Text: n.rejectedAt(all[limit-1].Seq)}
		}
	}
	c.out = append(c.out, `{"rejected":[`...)
	for i := range all {
		if i > 0 {
			c.out = append(c.out, ',')
		}
		c.out = appendRejected(c.out, &all[i])
	}
	c.out = appendTextOrNull(append(c.out, `],"next":`...), next)
	c.out = event.AppendString(append(c.out, `,"cursor":`...), n.rejectedAt(last))
	c.out = append(appendUint(c.out, `,"lost":`, lost), '}')
	return nil
}

func appendRejected(dst []byte, r *Rejected) []byte {
	orNull := func(key, text string) {
		dst = appendTextOrNull(append(dst, key...), query.Text{Text: text, Null: text == ""})
	}
	dst = appendTime(append(dst, `{"time":`...), r.Time)
	orNull(`,"site":`, r.Site)
	dst = event.AppendString(append(dst, `,"dialect":`...), string(r.Dialect))
	orNull(`,"field":`, r.Field)
	dst = event.AppendString(append(dst, `,"reason":`...), r.Reason)
	dst = event.AppendString(append(dst, `,"request_id":`...), r.RequestID)
	return append(appendUint(dst, `,"more":`, r.More), '}')
}

// rejectedAt is the cursor of a place in the list.
func (n *API) rejectedAt(seq uint64) string { return n.run + "-" + strconv.FormatUint(seq, 10) }

// rejectedCursor reads a cursor. One of another run of the server is before all of this one.
func (n *API) rejectedCursor(c *reading, param string) (seq uint64, given bool, err error) {
	text := c.query.single[param]
	if text == "" {
		return 0, false, nil
	}
	run, number, found := strings.Cut(text, "-")
	if _, bad := strconv.ParseUint(run, 16, 64); bad != nil || !found {
		return 0, true, badField(param, query.ErrBadCursor.Error())
	}
	seq, bad := strconv.ParseUint(number, 10, 64)
	switch {
	case bad != nil:
		return 0, true, badField(param, query.ErrBadCursor.Error())
	case run != n.run:
		return 0, true, nil
	}
	return seq, true, nil
}
