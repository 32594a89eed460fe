// Public event ids: where an event stands, enciphered.

package engine

import (
	"crypto/aes"
	"crypto/cipher"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"sort"
)

// publicIDs turns (site, seq) into 32 hex digits and back. The 16 bytes
//
//	incarnation u16 | site u32 | seq u48 | check u32 = 0
//
// are one AES block under the store's own key: an id says nothing, needs no
// index to resolve, a forged one deciphers to a wrong check, and it serves as
// the cursor of a listing. The incarnation is that of the store when the event
// was written; a restore begins a new one, so an id handed out after the snapshot
// never names another event (I6).
type publicIDs struct {
	block cipher.Block
	eras  []era
}

// era says from which seq of each site an incarnation counts.
type era struct {
	number uint16
	from   map[uint32]uint64 // absent = 1
}

func newPublicIDs(key []byte, eras []era) (*publicIDs, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("public ids: %w", err)
	}
	return &publicIDs{block, eras}, nil
}

// eraOf is the incarnation in which seq was written.
func (p *publicIDs) eraOf(site uint32, seq uint64) uint16 {
	i := sort.Search(len(p.eras), func(i int) bool { return p.eras[i].start(site) > seq })
	return p.eras[max(i-1, 0)].number
}

func (e *era) start(site uint32) uint64 { return max(e.from[site], 1) }

func (p *publicIDs) encode(site uint32, seq uint64) string {
	return string(p.append(make([]byte, 0, publicIDLen), site, seq))
}

// publicIDLen is the length of a public id.
const publicIDLen = 32

// append appends what encode returns.
func (p *publicIDs) append(dst []byte, site uint32, seq uint64) []byte {
	at := len(dst)
	dst = append(dst, make([]byte, publicIDLen)...)
	id := dst[at:]
	b := id[publicIDLen/2:] // made at the end, spelt out from the start
	binary.BigEndian.PutUint16(b[0:], p.eraOf(site, seq))
	binary.BigEndian.PutUint32(b[2:], site)
	binary.BigEndian.PutUint16(b[6:], uint16(seq>>32))
	binary.BigEndian.PutUint32(b[8:], uint32(seq))
	p.block.Encrypt(b, b)
	hex.Encode(id, b)
	return dst
}

// decode reports false for anything that encode has not made for the site.
func (p *publicIDs) decode(site uint32, id string) (seq uint64, ok bool) {
	if len(id) != 32 {
		return 0, false
	}
	for i := range id {
		if c := id[i]; (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return 0, false
		}
	}
	var b [16]byte
	if _, err := hex.Decode(b[:], []byte(id)); err != nil {
		return 0, false
	}
	p.block.Decrypt(b[:], b[:])
	seq = uint64(binary.BigEndian.Uint16(b[6:]))<<32 | uint64(binary.BigEndian.Uint32(b[8:]))
	if binary.BigEndian.Uint32(b[12:]) != 0 || binary.BigEndian.Uint32(b[2:]) != site || seq == 0 {
		return 0, false
	}
	return seq, binary.BigEndian.Uint16(b[0:]) == p.eraOf(site, seq)
}

// appendEras and parseEras are the stored form: count u16, then for each its
// number u16 and a list of (site u32, from u64), big endian.
func appendEras(dst []byte, eras []era) []byte {
	dst = binary.BigEndian.AppendUint16(dst, uint16(len(eras)))
	for _, e := range eras {
		dst = binary.BigEndian.AppendUint16(dst, e.number)
		dst = binary.BigEndian.AppendUint32(dst, uint32(len(e.from)))
		sites := make([]uint32, 0, len(e.from))
		for s := range e.from {
			sites = append(sites, s)
		}
		sort.Slice(sites, func(i, j int) bool { return sites[i] < sites[j] })
		for _, s := range sites {
			dst = binary.BigEndian.AppendUint32(dst, s)
			dst = binary.BigEndian.AppendUint64(dst, e.from[s])
		}
	}
	return dst
}

func parseEras(b []byte) ([]era, error) {
	bad := fmt.Errorf("damaged list of incarnations")
	if len(b) < 2 {
		return nil, bad
	}
	n := int(binary.BigEndian.Uint16(b))
	b = b[2:]
	var eras []era
	for i := 0; i < n; i++ {
		if len(b) < 6 {
			return nil, bad
		}
		e := era{number: binary.BigEndian.Uint16(b), from: make(map[uint32]uint64)}
		m := uint64(binary.BigEndian.Uint32(b[2:]))
		b = b[6:]
		if uint64(len(b)) < 12*m {
			return nil, bad
		}
		for ; m > 0; m-- {
			e.from[binary.BigEndian.Uint32(b)] = binary.BigEndian.Uint64(b[4:])
			b = b[12:]
		}
		eras = append(eras, e)
	}
	if len(eras) == 0 || len(b) != 0 {
		return nil, bad
	}
	return eras, nil
}
