// Salvage: a damaged store, opened as far as it can be read. Nothing in its directory changes.

package store

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"slices"
	"strings"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/record"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// Salvaged is a damaged store, open for reading. Any read of it may fail where its table is
// damaged or missing; the others are right.
type Salvaged struct {
	DB      *pebble.DB // all keys but those of runs
	Runs    *pebble.DB // the keys of runs
	Rebuilt bool       // the list of tables was lost: DB has no ids and no links
	Damages []string   // what was damaged or missing in the files, one sentence each
	Notes   []string   // what cannot be known of the store, one sentence each

	scratch string // directory of DB when it is not in the store
}

// errNoListing says that neither the store nor its copies have a list of tables that is whole.
var errNoListing = errors.New("the list of tables is lost")

// Salvage opens the store in a data directory for reading, whatever is damaged. It takes the
// manifest from its copy when it is not what was written. When there is no good copy either, it
// reads the tables without a list; see rebuild. It passes over damaged records of log files.
// The caller closes it.
func Salvage(fs vfs.FS, dir string) (*Salvaged, error) {
	s := &Salvaged{}
	over, err := s.mend(fs, dir)
	if err == nil {
		if s.DB, err = OpenPebble(Dir(fs, dir), ReadOnlyOptions(over)); err == nil {
			err = s.complete(fs, dir)
		}
		if err == nil {
			s.Runs = s.DB
			return s, nil
		}
		s.damage("%v", Named(err))
		if s.DB != nil {
			_ = s.DB.Close()
			s.DB = nil
		}
	} else if !errors.Is(err, errNoListing) {
		return nil, err
	}
	if err := s.rebuild(fs, dir); err != nil {
		return nil, errors.Join(fmt.Errorf("open the damaged store: %w", err), s.Close())
	}
	return s, nil
}

// complete returns an error when tables on the disk are not in the list that DB was opened with,
// and something is damaged that may have named them: the list itself, of whose length nothing
// may be known, or a log, which names new tables until the next flush. A crash leaves such
// tables too. They have nothing that is not also in the list or in the log.
func (s *Salvaged) complete(fs vfs.FS, dir string) error {
	levels, err := s.DB.SSTables()
	if err != nil {
		return err
	}
	named := make(map[string]bool)
	for _, tables := range levels {
		for _, t := range tables {
			named[fmt.Sprintf("%06d.sst", uint64(t.BackingSSTNum))] = true
		}
	}
	names, err := fs.List(Dir(fs, dir))
	if err != nil {
		return err
	}
	strays := 0
	for _, name := range names {
		if strings.HasSuffix(name, ".sst") && !named[name] {
			strays++
		}
		delete(named, name)
	}
	_, marked := readMarks(fs, dir)
	if strays > 0 && (len(named) > 0 || len(s.Damages) > 0 || len(marked) == 0) {
		return DamagedFile(Name, fmt.Errorf("%d tables on the disk are not in the list of tables", strays))
	}
	return nil
}

// Close closes the store, and removes what was made to read it.
func (s *Salvaged) Close() (err error) {
	if s.DB != nil {
		err = s.DB.Close()
	}
	if s.Runs != nil && s.Runs != s.DB {
		err = errors.Join(err, s.Runs.Close())
	}
	if s.scratch != "" {
		err = errors.Join(err, os.RemoveAll(s.scratch))
	}
	return err
}

func (s *Salvaged) damage(format string, args ...any) {
	s.Damages = append(s.Damages, fmt.Sprintf(format, args...))
}

// mend returns the file system with what is damaged replaced.
func (s *Salvaged) mend(fs vfs.FS, dir string) (*overlay, error) {
	at := Dir(fs, dir)
	names, err := fs.List(at)
	if err != nil {
		return nil, err
	}
	over := &overlay{FS: fs, dir: at, files: make(map[string][]byte)}
	_, marked := readMarks(fs, dir)
	l, manifest, b, err := s.listing(fs, dir, names, marked)
	if err != nil {
		return nil, err
	}
	over.files[manifest] = b
	over.files["marker.manifest.000001."+manifest] = nil
	over.files[fmt.Sprintf("marker.format-version.000001.%03d", PebbleFormat)] = nil
	over.hidden = func(name string) bool {
		return strings.HasPrefix(name, "marker.") || strings.HasPrefix(name, "MANIFEST-")
	}
	logs := make(map[string]bool)
	for _, name := range names {
		if n := number(name); strings.HasSuffix(name, ".log") && n >= l.minLog {
			logs[name] = true
			b, err := readAll(fs, fs.PathJoin(at, name))
			if err != nil {
				s.damage("%s/%s cannot be read: %v", Name, name, err)
				b = nil
			}
			over.files[name] = s.mendLog(name, n, b)
		}
	}
	for _, e := range marked[min(1, len(marked)):] {
		if number(e.Name) < l.minLog {
			continue
		}
		if err := lookAtLog(fs, at, e); err != nil {
			s.damage("%s/%s: %v", Name, e.Name, err)
		}
	}
	return over, nil
}

// listing returns the manifest to use: that of the store if it is whole, else its copy. The
// error is errNoListing when neither is good.
func (s *Salvaged) listing(fs vfs.FS, dir string, names []string, marked []Extent) (l listing, manifest string, b []byte, err error) {
	at := Dir(fs, dir)
	var mark Extent
	if len(marked) > 0 {
		mark = marked[0]
	}
	manifest, err = currentManifest(names)
	if err == nil && manifest == "" {
		err = DamagedFile(Name+"/marker.manifest", errors.New("the file that names the manifest is missing"))
	}
	if err == nil && mark.Name != "" && number(manifest) < number(mark.Name) {
		err = DamagedFile(Name+"/"+mark.Name, errors.New("the marker names an older manifest"))
	}
	if err == nil {
		if b, err = readAll(fs, fs.PathJoin(at, manifest)); err == nil {
			if l, err = readListing(b, manifest, mark); err == nil {
				return l, manifest, b, nil
			}
		}
	}
	s.damage("%v", err)
	var newest string
	for _, from := range []string{at, fs.PathJoin(dir, SpareName)} {
		list, _ := fs.List(from)
		for _, name := range list {
			if strings.HasPrefix(name, "MANIFEST-") && number(name) >= number(newest) {
				newest = name
			}
		}
		for _, name := range []string{mark.Name, newest} {
			if name == "" || !slices.Contains(list, name) {
				continue
			}
			if b, rerr := readAll(fs, fs.PathJoin(from, name)); rerr == nil {
				if l, rerr := readListing(b, name, mark); rerr == nil && l.extent.Size >= goodSize(fs, at, name) {
					s.damage("the list of tables is taken from %s", path.Join(fs.PathBase(from), name))
					return l, name, b[:l.extent.Size], nil
				}
			}
		}
	}
	return l, "", nil, errNoListing
}

// goodSize returns how much of a manifest of the store is good, from its beginning.
func goodSize(fs vfs.FS, at, name string) int64 {
	b, err := readAll(fs, fs.PathJoin(at, name))
	if err != nil {
		return 0
	}
	end, _, _ := records(b, func([]byte) error { return nil })
	return int64(end)
}

// mendLog returns a log file of all good records of one.
func (s *Salvaged) mendLog(name string, n uint64, b []byte) []byte {
	var out bytes.Buffer
	w := record.NewWriter(&out)
	s.logRecords(name, n, b, func(record []byte) { _, _ = w.WriteRecord(record) })
	_ = w.Close()
	return out.Bytes()
}

// logRecords calls fn with all good records of the log file of number n. A record is valid
// until fn returns. Each is a batch of Pebble's.
func (s *Salvaged) logRecords(name string, n uint64, b []byte, fn func(record []byte)) {
	var open []byte
	inside, lastEnd := false, 0
	for at := 0; at < len(b); {
		left := chunkBlock - at%chunkBlock
		payload, end, first, last, ok := logChunkAt(b, at, uint32(n))
		if !ok {
			inside = false
			next := nextLogChunk(b, at, uint32(n))
			if next < 0 {
				break
			}
			if left > chunkHeads[2] || !zero(b[at:min(at+left, len(b))]) {
				s.damage("%s/%s is damaged from byte %d to byte %d", Name, name, lastEnd, next)
			}
			at = next
			continue
		}
		at = end
		if first {
			open, inside = open[:0], true
		}
		if !inside {
			continue // the beginning of this record is damaged
		}
		open = append(open, payload...)
		lastEnd = end
		if last {
			inside = false
			if len(open) >= 12 { // a batch has at least its head
				fn(open)
			}
		}
	}
}

// logChunkAt is chunkAt for a log file, which may have chunks of the log that used the file
// before.
func logChunkAt(b []byte, at int, n uint32) (payload []byte, end int, first, last, ok bool) {
	payload, end, first, last, ok = chunkAt(b, at)
	if ok && b[at+6] > 4 {
		log := uint32(b[at+7]) | uint32(b[at+8])<<8 | uint32(b[at+9])<<16 | uint32(b[at+10])<<24
		ok = log == n
	}
	return payload, end, first, last, ok
}

// nextLogChunk finds the next place after at where a chunk of the log begins: anywhere in the
// same block, or at the beginning of a later one.
func nextLogChunk(b []byte, at int, n uint32) int {
	block := at/chunkBlock*chunkBlock + chunkBlock
	for at++; at < min(block, len(b)); at++ {
		if _, _, _, _, ok := logChunkAt(b, at, n); ok {
			return at
		}
	}
	for ; block < len(b); block += chunkBlock {
		if _, _, _, _, ok := logChunkAt(b, block, n); ok {
			return block
		}
		if i := nextInBlock(b, block, n); i >= 0 {
			return i
		}
	}
	return -1
}

func nextInBlock(b []byte, block int, n uint32) int {
	for at := block + 1; at < min(block+chunkBlock, len(b)); at++ {
		if _, _, _, _, ok := logChunkAt(b, at, n); ok {
			return at
		}
	}
	return -1
}

// overlay is a file system that replaces some files of one directory, and writes nothing.
type overlay struct {
	vfs.FS
	dir    string
	files  map[string][]byte // by name
	hidden func(name string) bool
}

// in returns the name of a file of the directory that is replaced.
func (o *overlay) in(name string) (string, []byte, bool) {
	if o.PathDir(name) != o.dir {
		return "", nil, false
	}
	b, ok := o.files[o.PathBase(name)]
	return o.PathBase(name), b, ok
}

// Open is vfs.FS's.
func (o *overlay) Open(name string, opts ...vfs.OpenOption) (vfs.File, error) {
	if base, b, ok := o.in(name); ok {
		mem := vfs.NewMem()
		f, err := mem.Create(base, vfs.WriteCategoryUnspecified)
		if err != nil {
			return nil, err
		}
		_, err = f.Write(slices.Clone(b)) // a file system may change what it writes
		if err = errors.Join(err, f.Close()); err != nil {
			return nil, err
		}
		return mem.Open(base, opts...)
	}
	return o.FS.Open(name, opts...)
}

// Stat is vfs.FS's.
func (o *overlay) Stat(name string) (vfs.FileInfo, error) {
	if _, _, ok := o.in(name); ok {
		f, err := o.Open(name)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		return f.Stat()
	}
	return o.FS.Stat(name)
}

// List is vfs.FS's.
func (o *overlay) List(dir string) ([]string, error) {
	list, err := o.FS.List(dir)
	if dir != o.dir || err != nil {
		return list, err
	}
	list = slices.DeleteFunc(list, o.hidden)
	for name := range o.files {
		if !slices.Contains(list, name) {
			list = append(list, name)
		}
	}
	return list, nil
}

// Lock is vfs.FS's. It makes no file.
func (o *overlay) Lock(string) (io.Closer, error) { return io.NopCloser(nil), nil }

// Remove and the other calls that would change something fail.
func (o *overlay) Remove(name string) error {
	return &os.PathError{Op: "remove", Path: name, Err: os.ErrPermission}
}

// Create is vfs.FS's.
func (o *overlay) Create(name string, _ vfs.DiskWriteCategory) (vfs.File, error) {
	return nil, &os.PathError{Op: "create", Path: name, Err: os.ErrPermission}
}

// Unwrap is vfs.FS's.
func (o *overlay) Unwrap() vfs.FS { return o.FS }
