// Package adminlog writes DATA_DIR/admin.log: who administered the store, when, and what was
// done. It has one line of JSON for each deletion, export, import, key, site, reload, backup and
// restore:
//
//	{"time":"2026-11-30T01:52:00.123Z","action":"deletion","by":"secret_key","from":"203.0.113.0/24","site":"shop","what":"17"}
//
// The file has the mode 0600. At 10 MiB it becomes admin.log.1, and what was admin.log.1 becomes
// admin.log.2; four of these are kept. It is in no snapshot.
//
// # What it never has
//
// No credential, no whole address of a client, and nothing that a visitor sent. A deletion is
// there by its number, and its condition is not: that may name a person. Callers keep to that with
// Entry.What; the rest is kept to here.
//
// # When it cannot be written
//
// The action has been done by then and is not undone. The line goes to the server's log in place
// of the file, and /healthz is degraded until a line can be written again.
package adminlog

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode/utf8"
)

// Name is the name of the file in the data directory.
const Name = "admin.log"

const (
	bytesMax = 10 << 20 // of the file; a longer one is put aside
	kept     = 4        // files that were put aside
	textMax  = 256      // bytes of one text of an entry
)

// Action is a kind of action. Names never change: scripts look for them.
type Action string

// The actions.
const (
	Deletion   Action = "deletion"
	Export     Action = "export"
	Import     Action = "import"
	KeyAdd     Action = "key add"
	KeySet     Action = "key set" // its name or its end
	KeyRotate  Action = "key rotate"
	KeyRemove  Action = "key remove"
	AdminToken Action = "admin token" // it was renewed
	LoginLink  Action = "login link"  // a link that opens the dashboard once was made
	SiteAdd    Action = "site add"
	SiteSet    Action = "site set"
	SiteRemove Action = "site remove"
	Reload     Action = "reload"
	Snapshot   Action = "snapshot"
	Backup     Action = "backup"
	Restore    Action = "restore"
)

// Who has no key of a site.
const (
	ByAdmin     = "admin token"
	ByCommand   = "command"   // of this machine, over cairn.sock or on a stopped store
	BySignal    = "signal"    // SIGHUP, which a command of this machine or its supervisor sends
	ByRetention = "retention" // nobody asked: a rule of the configuration did it
	BySchedule  = "schedule"  // nobody asked: it is done every so often
)

// Entry is one action.
type Entry struct {
	Action Action
	By     string     // the name of a key, or one of the By constants
	From   netip.Addr // who asked; only its network is written. The zero value: this machine
	Site   string     // "" = none, or all
	// What is the number of a deletion, the id of a key, the name of a snapshot: never a
	// condition, a credential or a value of a visitor. "" = there is nothing to say.
	What   string
	Failed bool // it was tried
}

// Log is an admin.log. A nil Log writes nothing.
type Log struct {
	path  string
	log   *slog.Logger
	now   func() time.Time
	limit int64 // bytesMax, less in tests

	mu     sync.Mutex
	file   *os.File // nil = not open
	size   int64    // of file
	torn   bool     // file does not end with a newline
	fault  error    // of the last line; nil = it was written
	failed uint64   // lines that were not written
}

// Open returns the log of a data directory. It opens the file when the first line is written, so
// it never fails. log gets what cannot be written.
func Open(dir string, log *slog.Logger) *Log {
	return &Log{path: filepath.Join(dir, Name), log: log, now: time.Now, limit: bytesMax}
}

// line is an entry in the file. Names of fields never change.
type line struct {
	Time   string `json:"time"` // RFC 3339 in UTC, milliseconds
	Action Action `json:"action"`
	By     string `json:"by"`
	From   string `json:"from,omitempty"`
	Site   string `json:"site,omitempty"`
	What   string `json:"what,omitempty"`
	Failed bool   `json:"failed,omitempty"`
}

// Add writes an entry, durably. Call it when the action is done and before the answer. It
// returns no error, because nobody undoes an action that was not logged.
func (l *Log) Add(e Entry) {
	if l == nil {
		return
	}
	at := line{Time: l.now().UTC().Format("2006-01-02T15:04:05.000Z"), Action: e.Action, By: short(e.By), From: Network(e.From), Site: short(e.Site), What: short(e.What), Failed: e.Failed}
	text, err := json.Marshal(at)
	if err != nil {
		panic(err) // these are texts
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.write(append(text, '\n')); err != nil {
		l.failed++
		l.fault = err
		l.close()
		l.log.Error("admin.log cannot be written; the action was done", "error", err, "action", string(at.Action), "by", at.By, "from", at.From, "site", at.Site, "what", at.What, "failed", at.Failed)
		return
	}
	l.fault = nil
}

// short is a text of bounded length.
func short(s string) string {
	s = strings.ToValidUTF8(s, "�")
	if len(s) <= textMax {
		return s
	}
	for s = s[:textMax]; !utf8.ValidString(s); s = s[:len(s)-1] {
	}
	return s + "…"
}

// Network is the network of an address: the first 24 bits of an IPv4 address, and the first 48
// of an IPv6 address. It is "" for no address.
func Network(a netip.Addr) string {
	a = a.Unmap().WithZone("")
	bits := 48
	if a.Is4() {
		bits = 24
	}
	p, err := a.Prefix(bits)
	if err != nil || !a.IsValid() {
		return ""
	}
	return p.String()
}

// write appends a line. The caller holds mu.
func (l *Log) write(text []byte) error {
	if err := l.open(); err != nil {
		return err
	}
	if l.size > 0 && l.size+int64(len(text)) > l.limit {
		if err := l.rotate(); err != nil {
			return err
		}
	}
	if l.torn {
		text = append([]byte{'\n'}, text...)
	}
	n, err := l.file.Write(text)
	l.size += int64(n)
	if n > 0 {
		l.torn = text[n-1] != '\n'
	}
	if err != nil {
		return err
	}
	return l.file.Sync()
}

// open opens the file unless it is open. A file that was removed or put aside by somebody else
// is made again.
func (l *Log) open() error {
	if l.file != nil {
		mine, err := l.file.Stat()
		if err == nil {
			there, serr := os.Lstat(l.path)
			if serr == nil && os.SameFile(mine, there) {
				l.size = mine.Size()
				return nil
			}
		}
		l.close()
	}
	// What is no plain file is left alone: a link could lead anywhere.
	if info, err := os.Lstat(l.path); err == nil && !info.Mode().IsRegular() {
		return fmt.Errorf("%s is not a file", l.path)
	} else if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	f, err := os.OpenFile(l.path, os.O_RDWR|os.O_APPEND|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	info, err := f.Stat()
	if err == nil && info.Mode().Perm()&0o077 != 0 {
		err = f.Chmod(0o600)
	}
	last := []byte{'\n'}
	if err == nil && info.Size() > 0 {
		_, err = f.ReadAt(last, info.Size()-1)
	}
	if err != nil && !errors.Is(err, io.EOF) {
		f.Close()
		return err
	}
	l.file, l.size, l.torn = f, info.Size(), last[0] != '\n'
	return nil
}

// rotate puts the file aside and begins another one. The caller holds mu.
func (l *Log) rotate() error {
	l.close()
	aside := func(n int) string { return l.path + "." + strconv.Itoa(n) }
	for n := kept; n > 1; n-- {
		if err := os.Rename(aside(n-1), aside(n)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	if err := os.Rename(l.path, aside(1)); err != nil {
		return err
	}
	return l.open()
}

// close closes the file. The caller holds mu.
func (l *Log) close() {
	if l.file != nil {
		l.file.Close()
		l.file = nil
	}
}

// Close closes the file. A later Add opens it again.
func (l *Log) Close() {
	if l == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.close()
}

// Troubles says, for /healthz, whether the last line could not be written.
func (l *Log) Troubles() []string {
	if l == nil {
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.fault == nil {
		return nil
	}
	return []string{"admin.log cannot be written: see the log of the server"}
}

// Metrics puts how many lines could not be written.
func (l *Log) Metrics(put func(name, kind, help string, value float64, labels ...string)) {
	if l == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	put("cairn_admin_log_failed_total", "counter", "Lines of admin.log that could not be written.", float64(l.failed))
}
