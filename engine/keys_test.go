package engine

import (
	"bytes"
	"math"
	"testing"

	"cairn/index"
	"cairn/wal"
)

// The rooms share one key space: no prefix is another's, and all are one byte,
// so that none begins with another.
func TestPrefixesAreDisjoint(t *testing.T) {
	owners := map[int]string{}
	for _, p := range []struct {
		name   string
		prefix int
	}{
		{"store", prefixStore}, {"id", prefixID}, {"ids up to", prefixIDsUpTo}, {"link", prefixLink},
		{"wal block", wal.PrefixBlock}, {"wal note", wal.PrefixNote},
		{"index descriptor", index.PrefixDescriptor}, {"index run", index.PrefixRun},
	} {
		if p.prefix < 1 || p.prefix > 0xfe {
			t.Errorf("prefix %#x of %s is not one byte between the ends", p.prefix, p.name)
		}
		if other, ok := owners[p.prefix]; ok {
			t.Errorf("prefix %#x is that of %s and of %s", p.prefix, p.name, other)
		}
		owners[p.prefix] = p.name
	}
}

// Key order is (site, seq) order.
func TestLinkKeyOrder(t *testing.T) {
	var last []byte
	for _, site := range []uint32{0, 1, 255, 256, math.MaxUint32} {
		for _, seq := range []uint64{0, 1, 255, 256, 1 << 40, math.MaxUint64} {
			k := linkKey(site, seq)
			if bytes.Compare(last, k) >= 0 || !bytes.HasPrefix(k, siteKey(prefixLink, site)) {
				t.Errorf("key %x follows %x", k, last)
			}
			last = k
		}
	}
}
