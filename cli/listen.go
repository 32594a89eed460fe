package cli

import (
	"fmt"
	"log/slog"
	"net"
	"path/filepath"
	"slices"

	"cairn/cli/config"
	"cairn/engine/store"
	"cairn/geo"
	httpd "cairn/http"
	"cairn/http/wire"
)

// This file makes the http server of a configuration, and the listeners on which clients reach it.

// listen makes the server over the store, and its listeners. It returns the address at which
// clients of this machine reach it, "" when it listens on sockets alone. With an error nothing
// listens.
func (p *process) listen() (base string, err error) {
	cfg := p.config()
	opts, err := p.serverOptions(cfg, *p.sites.Load())
	if err != nil {
		return "", err
	}
	srv, err := httpd.New(opts)
	if err != nil {
		return "", err
	}
	clients, redirects, err := p.openListeners(cfg)
	if err != nil {
		return "", err
	}
	if p.debug, err = listenDebug(cfg, p.engine.PageReads, p.log); err != nil {
		closeAll(append(clients, redirects...))
		return "", fmt.Errorf("debug_listen: %w", err)
	}
	p.server, p.listeners = srv, clients
	p.addressed(cfg)
	for _, ln := range redirects {
		go srv.ServeRedirect(ln) // until Shutdown, as all of them
	}
	if socket := listenSocket(cfg, p.log); socket != nil {
		go srv.ServeOwn(socket)
	}
	return baseURL(cfg, p.bound), nil
}

// addressed tells the server the address at which it listens.
func (p *process) addressed(cfg *config.Config) { p.server.SetAddress(baseURL(cfg, p.bound)) }

// openListeners listens for clients: on the sockets that systemd passes, and else on the addresses of the
// configuration. A port that the system has chosen stays the same when this is called again.
// redirects are the listeners whose clients are sent to TLS.
func (p *process) openListeners(cfg *config.Config) (clients, redirects []net.Listener, err error) {
	defer func() {
		if err != nil {
			closeAll(append(clients, redirects...))
		}
	}()
	if redirects, err = p.inherited.Listeners(redirectName, false); err != nil {
		return nil, nil, err
	}
	if len(redirects) == 0 && cfg.ListenHTTP != "" {
		ln, err := wire.Listen(cfg.ListenHTTP)
		if err != nil {
			return nil, nil, fmt.Errorf("listen_http: %w", err)
		}
		redirects = append(redirects, ln)
	}
	if clients, err = p.inherited.Listeners(redirectName, true); err != nil {
		return nil, redirects, err
	}
	passed := len(clients) > 0
	if p.bound == nil && !passed {
		p.bound = slices.Clone(cfg.Listen)
	}
	if !passed {
		for _, address := range p.bound {
			ln, err := wire.Listen(address)
			if err != nil {
				return clients, redirects, fmt.Errorf("listen: %w", err)
			}
			clients = append(clients, ln)
		}
	}
	p.bound = nil
	for i, ln := range clients {
		p.bound = append(p.bound, addressOf(ln))
		if ln.Addr().Network() != "unix" { // whoever connects to a socket is on this machine
			clients[i] = p.certs.Listener(ln)
		}
	}
	return clients, redirects, nil
}

// redirectName is the FileDescriptorName of systemd's sockets for listen_http.
const redirectName = "http"

// addressOf is the address of a listener as the configuration writes it.
func addressOf(ln net.Listener) string {
	if ln.Addr().Network() == "unix" {
		return "unix:" + ln.Addr().String()
	}
	return ln.Addr().String()
}

func closeAll(all []net.Listener) {
	for _, ln := range all {
		ln.Close()
	}
}

// Listen makes the server over eng and a listener on the first address of the configuration, with
// TLS if it has a certificate. The caller runs the server on the listener. With an error both are
// nil.
func Listen(cfg *config.Config, eng httpd.Engine, places *geo.Locator, sites []*httpd.Site, log *slog.Logger) (*httpd.Server, net.Listener, error) {
	certs, err := lookCertificates(cfg, log)
	if err != nil {
		return nil, nil, err
	}
	opts, err := serverOptions(cfg, eng, sites, log, places, certs)
	if err != nil {
		return nil, nil, err
	}
	srv, err := httpd.New(opts)
	if err != nil {
		return nil, nil, err
	}
	ln, err := wire.Listen(cfg.Listen[0])
	if err != nil {
		return nil, nil, err
	}
	return srv, certs.Listener(ln), nil
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
		Assistants:     cfg.Assistants(),
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

// baseURL is the URL at which a client on this machine reaches a server that listens on addresses:
// that of the first which is no socket; "" when all are.
func baseURL(cfg *config.Config, addresses []string) string {
	scheme := "http"
	if cfg.Secure() {
		scheme = "https"
	}
	for _, address := range addresses {
		if _, socket := wire.UnixPath(address); socket {
			continue
		}
		host, port, err := net.SplitHostPort(address)
		if err != nil {
			return scheme + "://" + address
		}
		if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
			host = "127.0.0.1"
		}
		return scheme + "://" + net.JoinHostPort(host, port)
	}
	return ""
}
