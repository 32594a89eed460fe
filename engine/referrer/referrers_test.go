package referrer

import "testing"

func TestKnownReferrer(t *testing.T) {
	for host, want := range map[string]string{
		"google.com": "Google", "www.google.co.uk": "Google", "mail.google.com": "Gmail", "t.co": "X", "x.com": "X", "notx.com": "",
		"l.facebook.com": "Facebook", "old.reddit.com": "Reddit", "google.evil.example": "", "news.ycombinator.com": "Hacker News", "twitter": "X",
		"": "", "localhost": "", "a.b.c.d.e.f.g.h.i.google.com": "",
	} {
		known, _, _ := Known(host)
		if known != want {
			t.Errorf("%q is %q, want %q", host, known, want)
		}
	}
}
