package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"syscall"
	"time"

	"cairn/cli/bench"
	"cairn/cli/config"
	"cairn/engine"
	"cairn/geo"
	httpd "cairn/http"
	"cairn/http/wire"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// This file is "cairn serve -read-only": it shows a snapshot, or the data directory of a stopped
// server, and writes nothing there, not even a lock. Temporary files of large questions lie in
// the system's directory for these.

// serveReadOnly serves until a signal. The configuration is checked.
func serveReadOnly(cfg *config.Config, stdout, stderr io.Writer) int {
	log := newLogger(cfg, stderr, new(slog.LevelVar))
	code, err := func() (int, error) {
		kind, _, err := inspectDir(cfg.DataDir)
		switch {
		case err != nil:
			return ExitFailed, err
		case kind == dirEmpty:
			return ExitFailed, fmt.Errorf("there is no data in %s", cfg.DataDir)
		case kind == dirForeign:
			return ExitFailed, checkStored(cfg.DataDir)
		}
		// The lock of an open directory leaves nothing behind.
		lock, err := lockDir(cfg.DataDir, false)
		if err != nil {
			return ExitFailed, err
		}
		defer lock.Close()
		scratch, err := os.MkdirTemp("", "cairn-read-only-")
		if err != nil {
			return ExitFailed, err
		}
		defer os.RemoveAll(scratch)
		signals, release := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
		defer release()
		notify := newNotifier(log)
		notify.opening(signals)

		fatal := make(chan error, 1)
		limit := newMemoryLimit(int64(cfg.Memory))
		eng, sites, err := openLooking(cfg, newReading(vfs.Default, cfg.DataDir, scratch), log, fatal)
		if err != nil {
			return ExitFailed, err
		}
		places := geo.Open(geo.Options{Files: geoFiles(cfg), Log: log})
		defer places.Close()
		p := new(process) // its listeners alone
		if p.inherited, err = wire.Inherit(); err != nil {
			return ExitFailed, errors.Join(err, eng.Close())
		}
		if p.certs, err = lookCertificates(cfg, log); err != nil { // those that are there
			return ExitFailed, errors.Join(err, eng.Close())
		}
		opts, err := serverOptions(cfg, eng, sites, log, places, limit, p.certs)
		if err != nil {
			return ExitFailed, errors.Join(err, eng.Close())
		}
		opts.ReadOnly = true
		srv, err := httpd.New(opts)
		if err != nil {
			return ExitFailed, errors.Join(err, eng.Close())
		}
		listeners, redirects, err := p.openListeners(cfg)
		if err != nil {
			return ExitFailed, errors.Join(err, eng.Close())
		}
		base := baseURL(cfg, p.bound)
		srv.SetAddress(base)
		for _, ln := range redirects {
			go srv.ServeRedirect(ln) // until Shutdown
		}
		go limit.watch(signals)
		if bench.IsTerminal(stdout) {
			announceDashboard(stdout, srv)
		}
		log.Info("listening", "url", base, "data", cfg.DataDir, "sites", len(sites), "read_only", true, "version", version)
		p.server = srv
		context.AfterFunc(signals, notify.stopping)
		if err := notify.Start(signals, p); err != nil {
			return ExitFailed, errors.Join(err, eng.Close())
		}
		return showUntil(signals, release, srv, listeners, eng, fatal)
	}()
	if err != nil {
		return fail(stderr, "serve", err)
	}
	return code
}

// showUntil serves until a signal, an error of the listener or of the store.
func showUntil(signals context.Context, release func(), srv *httpd.Server, listeners []net.Listener, eng *engine.Engine, fatal <-chan error) (code int, err error) {
	served := make(chan error, len(listeners))
	for _, ln := range listeners {
		go func() { served <- srv.Serve(ln) }()
	}
	select {
	case err := <-served:
		return ExitFailed, errors.Join(fmt.Errorf("serve: %w", err), eng.Close())
	case err := <-fatal:
		return ExitFatal, err
	case <-signals.Done():
		release()
	}
	deadline := time.Now().Add(stopMax)
	ctx, cancel := context.WithTimeout(context.Background(), DrainMax)
	defer cancel()
	_ = srv.Shutdown(ctx) // what is cut off asks again
	return ExitOK, closeWithin(eng, time.Until(deadline))
}
