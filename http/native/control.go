package native

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"strconv"

	"cairn/engine/event"
	"cairn/engine/query"
	"cairn/http/adminlog"
	"cairn/http/dialect"
)

// This file has the calls that change the configuration of the running server. Only the process can
// do that, so it gives the API a Control.

// Control is the process as the API sees it. An error that the client is to see is a
// *dialect.StatusError. It may keep the texts that it gets. A call that changes something returns when
// the change is on the disk and in force.
type Control interface {
	// Reload reads the configuration again.
	Reload() (Change, error)
	// AllSites are the sites, those of the configuration first.
	AllSites() []ConfiguredSite
	// AddSite makes a site. settings are keys of [[site]], with values as encoding/json has them.
	AddSite(name string, settings map[string]any) (Change, error)
	// SetSite changes settings of a site.
	SetSite(name string, settings map[string]any) (Change, error)
	// RemoveSite removes a site. Its events stay, unless the caller has deleted them: purged.
	RemoveSite(name string, purged bool) (Change, error)
	// Removable says why a site cannot be removed, nil if it can.
	Removable(name string) error
}

// ConfiguredSite is a site as it is configured.
type ConfiguredSite struct {
	Name     string
	ID       uint32
	Made     bool   // at run time: it can be changed and removed by calls
	File     string // that it is in; "" = none, cairn added it
	Settings []byte // a JSON object
}

// Change is what a change has done.
type Change struct {
	Changed []string        // keys, and sites as "site shop"
	Restart []string        // keys that have another value in the configuration, which needs a restart
	Notes   []string        // sentences for the operator
	Site    *ConfiguredSite // as it is now; nil = none, or it is gone
}

// siteBodyMax bounds the settings of one site: goals may be many.
const siteBodyMax = 256 << 10

var errNoControl = &dialect.StatusError{Failure: dialect.NotFound, Msg: "this server only reads a store, and has no configuration to change"}

// control is Options.Control, or an error if there is none.
func (n *API) control() (Control, error) {
	if n.options.Control == nil {
		return nil, errNoControl
	}
	return n.options.Control, nil
}

// reload is POST /api/v1/admin/reload.
func (n *API) reload(_ context.Context, c *reading) error {
	return n.change(c, adminlog.Entry{Action: adminlog.Reload}, Control.Reload)
}

// addSite is POST /api/v1/admin/sites.
func (n *API) addSite(_ context.Context, c *reading) error {
	settings, err := readSettings(c)
	if err != nil {
		return err
	}
	name, ok := settings["name"].(string)
	if !ok || name == "" {
		return badField("name", "is missing: the site needs one")
	}
	delete(settings, "name")
	return n.change(c, adminlog.Entry{Action: adminlog.SiteAdd, Site: name}, func(p Control) (Change, error) { return p.AddSite(name, settings) })
}

// setSite is PATCH /api/v1/admin/sites/{name}.
func (n *API) setSite(_ context.Context, c *reading) error {
	settings, err := readSettings(c)
	if err != nil {
		return err
	}
	return n.change(c, adminlog.Entry{Action: adminlog.SiteSet, Site: c.ids[0]}, func(p Control) (Change, error) { return p.SetSite(c.ids[0], settings) })
}

// change answers with what a change has done, and notes it.
func (n *API) change(c *reading, note adminlog.Entry, do func(Control) (Change, error)) error {
	p, err := n.control()
	if err != nil {
		return err
	}
	done, err := do(p)
	if err == nil {
		c.out = appendChange(c.out, &done)
	}
	note.Failed = err != nil
	n.options.Note(c.req, note)
	return err
}

// configuredSites is GET /api/v1/admin/sites.
func (n *API) configuredSites(_ context.Context, c *reading) error {
	p, err := n.control()
	if err != nil {
		return err
	}
	c.out = append(c.out, `{"sites":[`...)
	for i, s := range p.AllSites() {
		if i > 0 {
			c.out = append(c.out, ',')
		}
		c.out = appendConfigured(c.out, &s)
	}
	c.out = append(c.out, "]}"...)
	return nil
}

// configuredSite is GET /api/v1/admin/sites/{name}.
func (n *API) configuredSite(_ context.Context, c *reading) error {
	p, err := n.control()
	if err != nil {
		return err
	}
	for _, s := range p.AllSites() {
		if s.Name == c.ids[0] {
			c.out = appendConfigured(c.out, &s)
			return nil
		}
	}
	return errNoSite
}

var errNoSite = &dialect.StatusError{Failure: dialect.NotFound, Msg: "no such site"}

// removeSite is DELETE /api/v1/admin/sites/{name}. With purge=1 the events are deleted, too; the site
// then stays without them if it cannot be removed, or with keep=1.
func (n *API) removeSite(ctx context.Context, c *reading) error {
	purge, keep, dryRun := c.query.yes("purge"), c.query.yes("keep"), c.query.yes("dry_run")
	var p Control
	var why error = errNoControl
	if n.options.Control != nil {
		p = n.options.Control
		why = p.Removable(c.ids[0])
	}
	if !purge {
		switch {
		case why != nil:
			return why
		case keep || dryRun || c.query.yes("now") || c.query.single["reason"] != "":
			return badField("purge", "must be 1 for keep, dry_run, now and reason: without it no event is deleted")
		}
		return n.change(c, adminlog.Entry{Action: adminlog.SiteRemove, Site: c.ids[0]}, func(p Control) (Change, error) { return p.RemoveSite(c.ids[0], false) })
	}
	err := n.deleteSite(ctx, c)
	if nothing := new(dialect.StatusError); errors.As(err, &nothing) && nothing.Failure == dialect.NotFound && why == nil && !keep {
		err, c.out = nil, append(c.out, `{"rows":0`...) // it has no event
		c.out = append(c.out, '}')
	}
	if err != nil || why != nil || keep || dryRun {
		return err
	}
	site := c.site
	if site == nil {
		return errNoSite
	}
	done, err := p.RemoveSite(c.ids[0], true)
	n.options.Note(c.req, adminlog.Entry{Action: adminlog.SiteRemove, Site: c.ids[0], Failed: err != nil})
	if err != nil {
		return err
	}
	// Events may have come between the two.
	if _, err := n.engine.Delete(ctx, site, query.Deletion{Kind: query.DeleteSite, By: "admin_token"}); err != nil && !errors.Is(err, query.ErrNotFound) {
		return engineError(err)
	}
	c.out = append(c.out[:len(c.out)-1], `,"removed":`...)
	c.out = append(appendChange(c.out, &done), '}')
	return nil
}

// readSettings reads a JSON object of settings.
func readSettings(c *reading) (map[string]any, error) {
	if form, err := formOf(c.req.Header("Content-Type")); err != nil || form != formJSON {
		return nil, &dialect.StatusError{Failure: dialect.BadMedia, Field: "Content-Type", Msg: "send application/json"}
	}
	var settings map[string]any
	d := json.NewDecoder(bytes.NewReader(c.req.Body))
	if err := d.Decode(&settings); err != nil || settings == nil || d.More() {
		return nil, badRequest("the body must be one JSON object of settings")
	}
	return settings, nil
}

// appendChange appends a Change.
func appendChange(dst []byte, c *Change) []byte {
	dst = event.AppendStrings(append(dst, `{"changed":`...), c.Changed)
	dst = event.AppendStrings(append(dst, `,"restart":`...), c.Restart)
	dst = event.AppendStrings(append(dst, `,"notes":`...), c.Notes)
	dst = append(dst, `,"site":`...)
	if c.Site == nil {
		dst = append(dst, "null"...)
	} else {
		dst = appendConfigured(dst, c.Site)
	}
	return append(dst, '}')
}

// appendConfigured appends a ConfiguredSite.
func appendConfigured(dst []byte, s *ConfiguredSite) []byte {
	dst = event.AppendString(append(dst, `{"name":`...), s.Name)
	dst = appendUint(dst, `,"id":`, uint64(s.ID))
	dst = strconv.AppendBool(append(dst, `,"made":`...), s.Made)
	dst = appendTextOrNull(append(dst, `,"file":`...), query.Text{Text: s.File, Null: s.File == ""})
	return append(append(append(dst, `,"settings":`...), s.Settings...), '}')
}
