package openpanel

import (
	"context"

	"cairn/http/dialect"
)

// Read answers a GET of the export, of insights, or of the health check.
func (protocol) Read(ctx context.Context, req *dialect.Request, r dialect.Reader, res *dialect.Response) error {
	res.Status, res.ContentType = 200, contentType
	if plain(req.Path) == "/healthcheck" {
		res.Body = append(res.Body[:0], `{"ready":true}`...)
		return nil
	}
	return &dialect.StatusError{Failure: dialect.NotFound, Msg: "there is nothing here"}
}
