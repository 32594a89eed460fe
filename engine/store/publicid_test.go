package store

import (
	"fmt"
	"reflect"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

var aesKey = []byte("0123456789abcdef")

// goodEras is a store restored twice: once when site 1 had 50 events and site 2
// none, once at 80 and 3.
var goodEras = []incarnation{{number: 1}, {number: 2, from: map[uint32]uint64{1: 51}}, {number: 9, from: map[uint32]uint64{1: 81, 2: 4}}}

func newIDsOf(t interface{ Fatal(...any) }, key []byte, eras []incarnation) *PublicIDs {
	p, err := NewPublicIDs(key, eras)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestPublicIDRoundTrip(t *testing.T) {
	p := newIDsOf(t, aesKey, goodEras)
	seen := map[string]string{}
	rapid.Check(t, func(t *rapid.T) {
		site := rapid.OneOf(rapid.SampledFrom([]uint32{1, 2, 3}), rapid.Uint32()).Draw(t, "site")
		seq := rapid.OneOf(rapid.Uint64Range(1, 100), rapid.Uint64Range(1, 1<<48-1)).Draw(t, "seq")
		id := p.Encode(site, seq)
		if len(id) != 32 || strings.Trim(id, "0123456789abcdef") != "" {
			t.Fatalf("id %q", id)
		}
		if got, ok := p.Decode(site, id); !ok || got != seq {
			t.Fatalf("%d of site %d comes back as %d, %v", seq, site, got, ok)
		}
		if _, ok := p.Decode(site+1, id); ok {
			t.Fatal("the id is good for another site")
		}
		place := fmt.Sprint(site, seq)
		if other, ok := seen[id]; ok && other != place {
			t.Fatalf("id %s stands for %s and %s", id, other, place)
		}
		seen[id] = place
	})
}

// Whatever is not an id the store made for the site is recognised.
func TestPublicIDForged(t *testing.T) {
	p := newIDsOf(t, aesKey, goodEras)
	id := p.Encode(1, 7)
	for i := range id {
		for _, c := range "0123456789abcdef" {
			if forged := id[:i] + string(c) + id[i+1:]; forged != id {
				if seq, ok := p.Decode(1, forged); ok {
					t.Errorf("%s with digit %d changed is event %d", id, i, seq)
				}
			}
		}
	}
	for _, forged := range []string{"", id[:31], id + "0", strings.ToUpper(id), " " + id[1:], "g" + id[1:], id[:30] + "\x00\x00", strings.Repeat("0", 32), strings.Repeat("f", 32)} {
		if seq, ok := p.Decode(1, forged); ok {
			t.Errorf("%q is event %d", forged, seq)
		}
	}
	if _, ok := newIDsOf(t, []byte("fedcba9876543210"), goodEras).Decode(1, id); ok {
		t.Error("another store takes the id")
	}
	if _, ok := p.Decode(1, p.Encode(1, 0)); ok {
		t.Error("event 0 has an id")
	}
}

func FuzzPublicID(f *testing.F) {
	p := newIDsOf(f, aesKey, goodEras)
	f.Add(uint32(1), p.Encode(1, 90))
	f.Add(uint32(2), p.Encode(1, 90))
	f.Fuzz(func(t *testing.T, site uint32, id string) {
		if seq, ok := p.Decode(site, id); ok && p.Encode(site, seq) != id {
			t.Fatalf("%q is event %d, whose id is %q", id, seq, p.Encode(site, seq))
		}
	})
}

// An id is good in a later incarnation when its event lies before the restore,
// and in no other.
func TestPublicIDEras(t *testing.T) {
	before := newIDsOf(t, aesKey, goodEras[:1])
	once := newIDsOf(t, aesKey, goodEras[:2])
	twice := newIDsOf(t, aesKey, goodEras)
	for _, c := range []struct {
		from        *PublicIDs
		site        uint32
		seq         uint64
		once, twice bool
	}{
		{before, 1, 50, true, true},
		{before, 1, 51, false, false},
		{before, 1, 81, false, false},
		{before, 2, 1, false, false}, // site 2 was born after the snapshot
		{once, 1, 50, true, true},
		{once, 1, 80, true, true},
		{once, 1, 81, true, false},
		{once, 2, 3, true, true},
		{once, 2, 4, true, false},
		{twice, 1, 81, false, true},
		{twice, 2, 4, false, true},
		{twice, 3, 1, false, true},
	} {
		id := c.from.Encode(c.site, c.seq)
		if _, ok := once.Decode(c.site, id); ok != c.once {
			t.Errorf("event %d of site %d, written in incarnation %d: after one restore %v", c.seq, c.site, c.from.incarnationOf(c.site, c.seq), ok)
		}
		if _, ok := twice.Decode(c.site, id); ok != c.twice {
			t.Errorf("event %d of site %d, written in incarnation %d: after two restores %v", c.seq, c.site, c.from.incarnationOf(c.site, c.seq), ok)
		}
	}
}

func TestErasRoundTrip(t *testing.T) {
	for _, eras := range [][]incarnation{goodEras[1:], goodEras[2:]} {
		b := appendIncarnations(nil, eras)
		got, err := parseIncarnations(b)
		if err != nil || !reflect.DeepEqual(got, eras) {
			t.Errorf("got %+v, %v; want %+v", got, err, eras)
		}
		for i := range b {
			if got, err := parseIncarnations(b[:i]); err == nil {
				t.Errorf("%d of %d bytes parse as %+v", i, len(b), got)
			}
		}
	}
}

func FuzzEras(f *testing.F) {
	f.Add(appendIncarnations(nil, goodEras))
	f.Add([]byte{0, 1, 0, 1, 0xff, 0xff, 0xff, 0xff})
	f.Fuzz(func(t *testing.T, b []byte) {
		eras, err := parseIncarnations(b)
		if err != nil {
			return
		}
		again, err := parseIncarnations(appendIncarnations(nil, eras))
		if err != nil || !reflect.DeepEqual(again, eras) {
			t.Fatalf("%+v becomes %+v, %v", eras, again, err)
		}
		newIDsOf(t, aesKey, eras).Encode(1, 1)
	})
}
