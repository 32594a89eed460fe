package cli

import (
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"path/filepath"

	"cairn/cli/config"
	"cairn/engine/store"
	"cairn/geo"
	httpd "cairn/http"
	"cairn/http/wire"
)

// This file makes the http server of a configuration, and the listeners on which clients reach it.

// listen makes the server over the store, and its listeners. It returns the address at which
// clients of this machine reach it. With an error nothing listens.
func (p *process) listen() (base string, err error) {
	cfg := p.config()
	opts, err := p.serverOptions(cfg, *p.sites.Load())
	if err != nil {
		return "", err
	}
	srv, ln, err := listen(cfg, opts)
	if err != nil {
		return "", err
	}
	if p.debug, err = listenDebug(cfg, p.log); err != nil {
		return "", errors.Join(fmt.Errorf("debug_listen: %w", err), ln.Close())
	}
	bound := *cfg
	bound.Listen = ln.Addr().String() // a port that the system has chosen stays the same
	p.current.Store(&bound)
	base = baseURL(&bound, bound.Listen)
	srv.SetAddress(base)
	p.server, p.listeners = srv, []net.Listener{ln}
	if socket := listenSocket(&bound, p.log); socket != nil {
		go srv.Serve(socket) // until Shutdown
	}
	return base, nil
}

// Listen makes the server over eng and its listener, which uses TLS if the configuration
// has a certificate. The caller runs the server on the listener. With an error both are
// nil.
func Listen(cfg *config.Config, eng httpd.Engine, places *geo.Locator, sites []*httpd.Site, log *slog.Logger) (*httpd.Server, net.Listener, error) {
	opts, err := serverOptions(cfg, eng, sites, log, places)
	if err != nil {
		return nil, nil, err
	}
	return listen(cfg, opts)
}

// listen is Listen with the options of the server.
func listen(cfg *config.Config, opts httpd.Options) (*httpd.Server, net.Listener, error) {
	srv, err := httpd.New(opts)
	if err != nil {
		return nil, nil, err
	}
	var tlsConfig *tls.Config
	if cfg.TLSCert != "" {
		if tlsConfig, err = wire.LoadTLS(cfg.TLSCert, cfg.TLSKey); err != nil {
			return nil, nil, fmt.Errorf("%w. No event is lost. Mend the files, or take them from their copies, and start again", err)
		}
	}
	ln, err := net.Listen("tcp", cfg.Listen)
	if err != nil {
		return nil, nil, err
	}
	if tlsConfig != nil {
		ln = tls.NewListener(ln, tlsConfig)
	}
	return srv, ln, nil
}

// serverOptions are the options of this process's server for a checked configuration.
func (p *process) serverOptions(cfg *config.Config, sites []*httpd.Site) (httpd.Options, error) {
	opts, err := serverOptions(cfg, p.engine, sites, p.log, p.parts...)
	opts.Control = p
	opts.Keyring = p
	return opts, err
}

// serverOptions are the options of a server over eng with some parts.
func serverOptions(cfg *config.Config, eng httpd.Engine, sites []*httpd.Site, log *slog.Logger, parts ...part) (none httpd.Options, err error) {
	proxies, err := cfg.Proxies()
	if err != nil {
		return none, err
	}
	snapshots, err := snapshotDir(cfg)
	if err != nil {
		return none, err
	}
	addresses, err := cfg.Addresses()
	if err != nil {
		return none, err
	}
	opts := httpd.Options{
		Engine:         eng,
		Sites:          sites,
		Implicit:       cfg.Implicit(),
		AdminToken:     cfg.AdminToken,
		MetricsToken:   cfg.MetricsToken,
		SnapshotDir:    snapshots,
		TrustedProxies: proxies,
		Addresses:      addresses,
		Dashboard:      cfg.Dashboard,
		IPRate:         cfg.IPRate,
		IPConns:        cfg.IPConns,
		Memory:         int64(cfg.Memory),
		Conns:          store.OpenFiles().Conns,
		Version:        version,
		Log:            log,
		Metrics: func(put func(name, kind, help string, value float64, labels ...string)) {
			for _, p := range parts {
				p.Metrics(put)
			}
		},
		Geo: func() (finest, credit string) {
			for _, p := range parts {
				if l, ok := p.(interface{ Finest() string }); ok {
					finest = l.Finest()
				}
				if l, ok := p.(interface{ Credit() string }); ok {
					credit = l.Credit()
				}
			}
			return finest, credit
		},
		Degraded: func() (reasons []string) {
			for _, p := range parts {
				reasons = append(reasons, p.Troubles()...)
			}
			return reasons
		},
	}
	for _, p := range parts {
		if a, ok := p.(asked); ok {
			a.Options(&opts)
		}
	}
	return opts, nil
}

// geoFiles are the configured geo databases, in the order in which they are asked.
func geoFiles(cfg *config.Config) []string { return filepath.SplitList(cfg.Geo.Database) }

// snapshotDir is the directory for snapshots: the configured one, else one below the data
// directory. It is absolute, because the server sends it to clients that run elsewhere.
func snapshotDir(cfg *config.Config) (string, error) {
	dir := cfg.SnapshotDir
	if dir == "" {
		dir = filepath.Join(cfg.DataDir, snapshotsName)
	}
	return filepath.Abs(dir)
}

// baseURL is the URL at which a client on this machine reaches the listener at addr.
func baseURL(cfg *config.Config, addr string) string {
	scheme := "http"
	if cfg.TLSCert != "" {
		scheme = "https"
	}
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return scheme + "://" + addr
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	return scheme + "://" + net.JoinHostPort(host, port)
}
