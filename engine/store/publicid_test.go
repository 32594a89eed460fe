package store

import (
	"fmt"
	"reflect"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

var aesKey = []byte("0123456789abcdef")

// goodIncarnations are those of a store that was restored twice. At the first snapshot site 1
// had 50 events and site 2 none, at the second they had 80 and 3.
var goodIncarnations = []incarnation{{number: 1}, {number: 2, from: map[uint32]uint64{1: 51}}, {number: 9, from: map[uint32]uint64{1: 81, 2: 4}}}

func newIDsOf(t interface{ Fatal(...any) }, key []byte, incarnations []incarnation) *PublicIDs {
	p, err := NewPublicIDs(key, incarnations)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestPublicIDRoundTrip(t *testing.T) {
	p := newIDsOf(t, aesKey, goodIncarnations)
	seen := map[string]string{}
	rapid.Check(t, func(t *rapid.T) {
		site := rapid.OneOf(rapid.SampledFrom([]uint32{1, 2, 3}), rapid.Uint32()).Draw(t, "site")
		seq := rapid.OneOf(rapid.Uint64Range(1, 100), rapid.Uint64Range(1, 1<<48-1)).Draw(t, "seq")
		id := p.Encode(site, seq)
		if len(id) != 32 || strings.Trim(id, "0123456789abcdef") != "" {
			t.Fatalf("id %q", id)
		}
		if got, ok := p.Decode(site, id); !ok || got != seq {
			t.Fatalf("event %d of site %d decodes as %d, %v", seq, site, got, ok)
		}
		if _, ok := p.Decode(site+1, id); ok {
			t.Fatal("the id is valid for another site")
		}
		place := fmt.Sprint(site, seq)
		if other, ok := seen[id]; ok && other != place {
			t.Fatalf("id %s names both %s and %s", id, other, place)
		}
		seen[id] = place
	})
}

// Decode accepts only ids that this store made for the site.
func TestPublicIDForged(t *testing.T) {
	p := newIDsOf(t, aesKey, goodIncarnations)
	id := p.Encode(1, 7)
	for i := range id {
		for _, c := range "0123456789abcdef" {
			if forged := id[:i] + string(c) + id[i+1:]; forged != id {
				if seq, ok := p.Decode(1, forged); ok {
					t.Errorf("%s with digit %d changed decodes as event %d", id, i, seq)
				}
			}
		}
	}
	for _, forged := range []string{"", id[:31], id + "0", strings.ToUpper(id), " " + id[1:], "g" + id[1:], id[:30] + "\x00\x00", strings.Repeat("0", 32), strings.Repeat("f", 32)} {
		if seq, ok := p.Decode(1, forged); ok {
			t.Errorf("%q decodes as event %d", forged, seq)
		}
	}
	if _, ok := newIDsOf(t, []byte("fedcba9876543210"), goodIncarnations).Decode(1, id); ok {
		t.Error("another store accepts the id")
	}
	if _, ok := p.Decode(1, p.Encode(1, 0)); ok {
		t.Error("event 0 has an id")
	}
}

func FuzzPublicID(f *testing.F) {
	p := newIDsOf(f, aesKey, goodIncarnations)
	f.Add(uint32(1), p.Encode(1, 90))
	f.Add(uint32(2), p.Encode(1, 90))
	f.Fuzz(func(t *testing.T, site uint32, id string) {
		if seq, ok := p.Decode(site, id); ok && p.Encode(site, seq) != id {
			t.Fatalf("%q is event %d, whose id is %q", id, seq, p.Encode(site, seq))
		}
	})
}

// After a restore an id stays valid only if its event is in the snapshot.
func TestPublicIDIncarnations(t *testing.T) {
	before := newIDsOf(t, aesKey, goodIncarnations[:1])
	once := newIDsOf(t, aesKey, goodIncarnations[:2])
	twice := newIDsOf(t, aesKey, goodIncarnations)
	for _, c := range []struct {
		from        *PublicIDs
		site        uint32
		seq         uint64
		once, twice bool
	}{
		{before, 1, 50, true, true},
		{before, 1, 51, false, false},
		{before, 1, 81, false, false},
		{before, 2, 1, false, false}, // site 2 got its first event after the snapshot
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

func TestIncarnationsRoundTrip(t *testing.T) {
	for _, incarnations := range [][]incarnation{goodIncarnations[1:], goodIncarnations[2:]} {
		b := appendIncarnations(nil, incarnations)
		got, err := parseIncarnations(b)
		if err != nil || !reflect.DeepEqual(got, incarnations) {
			t.Errorf("got %+v, %v; want %+v", got, err, incarnations)
		}
		for i := range b {
			if got, err := parseIncarnations(b[:i]); err == nil {
				t.Errorf("%d of %d bytes parse as %+v", i, len(b), got)
			}
		}
	}
}

func FuzzIncarnations(f *testing.F) {
	f.Add(appendIncarnations(nil, goodIncarnations))
	f.Add([]byte{0, 1, 0, 1, 0xff, 0xff, 0xff, 0xff})
	f.Fuzz(func(t *testing.T, b []byte) {
		incarnations, err := parseIncarnations(b)
		if err != nil {
			return
		}
		reparsed, err := parseIncarnations(appendIncarnations(nil, incarnations))
		if err != nil || !reflect.DeepEqual(reparsed, incarnations) {
			t.Fatalf("%+v is written and read as %+v, %v", incarnations, reparsed, err)
		}
		newIDsOf(t, aesKey, incarnations).Encode(1, 1)
	})
}
