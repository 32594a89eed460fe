// Keys of runs and descriptors.

package index

import "encoding/binary"

// Key prefixes of this package. Runs sort above all other keys of a store, and must. A
// table that Pebble flushes or compacts spans from its lowest key to its highest. If
// runs lay between other keys, every such table would span them, and Pebble would
// compact the runs with it each time.
const (
	PrefixDescriptor = 0x20
	PrefixRun        = 0x50
)

type section uint8

const (
	secDict section = iota + 1
	secFirsts
	secStarts
	secInts
	secRowSet
	secBlocks
	secListStarts
	secLeaves
	secOwners

	secMatches // only in the cache, see matches.go
)

const (
	colCounts = 0xFFFB
	colPairs  = 0xFFFC
	colTotals = 0xFFFD
	colFilter = 0xFFFE
	colHeader = 0xFFFF
)

// pageKey names one page of one run.
type pageKey struct {
	run  uint64
	col  uint16
	sec  section // 0 for counts, pairs, totals, filter and header
	page uint32
}

func runPrefix(run uint64) []byte {
	return binary.BigEndian.AppendUint64([]byte{PrefixRun}, run)
}

func (k pageKey) append(dst []byte) []byte {
	dst = append(dst, PrefixRun)
	dst = binary.BigEndian.AppendUint64(dst, k.run)
	dst = binary.BigEndian.AppendUint16(dst, k.col)
	dst = append(dst, byte(k.sec))
	return binary.BigEndian.AppendUint32(dst, k.page)
}

func descriptorKey(site uint32, first uint64) []byte {
	k := binary.BigEndian.AppendUint32([]byte{PrefixDescriptor}, site)
	return binary.BigEndian.AppendUint64(k, first)
}

// prefixEnd returns the first key after every key that starts with p, nil when there is
// none.
func prefixEnd(p []byte) []byte {
	e := append([]byte(nil), p...)
	for i := len(e) - 1; i >= 0; i-- {
		if e[i]++; e[i] != 0 {
			return e[:i+1]
		}
	}
	return nil
}

// RunOf returns the id of the run that a key belongs to. The key has PrefixRun.
func RunOf(key []byte) uint64 { return binary.BigEndian.Uint64(key[1:]) }

// RunBounds returns the bounds of a run's keys: from is inclusive, to exclusive.
func RunBounds(run uint64) (from, to []byte) { return runPrefix(run), prefixEnd(runPrefix(run)) }
