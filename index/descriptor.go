// Descriptors: the list of the runs that exist.

package index

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"github.com/cespare/xxhash/v2"
	"github.com/cockroachdb/pebble/v2"
)

// Descriptor says that a run exists and what it covers.
//
//	version 1 or 2 | run u64 | rows u64 | time min i64 | time max i64 | day min i32 |
//	day max i32 | received max i64 | keys u64 | sum u64      little endian
//	version 2 only: sections, see section.go:
//	    1 days    Days
type Descriptor struct {
	// Version is the format version of the descriptor. Put takes 0 as RunVersion.
	Version          byte
	Site             uint32
	First            uint64 // seq of its first row
	Run              uint64
	Rows             uint64
	TimeMin, TimeMax int64 // event time, Unix milliseconds
	DayMin, DayMax   int32
	ReceivedMax      int64  // Unix milliseconds
	Keys             uint64 // number of the run's keys
	Sum              uint64 // Checksum of the run's keys and values

	// Days says which day each instant from TimeMin to TimeMax is in, in the caller's
	// own form. The days of the rows and of the totals are these. It is empty when the
	// rows were counted by more than one rule, and in version 1, which does not say.
	Days string
}

// Sections of a descriptor.
const sectionDays = 1

// Last returns the seq of the last row.
func (d *Descriptor) Last() uint64 { return d.First + d.Rows - 1 }

const descriptorLen = 1 + 8*4 + 4*2 + 8*3

// DescriptorError says that the list of runs cannot be read.
type DescriptorError struct{ Key []byte }

func (e *DescriptorError) Error() string {
	file, what := e.Damaged()
	return file + ": " + what
}

// Damaged names the damaged list in the operator's words and says what is wrong with it.
func (e *DescriptorError) Damaged() (file, what string) {
	file = "list of runs"
	if len(e.Key) == 13 {
		file = fmt.Sprintf("list of runs of site %d", binary.BigEndian.Uint32(e.Key[1:]))
	}
	return file, fmt.Sprintf("the descriptor %x is damaged", e.Key)
}

// Put writes d to a batch. It fails when d is beyond the limits of a run.
func (d *Descriptor) Put(w interface {
	Set(key, value []byte, o *pebble.WriteOptions) error
}) error {
	if err := d.check(); err != nil {
		return fmt.Errorf("put descriptor: %w", err)
	}
	version := d.Version
	if version == 0 {
		version = RunVersion
	}
	b := []byte{version}
	for _, v := range []uint64{d.Run, d.Rows, uint64(d.TimeMin), uint64(d.TimeMax)} {
		b = binary.LittleEndian.AppendUint64(b, v)
	}
	b = binary.LittleEndian.AppendUint32(b, uint32(d.DayMin))
	b = binary.LittleEndian.AppendUint32(b, uint32(d.DayMax))
	b = binary.LittleEndian.AppendUint64(b, uint64(d.ReceivedMax))
	b = binary.LittleEndian.AppendUint64(b, d.Keys)
	b = binary.LittleEndian.AppendUint64(b, d.Sum)
	if version >= 2 {
		var s sections
		if d.Days != "" {
			s.add(sectionDays, []byte(d.Days))
		}
		b = s.append(b)
	}
	if err := w.Set(descriptorKey(d.Site, d.First), b, nil); err != nil {
		return fmt.Errorf("put descriptor: %w", err)
	}
	return nil
}

// Delete removes d. The run then no longer exists; DropRun removes its keys.
func (d *Descriptor) Delete(w interface {
	Delete(key []byte, o *pebble.WriteOptions) error
}) error {
	return w.Delete(descriptorKey(d.Site, d.First), nil)
}

// Descriptors calls fn with every descriptor, ordered by (site, first). An error of fn
// ends the walk and is returned. Damage is an error too.
func Descriptors(r pebble.Reader, fn func(Descriptor) error) error {
	it, err := r.NewIter(&pebble.IterOptions{LowerBound: []byte{PrefixDescriptor}, UpperBound: []byte{PrefixDescriptor + 1}})
	if err != nil {
		return fmt.Errorf("read descriptors: %w", err)
	}
	for ok := it.First(); ok && err == nil; ok = it.Next() {
		var d Descriptor
		if d, err = ParseDescriptor(it.Key(), it.Value()); err != nil {
			break
		}
		err = fn(d)
	}
	if cerr := it.Close(); err == nil && cerr != nil {
		err = fmt.Errorf("read descriptors: %w", cerr)
	}
	return err
}

// ParseDescriptor reads a descriptor as it is stored. Damage is an error that names the list
// of runs.
func ParseDescriptor(k, v []byte) (Descriptor, error) {
	if len(k) != 13 || len(v) < descriptorLen || v[0] < 1 || v[0] > RunVersion || v[0] == 1 && len(v) > descriptorLen {
		return Descriptor{}, &DescriptorError{slices.Clone(k)}
	}
	u := func(i int) uint64 { return binary.LittleEndian.Uint64(v[i:]) }
	d := Descriptor{
		Version: v[0], Site: binary.BigEndian.Uint32(k[1:]), First: binary.BigEndian.Uint64(k[5:]),
		Run: u(1), Rows: u(9), TimeMin: int64(u(17)), TimeMax: int64(u(25)),
		DayMin: int32(binary.LittleEndian.Uint32(v[33:])), DayMax: int32(binary.LittleEndian.Uint32(v[37:])),
		ReceivedMax: int64(u(41)), Keys: u(49), Sum: u(57),
	}
	if d.Version >= 2 {
		if err := readSections(v[descriptorLen:], func(tag uint64, data []byte) bool {
			if tag == sectionDays {
				d.Days = string(data)
			}
			return tag == sectionDays
		}); err != nil {
			return Descriptor{}, fmt.Errorf("%w: %w", &DescriptorError{slices.Clone(k)}, err)
		}
	}
	if err := d.check(); err != nil {
		return Descriptor{}, fmt.Errorf("%w: %w", &DescriptorError{slices.Clone(k)}, err)
	}
	return d, nil
}

// ErrMissing is the cause of a CorruptError over a page that is not there at all.
var ErrMissing = errors.New("missing")

// Present checks that a run has its first and its last page, without reading the rest. The
// error is a CorruptError, of ErrMissing when a page is not there.
func (d *Descriptor) Present(r pebble.Reader) error {
	run := NewRun(*d, r, nil, nil)
	if err := run.read(pageKey{run: d.Run, sec: secInts}, func([]byte) {}); err != nil {
		return err
	}
	_, err := run.loadHeader()
	return err
}

// Checksum folds the keys and values of a run into one number. It is a Sink that passes
// on to Next, or ends there. The zero Checksum is ready.
type Checksum struct {
	Next Sink // nil = none
	Keys uint64
	hash xxhash.Digest
	used bool
}

// Set adds a key and its value, then passes both on. The sum leaves out the run id in
// the key, so equal runs have equal sums whatever their ids.
func (c *Checksum) Set(key, value []byte) error {
	if !c.used {
		c.hash.Reset()
		c.used = true
	}
	var n [8]byte
	rest := key[9:]
	binary.LittleEndian.PutUint32(n[:], uint32(len(rest)))
	binary.LittleEndian.PutUint32(n[4:], uint32(len(value)))
	_, _ = c.hash.Write(n[:])
	_, _ = c.hash.Write(rest)
	_, _ = c.hash.Write(value)
	c.Keys++
	if c.Next == nil {
		return nil
	}
	return c.Next.Set(key, value)
}

// Sum returns the checksum of what was set so far.
func (c *Checksum) Sum() uint64 { return c.hash.Sum64() }

// SumRun returns the checksum of a stored run and the number of its keys.
func SumRun(r pebble.Reader, run uint64) (sum, keys uint64, err error) {
	it, err := r.NewIter(&pebble.IterOptions{LowerBound: runPrefix(run), UpperBound: prefixEnd(runPrefix(run))})
	if err != nil {
		return 0, 0, fmt.Errorf("read run %d: %w", run, err)
	}
	var c Checksum
	for ok := it.First(); ok; ok = it.Next() {
		_ = c.Set(it.Key(), it.Value())
	}
	if err := it.Close(); err != nil {
		return 0, 0, fmt.Errorf("read run %d: %w", run, err)
	}
	return c.Sum(), c.Keys, nil
}

// RunIDs returns the ids of all runs that have keys, ascending. Some may have no
// descriptor.
func RunIDs(r pebble.Reader) ([]uint64, error) {
	it, err := r.NewIter(&pebble.IterOptions{LowerBound: []byte{PrefixRun}, UpperBound: []byte{PrefixRun + 1}})
	if err != nil {
		return nil, fmt.Errorf("list runs: %w", err)
	}
	var ids []uint64
	for ok := it.First(); ok; {
		if len(it.Key()) < 9 {
			_ = it.Close()
			return nil, fmt.Errorf("list runs: bad key %x", it.Key())
		}
		id := binary.BigEndian.Uint64(it.Key()[1:])
		ids = append(ids, id)
		ok = it.SeekGE(prefixEnd(runPrefix(id)))
	}
	if err := it.Close(); err != nil {
		return nil, fmt.Errorf("list runs: %w", err)
	}
	return ids, nil
}

// LastRunID returns a run id that no run with keys in a table has surpassed, from the bounds
// of the tables alone. It reads no table.
func LastRunID(db *pebble.DB) (last uint64, err error) {
	levels, err := db.SSTables()
	if err != nil {
		return 0, fmt.Errorf("list tables: %w", err)
	}
	for _, tables := range levels {
		for _, t := range tables {
			if k := t.Largest.UserKey; len(k) >= 9 && k[0] == PrefixRun {
				last = max(last, binary.BigEndian.Uint64(k[1:]))
			}
		}
	}
	return last, nil
}

// DropRun removes every key of a run that nobody reads any more. Tables that hold
// nothing but this run are removed at once. If other tables hold some of it too, the
// run is deleted as a range. To excise the run from such a table would not free its
// space while another run is left in the table. flush then reports that the space is
// free only after a flush. Range deletes are the exception, because each has to be
// compacted down, together with the tables of all runs between it and the log.
func DropRun(db *pebble.DB, run uint64) (flush bool, err error) {
	span := pebble.KeyRange{Start: runPrefix(run), End: prefixEnd(runPrefix(run))}
	levels, err := db.SSTables(pebble.WithKeyRangeFilter(span.Start, span.End))
	if err != nil {
		return false, fmt.Errorf("drop run %d: %w", run, err)
	}
	for _, tables := range levels {
		for _, t := range tables {
			flush = flush || bytes.Compare(t.Smallest.UserKey, span.Start) < 0 || bytes.Compare(t.Largest.UserKey, span.End) >= 0
		}
	}
	if flush {
		err = db.DeleteRange(span.Start, span.End, pebble.NoSync)
	} else {
		err = db.Excise(context.Background(), span)
	}
	if err != nil {
		return false, fmt.Errorf("drop run %d: %w", run, err)
	}
	return flush, nil
}
