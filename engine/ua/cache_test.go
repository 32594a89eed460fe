package ua

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"unsafe"
)

// TestCacheAgrees asks for more agents than fit, several times, from several
// goroutines. Every answer is that of Parse.
func TestCacheAgrees(t *testing.T) {
	c := NewCache()
	var wg sync.WaitGroup
	for g := range 4 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for i := range 40_000 {
				n := (i*7 + g) % 20_000
				agent := fmt.Sprintf("Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 Chrome/%d.0 Safari/537.36", n)
				if a := c.Parse(agent, Hints{}); a.BrowserVersion != fmt.Sprintf("%d.0", n) {
					t.Errorf("%s gives %+v", agent, a)
					return
				}
			}
		}()
	}
	wg.Wait()
	for i := range c.shards {
		if n := c.shards[i].agents.Len(); n > 2*generationMax {
			t.Errorf("shard %d holds %d", i, n)
		}
	}
}

// TestCacheOwnsWhatItKeeps reuses the request's buffer, as a server does.
func TestCacheOwnsWhatItKeeps(t *testing.T) {
	const chrome = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.6478.127 Safari/537.36"
	const model, full = `"Pixel 8"`, `"Google Chrome";v="126.0.6478.127"`
	c := NewCache()
	buf := []byte(chrome + model + full)
	text := func(from, n int) string { return unsafe.String(&buf[from], n) }
	hints := Hints{Model: text(len(chrome), len(model)), FullVersions: text(len(chrome)+len(model), len(full))}
	first := c.Parse(text(0, len(chrome)), hints)
	want := *first
	want.BrowserVersion, want.Model, want.Browser = strings.Clone(want.BrowserVersion), strings.Clone(want.Model), strings.Clone(want.Browser)
	for i := range buf {
		buf[i] = '#'
	}
	if *first != want || want.Model != "Pixel 8" || want.Browser != "Chrome" {
		t.Errorf("%+v, want %+v", *first, want)
	}
	if again := c.Parse(chrome, Hints{Model: model, FullVersions: full}); again != first {
		t.Errorf("not remembered: %+v", *again)
	}
}

// TestCacheTellsHintsApart asks for the same agent with other hints, which is another
// entry.
func TestCacheTellsHintsApart(t *testing.T) {
	c := NewCache()
	for range 2 {
		if a := c.Parse(windowsChrome, Hints{}); a.Browser != "Chrome" {
			t.Errorf("%+v", a)
		}
		if a := c.Parse(windowsChrome, Hints{Brands: braveList}); a.Browser != "Brave" {
			t.Errorf("%+v", a)
		}
	}
}

// TestCacheKeepsWhatIsInUse asks for one agent again and again. It survives a flood of
// others.
func TestCacheKeepsWhatIsInUse(t *testing.T) {
	c := NewCache()
	kept := c.Parse(windowsChrome, Hints{})
	for i := range 200_000 {
		c.Parse(fmt.Sprint("flood ", i), Hints{})
		if i%1000 == 0 && c.Parse(windowsChrome, Hints{}) != kept {
			t.Fatalf("forgotten after %d others", i)
		}
	}
	long := strings.Repeat("x", 5000)
	once, twice := c.Parse(long, Hints{Data: long[:4000]}), c.Parse(long, Hints{Data: long[:4000]})
	if once == twice {
		t.Error("an oversized key was kept")
	}
}
