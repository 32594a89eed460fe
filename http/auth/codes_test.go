package auth

import (
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// A code opens once, however it is written, within its time.
func TestCodes(t *testing.T) {
	c := &clock{time.UnixMilli(1e12)}
	codes := NewCodes(c.now)
	o := Opener{site: 7}
	text, until := codes.Issue(o)
	if !regexp.MustCompile(`^[0-9A-HJKMNP-TV-Z]{4}(-[0-9A-HJKMNP-TV-Z]{4}){4}$`).MatchString(text) || until != c.at.Add(15*time.Minute) {
		t.Fatal(text, until)
	}
	for _, wrong := range []string{"", "-", text[1:], text + "0", strings.Repeat(text, 100)} {
		if _, ok := codes.Spend(wrong); ok {
			t.Errorf("%q opens", wrong)
		}
	}
	if got, ok := codes.Spend(" " + strings.ToLower(strings.ReplaceAll(text, "-", ""))); !ok || got != o {
		t.Error(got, ok)
	}
	if _, ok := codes.Spend(text); ok {
		t.Error("it opens twice")
	}
	for _, spell := range []struct{ from, to string }{{"0", "o"}, {"1", "I"}, {"1", "l"}} {
		for text, _ = codes.Issue(o); !strings.Contains(text, spell.from); text, _ = codes.Issue(o) {
		}
		if _, ok := codes.Spend(strings.ReplaceAll(text, spell.from, spell.to)); !ok {
			t.Errorf("%s for %s", spell.to, spell.from)
		}
	}
	text, _ = codes.Issue(o)
	c.at = c.at.Add(CodeMax - 1)
	late, _ := codes.Issue(o)
	c.at = c.at.Add(1)
	if _, ok := codes.Spend(text); ok {
		t.Error("it is too old")
	}
	if _, ok := codes.Spend(late); !ok {
		t.Error("another one's age counts")
	}
}

// Eight wait at most, and a new one takes the place of the oldest.
func TestCodesWaiting(t *testing.T) {
	codes := NewCodes(time.Now)
	var texts []string
	for range codesMax + 1 {
		text, _ := codes.Issue(Opener{})
		texts = append(texts, text)
	}
	for i, text := range texts {
		if _, ok := codes.Spend(text); ok != (i > 0) {
			t.Errorf("code %d of %d: %v", i, len(texts), ok)
		}
	}
}

// Of 64 at once, one opens.
func TestCodeOnce(t *testing.T) {
	codes := NewCodes(time.Now)
	for range 50 {
		text, _ := codes.Issue(Opener{})
		var opened atomic.Int32
		var all sync.WaitGroup
		for range 64 {
			all.Go(func() {
				if _, ok := codes.Spend(text); ok {
					opened.Add(1)
				}
			})
		}
		if all.Wait(); opened.Load() != 1 {
			t.Fatalf("%d opened", opened.Load())
		}
	}
}
