package enrich

import (
	"fmt"
	"net/netip"
	"testing"

	"cairn/engine/event"
	"cairn/geo"
)

func benchmarkEnrich(b *testing.B, agent func(i int) string) {
	locator := geo.Open(geo.Options{})
	defer locator.Close()
	d := New(Options{Geo: locator})
	site := &Privacy{}
	sent := object("url", "https://shop.example/products/1?utm_source=news&utm_medium=email", "title", "Shoes", "referrer", "https://www.google.com/")
	room := make(event.Object, 0, 32)
	agents := make([]string, 1<<16)
	for i := range agents {
		agents[i] = agent(i)
	}
	b.ReportAllocs()
	e := event.Event{Type: event.Page}
	var src event.Source
	var kept Arena
	i := 0
	for b.Loop() {
		e.Context = append(room, sent...)
		src = event.Source{IP: netip.AddrFrom4([4]byte{byte(1 + i%200), byte(i >> 3), 6, 139}), UserAgent: agents[i&(len(agents)-1)], AcceptLanguage: "en-GB,en;q=0.9"}
		kept.Reset()
		d.Enrich(site, &e, &src, &kept)
		i++
	}
}

// BenchmarkEnrichHit enriches events whose agents are in the cache.
func BenchmarkEnrichHit(b *testing.B) {
	benchmarkEnrich(b, func(i int) string { return fmt.Sprintf("%s Build/%d", phoneAgent, i%1000) })
}

// BenchmarkEnrichMiss enriches events with four times as many agents as the cache holds.
func BenchmarkEnrichMiss(b *testing.B) {
	benchmarkEnrich(b, func(i int) string { return fmt.Sprintf("%s Build/%d", phoneAgent, i) })
}

func BenchmarkVisitor(b *testing.B) {
	s, err := OpenSalts(b.TempDir()+"/salts", nil, nil)
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	site := uint32(1)
	b.ReportAllocs()
	for b.Loop() {
		s.Visitor(site, "203.0.113.9", chromeAgent)
	}
}
