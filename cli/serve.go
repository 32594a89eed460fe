package cli

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"runtime/debug"
	"syscall"
	"time"

	"cairn/cli/bench"
	"cairn/cli/config"
	"cairn/engine"
	"cairn/engine/enrich"
	"cairn/geo"
	httpd "cairn/http"
	"cairn/http/wire"
)

// This file is "cairn serve": it puts the parts together, listens, and takes
// them apart again on a signal.

// How long a stop may take.
const (
	stopMax  = 9500 * time.Millisecond // all of it; the operator is promised 10 s
	DrainMax = 6 * time.Second         // of that, to answer requests that have been received
	fatalMax = 2 * time.Second         // to tell waiting clients that the store has failed
)

func serve(args []string, stdout, stderr io.Writer) int {
	f := newFlags("serve", "[flags]", "Run the server until SIGTERM or SIGINT. The first start makes the keys and prints\nthem; \"cairn keys\" prints them again.")
	var cf config.Flags
	cf.Register(f.FlagSet)
	f.StringVar(&cf.Listen, "listen", "", "listen on `ADDRESS` (default 127.0.0.1:8080)")
	if code, done := f.parse(args, 0, 0, stdout, stderr); done {
		return code
	}
	cfg, warnings, err := config.Load(cf, os.Environ())
	if err == nil {
		err = cfg.Validate()
	}
	if err != nil {
		return fail(stderr, "serve", err)
	}
	log := newLogger(&cfg, stderr)
	for _, w := range append(warnings, cfg.ShortSecrets()...) {
		log.Warn(w)
	}
	if err := checkDataDir(cfg.DataDir); err != nil {
		return fail(stderr, "serve", err)
	}
	made, err := config.FillKeys(&cfg, true)
	if err == nil {
		err = config.MakeDataDir(cfg.DataDir)
	}
	if err != nil {
		return fail(stderr, "serve", err)
	}
	announced := false
	announce := func(base string) {
		if announced = true; made {
			fmt.Fprintf(stdout, "cairn made these keys; they are in %s, and \"cairn keys\" prints them again.\n\n", filepath.Join(cfg.DataDir, config.KeysName))
			showKeys(stdout, &cfg, base)
		}
	}
	code, err := runServer(&cfg, log, announce)
	if err != nil {
		if made && !announced {
			err = fmt.Errorf("%w\nThe keys of the sites are made: \"cairn keys\" prints them", err)
		}
		return fail(stderr, "serve", err)
	}
	return code
}

// newLogger logs to w: text for a person at a terminal, else JSON.
func newLogger(cfg *config.Config, w io.Writer) *slog.Logger {
	var level slog.Level
	level.UnmarshalText([]byte(cfg.LogLevel)) // validated
	opts := &slog.HandlerOptions{Level: level}
	if cfg.LogFormat == "text" || cfg.LogFormat == "auto" && bench.IsTerminal(w) {
		return slog.New(slog.NewTextHandler(w, opts))
	}
	return slog.New(slog.NewJSONHandler(w, opts))
}

// runServer runs the server of a checked configuration until a signal or a fatal
// error of the store. announce is called once it listens, with its base URL.
func runServer(cfg *config.Config, log *slog.Logger, announce func(base string)) (code int, err error) {
	sites, err := config.BuildSites(cfg.Sites)
	if err != nil {
		return ExitFailed, err
	}
	// The runtime keeps its memory near the budget by collecting more often. Live are
	// some 150 MiB of 256 while events pour in; each MiB more for what is not costs the
	// collector less, and what is given back to the system has to be fetched again. The
	// program itself adds some 20 MiB, so that a third of the 64 that are promised above
	// the budget is left. A GOMEMLIMIT of the operator's own is left alone.
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(int64(cfg.Memory) / 32 * 35)
	}

	// Caught from here on, so that a signal during a long recovery ends it in order.
	signals, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()

	fatal := make(chan error, 1)
	opts, err := EngineOptions(cfg, sites, log, fatal)
	if err != nil {
		return ExitFailed, err
	}
	places := geo.Open(geo.Options{Files: geoFiles(cfg), Log: log})
	defer places.Close()
	salts, err := enrich.OpenSalts(filepath.Join(cfg.DataDir, "salts"), nil, nil)
	if err != nil {
		return ExitFailed, err
	}
	defer salts.Close()
	opts.Visitors = salts
	opts.Enrich = enrich.New(enrich.Options{Geo: places})
	start := time.Now()
	eng, err := engine.Open(opts)
	if err != nil {
		return ExitFailed, explainLock(err, cfg.DataDir)
	}
	removeOldTmp(cfg.DataDir)
	srv, ln, err := Listen(cfg, eng, places, sites, log)
	if err != nil {
		return ExitFailed, errors.Join(err, eng.Close())
	}
	base := baseURL(cfg, ln.Addr().String())
	announce(base)
	log.Info("listening", "url", base, "data", cfg.DataDir, "sites", len(sites), "open_seconds", time.Since(start).Seconds(), "version", version)

	served := make(chan error, 1)
	go func() { served <- srv.Serve(ln) }()
	select {
	case err := <-fatal:
		// Whoever waits for an answer gets one; nothing was acknowledged since.
		log.Error("the store has failed and takes no more writes; stopping", "error", err)
		ctx, cancel := context.WithTimeout(context.Background(), fatalMax)
		defer cancel()
		srv.Shutdown(ctx)
		return ExitFatal, nil
	case err := <-served:
		return ExitFailed, errors.Join(fmt.Errorf("serve: %w", err), eng.Close())
	case <-signals.Done():
	}
	stop() // a second signal ends the process at once
	log.Info("stopping")
	deadline := time.Now().Add(stopMax)
	ctx, cancel := context.WithTimeout(context.Background(), DrainMax)
	defer cancel()
	if err := srv.Shutdown(ctx); err != nil {
		log.Warn("some connections were cut", "error", err)
	}
	if err := closeWithin(eng, time.Until(deadline)); err != nil {
		return ExitFailed, fmt.Errorf("close the store: %w", err)
	}
	log.Info("stopped")
	return ExitOK, nil
}

// closeWithin closes the store, all of whose acknowledged events are on disk
// already.
func closeWithin(c io.Closer, d time.Duration) error {
	done := make(chan error, 1)
	go func() { done <- c.Close() }()
	select {
	case err := <-done:
		return err
	case <-time.After(d):
		return fmt.Errorf("not done after %v; nothing acknowledged is lost, the next start recovers", d)
	}
}

// explainLock says in words what the lock of a data directory says in numbers.
func explainLock(err error, dir string) error {
	if errors.Is(err, syscall.EAGAIN) {
		return fmt.Errorf("%s is in use by another process: %w", dir, err)
	}
	return err
}

// EngineOptions are the options of the store for a checked configuration and its sites;
// Visitors and Enrich are left to the caller. A fatal error of the store is sent to fatal,
// and ends the process soon after.
func EngineOptions(cfg *config.Config, sites []*httpd.Site, log *slog.Logger, fatal chan<- error) (engine.Options, error) {
	reserve, err := cfg.ReserveBytes()
	if err != nil {
		return engine.Options{}, err
	}
	opts := engine.Options{
		Dir:     cfg.DataDir,
		Memory:  int64(cfg.Memory),
		Dedup:   time.Duration(cfg.DedupHours) * time.Hour,
		Reserve: reserve,
		Log:     log,
		Fatal: func(err error) {
			select {
			case fatal <- err:
			default:
			}
			// The engine may call this from a goroutine that holds its locks: the
			// process must end even when nobody is left to take the error.
			time.AfterFunc(2*fatalMax, func() { os.Exit(ExitFatal) })
		},
	}
	for _, s := range sites {
		opts.Sites = append(opts.Sites, s.Site)
	}
	return opts, nil
}

// Listen makes the server over eng and its listener, with TLS if the configuration has it.
// The caller runs the server on the listener; both are nil with an error.
func Listen(cfg *config.Config, eng engine.API, places *geo.Locator, sites []*httpd.Site, log *slog.Logger) (*httpd.Server, net.Listener, error) {
	proxies, err := cfg.Proxies()
	if err != nil {
		return nil, nil, err
	}
	snapshots, err := snapshotDir(cfg)
	if err != nil {
		return nil, nil, err
	}
	srv, err := httpd.New(httpd.Options{
		Engine:         eng,
		Sites:          sites,
		Implicit:       cfg.Implicit(),
		AdminToken:     cfg.AdminToken,
		SnapshotDir:    snapshots,
		TrustedProxies: proxies,
		IPRate:         cfg.IPRate,
		IPConns:        cfg.IPConns,
		Memory:         int64(cfg.Memory),
		Version:        version,
		Log:            log,
		Metrics:        places.AppendMetrics,
		Degraded:       places.Troubles,
	})
	if err != nil {
		return nil, nil, err
	}
	var tlsConfig *tls.Config
	if cfg.TLSCert != "" {
		if tlsConfig, err = wire.LoadTLS(cfg.TLSCert, cfg.TLSKey); err != nil {
			return nil, nil, err
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

// geoFiles are the configured databases of places, in order of trust.
func geoFiles(cfg *config.Config) []string { return filepath.SplitList(cfg.Geo.Database) }

// snapshotDir is where snapshots are made: as configured, else below the data.
// It is absolute, because clients elsewhere get to see the path.
func snapshotDir(cfg *config.Config) (string, error) {
	dir := cfg.SnapshotDir
	if dir == "" {
		dir = filepath.Join(cfg.DataDir, "snapshots")
	}
	return filepath.Abs(dir)
}

// baseURL is how a client on this machine reaches the listener at addr.
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
