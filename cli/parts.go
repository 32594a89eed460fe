package cli

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"

	"cairn/cli/config"
	"cairn/engine"
	"cairn/engine/enrich"
	"cairn/geo"
	httpd "cairn/http"
)

// This file says what a part of the running server is, and has the list of all parts. To add one,
// add a line to newParts.

// part is a part of a process beside the store and the http server: it has metrics, and reasons
// for /healthz, of its own. A part is made once, before the store is opened, and used by many
// goroutines. What else it can do, it says by the interfaces below. What has to be closed when the
// process has closed its store goes into process.closers.
type part interface {
	Metrics(put func(name, kind, help string, value float64, labels ...string))
	Troubles() []string
}

// reloader is a part that takes a new configuration without a restart.
type reloader interface {
	// Prepare makes ready what next, which is valid, asks of the part. An error refuses the whole
	// configuration, and apply is not called; it names the key. apply takes over what was
	// prepared, at once and without an error. nil = there is nothing to do. Nothing may change
	// before apply is called, because another part may refuse.
	Prepare(next *config.Config) (apply func(), err error)
}

// starter is a part that does something by itself while the store is open.
type starter interface {
	// Start begins that when the store is open and the listeners answer. An error stops the
	// server. ctx ends when the server begins to stop. A store that was opened for reading alone
	// is opened again when its disk has space: Stop and Start are called again.
	Start(ctx context.Context, p *process) error
	// Stop returns when nothing of the part uses the store any more. All requests have been
	// answered. It has a second or two.
	Stop()
}

// asked is a part that the http server asks.
type asked interface {
	// Options puts the part into the options of the server, before that is made.
	Options(o *httpd.Options)
}

// newParts makes the parts of a process, and sets the options of the store that come from them.
// With an error there is nothing to close.
func (p *process) newParts(opts *engine.Options) error {
	salts, err := enrich.OpenSalts(filepath.Join(p.config().DataDir, "salts"), nil, nil)
	if err != nil {
		return fmt.Errorf("%w. No event is lost. Mend %s or remove it; visitors without an id then count as new today", err, filepath.Join(p.config().DataDir, "salts"))
	}
	if p.certs, err = newCertificates(p.config(), p.log); err != nil {
		salts.Close()
		return err
	}
	places := &placesPart{geo.Open(geo.Options{Files: geoFiles(p.config()), Log: p.log}), geoFiles(p.config())}
	opts.Visitors = salts
	opts.Enrich = enrich.New(enrich.Options{Geo: places.Locator})
	p.keyUses = newKeyUses(p.log)
	admin := newAdminPart(p.config(), opts, p.log)
	p.admin = admin.Log
	p.closers = append(p.closers, salts.Close, places.Close, p.certs.Close, admin.Close)
	p.parts = append(p.parts,
		admin,
		p.keyUses,
		places,
		p.limit,
		newBackups(p.config(), p.log),
		newSinks(p.config(), opts, p.log),
		p.certs,
		p.notify, // the last: it says that the server answers
	)
	return nil
}

// placesPart locates addresses.
type placesPart struct {
	*geo.Locator
	files []string // under process.changing
}

// Prepare implements reloader. A file that cannot be loaded is a trouble, as at the start.
func (g *placesPart) Prepare(next *config.Config) (apply func(), err error) {
	files := geoFiles(next)
	if slices.Equal(files, g.files) {
		return nil, nil
	}
	return func() {
		g.files = files
		g.SetFiles(files)
	}, nil
}

// startParts starts the parts that do something by themselves. With an error none runs.
func (p *process) startParts(ctx context.Context) error {
	for i, one := range p.parts {
		if s, ok := one.(starter); ok {
			if err := s.Start(ctx, p); err != nil {
				stopParts(p.parts[:i])
				return err
			}
		}
	}
	return nil
}

// stopParts stops parts that have been started, the last one first.
func stopParts(parts []part) {
	for i := len(parts) - 1; i >= 0; i-- {
		if s, ok := parts[i].(starter); ok {
			s.Stop()
		}
	}
}
