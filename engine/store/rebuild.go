// Rebuild: a store whose list of tables is lost, read from its tables and logs themselves.

package store

import (
	"bytes"
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"

	"cairn/index"
	"cairn/wal"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/batchrepr"
	"github.com/cockroachdb/pebble/v2/record"
	"github.com/cockroachdb/pebble/v2/sstable"
	"github.com/cockroachdb/pebble/v2/sstable/block"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// rebuilder reads every table and every log of a store. It does not know the levels of the
// tables, so it decides itself which version of a key is the newest:
//
//	Keys of runs never change, so every table that has one has the same. Pebble reads them
//	with a list in which all tables are side by side.
//	Blocks of the log never change either. Those that were trimmed come back, but a run has
//	their events, and a repair takes each seq once.
//	Of the store's records, notes, descriptors, deletions and heartbeats the version with the highest
//	sequence number is the newest. Pebble drops the number (it becomes 0) in the lowest level.
//	Ids and links are not read. A repair computes them from the events.
type rebuilder struct {
	s       *Salvaged
	fs      vfs.FS
	at      string // directory of the store
	records map[string][]version
	edit    []byte // the record of the new list
	newest  uint64 // number of a file
}

// version is one version of a record, a note or a descriptor.
type version struct {
	seq, file uint64
	value     []byte // nil = deleted
}

// before orders versions from the oldest to the newest, as far as that can be known.
func (v version) before(o version) int {
	return cmp.Or(cmp.Compare(v.seq, o.seq), cmp.Compare(v.file, o.file))
}

// rebuild opens a store without its list of tables.
func (s *Salvaged) rebuild(fs vfs.FS, dir string) (err error) {
	at := Dir(fs, dir)
	names, err := fs.List(at)
	if err != nil {
		return err
	}
	s.Rebuilt = true
	if s.scratch, err = os.MkdirTemp("", "cairn-repair-"); err != nil {
		return err
	}
	if s.DB, err = OpenPebble(s.scratch, ScratchOptions()); err != nil {
		return err
	}
	r := &rebuilder{s: s, fs: fs, at: at, records: make(map[string][]version)}
	slices.Sort(names)
	tables, logs := 0, 0
	for _, name := range names {
		r.newest = max(r.newest, number(name))
		switch {
		case strings.HasSuffix(name, ".sst"):
			if err := r.table(name); err != nil {
				s.damage("%s/%s cannot be read: %v", Name, name, err)
				continue
			}
			tables++
		case strings.HasSuffix(name, ".log"):
			if err := r.log(name); err != nil {
				return err
			}
			logs++
		}
	}
	if err := r.resolve(); err != nil {
		return err
	}
	s.Notes = append(s.Notes,
		fmt.Sprintf("the list of tables is lost, so the %d tables and %d logs that are on the disk were read; ids of persons and sessions are computed again from the events", tables, logs),
		"it cannot be known whether a table is missing: its events are in the list of lost ones, but for the newest of a site")
	return r.openRuns()
}

// copied are the prefixes of the keys that are read from tables and logs.
var copied = []byte{Prefix, wal.PrefixBlock, index.PrefixDescriptor, PrefixIDsUpTo, PrefixHeartbeats, PrefixDeletions, PrefixNotes}

// table reads a table, and adds it to the new list.
func (r *rebuilder) table(name string) error {
	f, err := r.fs.Open(r.fs.PathJoin(r.at, name))
	if err != nil {
		return err
	}
	info, err := f.Stat()
	if err != nil {
		return errors.Join(err, f.Close())
	}
	readable, err := sstable.NewSimpleReadable(f)
	if err != nil {
		return errors.Join(err, f.Close())
	}
	reader, err := sstable.NewReader(context.Background(), readable, sstable.ReaderOptions{})
	if err != nil {
		return err // NewReader has closed the file
	}
	defer reader.Close()
	file := number(name)
	for _, prefix := range copied {
		if err := eachKey(reader, prefix, func(seq uint64, kind pebble.InternalKeyKind, key, value []byte) error {
			return r.take(version{seq: seq, file: file}, kind, key, value)
		}); err != nil {
			r.s.damage("%s/%s cannot be read as a whole: %v", Name, name, err)
		}
	}
	first, last := bounds(reader)
	r.edit = binary.AppendUvarint(r.edit, tagNewTable)
	r.edit = binary.AppendUvarint(r.edit, 0) // level
	r.edit = binary.AppendUvarint(r.edit, file)
	r.edit = binary.AppendUvarint(r.edit, uint64(info.Size()))
	for _, key := range [][]byte{first, last} {
		r.edit = binary.AppendUvarint(r.edit, uint64(len(key)+8))
		r.edit = append(r.edit, key...)
		r.edit = binary.LittleEndian.AppendUint64(r.edit, uint64(pebble.InternalKeyKindSet))
	}
	r.edit = append(r.edit, 0, 0) // sequence numbers: all tables are side by side
	return nil
}

// eachKey calls fn with the keys of a table that have a prefix. Key and value are valid until
// fn returns.
func eachKey(reader *sstable.Reader, prefix byte, fn func(seq uint64, kind pebble.InternalKeyKind, key, value []byte) error) error {
	it, err := pointIter(reader)
	if err != nil {
		return err
	}
	for kv := it.SeekGE([]byte{prefix}, 0); kv != nil && len(kv.K.UserKey) > 0 && kv.K.UserKey[0] == prefix; kv = it.Next() {
		value, _, err := kv.Value(nil)
		if err == nil {
			err = fn(uint64(kv.K.SeqNum()), kv.K.Kind(), kv.K.UserKey, value)
		}
		if err != nil {
			return errors.Join(err, it.Close())
		}
	}
	return errors.Join(it.Error(), it.Close())
}

func pointIter(reader *sstable.Reader) (sstable.Iterator, error) {
	return reader.NewPointIter(context.Background(), sstable.IterOptions{
		Env:                  sstable.ReadEnv{Block: block.ReadEnv{}},
		FilterBlockSizeLimit: sstable.NeverUseFilterBlock,
		ReaderProvider:       sstable.MakeTrivialReaderProvider(reader),
	})
}

// bounds returns the first and the last key of a table, and the widest bounds when its ends
// cannot be read.
func bounds(reader *sstable.Reader) (first, last []byte) {
	first, last = []byte{0}, bytes.Repeat([]byte{0xff}, 16)
	it, err := pointIter(reader)
	if err != nil {
		return first, last
	}
	defer it.Close()
	a := it.First()
	if a == nil {
		return first, last
	}
	begin := slices.Clone(a.K.UserKey)
	if z := it.Last(); z != nil {
		return begin, slices.Clone(z.K.UserKey)
	}
	return first, last
}

// log reads a log.
func (r *rebuilder) log(name string) error {
	b, err := readAll(r.fs, r.fs.PathJoin(r.at, name))
	if err != nil {
		r.s.damage("%s/%s cannot be read: %v", Name, name, err)
		return nil
	}
	n := number(name)
	var failed error
	r.s.logRecords(name, n, b, func(record []byte) {
		seq := uint64(batchrepr.ReadSeqNum(record))
		ops := batchrepr.Read(record)
		for failed == nil {
			kind, key, value, ok, err := ops.Next()
			if err != nil {
				r.s.damage("%s/%s: %v", Name, name, err)
			}
			if !ok {
				return
			}
			if kind == pebble.InternalKeyKindLogData {
				continue
			}
			if len(key) > 0 && slices.Contains(copied, key[0]) {
				failed = r.take(version{seq: seq, file: n}, kind, key, value)
			}
			seq++
		}
	})
	return failed
}

// take takes in one version of a key.
func (r *rebuilder) take(v version, kind pebble.InternalKeyKind, key, value []byte) error {
	switch kind {
	case pebble.InternalKeyKindSet, pebble.InternalKeyKindSetWithDelete:
		v.value = append([]byte{}, value...)
	case pebble.InternalKeyKindDelete, pebble.InternalKeyKindDeleteSized, pebble.InternalKeyKindSingleDelete:
	default:
		return nil // ranges are deleted of blocks, of runs and of deletions, which say how many pieces they have
	}
	switch key[0] {
	case wal.PrefixBlock:
		if v.value == nil {
			return nil
		}
		return r.s.DB.Set(key, value, pebble.NoSync)
	case PrefixIDsUpTo, PrefixHeartbeats:
		return r.takeMany(v, key)
	}
	r.records[string(key)] = append(r.records[string(key)], v)
	return nil
}

// takeMany is take for kinds of keys of which there may be millions. The sequence number of
// each lies beside it, under 0xff and the key.
func (r *rebuilder) takeMany(v version, key []byte) error {
	beside := append([]byte{0xff}, key...)
	b, err := Get(r.s.DB, beside)
	if err != nil {
		return err
	}
	if len(b) == 16 && v.before(version{seq: binary.BigEndian.Uint64(b), file: binary.BigEndian.Uint64(b[8:])}) < 0 {
		return nil
	}
	if err := r.s.DB.Set(beside, binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(nil, v.seq), v.file), pebble.NoSync); err != nil {
		return err
	}
	if v.value == nil {
		return r.s.DB.Delete(key, pebble.NoSync)
	}
	return r.s.DB.Set(key, v.value, pebble.NoSync)
}

// resolve writes the newest version of each record, note and descriptor.
func (r *rebuilder) resolve() error {
	var unsure []string
	for _, key := range slices.Sorted(maps.Keys(r.records)) {
		versions := r.records[key]
		best := slices.MaxFunc(versions, version.before)
		// A version without a number in a later file may be newer: then the file of the best
		// one had been replaced, and was only not removed yet.
		for _, v := range versions {
			if v.seq != 0 || best.seq == 0 || v.file < best.file || bytes.Equal(v.value, best.value) {
				continue
			}
			if key[0] != index.PrefixDescriptor {
				unsure = append(unsure, fmt.Sprintf("%q", key[1:]))
			} else if rows([]byte(key), v.value) > rows([]byte(key), best.value) {
				best = version{best.seq, best.file, v.value} // a merge makes runs longer; both have the same events
			}
		}
		if best.value == nil {
			continue
		}
		if err := r.s.DB.Set([]byte(key), best.value, pebble.NoSync); err != nil {
			return err
		}
	}
	if len(unsure) > 0 {
		r.s.Notes = append(r.s.Notes, fmt.Sprintf("there are two versions of the records %s, and it cannot be known which one is newer; compare the configuration of the sites with \"cairn keys\"", strings.Join(slices.Compact(unsure), ", ")))
	}
	return nil
}

// rows returns how many rows the run of a descriptor has; 0 = there is none.
func rows(key, value []byte) uint64 {
	d, err := index.ParseDescriptor(key, value)
	if value == nil || err != nil {
		return 0
	}
	return d.Rows
}

// seqEnd is a sequence number above all that a store has.
const seqEnd = 1 << 50

// openRuns opens the tables with the new list, and without any log.
func (r *rebuilder) openRuns() error {
	edit := binary.AppendUvarint(nil, tagComparator)
	edit = binary.AppendUvarint(edit, uint64(len(pebble.DefaultComparer.Name)))
	edit = append(edit, pebble.DefaultComparer.Name...)
	for _, field := range [][2]uint64{{tagMinLog, r.newest + 1}, {tagNextFile, r.newest + 3}, {tagLastSeq, seqEnd}} {
		edit = binary.AppendUvarint(binary.AppendUvarint(edit, field[0]), field[1])
	}
	var manifest bytes.Buffer
	w := record.NewWriter(&manifest)
	if _, err := w.WriteRecord(append(edit, r.edit...)); err != nil {
		return err
	}
	if err := w.Close(); err != nil {
		return err
	}
	name := fmt.Sprintf("MANIFEST-%06d", r.newest+2)
	over := &overlay{FS: r.fs, dir: r.at, files: map[string][]byte{
		name:                             manifest.Bytes(),
		"marker.manifest.000001." + name: nil,
		fmt.Sprintf("marker.format-version.000001.%03d", PebbleFormat): nil,
	}, hidden: func(name string) bool {
		return strings.HasPrefix(name, "marker.") || strings.HasPrefix(name, "MANIFEST-") || strings.HasSuffix(name, ".log")
	}}
	var err error
	r.s.Runs, err = OpenPebble(r.at, ReadOnlyOptions(over))
	return err
}
