package ua

import (
	"bytes"
	"fmt"
	"strings"
	"sync"
	"testing"
	"unsafe"
)

// TestCacheAgrees asks for more agents than fit, several times over, from several
// goroutines: every answer is Parse's.
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
		if s := &c.shards[i]; len(s.young) > generationMax || len(s.old) > generationMax {
			t.Errorf("shard %d holds %d and %d", i, len(s.young), len(s.old))
		}
	}
}

// TestCacheOwnsItsKeys reuses the request's buffer, as a server does.
func TestCacheOwnsItsKeys(t *testing.T) {
	c := NewCache()
	buf := []byte(windowsChrome)
	agent := unsafe.String(&buf[0], len(buf))
	first := *c.Parse(agent, Hints{Brands: agent[:10]})
	copy(buf, bytes.Repeat([]byte("x"), len(buf)))
	again := *c.Parse(windowsChrome, Hints{Brands: windowsChrome[:10]})
	if first != again || again.BrowserVersion != "126.0.0.0" {
		t.Errorf("%+v, then %+v", first, again)
	}
}

// TestCacheTellsHintsApart: the same agent with other hints is another.
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

// TestCacheKeepsWhatIsInUse: one agent asked for again and again outlives a flood.
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
