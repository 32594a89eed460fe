package segment

import (
	"fmt"

	"cairn/http/dialect"
)

// Settings are the limits of a site, in bytes of inflated JSON. A body or an event of
// exactly that length is accepted. The keys lie directly in [[site]]. A *Settings among
// dialect.Site.Settings holds for the site; without one, Defaults hold.
type Settings struct {
	EventLimit dialect.Size `toml:"event_limit"` // of one event
	BatchLimit dialect.Size `toml:"batch_limit"` // of one batch
}

// Defaults are the vendor's limits: 15 KB an event and 500 KB a batch.
func Defaults() Settings { return Settings{EventLimit: eventBytes, BatchLimit: batchBytes} }

// Validate checks the limits. The error names the key.
func (s *Settings) Validate() error {
	switch {
	case s.EventLimit < 1<<10 || s.EventLimit > 256<<10:
		return fmt.Errorf("event_limit = %q: must be from 1KiB to 256KiB", s.EventLimit)
	case s.BatchLimit < s.EventLimit || s.BatchLimit > 8<<20:
		return fmt.Errorf("batch_limit = %q: must be from event_limit to 8MiB", s.BatchLimit)
	}
	return nil
}

var defaults = Defaults()

// settingsOf are the settings of a site, the defaults for nil.
func settingsOf(site *dialect.Site) *Settings {
	if site != nil {
		if s := dialect.SettingsOf[Settings](site); s != nil {
			return s
		}
	}
	return &defaults
}

// largest has the largest limits of any of the sites: they hold for a body until it is
// known whose it is.
func largest(sites []*dialect.Site) Settings {
	if len(sites) == 0 {
		return defaults
	}
	var most Settings
	for _, site := range sites {
		s := settingsOf(site)
		most.EventLimit = max(most.EventLimit, s.EventLimit)
		most.BatchLimit = max(most.BatchLimit, s.BatchLimit)
	}
	return most
}
