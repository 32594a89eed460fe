package cli

import (
	"log/slog"
	"strconv"

	"cairn/cli/config"
	"cairn/engine"
	"cairn/engine/query"
	httpd "cairn/http"
	"cairn/http/adminlog"
)

// This file joins admin.log to the running server, and to commands that change a data directory
// without one.

// adminPart is admin.log as a part of the running server.
type adminPart struct {
	*adminlog.Log
	commands string // the socket for the commands of this machine
}

// newAdminPart makes the part, and has retention noted.
func newAdminPart(cfg *config.Config, opts *engine.Options, log *slog.Logger) adminPart {
	p := adminPart{adminlog.Open(cfg.DataDir, log), socketPath(cfg)}
	opts.Retained = func(site *query.Site, r query.Receipt) {
		p.Add(adminlog.Entry{Action: adminlog.Deletion, By: adminlog.ByRetention, Site: site.Name, What: strconv.FormatUint(r.ID, 10)})
	}
	return p
}

// Options implements asked.
func (p adminPart) Options(o *httpd.Options) { o.AdminLog, o.Commands = p.Log, p.commands }

// noteCommand says in the admin.log of a data directory what a command has done to it while no
// server ran. The error goes to log: what was done is done.
func noteCommand(dir string, log *slog.Logger, e adminlog.Entry) {
	l := adminlog.Open(dir, log)
	defer l.Close()
	e.By = adminlog.ByCommand
	l.Add(e)
}
