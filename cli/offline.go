package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"cairn/cli/config"
	"cairn/engine"
	"cairn/engine/store"
	httpd "cairn/http"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// This file reads a stopped data directory, or a snapshot, with the same calls as a running server:
// the server runs in this process, over a store that is opened for reading, and listens for this
// process alone. Nothing is written to the directory, not even a lock.

// reachStored finds the server of a configuration, or opens its data directory when no server
// runs. close ends what was opened. key is what is asked with; "" = the admin token of the data directory.
func reachStored(cfg *config.Config, url, key string) (s *server, close func(), err error) {
	defer func() {
		if err == nil && key != "" {
			s.header.Set("Authorization", "Bearer "+key)
		}
	}()
	kind, _, err := inspectDir(cfg.DataDir)
	if url == "" && err == nil && (kind == dirSnapshot || kind == dirData && !served(cfg)) {
		lock, lerr := lockDir(cfg.DataDir, false)
		if lerr == nil {
			s, end, err := openOffline(cfg)
			if err != nil {
				lock.Close()
				return nil, nil, err
			}
			return s, func() { end(); lock.Close() }, nil
		}
		if kind == dirSnapshot {
			return nil, nil, lerr
		}
	}
	if key == "" {
		if url == "" && err == nil && kind == dirEmpty {
			return nil, nil, fmt.Errorf("there is no data in %s", cfg.DataDir)
		}
		if err := readAdminToken(cfg); err != nil {
			return nil, nil, err
		}
	}
	s, err = reach(cfg, url)
	return s, func() {}, err
}

// served reports whether a server listens on the socket of the data directory.
func served(cfg *config.Config) bool {
	path := socketPath(cfg)
	if path == "" {
		return false
	}
	c, err := net.DialTimeout("unix", path, time.Second)
	if err == nil {
		c.Close()
	}
	return err == nil
}

// openOffline opens the store of a directory that the caller has locked.
func openOffline(cfg *config.Config) (s *server, close func(), err error) {
	log := slog.New(slog.DiscardHandler)
	newMemoryLimit(int64(cfg.Memory))
	eng, sites, err := openLooking(cfg, reading{FS: vfs.Default}, log, make(chan error, 1))
	if err != nil {
		return nil, nil, err
	}
	served, err := serverOptions(cfg, eng, sites, log)
	if err != nil {
		return nil, nil, errors.Join(err, eng.Close())
	}
	srv, err := httpd.New(served)
	if err != nil {
		return nil, nil, errors.Join(err, eng.Close())
	}
	ln := newPipeListener()
	go srv.ServeOwn(ln)
	s = &server{client: &http.Client{}, base: "http://cairn", header: http.Header{}, stored: true}
	s.header.Set("Authorization", "Bearer "+cfg.AdminToken)
	s.client.Transport = &http.Transport{DialContext: ln.dial, DisableCompression: true}
	return s, func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		s.client.CloseIdleConnections()
		srv.Shutdown(ctx)
		eng.Close()
	}, nil
}

// openLooking opens the store of a directory that the caller has locked, to look at it. fs writes
// nothing to it.
func openLooking(cfg *config.Config, fs reading, log *slog.Logger, fatal chan<- error) (*engine.Engine, []*httpd.Site, error) {
	found, err := engine.Look(fs, cfg.DataDir)
	if err != nil {
		return nil, nil, explainLock(err, cfg.DataDir)
	}
	if !found.Exists {
		return nil, nil, fmt.Errorf("there is no store in %s", cfg.DataDir)
	}
	if err := storedSites(cfg, found); err != nil {
		return nil, nil, err
	}
	sites, err := config.BuildSites(cfg.Sites)
	if err != nil {
		return nil, nil, err
	}
	opts, err := EngineOptions(cfg, sites, log, fatal)
	if err != nil {
		return nil, nil, err
	}
	opts.FS, opts.Found, opts.ReadOnly, opts.Look = fs, found, true, true
	eng, err := engine.Open(opts)
	if err != nil {
		return nil, nil, explainLock(err, cfg.DataDir)
	}
	return eng, sites, nil
}

// storedSites adds the sites that the store knows and the configuration does not, and gives all of
// them keys for this process.
func storedSites(cfg *config.Config, found *store.Found) error {
	if cfg.Implicit() && len(found.Names.IDs) > 0 {
		cfg.Sites = nil
	}
	have := make(map[string]bool)
	for i := range cfg.Sites {
		have[cfg.Sites[i].Name] = true
	}
	for name, id := range found.Names.IDs {
		if have[name] {
			continue
		}
		site := config.DefaultSite()
		site.Name, site.ID = name, id
		if zone := found.Zones[id]; zone != "" {
			if _, err := time.LoadLocation(zone); err == nil {
				site.Timezone = zone
			}
		}
		cfg.Sites = append(cfg.Sites, site)
	}
	known := config.Known{IDs: found.Names.IDs, Used: found.Sites, Signed: found.Names.Keys, Events: found.Events}
	if _, err := config.FillKeys(cfg, known, true); err == nil {
		return nil
	}
	keys := *cfg // without keys.toml: nobody but this process needs the keys
	keys.DataDir = filepath.Join(cfg.DataDir, "nothing")
	if _, err := config.FillKeys(&keys, known, true); err != nil {
		return err
	}
	cfg.AdminToken = keys.AdminToken
	return nil
}

// reading is a file system that writes nothing but temporary files, and those elsewhere.
type reading struct {
	vfs.FS
	tmp, scratch string // what is below tmp is below scratch; "" = there are no temporary files
}

// newReading has the temporary files of the store in dir lie in scratch.
func newReading(fs vfs.FS, dir, scratch string) reading {
	return reading{fs, filepath.Join(dir, store.TmpName), scratch}
}

// temporary is where a temporary file of the store really is.
func (r reading) temporary(name string) (path string, is bool) {
	if r.tmp == "" {
		return name, false
	}
	below, ok := strings.CutPrefix(filepath.Clean(name), r.tmp)
	if !ok || below != "" && !os.IsPathSeparator(below[0]) {
		return name, false
	}
	return filepath.Join(r.scratch, below), true
}

var errReading = fmt.Errorf("the store is opened for reading: %w", os.ErrPermission)

func (r reading) Create(name string, c vfs.DiskWriteCategory) (vfs.File, error) {
	if path, is := r.temporary(name); is {
		return r.FS.Create(path, c)
	}
	return nil, errReading
}
func (r reading) Open(name string, opts ...vfs.OpenOption) (vfs.File, error) {
	path, _ := r.temporary(name)
	return r.FS.Open(path, opts...)
}
func (r reading) OpenDir(name string) (vfs.File, error) {
	path, _ := r.temporary(name)
	return r.FS.OpenDir(path)
}
func (r reading) Stat(name string) (vfs.FileInfo, error) {
	path, _ := r.temporary(name)
	return r.FS.Stat(path)
}
func (r reading) List(name string) ([]string, error) {
	path, _ := r.temporary(name)
	return r.FS.List(path)
}
func (reading) Link(string, string) error { return errReading }
func (r reading) OpenReadWrite(name string, c vfs.DiskWriteCategory, opts ...vfs.OpenOption) (vfs.File, error) {
	if path, is := r.temporary(name); is {
		return r.FS.OpenReadWrite(path, c, opts...)
	}
	return nil, errReading
}
func (r reading) Remove(name string) error {
	if path, is := r.temporary(name); is {
		return r.FS.Remove(path)
	}
	return errReading
}
func (reading) RemoveAll(string) error      { return errReading }
func (reading) Rename(string, string) error { return errReading }
func (r reading) MkdirAll(name string, mode os.FileMode) error {
	if path, is := r.temporary(name); is {
		return r.FS.MkdirAll(path, mode)
	}
	return errReading
}
func (reading) ReuseForWrite(string, string, vfs.DiskWriteCategory) (vfs.File, error) {
	return nil, errReading
}
func (reading) Lock(string) (io.Closer, error) { return io.NopCloser(nil), nil }

// Unwrap is vfs.FS's.
func (r reading) Unwrap() vfs.FS { return r.FS }

// pipeListener is a listener whose connections are made by dial.
type pipeListener struct {
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func newPipeListener() *pipeListener {
	return &pipeListener{conns: make(chan net.Conn), closed: make(chan struct{})}
}

func (l *pipeListener) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	ours, theirs := net.Pipe()
	select {
	case l.conns <- theirs:
		return ours, nil
	case <-l.closed:
	case <-ctx.Done():
	}
	return nil, net.ErrClosed
}

// Accept implements net.Listener.
func (l *pipeListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

// Close implements net.Listener.
func (l *pipeListener) Close() error {
	l.once.Do(func() { close(l.closed) })
	return nil
}

// Addr implements net.Listener.
func (l *pipeListener) Addr() net.Addr { return &net.UnixAddr{Name: "cairn", Net: "unix"} }
