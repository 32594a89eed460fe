package geo

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"strings"
	"testing"
)

// randomCountries makes a database of n random networks, some within others, in a few countries.
func randomCountries(tb testing.TB, r *rand.Rand, n int) []byte {
	tb.Helper()
	records := map[string]m{}
	for range n {
		var network netip.Prefix
		if r.IntN(2) == 0 {
			network = netip.PrefixFrom(netip.AddrFrom4([4]byte{byte(1 + r.IntN(3)), byte(r.IntN(2)), byte(r.IntN(4)), byte(r.IntN(256))}), 6+r.IntN(27))
		} else {
			// Few values in each part, so that many networks share their upper half.
			var a [16]byte
			binary.BigEndian.PutUint32(a[:], 0x24000000+uint32(r.IntN(4)))
			binary.BigEndian.PutUint32(a[4:], uint32(r.IntN(3)))
			binary.BigEndian.PutUint64(a[8:], r.Uint64()>>r.IntN(64))
			network = netip.PrefixFrom(netip.AddrFrom16(a), 29+r.IntN(100))
		}
		country := fmt.Sprintf("%c%c", 'A'+r.IntN(3), 'A'+r.IntN(2))
		records[network.Masked().String()] = m{"country_code": s(country)}
	}
	return build(tb, "random", records)
}

// TestPack compares packed databases with those that they are made of, at the borders of all
// networks, which Pack does itself, and elsewhere.
func TestPack(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for round := range 60 {
		mmdb := randomCountries(t, r, 1+r.IntN(300))
		packed, err := Pack(mmdb)
		if err != nil {
			t.Fatalf("round %d: %v", round, err)
		}
		db, err := open(mmdb)
		if err != nil {
			t.Fatal(err)
		}
		got, err := openRanges(string(packed))
		if err != nil {
			t.Fatal(err)
		}
		if !got.built.Equal(db.built) {
			t.Errorf("built %v, want %v", got.built, db.built)
		}
		found := 0
		for range 2000 {
			addr := netip.AddrFrom4([4]byte{byte(r.IntN(5)), byte(r.IntN(3)), byte(r.IntN(5)), byte(r.IntN(256))})
			if r.IntN(2) == 0 {
				var a [16]byte
				binary.BigEndian.PutUint32(a[:], 0x24000000+uint32(r.IntN(5)))
				binary.BigEndian.PutUint32(a[4:], uint32(r.IntN(4)))
				binary.BigEndian.PutUint64(a[8:], r.Uint64()>>r.IntN(64))
				addr = netip.AddrFrom16(a)
			}
			var want, have Place
			if place, err := db.lookup(addr); err != nil {
				t.Fatal(err)
			} else if place != nil {
				want, found = *place, found+1
			}
			if place := got.lookup(addr); place != nil {
				have = *place
			}
			if have != want {
				t.Fatalf("round %d: %s is in %q, want %q", round, addr, have.Country, want.Country)
			}
		}
		if round > 10 && found == 0 {
			t.Errorf("round %d: no address was found", round)
		}
	}
}

// TestDamagedRanges cuts and flips a packed database. Opening refuses it, or each lookup gives a
// place or an error.
func TestDamagedRanges(t *testing.T) {
	packed, err := Pack(randomCountries(t, rand.New(rand.NewPCG(5, 6)), 50))
	if err != nil {
		t.Fatal(err)
	}
	for n := range packed {
		if _, err := openRanges(string(packed[:n])); err == nil {
			t.Errorf("%d of %d bytes were accepted", n, len(packed))
		}
	}
	if _, err := openRanges(string(packed) + "x"); err == nil {
		t.Error("a byte too many was accepted")
	}
	for i := range packed {
		for bit := range 8 {
			packed[i] ^= 1 << bit
			if r, err := openRanges(string(packed)); err == nil {
				db := &file{ranges: r}
				for _, addr := range asked {
					db.lookup(addr) // does not panic
				}
			}
			packed[i] ^= 1 << bit
		}
	}
}

// Pack would not give out data that differ from the database.
func TestAgree(t *testing.T) {
	db, err := open(build(t, "one", map[string]m{"1.2.0.0/16": {"country_code": s("DE")}}))
	if err != nil {
		t.Fatal(err)
	}
	other, err := Pack(build(t, "other", map[string]m{"1.2.0.0/17": {"country_code": s("DE")}}))
	if err != nil {
		t.Fatal(err)
	}
	if err := agree(other, db); err == nil || !strings.Contains(err.Error(), "1.2.255.255") {
		t.Errorf("data of another database agree: %v", err)
	}
}
