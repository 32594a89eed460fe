// Spare: small files beside the store that say what must be on the disk. A start compares the
// store with them before it opens it for writing, and a repair takes from them what the store
// has lost. A store of an older cairn has none of them; they are made when it is next opened.

package store

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"cairn/index"
	"cairn/wal"

	"github.com/cespare/xxhash/v2"
	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// SpareName is the directory of the spare files in a data directory:
//
//	mark-0, mark-1     a synced beginning of the manifest and of each log file: extents
//	tables             length and SHA-256 of each table
//	records            copies of the store's own records and of the descriptors of runs
//	MANIFEST-N         a copy of the manifest, up to what a mark says
//
// mark-0 and mark-1 are written in turn, so a crash tears one of them at most. tables and
// records are replaced as a whole. Each of these files ends with a checksum of what comes
// before it. What a mark says of a file stays true, however old the mark is: the file only
// grows, or a later one takes its place. So none of these files has to be up to date.
const SpareName = Name + ".spare"

const (
	spareVersion  = 1
	tablesName    = "tables"
	recordsName   = "records"
	spareBytesMax = 1 << 30
)

// Spare writes the spare files of an open store. One goroutine at a time may use it.
type Spare struct {
	fs      vfs.FS // not Written: these files are not Pebble's
	dir     string // of the spare files
	store   string
	written *Written

	made    bool // dir is there
	counter uint64
	mark    []Extent   // what the newest mark says
	copied  Extent     // the copy of the manifest; its Sum is not kept
	tables  []TableSum // what the file says
	records []byte     // what the file says
}

// NewSpare returns the spare files of the store in a data directory. f is what Look has found
// there.
func NewSpare(fs vfs.FS, dir string, written *Written, f *Found) *Spare {
	s := &Spare{fs: fs, dir: fs.PathJoin(dir, SpareName), store: Dir(fs, dir), written: written}
	s.counter = f.counter
	return s
}

// ForgetTables removes from the spare files the sums of tables that the store does not have. It
// is called before the store is opened for writing. Pebble may have given a number to a table
// that a power cut took away, and then gives it to another one, before Note is called again.
func (f *Found) ForgetTables(fs vfs.FS, dir string) error {
	if slices.Equal(f.tables, KnownTables(fs, dir)) {
		return nil
	}
	s := &Spare{fs: fs, dir: fs.PathJoin(dir, SpareName)}
	err := s.replace(tablesName, appendTables(nil, f.tables), true)
	if err != nil { // without space: no sum is better than a wrong one
		err = fs.Remove(fs.PathJoin(s.dir, tablesName))
	}
	if err != nil {
		return fmt.Errorf("forget the sums of lost tables: %w", err)
	}
	return nil
}

// Note writes what has changed since the last call: the mark, and the copy of the manifest.
// It syncs them.
func (s *Spare) Note() error {
	extents := s.written.Extents()
	if extents[0].Size == 0 || slices.Equal(extents, s.mark) {
		return nil
	}
	if !s.made {
		if err := MakeDir(s.fs, s.dir); err != nil {
			return fmt.Errorf("note the files of the store: %w", err)
		}
		s.made = true
	}
	if err := s.copyManifest(extents[0]); err != nil && !errors.Is(err, os.ErrNotExist) { // it may just have been replaced
		return fmt.Errorf("copy the manifest: %w", err)
	}
	counter := s.counter + 1
	if err := s.replace(markName(counter), appendMark(nil, counter, extents), false); err != nil {
		return fmt.Errorf("note the files of the store: %w", err)
	}
	s.counter, s.mark = counter, extents
	return nil
}

// NoteAll is Note, and writes everything else that has changed: sums, records, descriptors.
func (s *Spare) NoteAll(r pebble.Reader) error {
	if err := s.Note(); err != nil {
		return err
	}
	if tables := s.written.Tables(); !slices.Equal(tables, s.tables) {
		if err := s.replace(tablesName, appendTables(nil, tables), true); err != nil {
			return fmt.Errorf("note the sums of the tables: %w", err)
		}
		s.tables = tables
	}
	records, err := readRecords(r)
	if err != nil {
		return err
	}
	if !bytes.Equal(records, s.records) {
		if err := s.replace(recordsName, records, true); err != nil {
			return fmt.Errorf("copy the store's records: %w", err)
		}
		s.records = records
	}
	return nil
}

// replace writes a spare file with its checksum and syncs it. With aside set the old one stays
// until the new one is complete.
func (s *Spare) replace(name string, data []byte, aside bool) error {
	data = binary.LittleEndian.AppendUint64(data, xxhash.Sum64(data))
	path := s.fs.PathJoin(s.dir, name)
	if !aside {
		if err := WriteFile(s.fs, path, data); err != nil {
			return err
		}
		if s.counter < 2 {
			return wal.SyncDir(s.fs, s.dir)
		}
		return nil
	}
	if err := WriteFile(s.fs, path+".new", data); err != nil {
		return err
	}
	if err := s.fs.Rename(path+".new", path); err != nil {
		return err
	}
	return wal.SyncDir(s.fs, s.dir)
}

// copyManifest appends to the copy of the manifest what has been written since the last call.
// The copy of an older manifest is removed when that of the new one is complete.
func (s *Spare) copyManifest(manifest Extent) error {
	path := s.fs.PathJoin(s.dir, manifest.Name)
	if s.copied.Name == manifest.Name && s.copied.Size == manifest.Size {
		return nil
	}
	from := int64(0)
	var dst vfs.File
	var err error
	if s.copied.Name == manifest.Name {
		from = s.copied.Size
		dst, err = s.fs.OpenReadWrite(path, vfs.WriteCategoryUnspecified)
	} else {
		dst, err = s.fs.Create(path, vfs.WriteCategoryUnspecified)
	}
	if err != nil {
		return err
	}
	s.copied = Extent{} // until it is done
	src, err := s.fs.Open(s.fs.PathJoin(s.store, manifest.Name))
	if err != nil {
		return errors.Join(err, dst.Close())
	}
	defer src.Close()
	data := make([]byte, manifest.Size-from)
	if _, err = src.ReadAt(data, from); err == nil {
		_, err = dst.WriteAt(data, from)
	}
	if err == nil {
		err = dst.Sync()
	}
	if err = errors.Join(err, dst.Close()); err != nil {
		return err
	}
	s.copied = Extent{Name: manifest.Name, Size: manifest.Size}
	if from > 0 {
		return nil
	}
	list, err := s.fs.List(s.dir)
	if err != nil {
		return err
	}
	for _, name := range list {
		if strings.HasPrefix(name, "MANIFEST-") && name != manifest.Name {
			if err := s.fs.Remove(s.fs.PathJoin(s.dir, name)); err != nil {
				return err
			}
		}
	}
	return wal.SyncDir(s.fs, s.dir)
}

func markName(counter uint64) string { return fmt.Sprintf("mark-%d", counter%2) }

// appendMark appends a mark without its checksum:
//
//	version 1 | counter u64 | for each file: length of name u8, name, size u64, sum u64
//
// Integers are little endian. The manifest is the first file.
func appendMark(b []byte, counter uint64, extents []Extent) []byte {
	b = append(b, spareVersion)
	b = binary.LittleEndian.AppendUint64(b, counter)
	for _, e := range extents {
		b = append(append(b, byte(len(e.Name))), e.Name...)
		b = binary.LittleEndian.AppendUint64(b, uint64(e.Size))
		b = binary.LittleEndian.AppendUint64(b, e.Sum)
	}
	return b
}

func parseMark(b []byte) (counter uint64, extents []Extent, ok bool) {
	if len(b) < 9 {
		return 0, nil, false
	}
	counter, b = binary.LittleEndian.Uint64(b[1:]), b[9:]
	for len(b) > 0 {
		n := int(b[0])
		if len(b) < 1+n+16 {
			return 0, nil, false
		}
		extents = append(extents, Extent{string(b[1 : 1+n]), int64(binary.LittleEndian.Uint64(b[1+n:])), binary.LittleEndian.Uint64(b[9+n:])})
		b = b[17+n:]
	}
	return counter, extents, len(extents) > 0
}

// appendTables appends the sums of tables without their checksum: version 1, then a line for
// each table.
func appendTables(b []byte, tables []TableSum) []byte {
	b = append(b, spareVersion)
	for _, t := range tables {
		b = fmt.Appendf(b, "%s %d %s\n", t.Name, t.Size, t.SHA256)
	}
	return b
}

func parseTables(b []byte) (tables []TableSum) {
	for line := range strings.Lines(string(b[1:])) {
		var t TableSum
		if _, err := fmt.Sscanf(line, "%s %d %s\n", &t.Name, &t.Size, &t.SHA256); err != nil {
			return nil
		}
		tables = append(tables, t)
	}
	return tables
}

// readRecords returns copies of the records that a repair cannot do without: version 1, then
// for each its key and its value, both with their length before them.
func readRecords(r pebble.Reader) ([]byte, error) {
	b := []byte{spareVersion}
	for _, prefix := range []byte{Prefix, PrefixDeletions, PrefixSaved, PrefixNotes, PrefixSinks, index.PrefixDescriptor} {
		it, err := r.NewIter(&pebble.IterOptions{LowerBound: []byte{prefix}, UpperBound: []byte{prefix + 1}})
		if err != nil {
			return nil, fmt.Errorf("read the store's records: %w", err)
		}
		for ok := it.First(); ok; ok = it.Next() {
			for _, part := range [][]byte{it.Key(), it.Value()} {
				b = binary.AppendUvarint(b, uint64(len(part)))
				b = append(b, part...)
			}
		}
		if err := it.Close(); err != nil {
			return nil, fmt.Errorf("read the store's records: %w", err)
		}
	}
	return b, nil
}

// SpareRecords calls fn with the copies of the store's own records and of the descriptors of
// runs, as far as they can be read. Key and value are valid until fn returns.
func SpareRecords(fs vfs.FS, dir string, fn func(key, value []byte) error) error {
	b := readSpare(fs, dir, recordsName)
	if b == nil {
		return nil
	}
	b = b[1:]
	for len(b) > 0 {
		var parts [2][]byte
		for i := range parts {
			n, w := binary.Uvarint(b)
			if w <= 0 || n > uint64(len(b)-w) {
				return nil
			}
			parts[i], b = b[w:w+int(n)], b[w+int(n):]
		}
		if err := fn(parts[0], parts[1]); err != nil {
			return err
		}
	}
	return nil
}

// readSpare returns a spare file without its checksum, and nil when it is missing, damaged or
// of another version: the store is then looked at without it.
func readSpare(fs vfs.FS, dir, name string) []byte {
	f, err := fs.Open(fs.PathJoin(dir, SpareName, name))
	if err != nil {
		return nil
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, spareBytesMax))
	n := len(b) - 8
	if err != nil || n < 1 || b[0] != spareVersion || binary.LittleEndian.Uint64(b[n:]) != xxhash.Sum64(b[:n]) {
		return nil
	}
	return b[:n]
}

// readMarks returns the newest mark that can be read.
func readMarks(fs vfs.FS, dir string) (counter uint64, extents []Extent) {
	for n := range uint64(2) {
		if c, e, ok := parseMark(readSpare(fs, dir, markName(n))); ok && c >= counter {
			counter, extents = c, e
		}
	}
	return counter, extents
}

// KnownTables returns the sums of the tables that the spare files have.
func KnownTables(fs vfs.FS, dir string) []TableSum {
	b := readSpare(fs, dir, tablesName)
	if b == nil {
		return nil
	}
	return parseTables(b)
}

// ChangedTables reads every table whose sum is known, and calls fn with the name of each that is
// not what was written. A table that is not there any more is not read.
func ChangedTables(fs vfs.FS, dir string, fn func(name string)) error {
	for _, t := range KnownTables(fs, dir) {
		size, sum, err := sumFile(fs, fs.PathJoin(Dir(fs, dir), t.Name))
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		if size != t.Size || sum != t.SHA256 {
			fn(Name + "/" + t.Name)
		}
	}
	return nil
}
