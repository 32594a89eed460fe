package config

import (
	"errors"
	"fmt"
	"net"
	"regexp"
	"slices"
	"strings"
	"time"

	"cairn/engine"
	"cairn/engine/enrich"
	"cairn/engine/query"
	httpd "cairn/http"
	"cairn/http/dialect"
)

// This file checks the configuration and turns its sites into what engine and
// http know of a site.

// siteName matches the valid names of sites. A name is also Opentracker's si, and is safe
// in file names.
var siteName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$`)

// currencyCode matches the codes of ISO 4217.
var currencyCode = regexp.MustCompile(`^[A-Za-z]{3}$`)

// purgeMost is the longest purge: the law gives a month.
const purgeMost = 30 * 24 * time.Hour

// retentionBytesMin is the least retention_bytes: a store without events takes some of it.
const retentionBytesMin = 64 << 20

// retentionMost is a hundred years.
const retentionMost = 36_525

// Validate checks everything but the sites. The error names the key.
func (c *Config) Validate() error {
	switch {
	case c.DataDir == "":
		return fmt.Errorf("data_dir is empty")
	case c.DedupHours < 1 || c.DedupHours > 24*30:
		return fmt.Errorf("dedup_hours = %d: must be from 1 to 720", c.DedupHours)
	case c.IPRate <= 0:
		return fmt.Errorf("ip_rate = %v: must be above 0", c.IPRate)
	case c.IPConns < 1:
		return fmt.Errorf("ip_conns = %d: must be above 0", c.IPConns)
	case (c.TLSCert == "") != (c.TLSKey == ""):
		return fmt.Errorf("set both tls_cert and tls_key, or neither")
	case time.Duration(c.Purge) < time.Hour || time.Duration(c.Purge) > purgeMost:
		return fmt.Errorf(`purge = "%v": must be from "1h" to "30d"`, time.Duration(c.Purge))
	case c.RetentionBytes != 0 && c.RetentionBytes < retentionBytesMin:
		return fmt.Errorf("retention_bytes = %v: must be 0, which is no limit, or at least %v", c.RetentionBytes, dialect.Size(retentionBytesMin))
	case !slices.Contains([]string{"debug", "info", "warn", "error"}, c.LogLevel):
		return fmt.Errorf("log_level = %q: must be debug, info, warn or error", c.LogLevel)
	case !slices.Contains([]string{"auto", "text", "json"}, c.LogFormat):
		return fmt.Errorf("log_format = %q: must be auto, text or json", c.LogFormat)
	}
	if c.DebugListen != "" {
		if _, _, err := net.SplitHostPort(c.DebugListen); err != nil {
			return fmt.Errorf(`debug_listen = %q: must be an address with a port, for example "127.0.0.1:6060"`, c.DebugListen)
		}
	}
	if _, err := c.ReserveBytes(); err != nil {
		return err
	}
	if err := c.Backup.validate(); err != nil {
		return err
	}
	if err := c.MCP.validate(); err != nil {
		return err
	}
	if err := c.Sink.validate(); err != nil {
		return err
	}
	return c.checkNetwork()
}

// ReserveBytes is the reserve in bytes as the engine takes it: 0 = by the disk's size,
// -1 = no check.
func (c *Config) ReserveBytes() (int64, error) {
	if c.Reserve == "auto" {
		return 0, nil
	}
	var s dialect.Size
	if err := s.UnmarshalText([]byte(c.Reserve)); err != nil {
		return 0, fmt.Errorf(`reserve = %q: must be "auto" or a size, for example "64MiB"`, c.Reserve)
	}
	if s == 0 {
		return -1, nil
	}
	return int64(s), nil
}

// BuildSites checks the sites, whose keys FillKeys has filled in, and converts them in
// their order. It refuses two sites with the same key, because a request with that key
// would belong to both. The error names the site.
func BuildSites(sites []Site) ([]*httpd.Site, error) {
	names, ids, keys := map[string]bool{}, map[uint32]string{}, map[string]string{}
	var out []*httpd.Site
	tracker := ""
	for i := range sites {
		s := &sites[i]
		if file := s.Matomo.TrackerFile; tracker == "" {
			tracker = file
		} else if file != "" && file != tracker {
			return nil, fmt.Errorf("site %q: matomo.tracker_file: another site names another file, but all sites share one matomo.js", s.Name)
		}
		if !siteName.MatchString(s.Name) {
			return nil, fmt.Errorf("site %q: a name has 1 to 64 letters, digits, dots, dashes or underscores, and begins with a letter or a digit", s.Name)
		}
		if names[s.Name] {
			return nil, fmt.Errorf("site %q is configured twice", s.Name)
		}
		names[s.Name] = true
		if other, taken := ids[s.ID]; taken {
			return nil, fmt.Errorf("sites %q and %q have the same id %d", other, s.Name, s.ID)
		}
		ids[s.ID] = s.Name
		for _, k := range []string{s.WriteKey, s.ClientID, s.SecretKey, s.TokenAuth, s.ReadKey, s.Matomo.TrackingToken} {
			if k == "" {
				continue // the tracking token is optional
			}
			if other, taken := keys[k]; taken && other == s.Name {
				return nil, fmt.Errorf("site %q uses one key for two purposes", s.Name)
			} else if taken {
				return nil, fmt.Errorf("sites %q and %q use the same key", other, s.Name)
			}
			keys[k] = s.Name
		}
		site, err := s.build()
		if err != nil {
			return nil, fmt.Errorf("site %q: %w", s.Name, err)
		}
		out = append(out, site)
	}
	return out, nil
}

func (s *Site) build() (*httpd.Site, error) {
	loc, err := time.LoadLocation(s.Timezone)
	switch {
	case err != nil, s.Timezone == "", s.Timezone == "Local": // Local is another zone on another machine
		return nil, fmt.Errorf("timezone = %q: must be the name of a time zone such as Europe/Rome, America/New_York or UTC", s.Timezone)
	case !slices.Contains([]string{"truncate", "drop", "keep"}, s.IP):
		return nil, fmt.Errorf("ip = %q: must be truncate, drop or keep", s.IP)
	case s.Currency != "" && !currencyCode.MatchString(s.Currency):
		return nil, fmt.Errorf("currency = %q: must be three letters such as EUR", s.Currency)
	case s.RateLimit < 0:
		return nil, fmt.Errorf("rate_limit = %d: must not be below 0", s.RateLimit)
	case s.RetentionDays < 0 || s.RetentionDays == 1 || s.RetentionDays > retentionMost:
		return nil, fmt.Errorf("retention_days = %d: must be 0, which keeps everything, or from 2 to %d", s.RetentionDays, retentionMost)
	}
	limits, openPanel := s.Settings, s.OpenPanel // copies, which never change
	if err := limits.Validate(); err != nil {
		return nil, err
	}
	exclude, err := httpd.NewExclusions(s.ExcludeIPs, s.ExcludeAgents)
	if err != nil {
		return nil, err
	}
	compiled, err := s.Matomo.Compile(s.Hosts, s.Goals)
	if err != nil {
		if word := (*dialect.WordError)(nil); errors.As(err, &word) {
			err = fmt.Errorf("%w%s", err, DidYouMean(word.Value, word.Words))
		}
		return nil, err
	}
	var goals []query.SiteGoal
	for _, g := range s.Goals {
		goals = append(goals, query.SiteGoal{ID: g.ID, Name: g.Name})
	}
	known := query.Site{ID: s.ID, Name: s.Name, Location: loc, Hosts: s.Hosts, Goals: goals, Currency: strings.ToUpper(s.Currency)}
	return &httpd.Site{
		Site:     &engine.Site{Site: known, Uncounted: s.Uncounted, Privacy: enrich.Privacy{IP: s.IP, StripParams: s.StripParams}, RetentionDays: s.RetentionDays},
		WriteKey: s.WriteKey, ClientID: s.ClientID, ClientSecret: s.ClientSecret,
		SecretKey: s.SecretKey, TokenAuth: s.TokenAuth, TrackingToken: s.Matomo.TrackingToken, ReadKey: s.ReadKey,
		More:    s.more(),
		Origins: s.Origins, RateLimit: s.RateLimit,
		DNT: s.DNT, GPC: s.GPC, Exclude: exclude,
		Settings: []any{compiled, &limits, &openPanel},
	}, nil
}
