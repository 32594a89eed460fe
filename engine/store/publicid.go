// Public ids of events: the encrypted site and seq of an event.

package store

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"sort"
)

// PublicIDs turns (site, seq) into 32 hex digits and back. It is safe for any number of
// goroutines. The 16 bytes
//
//	incarnation u16 | site u32 | seq u48 | check u32 = 0
//
// are encrypted as one AES block under the store's own key. An id therefore reveals nothing
// and needs no index. A forged id decrypts to a wrong check. An id is also the cursor of a
// listing. The incarnation is that of the store when the event was written. A restore begins
// a new one, so that an id given out after the snapshot never names another event (I6).
type PublicIDs struct {
	block        cipher.Block
	incarnations []incarnation
}

// incarnation is one life of a store: from its creation or a restore to the next restore.
type incarnation struct {
	number uint16
	from   map[uint32]uint64 // its first seq by site; absent = 1
}

// NewPublicIDs makes ids under an AES-128 key, 16 bytes long. The incarnations are in the
// order in which they began.
func NewPublicIDs(key []byte, incarnations []incarnation) (*PublicIDs, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("public ids: %w", err)
	}
	return &PublicIDs{block, incarnations}, nil
}

// incarnationOf returns the incarnation in which an event was written.
func (p *PublicIDs) incarnationOf(site uint32, seq uint64) uint16 {
	i := sort.Search(len(p.incarnations), func(i int) bool { return p.incarnations[i].start(site) > seq })
	return p.incarnations[max(i-1, 0)].number
}

// start returns the first seq of a site in the incarnation.
func (inc *incarnation) start(site uint32) uint64 { return max(inc.from[site], 1) }

// Encode returns the public id of the event at seq of a site.
func (p *PublicIDs) Encode(site uint32, seq uint64) string {
	return string(p.Append(make([]byte, 0, PublicIDLen), site, seq))
}

// PublicIDLen is the length of a public id, in bytes.
const PublicIDLen = 32

// Append appends what Encode returns.
func (p *PublicIDs) Append(dst []byte, site uint32, seq uint64) []byte {
	at := len(dst)
	dst = append(dst, make([]byte, PublicIDLen)...)
	id := dst[at:]
	b := id[PublicIDLen/2:] // encrypted in the second half; hex.Encode reads it from there
	binary.BigEndian.PutUint16(b[0:], p.incarnationOf(site, seq))
	binary.BigEndian.PutUint32(b[2:], site)
	binary.BigEndian.PutUint16(b[6:], uint16(seq>>32))
	binary.BigEndian.PutUint32(b[8:], uint32(seq))
	p.block.Encrypt(b, b)
	hex.Encode(id, b)
	return dst
}

// Decode returns the seq of a public id. ok is false for anything that Encode has not
// returned for the site.
func (p *PublicIDs) Decode(site uint32, id string) (seq uint64, ok bool) {
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
	return seq, binary.BigEndian.Uint16(b[0:]) == p.incarnationOf(site, seq)
}

// Derive makes an id of 32 hex digits from a text, the same for each call. Without the
// store's key nobody can find out the text.
func (p *PublicIDs) Derive(site uint32, text string) string {
	h := sha256.New()
	h.Write(binary.BigEndian.AppendUint32(nil, site))
	h.Write([]byte(text))
	var b [32]byte
	h.Sum(b[:0])
	p.block.Encrypt(b[:16], b[:16])
	return hex.EncodeToString(b[:16])
}

// Line names the line of stores: a store, and all that were restored from its snapshots. Nobody can
// find out the key by it.
func (p *PublicIDs) Line() string { return p.Derive(0, "line of stores") }

// Incarnation names the newest incarnation of the line.
func (p *PublicIDs) Incarnation() string {
	return fmt.Sprintf("%s-%04x", p.Line()[:8], p.incarnations[len(p.incarnations)-1].number)
}

// Life is one incarnation, as one site has it.
type Life struct {
	Number uint16 `json:"number"`
	From   uint64 `json:"from"` // its first seq
}

// Lives returns the incarnations in which the rows of a site up to a seq were written, in their
// order.
func (p *PublicIDs) Lives(site uint32, upTo uint64) (lives []Life) {
	for i := range p.incarnations {
		inc := &p.incarnations[i]
		from := inc.start(site)
		if from > upTo {
			break
		}
		if n := len(lives); n > 0 && lives[n-1].From == from { // nothing was written in it
			lives = lives[:n-1]
		}
		lives = append(lives, Life{inc.number, from})
	}
	return lives
}

// appendIncarnations and parseIncarnations write and read the stored form, big endian:
//
//	count u16 | count × ( number u16 | sites u32 | sites × ( site u32 | from u64 ) )
//
// Sites ascend.
func appendIncarnations(dst []byte, incarnations []incarnation) []byte {
	dst = binary.BigEndian.AppendUint16(dst, uint16(len(incarnations)))
	for _, inc := range incarnations {
		dst = binary.BigEndian.AppendUint16(dst, inc.number)
		dst = binary.BigEndian.AppendUint32(dst, uint32(len(inc.from)))
		sites := make([]uint32, 0, len(inc.from))
		for s := range inc.from {
			sites = append(sites, s)
		}
		sort.Slice(sites, func(i, j int) bool { return sites[i] < sites[j] })
		for _, s := range sites {
			dst = binary.BigEndian.AppendUint32(dst, s)
			dst = binary.BigEndian.AppendUint64(dst, inc.from[s])
		}
	}
	return dst
}

func parseIncarnations(b []byte) ([]incarnation, error) {
	bad := DamagedFile("the list of incarnations", errors.New("it cannot be read"))
	if len(b) < 2 {
		return nil, bad
	}
	n := int(binary.BigEndian.Uint16(b))
	b = b[2:]
	var incarnations []incarnation
	for i := 0; i < n; i++ {
		if len(b) < 6 {
			return nil, bad
		}
		inc := incarnation{number: binary.BigEndian.Uint16(b), from: make(map[uint32]uint64)}
		m := uint64(binary.BigEndian.Uint32(b[2:]))
		b = b[6:]
		if uint64(len(b)) < 12*m {
			return nil, bad
		}
		for ; m > 0; m-- {
			inc.from[binary.BigEndian.Uint32(b)] = binary.BigEndian.Uint64(b[4:])
			b = b[12:]
		}
		incarnations = append(incarnations, inc)
	}
	if len(incarnations) == 0 || len(b) != 0 {
		return nil, bad
	}
	return incarnations, nil
}
