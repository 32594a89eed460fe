// Package referrer identifies where visitors come from. It cuts urls into their parts
// and names the sites that many visitors come from. It imports nothing of cairn and
// must not learn what an event is.
package referrer

import "strings"

// referrers names the known sites. The key is a label of the host that no other site
// has.
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

// Known returns the name of a referrer's site by its host in lower case, and its kind:
// search, social, tech, ai or email. It looks up the whole host, and then its last
// labels without the public suffix. It guesses the public suffix, which is good enough
// for these names.
func Known(host string) (name, kind string, ok bool) {
	host = strings.TrimPrefix(host, "www.")
	if known, ok := referrers[host]; ok {
		return known[0], known[1], true
	}
	labels := strings.Split(host, ".")
	if len(labels) > 8 {
		return "", "", false
	}
	for n := min(2, len(labels)); n > 0; n-- { // mail.google before google
		for i := 0; i+n < len(labels); i++ {
			// The name is followed by a top-level domain, perhaps with a second part
			// such as co. before it.
			if rest := labels[i+n:]; len(rest) > 2 || len(rest) == 2 && len(rest[0]) > 3 {
				continue
			}
			if known, ok := referrers[strings.Join(labels[i:i+n], ".")]; ok {
				return known[0], known[1], true
			}
		}
	}
	return "", "", false
}
