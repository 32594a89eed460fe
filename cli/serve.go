package cli

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"maps"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"syscall"
	"time"

	"cairn/cli/bench"
	"cairn/cli/config"
	"cairn/engine"
	"cairn/engine/enrich"
	"cairn/engine/query"
	"cairn/engine/store"
	"cairn/geo"
	httpd "cairn/http"
	"cairn/http/wire"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// This file is "cairn serve". It puts the parts of the server together, listens, and stops
// everything in order on a signal.

// How long a stop may take.
const (
	stopMax  = 9500 * time.Millisecond // the whole stop; operators are promised 10 s
	DrainMax = 6 * time.Second         // the part of stopMax for answering received requests
	fatalMax = 2 * time.Second         // for telling waiting clients that the store has failed
)

func serve(args []string, stdout, stderr io.Writer) int {
	f := newFlags("serve", "[flags]", "Run the server until SIGTERM or SIGINT. The first start generates the keys, and prints\nthem to a terminal. \"cairn keys\" prints them again.")
	var cf config.Flags
	cf.Register(f.FlagSet)
	if code, done := f.parse(args, 0, 0, stdout, stderr); done {
		return code
	}
	cfg, warnings, err := config.Load(cf, os.Environ())
	if err == nil {
		err = cfg.Validate()
	}
	if err != nil {
		return fail(stderr, "serve", cfg.Refused(err))
	}
	log := newLogger(&cfg, stderr)
	for _, w := range append(warnings, cfg.ShortSecrets()...) {
		log.Warn(w)
	}
	if err := checkDataDir(cfg.DataDir); err != nil {
		return fail(stderr, "serve", err)
	}
	found, filled, unlock, err := prepareDataDir(&cfg)
	if err != nil {
		return fail(stderr, "serve", err)
	}
	defer unlock()
	for _, w := range filled.Warnings {
		log.Warn(w)
	}
	announced, made := false, filled.Made
	announce := func(base string, srv *httpd.Server) {
		terminal := bench.IsTerminal(stdout)
		if !announced && made {
			announceKeys(stdout, &cfg, base, terminal)
		}
		if !announced && (made || terminal) { // what else is printed may stay in a log
			announceDashboard(stdout, srv)
		}
		announced = true
	}
	code, err := runServer(&cfg, found, filled.Signed(), log, announce)
	if err != nil {
		if made && !announced {
			err = fmt.Errorf("%w\nThe keys of the sites were generated before this error. \"cairn keys\" prints them", err)
		}
		return fail(stderr, "serve", err)
	}
	return code
}

// prepareDataDir makes and locks the data directory, looks at its store, and fills in the keys.
// What is new in keys.toml is on the disk when it returns. It makes nothing when the
// configuration is refused. The caller ends the lock, except by ending the process.
func prepareDataDir(cfg *config.Config) (found *store.Found, filled *config.Filled, unlock func(), err error) {
	if _, err := os.Stat(cfg.DataDir); errors.Is(err, fs.ErrNotExist) {
		try := *cfg
		try.Sites = slices.Clone(cfg.Sites)
		if _, err := config.FillKeys(&try, config.Known{}, false); err != nil {
			return nil, nil, nil, err
		}
	}
	if err := config.MakeDataDir(cfg.DataDir); err != nil {
		return nil, nil, nil, err
	}
	lock, err := lockDir(cfg.DataDir, true)
	if err != nil {
		return nil, nil, nil, err
	}
	if found, filled, err = fillKeys(cfg, false); err == nil {
		err = filled.Write()
	}
	if err != nil {
		lock.Close()
		return nil, nil, nil, err
	}
	return found, filled, func() { lock.Close() }, nil
}

// fillKeys looks at the store and fills in the keys. The caller has locked the data directory.
func fillKeys(cfg *config.Config, accept bool) (*store.Found, *config.Filled, error) {
	found, err := engine.Look(vfs.Default, cfg.DataDir)
	if err != nil {
		return nil, nil, explainLock(err, cfg.DataDir)
	}
	filled, err := config.FillKeys(cfg, config.Known{IDs: found.Names.IDs, Used: found.Sites, Signed: found.Names.Keys, Events: found.Events}, accept)
	return found, filled, err
}

// newLogger logs to w in the configured format. "auto" is text on a terminal and JSON
// elsewhere.
func newLogger(cfg *config.Config, w io.Writer) *slog.Logger {
	var level slog.Level
	level.UnmarshalText([]byte(cfg.LogLevel)) // validated
	opts := &slog.HandlerOptions{Level: level}
	if cfg.LogFormat == "text" || cfg.LogFormat == "auto" && bench.IsTerminal(w) {
		return slog.New(slog.NewTextHandler(w, opts))
	}
	return slog.New(slog.NewJSONHandler(w, opts))
}

// runServer runs the server of a checked configuration until a signal or a fatal error of
// the store. It calls announce with the base URL and the server when that listens.
//
// If the disk has no space for a start, the server first only reads. It starts again when
// there is space.
func runServer(cfg *config.Config, found *store.Found, keysSigned bool, log *slog.Logger, announce func(base string, srv *httpd.Server)) (code int, err error) {
	sites, err := config.BuildSites(cfg.Sites)
	if err != nil {
		return ExitFailed, cfg.Refused(err)
	}
	limit := newMemoryLimit(int64(cfg.Memory))

	// Signals are caught from here on, so that one during a long recovery stops it in order.
	signals, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	go limit.watch(signals)

	fatal := make(chan error, 1)
	opts, err := EngineOptions(cfg, sites, log, fatal)
	if err != nil {
		return ExitFailed, err
	}
	places := geo.Open(geo.Options{Files: geoFiles(cfg), Log: log})
	defer places.Close()
	salts, err := enrich.OpenSalts(filepath.Join(cfg.DataDir, "salts"), nil, nil)
	if err != nil {
		return ExitFailed, fmt.Errorf("%w. No event is lost. Mend %s or remove it; visitors without an id then count as new today", err, filepath.Join(cfg.DataDir, "salts"))
	}
	defer salts.Close()
	opts.Found, opts.KeysNoted, opts.Pending = found, keysSigned, new(engine.Pending)
	opts.Visitors = salts
	opts.Enrich = enrich.New(enrich.Options{Geo: places})
	for {
		code, again, err := runStore(cfg, sites, opts, places, limit, signals, stop, fatal, log, announce)
		if !again {
			return code, err
		}
		opts.Found = nil // the files have changed since
	}
}

// openStore opens the store for writing or, if the disk has no space for that, for reading.
func openStore(opts engine.Options) (*engine.Engine, error) {
	eng, err := engine.Open(opts)
	if !errors.Is(err, query.ErrDiskFull) {
		return eng, err
	}
	opts.Log.Error("the disk has no space for a start; the server only reads until there is space", "error", err)
	opts.ReadOnly = true
	if eng, rerr := engine.Open(opts); rerr == nil {
		return eng, nil
	}
	return nil, err
}

// spaceCheck is how often a server that only reads looks for space.
const spaceCheck = 5 * time.Second

// whenRoom returns a channel that is closed when a store that was opened for reading can be
// opened for writing. It is nil for any other store. ctx ends the search.
func whenRoom(ctx context.Context, eng *engine.Engine) <-chan struct{} {
	if !eng.ReadOnly() {
		return nil
	}
	found := make(chan struct{})
	go func() {
		tick := time.NewTicker(spaceCheck)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
				if eng.RoomToStart() {
					close(found)
					return
				}
			}
		}
	}()
	return found
}

// runStore opens the store and serves it. again says that it was opened for reading alone,
// and can now be opened for writing.
func runStore(cfg *config.Config, sites []*httpd.Site, opts engine.Options, places *geo.Locator, limit *memoryLimit, signals context.Context, stop func(), fatal <-chan error, log *slog.Logger, announce func(base string, srv *httpd.Server)) (code int, again bool, err error) {
	start := time.Now()
	eng, err := openStore(opts)
	if err != nil {
		return ExitFailed, false, explainLock(err, cfg.DataDir)
	}
	removeOldTmp(cfg.DataDir)
	if snapshots, err := snapshotDir(cfg); err == nil {
		if err := store.RemovePartial(vfs.Default, snapshots, cfg.DataDir); err != nil {
			log.Warn("an unfinished snapshot of an earlier process stays", "error", err)
		}
	}
	srv, ln, err := listen(cfg, eng, sites, log, places, limit)
	if err != nil {
		return ExitFailed, false, errors.Join(err, eng.Close())
	}
	cfg.Listen = ln.Addr().String() // a port that the system has chosen stays the same
	debug, err := listenDebug(cfg, log)
	if err != nil {
		return ExitFailed, false, errors.Join(fmt.Errorf("debug_listen: %w", err), ln.Close(), eng.Close())
	}
	if debug != nil {
		defer debug.Close()
	}
	base := baseURL(cfg, ln.Addr().String())
	srv.SetAddress(base)
	if socket := listenSocket(cfg, log); socket != nil {
		go srv.Serve(socket) // until Shutdown
	}
	announce(base, srv)
	log.Info("listening", "url", base, "data", cfg.DataDir, "sites", len(sites), "open_seconds", time.Since(start).Seconds(), "version", version)
	warnHidden(eng, cfg, log)

	served := make(chan error, 1)
	go func() { served <- srv.Serve(ln) }()
	waiting, found := context.WithCancel(signals)
	defer found()
	select {
	case <-whenRoom(waiting, eng):
		again = true
	case err := <-fatal:
		// Clients that wait get an answer. Nothing has been acknowledged since the failure.
		log.Error("the store has failed and can no longer accept writes; stopping", "error", err)
		ctx, cancel := context.WithTimeout(context.Background(), fatalMax)
		defer cancel()
		srv.Shutdown(ctx)
		return ExitFatal, false, nil
	case err := <-served:
		return ExitFailed, false, errors.Join(fmt.Errorf("serve: %w", err), eng.Close())
	case <-signals.Done():
	}
	if again {
		log.Info("there is space again; starting again to take writes")
	} else {
		stop() // a second signal ends the process at once
		log.Info("stopping")
	}
	deadline := time.Now().Add(stopMax)
	ctx, cancel := context.WithTimeout(context.Background(), DrainMax)
	defer cancel()
	if err := srv.Shutdown(ctx); err != nil {
		log.Warn("some connections were closed before their requests were answered", "error", err)
	}
	if err := closeWithin(eng, time.Until(deadline)); err != nil {
		return ExitFailed, false, fmt.Errorf("close the store: %w", err)
	}
	if !again {
		log.Info("stopped")
	}
	return ExitOK, again, nil
}

// warnHidden warns of events that no configured site shows. A try-out stores events under
// id 1, and these are hidden when the configured sites have other ids.
func warnHidden(eng *engine.Engine, cfg *config.Config, log *slog.Logger) {
	hidden := eng.Events()
	for i := range cfg.Sites {
		delete(hidden, cfg.Sites[i].ID)
	}
	for _, id := range slices.Sorted(maps.Keys(hidden)) {
		if n := hidden[id]; n > 0 {
			log.Warn("the store has events of a site id that no configured site has; set this id for the site that they belong to", "id", id, "events", n)
		}
	}
}

// closeWithin closes the store but waits for it no longer than d. All acknowledged events
// are already on disk.
func closeWithin(c io.Closer, d time.Duration) error {
	done := make(chan error, 1)
	go func() { done <- c.Close() }()
	select {
	case err := <-done:
		return err
	case <-time.After(d):
		return fmt.Errorf("not finished after %v; no acknowledged event is lost, and the next start recovers the store", d)
	}
}

// inUse is the error of a locked data directory.
func inUse(dir string) error {
	return fmt.Errorf("%s is in use by another process; stop that server first, or use a snapshot of it. Nothing was changed, and nothing is lost", dir)
}

// explainLock returns the reason of the error of a locked data directory.
func explainLock(err error, dir string) error {
	if errors.Is(err, syscall.EAGAIN) {
		return inUse(dir)
	}
	return err
}

// EngineOptions are the options of the store for a checked configuration and its sites. The
// caller sets Visitors and Enrich. A fatal error of the store is sent to fatal and ends the
// process soon after.
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

		Purge:          time.Duration(cfg.Purge),
		RetentionBytes: func() int64 { return int64(cfg.RetentionBytes) },
		Fatal: func(err error) {
			select {
			case fatal <- err:
			default:
			}
			// The engine may call this from a goroutine that holds its locks. The
			// process must end even if nobody receives the error.
			time.AfterFunc(2*fatalMax, func() { os.Exit(ExitFatal) })
		},
	}
	snapshots, err := snapshotDir(cfg)
	if err != nil {
		return engine.Options{}, err
	}
	opts.DeletionCopies = filepath.Join(snapshots, engine.DeletionsName)
	var list []*engine.Site
	for _, s := range sites {
		list = append(list, s.Site)
	}
	opts.Sites = engine.SitesOf(list...)
	return opts, nil
}

// Listen makes the server over eng and its listener, which uses TLS if the configuration
// has a certificate. The caller runs the server on the listener. With an error both are
// nil.
func Listen(cfg *config.Config, eng httpd.Engine, places *geo.Locator, sites []*httpd.Site, log *slog.Logger) (*httpd.Server, net.Listener, error) {
	return listen(cfg, eng, sites, log, places)
}

// part is a part of the server that has metrics, and reasons for /healthz, of its own.
type part interface {
	Metrics(put func(name, kind, help string, value float64, labels ...string))
	Troubles() []string
}

// listen is Listen with parts in place of a locator.
func listen(cfg *config.Config, eng httpd.Engine, sites []*httpd.Site, log *slog.Logger, parts ...part) (*httpd.Server, net.Listener, error) {
	srv, err := newServer(cfg, eng, sites, log, parts...)
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

// newServer makes the server over eng.
func newServer(cfg *config.Config, eng httpd.Engine, sites []*httpd.Site, log *slog.Logger, parts ...part) (*httpd.Server, error) {
	proxies, err := cfg.Proxies()
	if err != nil {
		return nil, err
	}
	snapshots, err := snapshotDir(cfg)
	if err != nil {
		return nil, err
	}
	addresses, err := cfg.Addresses()
	if err != nil {
		return nil, err
	}
	return httpd.New(httpd.Options{
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
	})
}

// geoFiles are the configured geo databases, in the order in which they are asked.
func geoFiles(cfg *config.Config) []string { return filepath.SplitList(cfg.Geo.Database) }

// snapshotDir is the directory for snapshots: the configured one, else one below the data
// directory. It is absolute, because the server sends it to clients that run elsewhere.
func snapshotDir(cfg *config.Config) (string, error) {
	dir := cfg.SnapshotDir
	if dir == "" {
		dir = filepath.Join(cfg.DataDir, "snapshots")
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
