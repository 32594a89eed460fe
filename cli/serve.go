package cli

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"slices"
	"syscall"
	"time"

	"cairn/cli/bench"
	"cairn/cli/config"
	"cairn/engine"
	"cairn/engine/store"
	httpd "cairn/http"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// This file is "cairn serve": it reads the configuration, prepares the data directory and the keys,
// and runs the process that process.go has.

func serve(args []string, stdout, stderr io.Writer) int {
	f := newFlags("serve", "[flags]", "Run the server until SIGTERM or SIGINT. The first start generates the keys, and prints\nthem to a terminal. \"cairn keys\" prints them again.")
	var cf config.Flags
	cf.Register(f.FlagSet)
	readOnly := f.Bool("read-only", false, "only show the data of a snapshot, or of a data directory whose server is stopped (-data DIR); nothing is written there")
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
	if *readOnly {
		return serveReadOnly(&cfg, stdout, stderr)
	}
	level := new(slog.LevelVar)
	log := newLogger(&cfg, stderr, level)
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
	p := &process{log: log, level: level, flags: cf, announce: announce}
	code, err := p.runServer(&cfg, found, filled.Signed())
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
// elsewhere. It sets level, which may be changed later.
func newLogger(cfg *config.Config, w io.Writer, level *slog.LevelVar) *slog.Logger {
	level.Set(levelOf(cfg))
	opts := &slog.HandlerOptions{Level: level}
	if cfg.LogFormat == "text" || cfg.LogFormat == "auto" && bench.IsTerminal(w) {
		return slog.New(slog.NewTextHandler(w, opts))
	}
	return slog.New(slog.NewJSONHandler(w, opts))
}

// levelOf is the level of the log of a validated configuration.
func levelOf(cfg *config.Config) (level slog.Level) {
	_ = level.UnmarshalText([]byte(cfg.LogLevel))
	return level
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
	if opts.DeletionCopies, err = deletionCopies(cfg); err != nil {
		return engine.Options{}, err
	}
	var list []*engine.Site
	for _, s := range sites {
		list = append(list, s.Site)
	}
	opts.Sites = engine.SitesOf(list...)
	return opts, nil
}
