package geo

import (
	"bytes"
	"encoding/binary"
	"net/netip"
	"testing"
	"unicode/utf8"
)

var asked = []netip.Addr{
	netip.MustParseAddr("1.1.1.1"), netip.MustParseAddr("8.8.8.8"), netip.MustParseAddr("2a00::1"),
	netip.MustParseAddr("2001:db8::1"), netip.MustParseAddr("255.255.255.254"), netip.MustParseAddr("::1"),
}

// tryDamaged loads any data. The result is an error, or a database whose every answer
// has the right form. It reports whether the load was refused.
func tryDamaged(t *testing.T, data []byte) (refused bool) {
	t.Helper()
	db, err := parse(data)
	if err != nil {
		return true
	}
	for _, addr := range asked {
		place, err := db.lookup(addr)
		if err != nil || place == nil {
			continue
		}
		if c := place.Country; c != "" && (len(c) != 2 || c[0] < 'A' || c[0] > 'Z' || c[1] < 'A' || c[1] > 'Z') {
			t.Fatalf("%s is in the country %q", addr, c)
		}
		for _, text := range []string{place.Region, place.City, place.TimeZone, place.Organization} {
			if !utf8.ValidString(text) || len(text) > placeTextBytesMax {
				t.Fatalf("%s has the text %q", addr, text)
			}
		}
	}
	return false
}

// TestEveryFlippedByte damages every byte of a database in eight ways.
func TestEveryFlippedByte(t *testing.T) {
	data := city(t)
	refused := 0
	for i := range data {
		for bit := range 8 {
			bad := bytes.Clone(data)
			bad[i] ^= 1 << bit
			if tryDamaged(t, bad) {
				refused++
			}
		}
	}
	t.Logf("%d of %d flips refused, the others change a name, or a node to a valid one", refused, 8*len(data))
	if refused == 0 {
		t.Error("nothing was refused")
	}
	for n := range data {
		tryDamaged(t, data[:n])
	}
}

// TestEndlessTree checks that nodes which share children are refused. Walked as a tree,
// 128 levels of them have 2^128 leaves.
func TestEndlessTree(t *testing.T) {
	data := city(t)
	db, err := open(data)
	if err != nil {
		t.Fatal(err)
	}
	nodes := int(db.reader.Metadata.NodeCount)
	for i := range nodes {
		next := uint32(min(i+1, nodes)) // nodes = "no data"
		for side := range 2 {
			var b [4]byte
			binary.BigEndian.PutUint32(b[:], next)
			copy(data[i*6+side*3:], b[1:])
		}
	}
	if _, err := parse(data); err == nil {
		t.Error("the tree was accepted")
	}
}

func FuzzFile(f *testing.F) {
	data := city(f)
	f.Add(data, 0, byte(1))
	f.Add(data, len(data)/2, byte(0x80))
	f.Add(build(f, "asn", map[string]m{"1.0.0.0/8": {"asn": s("AS7")}}), 10, byte(2))
	f.Add([]byte("\x1f\x8b"), 0, byte(0))
	f.Add([]byte("\x28\xb5\x2f\xfd"), 0, byte(0))
	f.Fuzz(func(t *testing.T, data []byte, at int, flip byte) {
		if len(data) > 1<<20 {
			return
		}
		data = bytes.Clone(data)
		if at >= 0 && at < len(data) {
			data[at] ^= flip
		}
		if len(data) < 1<<12 {
			if inflated, err := inflate(data); err == nil && len(inflated) < 1<<20 {
				data = inflated
			}
		}
		tryDamaged(t, data)
	})
}
