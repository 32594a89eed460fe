package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"os"
	"os/signal"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"cairn/cli/config"
	"cairn/engine"
	"cairn/engine/query"
	"cairn/engine/store"
	httpd "cairn/http"
	"cairn/http/adminlog"
	"cairn/http/wire"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// This file runs one server, from the checked configuration to the end of the process: it makes
// the parts, opens the store, listens, waits, and stops everything in order.

// How long a stop may take.
const (
	stopMax  = 9500 * time.Millisecond // the whole stop; operators are promised 10 s
	DrainMax = 6 * time.Second         // the part of stopMax for answering received requests
	fatalMax = 2 * time.Second         // for telling waiting clients that the store has failed
)

// process is a running server: it owns the configuration, the parts, the store, the http server
// and the listeners. run makes them in this order and ends them in the opposite one. The
// configuration may be read at any time; the store, the server and the listeners are there from
// the moment that a part is started until it is stopped.
type process struct {
	log      *slog.Logger
	level    *slog.LevelVar                       // of log
	flags    config.Flags                         // with which the configuration is read again
	announce func(base string, srv *httpd.Server) // called when the server listens
	limit    *memoryLimit
	fatal    chan error // gets an error after which the store takes no more writes

	signals context.Context // ends with SIGTERM and SIGINT
	release func()          // a further signal ends the process at once
	hangup  chan os.Signal  // gets SIGHUP

	changing sync.Mutex     // held while the configuration is replaced
	opened   bool           // under changing: the store and the server are there
	started  *config.Config // the first configuration, as it was read
	current  atomic.Pointer[config.Config]
	sites    atomic.Pointer[[]*httpd.Site]
	known    atomic.Pointer[[]*engine.Site] // the same, as the store knows them

	keyUses *keyUses      // one of parts
	admin   *adminlog.Log // of one of parts
	parts   []part
	closers []func() // of parts, called in the opposite order when the store is closed

	engine    *engine.Engine
	server    *httpd.Server
	inherited *wire.Inherited // sockets of systemd
	bound     []string        // the addresses of listeners, like those of the configuration
	certs     *certificates
	notify    *notifier
	listeners []net.Listener
	debug     *http.Server // nil = no profiles
}

// config is the configuration as it is now. It is never changed, only replaced.
func (p *process) config() *config.Config { return p.current.Load() }

// setSites replaces the sites, as the store and parts see them.
func (p *process) setSites(sites []*httpd.Site) {
	known := make([]*engine.Site, len(sites))
	for i, s := range sites {
		known[i] = s.Site
	}
	p.sites.Store(&sites)
	p.known.Store(&known)
}

// runServer runs the server of a checked configuration until a signal or a fatal error of
// the store. p has log, level, flags and announce.
func (p *process) runServer(cfg *config.Config, found *store.Found, keysSigned bool) (code int, err error) {
	sites, err := config.BuildSites(cfg.Sites)
	if err != nil {
		return ExitFailed, cfg.Refused(err)
	}
	p.limit, p.fatal = newMemoryLimit(int64(cfg.Memory)), make(chan error, 1)
	p.setSites(sites)
	first := *cfg
	p.started = &first
	if p.inherited, err = wire.Inherit(); err != nil {
		return ExitFailed, err
	}
	p.notify = newNotifier(p.log)
	p.current.Store(cfg)
	p.catchHangup()
	defer signal.Stop(p.hangup)
	// Signals are caught from here on, so that one during a long recovery stops it in order.
	p.signals, p.release = signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer p.release()
	p.notify.opening(p.signals)
	go p.limit.watch(p.signals)
	return p.run(found, keysSigned)
}

// run makes the parts, and serves until the end. If the disk has no space for a start, the server
// first only reads. It starts again when there is space.
func (p *process) run(found *store.Found, keysSigned bool) (code int, err error) {
	opts, err := EngineOptions(p.config(), *p.sites.Load(), p.log, p.fatal)
	if err != nil {
		return ExitFailed, err
	}
	opts.Sites = func() []*engine.Site { return *p.known.Load() }
	opts.RetentionBytes = func() int64 { return int64(p.config().RetentionBytes) }
	if err := p.newParts(&opts); err != nil {
		return ExitFailed, err
	}
	defer func() {
		for _, end := range slices.Backward(p.closers) {
			end()
		}
	}()
	opts.Found, opts.KeysNoted, opts.Pending = found, keysSigned, new(engine.Pending)
	for {
		code, again, err := p.runStore(opts)
		if !again {
			return code, err
		}
		opts.Found = nil // the files have changed since
	}
}

// runStore opens the store and serves it. again says that it was opened for reading alone,
// and can now be opened for writing.
func (p *process) runStore(opts engine.Options) (code int, again bool, err error) {
	start := time.Now()
	base, err := p.open(opts)
	if err != nil {
		return ExitFailed, false, err
	}
	if p.debug != nil {
		defer p.debug.Close()
	}
	p.announce(base, p.server)
	p.log.Info("listening", "url", cmp.Or(base, p.bound[0]), "addresses", p.bound, "data", opts.Dir, "sites", len(p.config().Sites), "open_seconds", time.Since(start).Seconds(), "version", version)
	p.warnHidden()

	served := make(chan error, len(p.listeners))
	for _, ln := range p.listeners {
		go func() { served <- p.server.Serve(ln) }()
	}
	running, stopping := context.WithCancel(p.signals)
	defer stopping()
	go p.watchHangup(running)
	if err := p.startParts(running); err != nil {
		p.log.Error("a part of the server cannot start; stopping", "error", err)
		return ExitFailed, false, errors.Join(err, p.stop(nil))
	}
	select {
	case <-whenRoom(running, p.engine):
		again = true
		p.notify.opening(p.signals)
		p.log.Info("there is space again; starting again to take writes")
	case err := <-p.fatal:
		// Clients that wait get an answer. Nothing has been acknowledged since the failure.
		p.log.Error("the store has failed and can no longer accept writes; stopping", "error", err)
		ctx, cancel := context.WithTimeout(context.Background(), fatalMax)
		defer cancel()
		p.server.Shutdown(ctx)
		return ExitFatal, false, nil
	case err := <-served:
		stopping()
		stopParts(p.parts)
		return ExitFailed, false, errors.Join(fmt.Errorf("serve: %w", err), p.close(stopMax))
	case <-p.signals.Done():
		p.release()
		p.notify.stopping()
		p.log.Info("stopping")
	}
	stopping()
	if err := p.stop(p.parts); err != nil {
		return ExitFailed, false, err
	}
	if !again {
		p.log.Info("stopped")
	}
	return ExitOK, again, nil
}

// stop answers the requests that were received, stops those parts that were started, and closes
// the store.
func (p *process) stop(started []part) error {
	deadline := time.Now().Add(stopMax)
	ctx, cancel := context.WithTimeout(context.Background(), DrainMax)
	defer cancel()
	if err := p.server.Shutdown(ctx); err != nil {
		p.log.Warn("some connections were closed before their requests were answered", "error", err)
	}
	stopParts(started)
	if err := p.close(time.Until(deadline)); err != nil {
		return fmt.Errorf("close the store: %w", err)
	}
	return nil
}

// open opens the store and listens. It returns the address at which clients of this machine reach
// the server. With an error nothing is open.
func (p *process) open(opts engine.Options) (base string, err error) {
	p.changing.Lock()
	defer p.changing.Unlock()
	if p.engine, err = openStore(opts); err != nil {
		return "", explainLock(err, opts.Dir)
	}
	p.tidy()
	if base, err = p.listen(); err != nil {
		return "", errors.Join(err, p.engine.Close())
	}
	p.opened = true
	return base, nil
}

// close closes the store, which may take as long as d. No change of the configuration is under way
// then.
func (p *process) close(d time.Duration) error {
	p.changing.Lock()
	p.opened = false
	p.changing.Unlock()
	return closeWithin(p.engine, d)
}

// tidy removes what earlier processes have left in the data directory.
func (p *process) tidy() {
	cfg := p.config()
	removeOldTmp(cfg.DataDir)
	if snapshots, err := snapshotDir(cfg); err == nil {
		if err := store.RemovePartial(vfs.Default, snapshots, cfg.DataDir); err != nil {
			p.log.Warn("an unfinished snapshot of an earlier process stays", "error", err)
		}
	}
}

// warnHidden warns of events that no configured site shows. A try-out stores events under
// id 1, and these are hidden when the configured sites have other ids.
func (p *process) warnHidden() {
	hidden := p.engine.Events()
	for _, s := range *p.sites.Load() {
		delete(hidden, s.ID)
	}
	for _, id := range slices.Sorted(maps.Keys(hidden)) {
		if n := hidden[id]; n > 0 {
			p.log.Warn("the store has events of a site id that no configured site has; set this id for the site that they belong to", "id", id, "events", n)
		}
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
