package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"cairn/cli/config"
	"cairn/engine"
	"cairn/http/adminlog"
	"cairn/http/dialect"
	"cairn/http/native"
)

// This file gives a running process another configuration. Everything is read, checked and made
// ready first; then the files are written, and then it is put into force, which cannot fail. After a
// mistake everything is as before.

// watchHangup reads the configuration again at each SIGHUP until ctx ends.
func (p *process) watchHangup(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-p.hangup:
		}
		done, err := p.Reload()
		p.admin.Add(adminlog.Entry{Action: adminlog.Reload, By: adminlog.BySignal, Failed: err != nil})
		if err != nil {
			p.log.Error("the configuration was not reloaded; the one before stays in force", "error", err)
			continue
		}
		p.log.Info("configuration reloaded", "changed", done.Changed)
		for _, note := range done.Notes {
			p.log.Warn(note)
		}
	}
}

// catchHangup keeps SIGHUP from ending the process.
func (p *process) catchHangup() {
	p.hangup = make(chan os.Signal, 1)
	signal.Notify(p.hangup, syscall.SIGHUP)
}

// Reload implements native.Control.
func (p *process) Reload() (native.Change, error) {
	next, done, err := p.reconfigure(nil)
	if err == nil && len(done.Changed) == 0 && len(done.Restart) == 0 {
		done.Notes = append(done.Notes, "nothing has changed in "+next.File())
	}
	return done, err
}

// reconfigure reads the configuration, lets edit change the sites that were made at run time, and
// puts the result into force. edit is nil for a reload; it may be called more than once, each time
// with what the files say.
func (p *process) reconfigure(edit func(*config.Config, *config.MadeSites) error) (next *config.Config, done native.Change, err error) {
	p.changing.Lock()
	defer p.changing.Unlock()
	if !p.opened {
		return nil, done, &dialect.StatusError{Failure: dialect.Busy, Msg: "the server is stopping"}
	}
	if edit == nil {
		defer p.notify.reloading()()
	}
	before := p.config()
	next, filled, apply, err := p.ready(edit, &done)
	if err != nil {
		return nil, native.Change{}, p.explain(err, edit)
	}
	if edit == nil {
		err = filled.Write()
	} else {
		err = filled.WriteBeside(next.WriteSites)
	}
	if err != nil {
		return nil, done, unwritten(next.DataDir, err)
	}
	apply()
	done.Changed = next.Differences(before)
	done.Notes = append(done.Notes, p.siteNotes(before, next)...)
	return next, done, nil
}

// ready reads, checks and makes ready what reconfigure puts into force. done gets what the operator
// should know. Nothing has changed but, for an edit, that there is a sites.toml.
func (p *process) ready(edit func(*config.Config, *config.MadeSites) error, done *native.Change) (next *config.Config, filled *config.Filled, apply func(), err error) {
	next, warnings, err := p.readAgain(edit)
	if err != nil {
		return nil, nil, nil, err
	}
	done.Notes = warnings
	done.Restart = next.KeepFixed(p.started, p.config())
	for _, key := range done.Restart {
		done.Notes = append(done.Notes, key+" has changed; that needs a restart")
	}
	if filled, err = p.fillAgain(next); err != nil {
		return nil, nil, nil, err
	}
	done.Notes = append(done.Notes, filled.Warnings...)
	apply, err = p.prepare(next)
	return next, filled, apply, err
}

// explain is what the client reads when ready has refused an edit, nil for a reload. A mistake of the
// configuration stops an edit, too: the answer then says that it is not the edit's.
func (p *process) explain(err error, edit func(*config.Config, *config.MadeSites) error) error {
	if status := (*dialect.StatusError)(nil); errors.As(err, &status) {
		return err
	}
	if edit != nil {
		if _, _, _, other := p.ready(nil, new(native.Change)); other == nil {
			return refused(err)
		} else if status := (*dialect.StatusError)(nil); errors.As(other, &status) {
			return other
		} else {
			err = other
		}
	}
	text := unwrapped(err).Error()
	flags := p.flags
	flags.DataDir = p.config().DataDir
	if _, mistakes, _ := config.Check(flags, os.Environ()); len(mistakes) > 0 {
		if more := len(mistakes) - mistakesShown; more > 0 {
			mistakes = append(mistakes[:mistakesShown], fmt.Sprintf("and %d more, which \"cairn config check\" prints", more))
		}
		text = strings.Join(mistakes, "\n")
	}
	if edit == nil {
		return &dialect.StatusError{Failure: dialect.BadRequest, Msg: text}
	}
	return &dialect.StatusError{Failure: dialect.Conflict, Msg: "nothing was changed, because " + p.config().File() + " has a mistake elsewhere; mend it, then try again: " + text}
}

// mistakesShown is how many mistakes of a configuration an answer has.
const mistakesShown = 10

// unwrapped is an error without the advice to start again, which is for a server that does not run.
func unwrapped(err error) error {
	if inner := (*config.RefusedError)(nil); errors.As(err, &inner) {
		return inner.Err
	}
	return err
}

// readAgain reads and checks the configuration, but for the sites.
func (p *process) readAgain(edit func(*config.Config, *config.MadeSites) error) (*config.Config, []string, error) {
	dir, flags := p.config().DataDir, p.flags
	if edit == nil {
		edit = func(*config.Config, *config.MadeSites) error { return nil }
	} else if err := p.config().ReserveSites(); err != nil {
		return nil, nil, unwritten(dir, err)
	}
	if err := settled(p.started.ConfigFile()); err != nil {
		return nil, nil, err
	}
	cfg, warnings, err := config.Change(flags, os.Environ(), edit)
	if err == nil && cfg.DataDir != dir {
		moved := cfg.DataDir // a restart will use it; the sites of this process are where they were
		flags.DataDir = dir
		if cfg, warnings, err = config.Change(flags, os.Environ(), edit); err == nil {
			cfg.DataDir = moved
		}
	}
	if err == nil {
		err = cfg.Validate()
	}
	return &cfg, warnings, err
}

// fillAgain fills in the keys of a configuration.
func (p *process) fillAgain(next *config.Config) (*config.Filled, error) {
	names, used, err := p.engine.SitesKnown()
	if err != nil {
		return nil, err
	}
	known := config.Known{IDs: names.IDs, Used: used, Signed: names.Keys}
	for _, n := range p.engine.Events() {
		known.Events += n
	}
	return config.FillKeys(next, known, false)
}

// prepare makes ready all that a configuration changes.
func (p *process) prepare(next *config.Config) (apply func(), err error) {
	sites, err := config.BuildSites(next.Sites)
	if err != nil {
		return nil, err
	}
	copies, err := deletionCopies(next)
	if err != nil {
		return nil, err
	}
	var applies []func()
	for _, one := range p.parts {
		r, ok := one.(reloader)
		if !ok {
			continue
		}
		ready, err := r.Prepare(next)
		if err != nil {
			return nil, err
		}
		if ready != nil {
			applies = append(applies, ready)
		}
	}
	opts, err := p.serverOptions(next, sites)
	if err != nil {
		return nil, err
	}
	serve, err := p.server.Prepare(opts)
	if err != nil {
		return nil, err
	}
	return func() {
		for _, ready := range applies {
			ready()
		}
		p.level.Set(levelOf(next))
		p.engine.Tune(engine.Tuning{Purge: time.Duration(next.Purge), DeletionCopies: copies})
		p.setSites(sites)
		p.current.Store(next)
		// The store knows a site before anybody can send to it.
		if err := p.engine.NoteSites(); err != nil {
			p.log.Warn("the names and time zones of the sites could not be noted in the store; the next start notes them", "error", err)
		}
		serve()
	}, nil
}

// siteNotes says what the operator should know about the change of the sites.
func (p *process) siteNotes(before, next *config.Config) (notes []string) {
	if before.Implicit() && !next.Implicit() {
		notes = append(notes, fmt.Sprintf("until now every site name or id that a client sent meant %q; from now on an unknown si or idsite is refused", before.Sites[0].Name))
	}
	for i := range next.Sites {
		s := &next.Sites[i]
		if old := before.Site(s.Name); old != nil && old.ID == s.ID && old.Timezone != s.Timezone {
			notes = append(notes, p.zoneNote(s, old.Timezone))
		}
	}
	return notes
}

// zoneCost is what the engine says of a site whose zone has changed.
type zoneCost interface {
	// OtherZone returns how many runs of a site, with how many rows, have days of another zone
	// than the site's.
	OtherZone(site uint32) (runs int, rows uint64)
}

// zoneNote says what another time zone of a site costs.
func (p *process) zoneNote(s *config.Site, before string) string {
	note := fmt.Sprintf("site %q: its days are now those of %s, not of %s, for all events at once", s.Name, s.Timezone, before)
	const until = "until they are rewritten, questions about their days count the events themselves and take longer"
	if p.engine.Events()[s.ID] == 0 {
		return note
	}
	if e, ok := any(p.engine).(zoneCost); ok {
		runs, rows := e.OtherZone(s.ID)
		if runs == 0 {
			return note
		}
		return fmt.Sprintf("%s. %s with %s have days of the old zone: %s", note, plural(uint64(runs), "run"), plural(rows, "event"), until)
	}
	return note + ". Runs that were written before have days of the old zone: " + until
}

// How long a file must have been left alone before it is read, and how long to wait for that.
const (
	settleFor = 200 * time.Millisecond
	settleMax = 2 * time.Second
)

// settled waits until nobody writes a file, "" = none. The error says that somebody does, or that the
// file is empty, as it is while an editor begins to write it.
func settled(file string) error {
	if file == "" {
		return nil
	}
	var last fs.FileInfo
	for end := time.Now().Add(settleMax); ; time.Sleep(settleFor / 4) {
		info, err := os.Stat(file)
		if err != nil {
			return err
		}
		quiet := last == nil || last.Size() == info.Size() && last.ModTime().Equal(info.ModTime())
		age := time.Since(info.ModTime())
		if quiet && (age >= settleFor || age < 0) {
			if info.Size() == 0 {
				return fmt.Errorf("%s is empty: somebody may be writing it. To run without a configuration, restart the server without -config", file)
			}
			return nil
		}
		if last = info; time.Now().After(end) {
			return fmt.Errorf("%s is being written; reload when it is complete", file)
		}
	}
}

// refused is the answer to a configuration with a mistake.
func refused(err error) error {
	if status := (*dialect.StatusError)(nil); errors.As(err, &status) {
		return err
	}
	status := &dialect.StatusError{Failure: dialect.BadRequest, Msg: unwrapped(err).Error()}
	if setting := (*config.SettingError)(nil); errors.As(err, &setting) {
		status.Field = setting.Key
	}
	return status
}

// unwritten is the answer when a file of the data directory cannot be written. Nothing has changed.
func unwritten(dir string, err error) error {
	failure := dialect.Internal
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		failure = dialect.DiskFull
	}
	return &dialect.StatusError{Failure: failure, Msg: fmt.Sprintf("%v; nothing was changed in %s", err, dir)}
}

// deletionCopies is where the store puts copies of deletions.
func deletionCopies(cfg *config.Config) (string, error) {
	snapshots, err := snapshotDir(cfg)
	return filepath.Join(snapshots, engine.DeletionsName), err
}
