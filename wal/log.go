// The log itself: appending blocks and notes to a batch, replaying, trimming.

package wal

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/cespare/xxhash/v2"
	"github.com/cockroachdb/pebble/v2"
	"github.com/klauspost/compress/s2"
)

// Key prefixes of this package.
const (
	PrefixBlock = 0x10
	PrefixNote  = 0x11
)

const version = 1

// Codecs of a block. Compression pays above compressMin bytes: rows of one group
// look alike.
const (
	codecPlain = 0
	codecS2    = 1

	compressMin = 512
)

const keyLen = 1 + 4 + 8

// Writer is where appends go: a Pebble batch.
type Writer interface {
	Set(key, value []byte, o *pebble.WriteOptions) error
	DeleteRange(start, end []byte, o *pebble.WriteOptions) error
}

// CorruptError says that the log does not hold what was appended, and where.
type CorruptError struct {
	Site uint32
	Seq  uint64 // of the damaged or missing record, block or note
	What string
}

// Error returns everything that is known.
func (e *CorruptError) Error() string {
	file, what := e.Damaged()
	return file + " " + what
}

// Damaged names the damaged file in the operator's words and says what is wrong with
// it.
func (e *CorruptError) Damaged() (file, what string) {
	return fmt.Sprintf("log of site %d", e.Site), fmt.Sprintf("at seq %d: %s", e.Seq, e.What)
}

func key(prefix byte, site uint32, seq uint64) []byte {
	k := make([]byte, 0, keyLen)
	k = append(k, prefix)
	k = binary.BigEndian.AppendUint32(k, site)
	return binary.BigEndian.AppendUint64(k, seq)
}

// Append writes records as the consecutive rows first, first+1, … of a site. The caller
// keeps seqs dense (W1). A record over RecordBytesMax is an error, and then none of the
// records is written. Append uses scratch for the values and returns it, grown.
func Append(w Writer, site uint32, first uint64, records [][]byte, scratch []byte) ([]byte, error) {
	if err := checkRecords(site, first, records); err != nil {
		return scratch, err
	}
	for len(records) > 0 {
		n, size := 0, 0
		for n < len(records) && n < BlockRecordsMax && (n == 0 || size+len(records[n]) <= BlockBytesMax) {
			size += len(records[n])
			n++
		}
		k := key(PrefixBlock, site, first)
		scratch = appendBlock(scratch[:0], records[:n])
		scratch = appendSum(scratch, k)
		if err := w.Set(k, scratch, nil); err != nil {
			return scratch, fmt.Errorf("append block: %w", err)
		}
		records, first = records[n:], first+uint64(n)
	}
	return scratch, nil
}

// appendBlock appends version, codec and the records.
func appendBlock(dst []byte, records [][]byte) []byte {
	plain := plainBlocks.Get().(*[]byte)
	defer plainBlocks.Put(plain)
	b := binary.AppendUvarint((*plain)[:0], uint64(len(records)))
	for _, r := range records {
		b = binary.AppendUvarint(b, uint64(len(r)))
		b = append(b, r...)
	}
	*plain = b
	dst = append(dst, version, codecPlain)
	head := len(dst)
	if len(b) >= compressMin {
		dst = slices.Grow(dst, s2.MaxEncodedLen(len(b)))
		packed := s2.Encode(dst[head:head+s2.MaxEncodedLen(len(b))], b)
		if len(packed) < len(b)-len(b)/8 {
			dst[head-1] = codecS2
			return dst[:head+len(packed)]
		}
	}
	return append(dst, b...)
}

var plainBlocks = sync.Pool{New: func() any { return new([]byte) }}

// AppendNote writes data beside the rows of the group that starts at first. data has at
// most NoteBytesMax bytes. Like Append it uses scratch and returns it.
func AppendNote(w Writer, site uint32, first uint64, data, scratch []byte) ([]byte, error) {
	if len(data) > NoteBytesMax {
		return scratch, fmt.Errorf("append note: site %d, seq %d: a note of %d bytes, at most %d fit a batch", site, first, len(data), NoteBytesMax)
	}
	k := key(PrefixNote, site, first)
	scratch = append(append(scratch[:0], version), data...)
	scratch = appendSum(scratch, k)
	if err := w.Set(k, scratch, nil); err != nil {
		return scratch, fmt.Errorf("append note: %w", err)
	}
	return scratch, nil
}

// Trim drops every row and note of a site before seq, which must be the start of
// a group (W3).
func Trim(w Writer, site uint32, before uint64) error {
	for _, p := range []byte{PrefixBlock, PrefixNote} {
		if err := w.DeleteRange(key(p, site, 0), key(p, site, before), nil); err != nil {
			return fmt.Errorf("trim log: %w", err)
		}
	}
	return nil
}

// Replay calls fn with every record of a site in order. The record is valid
// until fn returns. It stops at the first gap or damage with a
// *CorruptError, or at fn's error.
func Replay(r pebble.Reader, site uint32, fn func(seq uint64, record []byte) error) error {
	var next uint64
	return each(r, PrefixBlock, site, 0, 1<<64-1, func(first uint64, b []byte) error {
		if next != 0 && first != next {
			return &CorruptError{site, next, fmt.Sprintf("rows missing up to %d", first)}
		}
		next = first
		return decodeBlock(site, first, b, func(rec []byte) error {
			err := fn(next, rec)
			next++
			return err
		})
	})
}

// Block calls fn with the records of one stored block, in order: a key and a value of the log.
// The record is valid until fn returns. Damage is a *CorruptError.
func Block(key, value []byte, fn func(seq uint64, record []byte) error) error {
	if len(key) != keyLen {
		return &CorruptError{What: fmt.Sprintf("bad key %x", key)}
	}
	site, next := binary.BigEndian.Uint32(key[1:]), binary.BigEndian.Uint64(key[5:])
	data, err := checkSum(site, next, key, value)
	if err != nil {
		return err
	}
	return decodeBlock(site, next, data, func(record []byte) error {
		err := fn(next, record)
		next++
		return err
	})
}

// HasNote reports whether a group of a site starts at first.
func HasNote(r pebble.Reader, site uint32, first uint64) (bool, error) {
	_, closer, err := r.Get(key(PrefixNote, site, first))
	if errors.Is(err, pebble.ErrNotFound) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("read log: %w", err)
	}
	return true, closer.Close()
}

// Notes calls fn with the notes of a site's groups that start in [from, to), in order.
// data is valid until fn returns.
func Notes(r pebble.Reader, site uint32, from, to uint64, fn func(first uint64, data []byte) error) error {
	return each(r, PrefixNote, site, from, to, fn)
}

// Sites returns the sites that have rows in the log, ascending.
func Sites(r pebble.Reader) ([]uint32, error) {
	it, err := r.NewIter(&pebble.IterOptions{LowerBound: []byte{PrefixBlock}, UpperBound: []byte{PrefixBlock + 1}})
	if err != nil {
		return nil, fmt.Errorf("list sites: %w", err)
	}
	var sites []uint32
	for ok := it.First(); ok; {
		if len(it.Key()) != keyLen {
			_ = it.Close()
			return nil, &CorruptError{What: fmt.Sprintf("bad key %x", it.Key())}
		}
		site := binary.BigEndian.Uint32(it.Key()[1:])
		sites = append(sites, site)
		if site == 1<<32-1 {
			break
		}
		ok = it.SeekGE(key(PrefixBlock, site+1, 0))
	}
	if err := it.Close(); err != nil {
		return nil, fmt.Errorf("list sites: %w", err)
	}
	return sites, nil
}

// each walks the keys of one kind and site. It verifies the sum of each value and
// passes the value without it.
func each(r pebble.Reader, prefix byte, site uint32, from, to uint64, fn func(first uint64, data []byte) error) error {
	it, err := r.NewIter(&pebble.IterOptions{
		LowerBound: key(prefix, site, from),
		UpperBound: key(prefix, site, to),
	})
	if err != nil {
		return fmt.Errorf("read log: %w", err)
	}
	for ok := it.First(); ok; ok = it.Next() {
		if len(it.Key()) != keyLen {
			_ = it.Close()
			return &CorruptError{site, from, fmt.Sprintf("bad key %x", it.Key())}
		}
		first := binary.BigEndian.Uint64(it.Key()[5:])
		data, err := checkSum(site, first, it.Key(), it.Value())
		if err == nil {
			err = fn(first, data)
		}
		if err != nil {
			_ = it.Close()
			return err
		}
	}
	if err := it.Close(); err != nil {
		return fmt.Errorf("read log: %w", err)
	}
	return nil
}

// decodeBlock calls fn with the records of a block, which begins at its codec.
func decodeBlock(site uint32, first uint64, b []byte, fn func(rec []byte) error) error {
	if len(b) == 0 {
		return &CorruptError{site, first, "no codec"}
	}
	switch codec := b[0]; codec {
	case codecPlain:
		b = b[1:]
	case codecS2:
		n, err := s2.DecodedLen(b[1:])
		if err != nil {
			return &CorruptError{site, first, "bad compressed length"}
		}
		if n > blockLenMax {
			return &CorruptError{site, first, fmt.Sprintf("a block of %d bytes unpacked, where at most %d are read", n, blockLenMax)}
		}
		if b, err = s2.Decode(nil, b[1:]); err != nil {
			return &CorruptError{site, first, "compressed records are damaged"}
		}
	default:
		return &CorruptError{site, first, fmt.Sprintf("unknown codec %d", codec)}
	}
	n, w := binary.Uvarint(b)
	if w <= 0 || n == 0 || n > BlockRecordsMax {
		return &CorruptError{site, first, "bad count"}
	}
	b = b[w:]
	for i := uint64(0); i < n; i++ {
		size, w := binary.Uvarint(b)
		if w <= 0 || size > uint64(len(b)-w) {
			return &CorruptError{site, first + i, "bad record length"}
		}
		if err := fn(b[w : w+int(size)]); err != nil {
			return err
		}
		b = b[w+int(size):]
	}
	if len(b) != 0 {
		return &CorruptError{site, first, "trailing bytes"}
	}
	return nil
}

func appendSum(value, key []byte) []byte {
	return binary.LittleEndian.AppendUint64(value, sum(key, value))
}

func sum(key, value []byte) uint64 {
	var d xxhash.Digest
	d.Reset()
	_, _ = d.Write(key)
	_, _ = d.Write(value)
	return d.Sum64()
}

// checkSum verifies the sum of a value and returns what is between the version byte and
// the sum.
func checkSum(site uint32, seq uint64, key, value []byte) ([]byte, error) {
	n := len(value) - 8
	if n < 1 {
		return nil, &CorruptError{site, seq, "short value"}
	}
	if binary.LittleEndian.Uint64(value[n:]) != sum(key, value[:n]) {
		return nil, &CorruptError{site, seq, "checksum mismatch"}
	}
	if value[0] != version {
		return nil, &CorruptError{site, seq, fmt.Sprintf("unknown version %d", value[0])}
	}
	return value[1:n], nil
}
