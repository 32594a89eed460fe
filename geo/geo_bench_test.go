package geo

import (
	"math/rand/v2"
	"net/netip"
	"testing"
)

// BenchmarkLookup looks up random addresses in the embedded database.
func BenchmarkLookup(b *testing.B) {
	l := Open(Options{})
	defer l.Close()
	r := rand.New(rand.NewPCG(1, 2))
	addrs := make([]netip.Addr, 1<<12)
	for i := range addrs {
		addrs[i] = netip.AddrFrom4([4]byte{byte(1 + r.IntN(220)), byte(r.IntN(256)), byte(r.IntN(256)), byte(r.IntN(256))})
	}
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		l.Lookup(addrs[i&(len(addrs)-1)])
		i++
	}
}

// BenchmarkOpenEmbedded is the cost at a start.
func BenchmarkOpenEmbedded(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if _, err := openRanges(countryFile); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkCheck is the cost of the walk for a configured file of 20,000 networks.
func BenchmarkCheck(b *testing.B) {
	data := randomCountries(b, rand.New(rand.NewPCG(1, 2)), 20_000)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := parse(data); err != nil {
			b.Fatal(err)
		}
	}
}
