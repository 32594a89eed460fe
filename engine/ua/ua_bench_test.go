package ua

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

// linesOf reads a file with one agent on each line.
func linesOf(tb testing.TB, path string) []string {
	tb.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		tb.Fatal(err)
	}
	return strings.Split(strings.TrimSuffix(string(b), "\n"), "\n")
}

// BenchmarkParse is the cost of a cache miss, with real traffic.
func BenchmarkParse(b *testing.B) {
	agents := linesOf(b, "testdata/people.txt")
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		Parse(agents[i%len(agents)], Hints{})
		i++
	}
}

func BenchmarkParseBots(b *testing.B) {
	agents := linesOf(b, "testdata/crawlers.txt")
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		Parse(agents[i%len(agents)], Hints{})
		i++
	}
}

func BenchmarkParseHints(b *testing.B) {
	h := HintsOf(map[string]string{"sec-ch-ua": braveList, "sec-ch-ua-mobile": "?0", "sec-ch-ua-platform": `"Windows"`, "sec-ch-ua-platform-version": `"15.0.0"`,
		"sec-ch-ua-full-version-list": `"Not/A)Brand";v="8.0.0.0", "Chromium";v="126.0.6478.127", "Google Chrome";v="126.0.6478.127"`})
	b.ReportAllocs()
	for b.Loop() {
		Parse(windowsChrome, h)
	}
}

// BenchmarkParseWorst parses agents of the largest size, made to be slow.
func BenchmarkParseWorst(b *testing.B) {
	for _, c := range []struct{ name, piece string }{{"tokens", "(a;"}, {"products", "Opera a/1 "}, {"near matches", "scrapecrawspidehttp:"}} {
		agent := strings.Repeat(c.piece, 4096/len(c.piece))
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				Parse(agent, Hints{})
			}
		})
	}
}

// BenchmarkCacheHit is the usual case: the cache has the agent.
func BenchmarkCacheHit(b *testing.B) {
	agents := linesOf(b, "testdata/people.txt")
	c := NewCache()
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		i := 0
		for pb.Next() {
			c.Parse(agents[i%len(agents)], Hints{})
			i++
		}
	})
}

// BenchmarkCacheHitOneCore is the same on one core, with hints.
func BenchmarkCacheHitOneCore(b *testing.B) {
	agents := linesOf(b, "testdata/people.txt")
	h := HintsOf(map[string]string{"sec-ch-ua": braveList, "sec-ch-ua-mobile": "?0", "sec-ch-ua-platform": `"Windows"`})
	c := NewCache()
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		c.Parse(agents[i%len(agents)], h)
		i++
	}
}

// BenchmarkCacheMiss asks for agents that are new each time, so generations turn.
func BenchmarkCacheMiss(b *testing.B) {
	agents := make([]string, 1<<16)
	for i := range agents {
		agents[i] = fmt.Sprintf("Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 Chrome/%d.0 Safari/537.36", i)
	}
	c := NewCache()
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		c.Parse(agents[i%len(agents)], Hints{})
	}
}
