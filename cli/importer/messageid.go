package importer

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"

	"github.com/cespare/xxhash/v2"
)

// This file gives a message id to events whose source has none. It is made of the format, of the
// line, and of how many equal lines stand among the 1,000 before it. So the same file gives the
// same ids whenever and however often it is read from its start, whatever its container is called,
// and the server stores each event once.

// windowLines is how many lines are remembered.
const windowLines = 1000

// window counts equal lines among the last ones of a file.
type window struct {
	ring   [windowLines]uint64
	n      int // lines so far
	counts map[uint64]uint16
}

func newWindow() *window { return &window{counts: make(map[uint64]uint16, windowLines)} }

// add is how many equal lines stand among the last ones, and remembers this one.
func (w *window) add(line []byte) int {
	sum := xxhash.Sum64(line)
	at := w.n % windowLines
	if w.n >= windowLines {
		old := w.ring[at]
		if w.counts[old]--; w.counts[old] == 0 {
			delete(w.counts, old)
		}
	}
	equal := w.counts[sum]
	w.counts[sum], w.ring[at] = equal+1, sum
	w.n++
	return int(equal)
}

// messageID is the id of the event number part of a line.
func messageID(format string, line []byte, equal, part int) string {
	var buf [512]byte
	b := append(append(buf[:0], format...), 0)
	b = binary.AppendUvarint(b, uint64(equal))
	b = binary.AppendUvarint(b, uint64(part))
	sum := sha256.Sum256(append(b, line...))
	return base64.RawURLEncoding.EncodeToString(sum[:16])
}
