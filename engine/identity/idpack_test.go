package identity

import (
	"bytes"
	"fmt"
	"hash/maphash"
	"math/rand/v2"
	"strings"
	"testing"
)

// The pack gives back the stored form of every entry, whatever its ids look like.
func TestPackKeepsForms(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 34))
	id := func() string {
		hex := fmt.Sprintf("%016x%016x", rng.Uint64(), rng.Uint64())
		uuid := hex[:8] + "-" + hex[8:12] + "-" + hex[12:16] + "-" + hex[16:20] + "-" + hex[20:]
		return [...]string{hex, uuid, strings.ToUpper(uuid), hex[1:] + "-", uuid + uuid, "", hex[:rng.IntN(32)], strings.Repeat("x", 200)}[rng.IntN(8)]
	}
	p := newIDPack(1 << 22)
	seed := maphash.MakeSeed()
	hash := func(key string) uint64 { return maphash.String(seed, key) }
	want := make(map[string][]byte)
	for range 5000 {
		k := &idEntry{ord: rng.Uint64() >> rng.IntN(64), linked: rng.IntN(2) == 0}
		for range rng.IntN(3) {
			last := int64(rng.Uint64() >> (1 + rng.IntN(60)))
			k.sessions = append(k.sessions, sessionRef{dialect: byte(rng.IntN(6)), id: id(), ord: rng.Uint64() >> rng.IntN(64), last: last, first: last - int64(rng.IntN(2)*rng.IntN(1000))})
		}
		if rng.IntN(10) == 0 {
			k = &idEntry{ord: 7, visit: &Visit{id: id(), visitor: id()}}
		}
		key := string(appendKey(nil, rng.Uint32N(3), KindAnonymous, 0, id()))
		k.key = key
		p.put(hash(key), k)
		want[key] = k.append(nil)
	}
	for key, form := range want {
		if got := p.get(hash(key), []byte(key)); !bytes.Equal(got, form) {
			t.Fatalf("%q: %x, want %x", key, got, form)
		}
	}
	if p.get(hash("none"), []byte("none")) != nil {
		t.Error("the pack has an entry that nobody has put")
	}
	// A usual entry takes half of the memory.
	k := &idEntry{ord: 1, sessions: []sessionRef{{id: strings.Repeat("0123456789abcdef", 2), ord: 1, last: 1}}}
	key := string(appendKey(nil, 1, KindAnonymous, 0, "0b8e8c5e-0f0f-4b0a-9a36-dedd4bea2501"))
	before := len(p.new.bytes)
	k.key = key
	p.put(hash(key), k)
	if n := len(p.new.bytes) - before; n > (len(key)+len(k.append(nil)))*2/3 {
		t.Errorf("an entry of %d bytes takes %d", len(key)+len(k.append(nil)), n)
	}
}
