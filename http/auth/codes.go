package auth

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"slices"
	"strings"
	"sync"
	"time"
)

// This file knows one-time codes, which open a session without a key being typed in.

const (
	CodeMax   = 15 * time.Minute
	codesMax  = 8  // that wait at once; a new one takes the place of the oldest
	codeRunes = 20 // 100 bits
)

// codeAlphabet is the base32 of Crockford: no letter looks like a digit.
const codeAlphabet = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"

// Codes are the one-time codes that wait. They are in memory alone.
type Codes struct {
	now     func() time.Time
	mu      sync.Mutex
	waiting []code // oldest first
}

type code struct {
	digest [32]byte
	opens  Opener
	until  time.Time
}

// NewCodes makes an empty list of codes.
func NewCodes(now func() time.Time) *Codes { return &Codes{now: now} }

// Issue makes a code such as 7K3M-QX2D-9TFB-V4HN-W8RC. It opens once what o opens.
func (c *Codes) Issue(o Opener) (text string, until time.Time) {
	var random [codeRunes]byte
	_, _ = rand.Read(random[:])
	var b strings.Builder
	for i, r := range random {
		if i > 0 && i%4 == 0 {
			b.WriteByte('-')
		}
		b.WriteByte(codeAlphabet[r%32])
	}
	text, until = b.String(), c.now().Add(CodeMax)
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.waiting) >= codesMax {
		c.waiting = slices.Delete(c.waiting, 0, len(c.waiting)-codesMax+1)
	}
	c.waiting = append(c.waiting, code{codeDigest(text), o, until})
	return text, until
}

// Spend returns what a code opens, and spends it. ok is false for a code that was never given
// out, is spent or is too old.
func (c *Codes) Spend(text string) (o Opener, ok bool) {
	if len(text) > 64 {
		return o, false
	}
	digest := codeDigest(text)
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.now()
	c.waiting = slices.DeleteFunc(c.waiting, func(w code) bool { return !now.Before(w.until) })
	found := -1
	for i := range c.waiting {
		if subtle.ConstantTimeCompare(c.waiting[i].digest[:], digest[:]) == 1 {
			found = i
		}
	}
	if found < 0 {
		return o, false
	}
	o = c.waiting[found].opens
	c.waiting = slices.Delete(c.waiting, found, found+1)
	return o, true
}

// codeDigest is the SHA-256 of a code. Case, dashes and spaces do not matter, and letters that
// look like digits are these.
func codeDigest(text string) [32]byte {
	plain := strings.NewReplacer("-", "", " ", "", "O", "0", "I", "1", "L", "1").Replace(strings.ToUpper(text))
	return sha256.Sum256([]byte(plain))
}
