package referrer

import (
	"os"
	"regexp"
	"strings"
	"testing"
	"time"
)

func TestKnownReferrer(t *testing.T) {
	for host, want := range map[string]string{
		// Search engines, and what else their owners have.
		"google.com": "search Google", "www.google.co.uk": "search Google", "google.de": "search Google", "www.google.com.br": "search Google",
		"images.google.fr": "search Google Images", "com.google.android.googlequicksearchbox": "search Google", "bing.com": "search Bing", "de.bing.com": "search Bing",
		"search.yahoo.com": "search Yahoo!", "uk.search.yahoo.com": "search Yahoo!", "duckduckgo.com": "search DuckDuckGo", "yandex.com.tr": "search Yandex",
		"search.brave.com": "search Brave", "search.naver.com": "search Naver", "search.seznam.cz": "search Seznam", "kagi.com": "search Kagi", "ecosia.org": "search Ecosia",
		"www.qwant.com": "search Qwant", "startpage.com": "search Startpage", "m.baidu.com": "search Baidu",
		"accounts.google.com": "", "accounts.google.de": "", "docs.google.com": "", "translate.google.com": "", "classroom.google.com": "", "news.google.com": "",
		"news.google.de": "", "drive.google.com": "", "sites.google.com": "", "meet.google.com": "", "accounts.youtube.com": "social YouTube", "login.live.com": "",
		"mail.google.com": "email Gmail", "mail.yahoo.com": "email Yahoo! Mail", "us-mg5.mail.yahoo.com": "email Yahoo! Mail", "login.yahoo.com": "",
		"mail.yandex.ru": "email Yandex Mail", "passport.yandex.ru": "", "brave.com": "", "naver.com": "", "mail.naver.com": "", "office.bing.com": "",
		// Assistants.
		"chatgpt.com": "ai ChatGPT", "chat.openai.com": "ai ChatGPT", "claude.ai": "ai Claude", "chat.deepseek.com": "ai DeepSeek", "www.deepseek.com": "ai DeepSeek",
		"chat.mistral.ai": "ai Le Chat", "gemini.google.com": "ai Gemini", "copilot.microsoft.com": "ai Copilot", "www.perplexity.ai": "ai Perplexity", "you.com": "ai You",
		// Networks.
		"t.co": "social X", "x.com": "social X", "twitter.com": "social X", "mobile.twitter.com": "social X", "l.facebook.com": "social Facebook", "lm.facebook.com": "social Facebook",
		"old.reddit.com": "social Reddit", "news.ycombinator.com": "social Hacker News", "vk.com": "social VK", "bsky.app": "social Bluesky", "mastodon.social": "social Mastodon",
		"api.whatsapp.com": "social WhatsApp", "t.me": "social Telegram", "com.linkedin.android": "social LinkedIn", "out.reddit.com": "social Reddit",
		"github.com": "tech GitHub", "gist.github.com": "tech GitHub", "stackoverflow.com": "tech Stack Overflow", "outlook.live.com": "email Outlook",
		// Words in campaigns.
		"twitter": "social X", "google": "search Google", "facebook": "social Facebook", "chatgpt": "ai ChatGPT", "hacker news": "social Hacker News", "tiktok": "social TikTok",
		"newsletter": "", "free": "", "x": "social X", "mail": "",
		// Others.
		"notx.com": "", "google.evil.example": "", "google.com.evil.example": "", "evilgoogle.com": "", "google.co.uk.x": "",
		"": "", ".": "", "..": "", "localhost": "", "a.b.c.d.e.f.g.h.i.google.com": "", "*.bing.com": "", "google.*": "", "com": "", "co.uk": "", "de": "",
	} {
		name, kind, ok := Known(host)
		if got := strings.TrimSpace(kind + " " + name); got != want || ok != (want != "") {
			t.Errorf("%q is %q, %v, want %q", host, got, ok, want)
		}
	}
}

// Signing in, mail and documents are no search, whoever's they are.
func TestNoSearch(t *testing.T) {
	for key, s := range sites() {
		label, _, more := strings.Cut(key, ".")
		switch label {
		case "accounts", "account", "docs", "drive", "classroom", "login", "mail", "news", "sites", "translate":
			if more && s.kind == "search" {
				t.Errorf("%s is a search", key)
			}
		}
		switch s.kind {
		case "search", "social", "ai", "tech", "email":
		default:
			t.Errorf("%s is %q, of no kind", key, s.kind)
		}
		if key != strings.ToLower(key) || s.name == "" {
			t.Errorf("%q is %q", key, s.name)
		}
	}
	if n := len(sites()); n < 900 {
		t.Errorf("only %d hosts are known", n)
	}
}

// listAgeMax is how old the list of sites may be when a version is released.
const listAgeMax = 18 * 31 * 24 * time.Hour

// The kept list says of which day it is. It may not be much older than the newest release in
// CHANGELOG.md, or where there is none, than the database of countries, which is renewed for a
// release too.
func TestListIsFresh(t *testing.T) {
	made := dateIn(t, "data/sites.txt", `(?m)^# date: (\d{4}-\d{2}-\d{2})$`)
	if made.IsZero() {
		t.Fatal("data/sites.txt has no date; run: go generate ./engine/referrer")
	}
	if notice := dateIn(t, "data/NOTICE.md", `\| of \| (\d{4}-\d{2}-\d{2}) \|`); !notice.Equal(made) {
		t.Errorf("data/NOTICE.md speaks of %s, data/sites.txt of %s; run: go generate ./engine/referrer", notice, made)
	}
	released := dateIn(t, "../../CHANGELOG.md", `(?m)^## .*(\d{4}-\d{2}-\d{2})`)
	if released.IsZero() {
		released = dateIn(t, "../../geo/data/NOTICE.md", `\| built \| (\d{4}-\d{2}-\d{2}) \|`)
	}
	if released.IsZero() {
		t.Fatal("there is no date to compare with")
	}
	if age := released.Sub(made); age > listAgeMax {
		t.Errorf("the list of sites is of %s, %d days before %s; run: go generate ./engine/referrer", made.Format(time.DateOnly), age/(24*time.Hour), released.Format(time.DateOnly))
	}
}

// dateIn returns the first date that a pattern finds in a file; zero if there is none.
func dateIn(t *testing.T, path, pattern string) (date time.Time) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if found := regexp.MustCompile(pattern).FindSubmatch(text); found != nil {
		if date, err = time.Parse(time.DateOnly, string(found[1])); err != nil {
			t.Fatal(err)
		}
	}
	return date
}

func BenchmarkKnown(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		Known("www.google.co.uk")
		Known("a.b.shop.example")
	}
}
