// Visitor ids without cookies: a keyed hash of what a request reveals anyway. The key
// lives for two days.

package enrich

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"
)

// saltBytes is the size of a salt: 256 bits from the system's random source.
const saltBytes = 32

// Salts keeps the salts of today and yesterday (UTC). Without the salt nobody can tell
// from which address and agent an id was made, or that two ids of different days belong
// to one person. So a salt is deleted, from memory and from the file, when the day
// after its own ends: at most 48 hours after it was made.
//
// The file has one line for each salt, "2026-11-21 <64 hex digits>", and mode 0600. It
// serves restarts within a day and is not in snapshots. A file that cannot be read as
// such is replaced; visitors of that day then count as new.
type Salts struct {
	path   string
	now    func() time.Time
	random io.Reader

	mu    sync.RWMutex // guards the fields below
	salts map[int64][]byte
	day   int64 // the day for which salts were last checked
	err   error // of the last write

	stop chan struct{}
	done chan struct{}
}

// OpenSalts reads the salts at path, makes today's salt and starts the goroutine that
// deletes old ones in time. Close ends the goroutine. now and random may be nil.
func OpenSalts(path string, now func() time.Time, random io.Reader) (*Salts, error) {
	s := &Salts{path: path, now: now, random: random, salts: map[int64][]byte{}, day: -1, stop: make(chan struct{}), done: make(chan struct{})}
	if s.now == nil {
		s.now = time.Now
	}
	if s.random == nil {
		s.random = rand.Reader
	}
	b, err := os.ReadFile(path)
	if err != nil && !os.IsNotExist(err) {
		return nil, fmt.Errorf("read salts: %w", err)
	}
	for line := range strings.Lines(string(b)) {
		date, digits, _ := strings.Cut(strings.TrimSpace(line), " ")
		day, err := time.Parse(time.DateOnly, date)
		salt, err2 := hex.DecodeString(digits)
		if err == nil && err2 == nil && len(salt) == saltBytes {
			s.salts[unixDay(day)] = salt
		}
	}
	if err := s.Rotate(); err != nil && !noSpace(err) {
		return nil, err
	}
	go s.watch()
	return s, nil
}

// noSpace reports whether an error says that the disk, or the quota on it, is full. The salt
// is then in memory alone, and written when there is space.
func noSpace(err error) bool { return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) }

// Close ends the goroutine. The salts stay usable.
func (s *Salts) Close() {
	close(s.stop)
	<-s.done
}

// watch checks the clock every minute, so that a salt is deleted in time even without
// requests.
func (s *Salts) watch() {
	defer close(s.done)
	tick := time.NewTicker(time.Minute)
	defer tick.Stop()
	for {
		select {
		case <-s.stop:
			return
		case <-tick.C:
			s.Rotate() // a failed write is tried again at the next tick
		}
	}
}

func unixDay(t time.Time) int64 { return floorDiv(t.Unix(), 24*60*60) }

func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}

// Rotate makes today's salt if there is none and deletes all but yesterday's. A salt of
// a later day comes from a wrong clock and is deleted too.
func (s *Salts) Rotate() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	today := unixDay(s.now())
	if today == s.day && s.err == nil {
		return nil
	}
	for day := range s.salts {
		if day < today-1 || day > today {
			clear(s.salts[day])
			delete(s.salts, day)
		}
	}
	if s.salts[today] == nil {
		salt := make([]byte, saltBytes)
		if _, err := io.ReadFull(s.random, salt); err != nil {
			return fmt.Errorf("make a salt: %w", err)
		}
		s.salts[today] = salt
	}
	s.day = today
	s.err = s.write()
	return s.err
}

// write replaces the file. The caller holds mu.
func (s *Salts) write() error {
	var b strings.Builder
	for day := s.day - 1; day <= s.day; day++ {
		if salt := s.salts[day]; salt != nil {
			fmt.Fprintf(&b, "%s %x\n", time.Unix(day*24*60*60, 0).UTC().Format(time.DateOnly), salt)
		}
	}
	tmp := s.path + ".new"
	err := func() error {
		f, err := createNew(tmp)
		if err != nil {
			return err
		}
		defer f.Close()
		if _, err := f.WriteString(b.String()); err != nil {
			return err
		}
		if err := f.Sync(); err != nil {
			return err
		}
		if err := f.Close(); err != nil {
			return err
		}
		if err := os.Rename(tmp, s.path); err != nil {
			return err
		}
		dir, err := os.Open(filepath.Dir(s.path))
		if err != nil {
			return err
		}
		defer dir.Close()
		return dir.Sync()
	}()
	if err != nil {
		return fmt.Errorf("write salts: %w", err)
	}
	return nil
}

// createNew makes a file of mode 0600. It first removes a file of that name that a
// crash left. It does not write to that file, because it may be a link to another
// place.
func createNew(path string) (*os.File, error) {
	for {
		f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
		if !os.IsExist(err) {
			return f, err
		}
		if info, err := os.Lstat(path); err == nil && info.IsDir() {
			return nil, fmt.Errorf("%s is a directory", path)
		}
		if err := os.Remove(path); err != nil && !os.IsNotExist(err) {
			return nil, err
		}
	}
}

// Visitor returns the id of a visitor who reveals parts (address, agent and the like)
// to the site: 32 hex digits, different every day and at every site. yesterday is the
// id with yesterday's salt, "" when there is none. It finds a session that continues
// past midnight.
func (s *Salts) Visitor(site uint32, parts ...string) (today, yesterday string) {
	day := unixDay(s.now())
	s.mu.RLock()
	current := s.day == day
	s.mu.RUnlock()
	if !current {
		s.Rotate() // in memory this always succeeds; a failed write is tried again
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	return visitorID(s.salts[s.day], site, parts), visitorID(s.salts[s.day-1], site, parts)
}

// visitorID hashes the parts with their lengths, so that no two lists give the same
// input.
func visitorID(salt []byte, site uint32, parts []string) string {
	if salt == nil {
		return ""
	}
	h := hmac.New(sha256.New, salt)
	var n [4]byte
	binary.BigEndian.PutUint32(n[:], site)
	h.Write(n[:])
	for _, p := range parts {
		binary.BigEndian.PutUint32(n[:], uint32(len(p)))
		h.Write(n[:])
		io.WriteString(h, p)
	}
	var sum [sha256.Size]byte
	return hex.EncodeToString(h.Sum(sum[:0])[:16])
}
