package cli

import (
	"errors"
	"time"

	"cairn/cli/config"
	"cairn/engine/query"
	"cairn/http/dialect"
	"cairn/http/native"
)

// This file lists, makes, replaces and removes keys of a running process.

var _ native.Keyring = (*process)(nil)

// SiteKeys implements native.Keyring.
func (p *process) SiteKeys(site string) ([]native.SiteKey, error) {
	cfg := p.config()
	list, err := cfg.Keys(site)
	if err != nil {
		return nil, keyRefused(err)
	}
	all := make([]native.SiteKey, len(list))
	for i := range list {
		all[i] = p.shownKey(cfg, site, &list[i])
	}
	return all, nil
}

// shownKey is a key as the API shows it.
func (p *process) shownKey(cfg *config.Config, site string, k *config.KeyInfo) native.SiteKey {
	one := native.SiteKey{ID: k.ID, Name: k.Name, Kind: k.Kind, File: k.Source}
	if !k.Created.IsZero() {
		one.Created = k.Created.UnixMilli()
	}
	if !k.Ends.IsZero() {
		one.Ends = max(k.Ends.UnixMilli(), 1)
	}
	if s := cfg.Site(site); s != nil && p.keyUses != nil {
		one.LastUsed = p.keyUses.last(query.KeyUse{Site: s.ID, Key: k.SHA256})
	}
	return one
}

// AddKey implements native.Keyring.
func (p *process) AddKey(site string, k native.NewKey) (native.MadeKey, error) {
	ask := config.NewKey{Name: k.Name, Kind: k.Kind}
	if k.Ends != 0 {
		ask.Ends = time.UnixMilli(k.Ends)
	}
	return p.makeKey(site, func(cfg *config.Config) (*config.KeyChange, error) { return cfg.AddKey(site, ask, time.Now()) })
}

// RotateKey implements native.Keyring.
func (p *process) RotateKey(site, id string, grace time.Duration) (native.MadeKey, error) {
	return p.makeKey(site, func(cfg *config.Config) (*config.KeyChange, error) {
		return cfg.RotateKey(site, id, grace, time.Now())
	})
}

// SetKey implements native.Keyring.
func (p *process) SetKey(site, id string, set native.KeySettings) (native.SiteKey, error) {
	ask := config.KeySettings{Name: set.Name}
	if set.Ends != nil {
		ask.Ends = new(time.Time)
		if *set.Ends != 0 {
			*ask.Ends = time.UnixMilli(*set.Ends)
		}
	}
	change, err := p.changeKeys(func(cfg *config.Config) (*config.KeyChange, error) { return cfg.SetKey(site, id, ask, time.Now()) })
	if err != nil {
		return native.SiteKey{}, err
	}
	return p.shownKey(change.Next, site, &change.Key), nil
}

// RemoveKey implements native.Keyring.
func (p *process) RemoveKey(site, id string) error {
	_, err := p.changeKeys(func(cfg *config.Config) (*config.KeyChange, error) { return cfg.RemoveKey(site, id) })
	return err
}

// RenewAdmin implements native.Keyring.
func (p *process) RenewAdmin() (token string, err error) {
	change, err := p.changeKeys((*config.Config).RenewAdmin)
	if err != nil {
		return "", err
	}
	return change.Secret, nil
}

// makeKey is changeKeys for a new key.
func (p *process) makeKey(site string, do func(*config.Config) (*config.KeyChange, error)) (native.MadeKey, error) {
	change, err := p.changeKeys(do)
	if err != nil {
		return native.MadeKey{}, err
	}
	made := native.MadeKey{Key: p.shownKey(change.Next, site, &change.Key), Secret: change.Secret}
	if change.Old.ID != "" {
		old := p.shownKey(change.Next, site, &change.Old)
		made.Old = &old
	}
	return made, nil
}

// changeKeys changes keys: it makes everything ready, writes the files, and puts the change into
// force.
func (p *process) changeKeys(do func(*config.Config) (*config.KeyChange, error)) (*config.KeyChange, error) {
	p.changing.Lock()
	defer p.changing.Unlock()
	if !p.opened {
		return nil, &dialect.StatusError{Failure: dialect.Busy, Msg: "the server is stopping"}
	}
	change, err := do(p.config())
	if err != nil {
		return nil, keyRefused(err)
	}
	apply, err := p.prepare(change.Next)
	if err != nil {
		return nil, refused(err)
	}
	if err := change.Write(); err != nil {
		return nil, unwritten(change.Next.DataDir, err)
	}
	apply()
	return change, nil
}

// keyRefused is the answer to a change of keys that is refused.
func keyRefused(err error) error {
	bad := (*config.KeyError)(nil)
	if !errors.As(err, &bad) {
		return refused(err)
	}
	status := &dialect.StatusError{Failure: dialect.NotFound, Field: bad.Field, Msg: bad.What}
	switch bad.Fault {
	case config.KeyInvalid:
		status.Failure = dialect.BadRequest
	case config.KeyFixed:
		status.Failure = dialect.Conflict
	}
	return status
}
