package geo

import (
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Options configures a Locator.
type Options struct {
	// Files are databases in order of trust. What the first one does not know is looked
	// up in the next, for example first a city file and then an ASN file. A file that
	// is missing or broken is reported, and tried again when it changes. The embedded
	// database is the last one when no file knows countries.
	Files []string
	// Poll is the time between two checks of the files. 0 = 10 s; negative = the caller
	// calls Reload.
	Poll time.Duration
	Log  *slog.Logger // nil = discard
	Now  func() time.Time
}

// Locator answers lookups from its files and reloads them when they change. It is safe
// for concurrent use.
type Locator struct {
	now    func() time.Time
	log    *slog.Logger
	live   atomic.Pointer[[]*file] // replaced as a whole, never changed
	failed atomic.Uint64           // lookups that found a damaged record

	loading sync.Mutex // held during a reload, which may take seconds
	mu      sync.Mutex // guards the fields of the sources; locked after loading
	sources []*source

	stop chan struct{}
	done chan struct{}
}

// source is one configured file and its state.
type source struct {
	path     string
	mark     mark // of the last attempt, good or bad; guarded by loading only
	db       *file
	loaded   time.Time
	err      error
	reloads  uint64
	failures uint64
}

// mark identifies one state of a file.
type mark struct {
	modified time.Time
	size     int64
	sum      time.Time // of the checksum file
	absent   bool
}

// Open returns a Locator. It always succeeds: a problem with a file is logged and shown
// by Status. Close ends its goroutine.
func Open(o Options) *Locator {
	l := &Locator{now: o.Now, log: o.Log, stop: make(chan struct{}), done: make(chan struct{})}
	if l.now == nil {
		l.now = time.Now
	}
	if l.log == nil {
		l.log = slog.New(slog.DiscardHandler)
	}
	l.SetFiles(o.Files)
	if o.Poll == 0 {
		o.Poll = 10 * time.Second
	}
	if o.Poll < 0 {
		close(l.done)
		return l
	}
	go l.watch(o.Poll)
	return l
}

// Close stops watching the files. Lookups still work.
func (l *Locator) Close() {
	close(l.stop)
	<-l.done
}

// SetFiles replaces the list of files. It returns when those that are new are loaded, or reported;
// until then lookups use the files from before. A file that stays keeps what is loaded of it.
func (l *Locator) SetFiles(files []string) {
	l.loading.Lock()
	defer l.loading.Unlock()
	var sources []*source
	for _, path := range files {
		if path == "" {
			continue
		}
		s := &source{path: path}
		if i := slices.IndexFunc(l.sources, func(old *source) bool { return old.path == path }); i >= 0 {
			s = l.sources[i]
		}
		sources = append(sources, s)
	}
	l.mu.Lock()
	l.sources = sources
	l.mu.Unlock()
	l.load()
	l.publish()
}

// watch polls the files. Polling needs no support from the file system, and notices a
// file that is replaced by rename as well as one that is written in place.
func (l *Locator) watch(every time.Duration) {
	defer close(l.done)
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-l.stop:
			return
		case <-tick.C:
			l.Reload()
		}
	}
}

// Reload checks every file now and loads those that changed since the last check. A
// file that vanished stays in use.
func (l *Locator) Reload() {
	l.loading.Lock()
	defer l.loading.Unlock()
	if l.load() {
		l.publish()
	}
}

// load loads the files that have changed since it last looked at them. The caller holds loading.
func (l *Locator) load() (changed bool) {
	for _, s := range l.sources {
		m := markOf(s.path)
		if m == s.mark {
			continue
		}
		s.mark = m
		db, err := readFile(s.path)
		l.mu.Lock()
		if s.err = err; err != nil {
			s.failures++
		} else {
			s.db, s.loaded, changed = db, l.now(), true
			s.reloads++
		}
		l.mu.Unlock()
		if err != nil {
			l.log.Error("geo database not loaded", "file", s.path, "error", err, "kept_old", s.db != nil)
			continue
		}
		l.log.Info("geo database loaded", "file", s.path, "type", db.kind, "built", db.built.Format(time.DateOnly), "knows", db.has.String(), "bytes", db.bytes)
	}
	return changed
}

// publish puts the loaded files in use, followed by the embedded one when none knows
// countries. The caller holds loading.
func (l *Locator) publish() {
	live := make([]*file, 0, len(l.sources)+1)
	for _, s := range l.sources {
		if s.db != nil {
			live = append(live, s.db)
		}
	}
	if !slices.ContainsFunc(live, func(db *file) bool { return db.has.Country }) {
		if db, err := embedded(); err == nil {
			live = append(live, db)
		} else {
			l.log.Error("geo database not loaded", "file", "embedded", "error", err)
		}
	}
	l.live.Store(&live)
}

func markOf(path string) mark {
	info, err := os.Stat(path)
	if err != nil {
		return mark{absent: true}
	}
	m := mark{modified: info.ModTime(), size: info.Size()}
	if sum, err := os.Stat(path + ".sha256"); err == nil {
		m.sum = sum.ModTime()
	}
	return m
}

// Lookup returns where addr is. An address without a place (G5) or an unknown one gives
// the zero Place.
func (l *Locator) Lookup(addr netip.Addr) Place {
	addr = addr.Unmap().WithZone("")
	if nowhere(addr) {
		return Place{}
	}
	var place Place
	for i, db := range *l.live.Load() {
		p, err := db.lookup(addr)
		switch {
		case err != nil:
			l.failed.Add(1)
		case p == nil:
		case i == 0:
			place = *p
		default:
			place.fill(p)
		}
	}
	return place
}

// shared is the range of RFC 6598: addresses behind a carrier's NAT.
var shared = netip.MustParsePrefix("100.64.0.0/10")

func nowhere(addr netip.Addr) bool {
	return !addr.IsGlobalUnicast() || addr.IsPrivate() || shared.Contains(addr)
}

// FileStatus is the state of one database, for metrics and operators.
type FileStatus struct {
	Path            string // "embedded" for that of the binary
	Type            string // the type that the file states, "" when nothing is loaded
	Has             Has
	Built, Loaded   time.Time
	Bytes           int
	Loads, Failures uint64
	Err             error // of the last load; the previous version is still in use
}

// Status is the state of a Locator.
type Status struct {
	Has    Has // over all files in use
	Files  []FileStatus
	Failed uint64 // lookups that found a damaged record
}

// Troubles describes, without paths, the configured files whose current version is not
// in use, and what serves instead.
func (l *Locator) Troubles() (reasons []string) {
	st := l.Status()
	for _, f := range st.Files {
		switch name := filepath.Base(f.Path); {
		case f.Err == nil:
		case f.Type != "":
			reasons = append(reasons, "the geo database "+name+" cannot be loaded, the one before it is in use")
		default:
			reasons = append(reasons, "the geo database "+name+" cannot be loaded")
		}
	}
	if st.Failed > 0 {
		reasons = append(reasons, "a geo database in use is damaged")
	}
	return reasons
}

// Status returns the state of the files.
func (l *Locator) Status() Status {
	l.mu.Lock()
	defer l.mu.Unlock()
	st := Status{Failed: l.failed.Load()}
	for _, s := range l.sources {
		fs := FileStatus{Path: s.path, Loaded: s.loaded, Loads: s.reloads, Failures: s.failures, Err: s.err}
		if s.db != nil {
			fs.Type, fs.Has, fs.Built, fs.Bytes = s.db.kind, s.db.has, s.db.built, s.db.bytes
			st.Has = st.Has.or(s.db.has)
		}
		st.Files = append(st.Files, fs)
	}
	for _, db := range *l.live.Load() {
		if db.embedded {
			st.Files = append(st.Files, FileStatus{Path: "embedded", Type: db.kind, Has: db.has, Built: db.built, Bytes: db.bytes, Loads: 1})
			st.Has = st.Has.or(db.has)
		}
	}
	return st
}

// Credit is the text that pages with locations must show, with its link: that of DB-IP while a
// database of theirs is in use, "" otherwise.
func (l *Locator) Credit() string {
	for _, f := range l.Status().Files {
		if f.Path == "embedded" || strings.HasPrefix(f.Type, "DBIP") {
			return Attribution
		}
	}
	return ""
}

// Finest returns how closely the databases in use can locate an address: city, region, country,
// or "" for not at all.
func (l *Locator) Finest() string {
	switch has := l.Status().Has; {
	case has.City:
		return "city"
	case has.Region:
		return "region"
	case has.Country:
		return "country"
	}
	return ""
}
