package native

import (
	"context"

	"cairn/engine/event"
	"cairn/http/adminlog"
	"cairn/http/dialect"
)

var errNoDashboard = &dialect.StatusError{Failure: dialect.NotFound, Msg: "there is no dashboard"}

// makeLoginLink is POST /api/v1/admin/login-link, which only the admin's token may ask for: who
// has the link gets the rights of that token, once.
func (n *API) makeLoginLink(_ context.Context, c *reading) error {
	url, until, err := n.options.LoginLink(c.req)
	if err != nil {
		return err
	}
	n.options.Note(c.req, adminlog.Entry{Action: adminlog.LoginLink})
	c.out = event.AppendString(append(c.out, `{"url":`...), url)
	c.out = append(appendTime(append(c.out, `,"expires":`...), until.UnixMilli()), '}')
	return nil
}
