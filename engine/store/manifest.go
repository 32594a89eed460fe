// Manifest: Pebble's list of its tables, read record by record before Pebble reads it. Pebble
// takes the first bad record for the end of the list, and then removes the tables that the
// rest of it names.

package store

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"
	"slices"

	"github.com/cespare/xxhash/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// A file of records consists of blocks. A record is one or more chunks, and no chunk spans two
// blocks. Pebble documents the form in its package record:
//
//	sum u32 | length u16 | kind u8 | … | payload        little endian
//
// Kinds 1 to 4 are a whole record, its first, a middle and its last chunk; 5 to 8 are the same
// with 4 more bytes in the head, and 9 to 12 with 12 more.
const (
	chunkBlock = 32 << 10
	chunkHead  = 7
)

var chunkHeads = [4]int{chunkHead, chunkHead + 4, chunkHead + 12}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// chunkAt reads the chunk that begins at b[at:], within its block. first says that a record
// begins in it, last that one ends.
func chunkAt(b []byte, at int) (payload []byte, end int, first, last, ok bool) {
	block := b[:min(len(b), at/chunkBlock*chunkBlock+chunkBlock)]
	if at+chunkHead > len(block) {
		return nil, 0, false, false, false
	}
	kind := int(block[at+6])
	if kind < 1 || kind > 12 {
		return nil, 0, false, false, false
	}
	head := chunkHeads[(kind-1)/4]
	length := int(binary.LittleEndian.Uint16(block[at+4:]))
	if end = at + head + length; end > len(block) {
		return nil, 0, false, false, false
	}
	sum := crc32.Checksum(block[at+6:end], castagnoli)
	if binary.LittleEndian.Uint32(block[at:]) != (sum>>15|sum<<17)+0xa282ead8 {
		return nil, 0, false, false, false
	}
	position := (kind - 1) % 4
	return block[at+head : end], end, position == 0 || position == 1, position == 0 || position == 3, true
}

// records calls fn with the records at the beginning of a file, up to the first bad chunk. It
// returns where the good records end. torn says that a bad chunk follows. It says nothing of
// what follows the bad chunk; see recordAfter.
func records(b []byte, fn func(record []byte) error) (end int, torn bool, err error) {
	var record []byte
	open := false // record has the first chunks of a record
	for at := 0; ; {
		if left := chunkBlock - at%chunkBlock; left < chunkHead || left < chunkHeads[2] && at < len(b) && zero(b[at:min(at+left, len(b))]) {
			at += left // the end of a block is too short for a chunk
		}
		if at >= len(b) {
			return end, open, nil
		}
		payload, next, first, last, ok := chunkAt(b, at)
		if !ok || first == open {
			return end, true, nil
		}
		at = next
		record = append(record, payload...)
		if open = !last; open {
			continue
		}
		if err := fn(record); err != nil {
			return end, false, err
		}
		record, end = record[:0], at
	}
}

func zero(b []byte) bool { return !slices.ContainsFunc(b, func(c byte) bool { return c != 0 }) }

// recordAfter finds a place after from at which a record begins, and returns -1 when there is
// none. Only damage leaves a record after a bad chunk: a torn write is the last one. It looks
// everywhere in the block of from, and follows the chunks of each later block.
func recordAfter(b []byte, from int) int {
	block := from/chunkBlock*chunkBlock + chunkBlock
	for at := from + 1; at < min(block, len(b)); at++ {
		if payload, _, first, _, ok := chunkAt(b, at); ok && first && len(payload) > 0 {
			return at
		}
	}
	for ; block < len(b); block += chunkBlock {
		for at := block; at < len(b); {
			payload, end, first, _, ok := chunkAt(b, at)
			if !ok {
				break
			}
			if first && len(payload) > 0 {
				return at
			}
			at = end
		}
	}
	return -1
}

// listing is what a manifest says.
type listing struct {
	extent  Extent // its good records
	minLog  uint64 // log files before this one are not needed
	records int
}

// readListing reads a manifest. marked is what is known to be on the disk; its name is empty
// when nothing is known of this manifest.
func readListing(b []byte, name string, marked Extent) (l listing, err error) {
	damaged := func(format string, args ...any) error {
		return DamagedFile(Name+"/"+name, fmt.Errorf(format, args...))
	}
	if marked.Name == name {
		if int64(len(b)) < marked.Size {
			return l, damaged("it has %d bytes, but %d were written", len(b), marked.Size)
		}
		if xxhash.Sum64(b[:marked.Size]) != marked.Sum {
			return l, damaged("its first %d bytes are not what was written", marked.Size)
		}
	}
	end, torn, err := records(b, func(record []byte) error {
		l.records++
		return l.edit(record)
	})
	if err != nil {
		return l, damaged("record %d: %w", l.records, err)
	}
	if torn {
		if at := recordAfter(b, end); at >= 0 {
			return l, damaged("the record at byte %d is damaged, and a good one follows at byte %d", end, at)
		}
	}
	if l.records == 0 {
		return l, damaged("it has no record that can be read")
	}
	l.extent = Extent{Name: name, Size: int64(end), Sum: xxhash.Sum64(b[:end])}
	return l, nil
}

// Tags of the parts of a record of a manifest.
const (
	tagComparator = 1
	tagMinLog     = 2
	tagNextFile   = 3
	tagLastSeq    = 4
	tagPrevLog    = 9
	tagNewTable   = 100
)

// edit takes in what a record of a manifest says of the log. That comes before everything
// else in the record.
func (l *listing) edit(record []byte) error {
	for len(record) > 0 {
		tag, n := binary.Uvarint(record)
		if tag != tagComparator && tag != tagMinLog && tag != tagPrevLog {
			return nil
		}
		v, m := binary.Uvarint(record[max(n, 0):])
		if n <= 0 || m <= 0 || tag == tagComparator && v > uint64(len(record)-n-m) {
			return fmt.Errorf("it is cut")
		}
		record = record[n+m:]
		switch tag {
		case tagComparator:
			record = record[v:]
		case tagMinLog:
			l.minLog = v
		}
	}
	return nil
}

// readAll reads a whole file.
func readAll(fs vfs.FS, path string) ([]byte, error) {
	f, err := fs.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(f)
}
