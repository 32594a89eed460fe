package cli

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"cairn/cli/config"
	"cairn/http/dialect"
	"cairn/http/native"
)

// This file makes, changes and removes sites of a running process. Those of the configuration are
// left alone.

var _ native.Control = (*process)(nil)

// AllSites implements native.Control.
func (p *process) AllSites() []native.ConfiguredSite {
	cfg := p.config()
	all := make([]native.ConfiguredSite, len(cfg.Sites))
	for i := range cfg.Sites {
		all[i] = configured(cfg, &cfg.Sites[i])
	}
	return all
}

// configured is a site as the API shows it.
func configured(cfg *config.Config, s *config.Site) native.ConfiguredSite {
	one := native.ConfiguredSite{Name: s.Name, ID: s.ID, Made: s.IsMade(), File: cfg.ConfigFile(), Settings: config.ShowSite(s)}
	if s.IsMade() {
		if one.File = ""; cfg.Made().Site(s.Name) != nil {
			one.File = filepath.Join(cfg.DataDir, config.SitesName)
		}
	}
	return one
}

// AddSite implements native.Control.
func (p *process) AddSite(name string, settings map[string]any) (native.Change, error) {
	again := false
	done, err := p.edit(name, func(cfg *config.Config, made *config.MadeSites) error {
		if other := cfg.Site(name); other != nil {
			return taken(cfg, name)
		}
		adoptDefault(cfg, made)
		if made.Site(name) != nil {
			return &dialect.StatusError{Failure: dialect.Conflict, Field: "name", Msg: fmt.Sprintf("there is a site %q already", name)}
		}
		if len(made.Sites) >= config.MadeSitesMost {
			return &dialect.StatusError{Failure: dialect.Conflict, Msg: fmt.Sprintf("there are %d sites that were made at run time, which is as many as there may be; put further ones into the configuration", len(made.Sites))}
		}
		site := config.DefaultSite()
		site.Name = name
		if err := config.SetSite(&site, settings); err != nil {
			return err
		}
		// Its events are shown again, unless they were deleted.
		if i := slices.IndexFunc(made.Removed, func(r config.RemovedSite) bool { return r.Name == name && !r.Purged }); i >= 0 {
			site.ID, again = made.Removed[i].ID, true
			made.Removed = slices.Delete(made.Removed, i, i+1)
		}
		made.Sites = append(made.Sites, site)
		return nil
	})
	if err == nil && again {
		done.Notes = append(done.Notes, fmt.Sprintf("there was a site %q before; its events are shown again", name))
	}
	return done, err
}

// SetSite implements native.Control.
func (p *process) SetSite(name string, settings map[string]any) (native.Change, error) {
	return p.edit(name, func(cfg *config.Config, made *config.MadeSites) error {
		site, err := p.madeSite(cfg, made, name)
		if err != nil {
			return err
		}
		for key := range settings {
			if variable := config.SiteVariable(name, key); os.Getenv(variable) != "" {
				return &dialect.StatusError{Failure: dialect.Conflict, Field: key, Msg: fmt.Sprintf("%s: the environment variable %s sets it", key, variable)}
			}
		}
		return config.SetSite(site, settings)
	})
}

// Removable implements native.Control.
func (p *process) Removable(name string) error {
	cfg := p.config()
	s := cfg.Site(name)
	switch {
	case s == nil:
		return noSite(name)
	case !s.IsMade():
		return taken(cfg, name)
	case len(cfg.Sites) == 1:
		return &dialect.StatusError{Failure: dialect.Conflict, Field: "name", Msg: fmt.Sprintf("%q is the only site; add another one first", name)}
	}
	return nil
}

// RemoveSite implements native.Control.
func (p *process) RemoveSite(name string, purged bool) (native.Change, error) {
	return p.edit(name, func(cfg *config.Config, made *config.MadeSites) error {
		site, err := p.madeSite(cfg, made, name)
		if err != nil {
			return err
		}
		if len(cfg.Sites) == 0 && len(made.Sites) == 1 {
			return p.Removable(name)
		}
		made.Removed = append(made.Removed, config.RemovedSite{Name: name, ID: site.ID, Purged: purged})
		made.Sites = slices.DeleteFunc(made.Sites, func(s config.Site) bool { return s.Name == name })
		return nil
	})
}

// edit is reconfigure for one site.
func (p *process) edit(name string, do func(*config.Config, *config.MadeSites) error) (native.Change, error) {
	next, done, err := p.reconfigure(do)
	if err != nil {
		return done, err
	}
	if s := next.Site(name); s != nil {
		one := configured(next, s)
		done.Site = &one
	}
	p.log.Info("the sites were changed", "site", name, "changed", done.Changed)
	return done, nil
}

// madeSite is the site of a name that can be changed. cfg has the configured sites alone.
func (p *process) madeSite(cfg *config.Config, made *config.MadeSites, name string) (*config.Site, error) {
	if cfg.Site(name) != nil {
		return nil, taken(cfg, name)
	}
	adoptDefault(cfg, made)
	if s := made.Site(name); s != nil {
		return s, nil
	}
	return nil, noSite(name)
}

// adoptDefault makes the site that cairn adds by itself one like others.
func adoptDefault(cfg *config.Config, made *config.MadeSites) {
	if len(cfg.Sites) == 0 && len(made.Sites) == 0 {
		made.Sites = append(made.Sites, config.ImplicitSite())
	}
}

func noSite(name string) error {
	return &dialect.StatusError{Failure: dialect.NotFound, Msg: fmt.Sprintf("there is no site %q", name)}
}

// taken is the answer to a change of a site of the configuration.
func taken(cfg *config.Config, name string) error {
	return &dialect.StatusError{Failure: dialect.Conflict, Field: "name", Msg: fmt.Sprintf("the site %q is in %s; change it there, then reload", name, cfg.File())}
}
