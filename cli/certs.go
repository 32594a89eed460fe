package cli

import (
	"context"
	"fmt"
	"log/slog"
	"path/filepath"
	"reflect"
	"sync"
	"time"

	"cairn/cli/config"
	httpd "cairn/http"
	"cairn/http/wire"
)

// This file is the part of a process that has its certificates: it has those of acme_hosts fetched,
// and says when one is missing or ends.

// certificates are the certificates of a process.
type certificates struct {
	*wire.Certs
	log   *slog.Logger
	again chan struct{} // there may be other hosts

	mu      sync.Mutex
	process *process         // nil before Start
	asked   wire.CertOptions // what fetches are for
	fetches map[string]fetch // by host
}

// fetch is what was tried for a host without a certificate.
type fetch struct {
	busy  bool
	tries int
	next  time.Time
}

// How long to wait after the first try for a certificate that failed; each further pause is twice
// as long, up to fetchPauseMax. Let's Encrypt allows five failures an hour.
const (
	fetchPause    = 2 * time.Minute
	fetchPauseMax = time.Hour
	fetchesMax    = 4 // at once
	fetchCheck    = 10 * time.Second
)

// acmeDir is where fetched certificates are kept in the data directory.
const acmeDir = "acme"

// certOptions are the certificates of a configuration.
func certOptions(cfg *config.Config) wire.CertOptions {
	return cfg.Certificates(filepath.Join(cfg.DataDir, acmeDir))
}

// newCertificates reads the certificates that are there. One that ends soon is renewed from now on;
// one that is missing is fetched after Start.
func newCertificates(cfg *config.Config, log *slog.Logger) (*certificates, error) {
	return readCertificates(certOptions(cfg), log)
}

// lookCertificates reads the certificates that are there, for who writes nothing to the data
// directory.
func lookCertificates(cfg *config.Config, log *slog.Logger) (*certificates, error) {
	o := certOptions(cfg)
	o.ACME.Look = true
	return readCertificates(o, log)
}

func readCertificates(o wire.CertOptions, log *slog.Logger) (*certificates, error) {
	c := &certificates{Certs: new(wire.Certs), log: log, again: make(chan struct{}, 1), asked: o, fetches: map[string]fetch{}}
	apply, err := c.Certs.Prepare(o)
	if err != nil {
		return nil, fmt.Errorf("%w. No event is lost. Mend the files, or take them from their copies, and start again", err)
	}
	apply()
	return c, nil
}

// Prepare implements reloader. Each change of a site or a key calls it, so hosts that wait for another
// try go on waiting unless the certificates are to be others.
func (c *certificates) Prepare(next *config.Config) (apply func(), err error) {
	asked := certOptions(next)
	change, err := c.Certs.Prepare(asked)
	if err != nil {
		return nil, err
	}
	return func() {
		change()
		c.mu.Lock()
		if !reflect.DeepEqual(asked, c.asked) {
			c.asked = asked
			clear(c.fetches) // what the operator has changed is tried at once
		}
		p := c.process
		c.mu.Unlock()
		if p != nil {
			p.addressed(next)
		}
		select {
		case c.again <- struct{}{}:
		default:
		}
	}, nil
}

// Options implements asked.
func (c *certificates) Options(o *httpd.Options) { o.Certificates = c.Certs }

// Start implements starter.
func (c *certificates) Start(ctx context.Context, p *process) error {
	c.mu.Lock()
	c.process = p
	c.mu.Unlock()
	go c.run(ctx)
	return nil
}

// Stop implements starter. What is being fetched uses nothing of the store.
func (c *certificates) Stop() {}

// run has the missing certificates fetched until ctx ends.
func (c *certificates) run(ctx context.Context) {
	tick := time.NewTicker(fetchCheck)
	defer tick.Stop()
	for {
		for _, host := range c.due(time.Now()) {
			go c.fetch(ctx, host)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		case <-c.again:
		}
	}
}

// due takes the hosts to fetch now.
func (c *certificates) due(now time.Time) (hosts []string) {
	missing := c.Missing()
	c.mu.Lock()
	defer c.mu.Unlock()
	busy := 0
	for _, f := range c.fetches {
		if f.busy {
			busy++
		}
	}
	for _, host := range missing {
		if f := c.fetches[host]; !f.busy && !now.Before(f.next) && busy < fetchesMax {
			f.busy = true
			c.fetches[host] = f
			hosts = append(hosts, host)
			busy++
		}
	}
	return hosts
}

// fetch fetches the certificate of a host.
func (c *certificates) fetch(ctx context.Context, host string) {
	err := c.Fetch(host)
	c.mu.Lock()
	f, ours := c.fetches[host] // else the configuration has changed
	if err == nil {
		delete(c.fetches, host)
	} else if ours {
		pause := min(fetchPause<<min(f.tries, 10), fetchPauseMax)
		f = fetch{tries: f.tries + 1, next: time.Now().Add(pause)}
		c.fetches[host] = f
	}
	c.mu.Unlock()
	switch {
	case err == nil:
		c.log.Info("there is a certificate", "host", host)
		select { // others may have waited
		case c.again <- struct{}{}:
		default:
		}
	case ours && ctx.Err() == nil:
		c.log.Warn("cannot fetch a certificate; clients of this host are refused until there is one", "host", host, "again", f.next.UTC().Format(time.RFC3339), "error", err)
	}
}

// endsSoon is how long before its end a certificate is a trouble. Those that are valid for some days
// alone are renewed later.
const endsSoon = 7 * 24 * time.Hour

// Troubles implements part.
func (c *certificates) Troubles() (reasons []string) {
	for _, host := range c.Missing() {
		reasons = append(reasons, "there is no certificate for "+host+" yet")
	}
	if trouble := c.Trouble(); trouble != "" {
		reasons = append(reasons, trouble)
	}
	for _, t := range c.Terms() {
		switch left := time.Until(t.Until); {
		case left <= 0:
			reasons = append(reasons, "the certificate of "+t.Host+" has ended")
		case left < min(endsSoon, t.Until.Sub(t.From)/5):
			reasons = append(reasons, "the certificate of "+t.Host+" ends soon and was not renewed")
		}
	}
	return reasons
}

// Metrics implements part.
func (c *certificates) Metrics(put func(name, kind, help string, value float64, labels ...string)) {
	for _, t := range c.Terms() {
		put("cairn_certificate_end_timestamp_seconds", "gauge", "When a certificate ends.", float64(t.Until.Unix()), "host", t.Host)
	}
	if c.On() {
		put("cairn_certificates_missing", "gauge", "Hosts in acme_hosts that have no certificate yet.", float64(len(c.Missing())))
	}
}
