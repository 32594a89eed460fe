// The limits of the log, for its writers and readers.

package wal

import (
	"encoding/binary"
	"fmt"
)

// A block closes at whichever bound comes first. It is small enough that reading one
// row is cheap, and large enough that keys cost little. A longer record is a block of
// its own.
const (
	BlockRecordsMax = 64
	BlockBytesMax   = 16 << 10
)

// What can be read back. Append and AppendNote refuse more and write nothing of it.
//
//	limit          bounds
//	blockLenMax    the records of one block with their lengths, unpacked: what
//	               Replay allocates for a block before it believes anything in it
//	RecordBytesMax one record, so that a block of it alone is within blockLenMax
//	NoteBytesMax   one note. A Pebble batch ends at 4 GiB, where Pebble panics;
//	               a group's note is part of its batch
const (
	blockLenMax    = 1 << 24
	RecordBytesMax = blockLenMax - 2*binary.MaxVarintLen32
	NoteBytesMax   = 1 << 30
)

// checkRecords refuses records that Replay would not read.
func checkRecords(site uint32, first uint64, records [][]byte) error {
	for i, r := range records {
		if len(r) > RecordBytesMax {
			return fmt.Errorf("append block: site %d, seq %d: a record of %d bytes, at most %d can be read", site, first+uint64(i), len(r), RecordBytesMax)
		}
	}
	return nil
}
