package openpanel

import (
	"strings"

	"cairn/engine/event"
	"cairn/http/dialect"
)

// This file says where a visitor came from.

// referrers are the sites a referrer is named for, by a label of the host that is
// theirs alone.
var referrers = map[string][2]string{
	"google": {"Google", "search"}, "bing": {"Bing", "search"}, "duckduckgo": {"DuckDuckGo", "search"},
	"yahoo": {"Yahoo!", "search"}, "yandex": {"Yandex", "search"}, "baidu": {"Baidu", "search"},
	"ecosia": {"Ecosia", "search"}, "qwant": {"Qwant", "search"}, "startpage": {"Startpage", "search"},
	"facebook": {"Facebook", "social"}, "instagram": {"Instagram", "social"}, "linkedin": {"LinkedIn", "social"},
	"lnkd": {"LinkedIn", "social"}, "twitter": {"X", "social"}, "t.co": {"X", "social"}, "x.com": {"X", "social"},
	"reddit": {"Reddit", "social"}, "youtube": {"YouTube", "social"}, "pinterest": {"Pinterest", "social"},
	"tiktok": {"TikTok", "social"}, "threads": {"Threads", "social"}, "bsky": {"Bluesky", "social"},
	"mastodon": {"Mastodon", "social"}, "ycombinator": {"Hacker News", "social"}, "vk": {"VK", "social"},
	"whatsapp": {"WhatsApp", "social"}, "telegram": {"Telegram", "social"}, "quora": {"Quora", "social"},
	"github": {"GitHub", "tech"}, "gitlab": {"GitLab", "tech"}, "stackoverflow": {"Stack Overflow", "tech"},
	"chatgpt": {"ChatGPT", "ai"}, "openai": {"ChatGPT", "ai"}, "perplexity": {"Perplexity", "ai"}, "claude": {"Claude", "ai"},
	"mail.google": {"Gmail", "email"}, "outlook": {"Outlook", "email"},
}

// setReferrer drops a referrer of the event's own host and names one that is known;
// without one, the ref, utm_referrer or utm_source of the url says it.
func setReferrer(e *event.Event) {
	own := e.Context.Get("url").Text
	referrer := e.Context.Get("referrer").Text
	if referrer != "" && own != "" && hostOf(referrer) == hostOf(own) {
		e.Context.Delete("referrer")
		referrer = ""
	}
	if referrer != "" {
		if known, ok := knownReferrer(hostOf(referrer)); ok {
			e.Extra = append(e.Extra, event.Member{Key: "referrer_name", Value: event.Str(known[0])},
				event.Member{Key: "referrer_type", Value: event.Str(known[1])})
		}
		return
	}
	_, query, _ := strings.Cut(own, "?")
	query, _, _ = strings.Cut(query, "#")
	for key, value := range dialect.Form(query) {
		if value == "" || len(value) > 255 || key != "ref" && key != "utm_referrer" && key != "utm_source" {
			continue
		}
		name, kind := value, "unknown"
		if known, ok := knownReferrer(strings.ToLower(value)); ok {
			name, kind = known[0], known[1]
		}
		e.Extra = append(e.Extra, event.Member{Key: "referrer_name", Value: event.Str(name)},
			event.Member{Key: "referrer_type", Value: event.Str(kind)})
		return
	}
}

// knownReferrer finds a host: as a whole, then the last labels that are no public
// suffix, which for these names is good enough.
func knownReferrer(host string) (known [2]string, ok bool) {
	host = strings.TrimPrefix(host, "www.")
	if known, ok = referrers[host]; ok {
		return known, true
	}
	labels := strings.Split(host, ".")
	if len(labels) > 8 {
		return known, false
	}
	for n := min(2, len(labels)); n > 0; n-- { // mail.google before google
		for i := 0; i+n < len(labels); i++ {
			// What follows the name is a top-level domain, perhaps with a co. before it.
			if rest := labels[i+n:]; len(rest) > 2 || len(rest) == 2 && len(rest[0]) > 3 {
				continue
			}
			if known, ok = referrers[strings.Join(labels[i:i+n], ".")]; ok {
				return known, true
			}
		}
	}
	return known, false
}

// hostOf is the host of a url in lower case, without port and "www.".
func hostOf(u string) string {
	if i := strings.Index(u, "://"); i >= 0 {
		u = u[i+3:]
	}
	if i := strings.IndexAny(u, "/?#"); i >= 0 {
		u = u[:i]
	}
	if i := strings.LastIndexByte(u, '@'); i >= 0 {
		u = u[i+1:]
	}
	if i := strings.LastIndexByte(u, ':'); i >= 0 && !strings.HasSuffix(u, "]") {
		u = u[:i]
	}
	return strings.TrimPrefix(strings.ToLower(u), "www.")
}
