package auth

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"strings"
	"time"
)

// Tickets are short-lived credentials to read one site. A ticket is the 16 bytes
//
//	site u32 | good until, seconds since the process began u32 | 0 u64
//
// as one AES block under a key of this process, written like a UUID. The server keeps
// nothing of a ticket. A forged one deciphers to something other than zeros, and a restart
// ends all tickets.
type Tickets struct {
	block cipher.Block
	now   func() time.Time
	began time.Time // differences to it are monotonic
}

// ticketMax is the longest a ticket may last.
const ticketMax = 24 * time.Hour

func newTickets(now func() time.Time) *Tickets {
	var key [16]byte
	_, _ = rand.Read(key[:]) // never fails
	block, err := aes.NewCipher(key[:])
	if err != nil {
		panic(err) // the key has the right length
	}
	return &Tickets{block, now, now()}
}

func (t *Tickets) elapsed() time.Duration { return t.now().Sub(t.began) }

// Issue makes a ticket for the site of an id. It lasts at least a second and at most a day.
func (t *Tickets) Issue(site uint32, ttl time.Duration) string {
	ttl = min(max(ttl, time.Second), ticketMax)
	var b [16]byte
	binary.BigEndian.PutUint32(b[0:], site)
	binary.BigEndian.PutUint32(b[4:], uint32((t.elapsed()+ttl)/time.Second))
	t.block.Encrypt(b[:], b[:])
	h := hex.EncodeToString(b[:])
	return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]
}

// site is the id of the site that a ticket opens, 0 when the ticket is forged or over.
func (t *Tickets) site(ticket string) uint32 {
	if len(ticket) != 36 {
		return 0
	}
	raw, err := hex.DecodeString(strings.ReplaceAll(ticket, "-", ""))
	if err != nil || len(raw) != 16 {
		return 0
	}
	t.block.Decrypt(raw, raw)
	if binary.BigEndian.Uint64(raw[8:]) != 0 || t.elapsed() >= time.Duration(binary.BigEndian.Uint32(raw[4:]))*time.Second {
		return 0
	}
	return binary.BigEndian.Uint32(raw)
}
