package segment

import (
	"encoding/binary"
	"encoding/hex"
)

const (
	idBlock  = 64 // how many ids are made at once for a batch
	idPrefix = len("00000000-0000-8000-8000-0000")
)

// ids makes the ids of messages that have none: UUIDs of version 8. They are random except
// for their last four bytes, which count the messages of the request. So the ids of one
// batch have 12 bytes in common and take little space where they are stored.
type ids struct {
	random func(b []byte)
	base   [16]byte
	made   uint32
	prefix string // what the ids of this request have in common
	ready  string // ids that are not used yet, 36 characters each
}

// next is a new id. most is about how many ids the request needs.
func (g *ids) next(most int) string {
	if g.made == 0 {
		g.random(g.base[:12])
		g.base[6] = g.base[6]&0x0f | 0x80 // version 8: of our own making
		g.base[8] = g.base[8]&0x3f | 0x80
	}
	if g.ready == "" {
		block := make([]byte, 0, 36*max(1, min(most, idBlock)))
		for len(block) < cap(block) {
			binary.BigEndian.PutUint32(g.base[12:], g.made)
			g.made++
			block = hex.AppendEncode(block, g.base[:4])
			for _, part := range [...][]byte{g.base[4:6], g.base[6:8], g.base[8:10], g.base[10:]} {
				block = hex.AppendEncode(append(block, '-'), part)
			}
		}
		g.ready = string(block)
		g.prefix = g.ready[:idPrefix]
	}
	id := g.ready[:36]
	g.ready = g.ready[36:]
	return id
}

// has says that an id was made here, so the client does not know it.
func (g *ids) has(id string) bool {
	return g.made > 0 && len(id) == 36 && id[:idPrefix] == g.prefix
}
