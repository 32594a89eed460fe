package referrer

import (
	"slices"
	"testing"
)

func TestSources(t *testing.T) {
	for _, c := range []struct {
		facts         Facts
		name, channel string
	}{
		{Facts{}, "", "direct"},
		{Facts{Host: "google.com"}, "Google", "search"},
		{Facts{Source: "google", Campaign: true}, "Google", "search"},
		{Facts{Source: "GOOGLE.com", Medium: "organic", Campaign: true}, "Google", "search"},
		{Facts{Source: "google", Medium: "CPC", Campaign: true}, "Google", "paid"},
		{Facts{Source: "twitter", Medium: "social", Campaign: true}, "X", "social"},
		{Facts{Source: "Spring-Letter", Medium: "Newsletter", Campaign: true}, "Spring-Letter", "email"},
		{Facts{Source: "newsletter", Campaign: true}, "newsletter", "email"},
		{Facts{Host: "mail.google.com"}, "Gmail", "email"},
		{Facts{Host: "chatgpt.com"}, "ChatGPT", "ai"},
		{Facts{Host: "github.com"}, "GitHub", "tech"},
		{Facts{Host: "blog.example"}, "blog.example", "website"},
		{Facts{Medium: "banner", Campaign: true}, "", "campaign"},
		{Facts{Medium: "banner", Campaign: true, Host: "blog.example"}, "blog.example", "campaign"},
		{Facts{Source: "partner", Campaign: true, Host: "google.de"}, "partner", "search"},
		{Facts{Click: true}, "", "paid"},
		{Facts{Click: true, Host: "google.com"}, "Google", "paid"},
		{Facts{Medium: "paid-social", Campaign: true}, "", "paid"},
		{Facts{Medium: "retargeting-paid", Campaign: true}, "", "paid"},
		{Facts{Medium: "unpaid", Campaign: true}, "", "campaign"},
		{Facts{Medium: "email", Campaign: true, Host: "google.com"}, "Google", "email"},
	} {
		if name, channel := c.facts.Name(), c.facts.Channel(); name != c.name || channel != c.channel || !slices.Contains(Channels, channel) {
			t.Errorf("%+v comes from %q by %q, want %q by %q", c.facts, name, channel, c.name, c.channel)
		}
	}
	for host, want := range map[string]string{"WWW.Shop.example:8080": "shop.example", "[::1]:80": "[::1]", "www.www.example": "www.example", "": ""} {
		if got := BareHost(host); got != want {
			t.Errorf("%q is %q, want %q", host, got, want)
		}
	}
}

func TestClickID(t *testing.T) {
	for query, want := range map[string]string{
		"a=1&gclid=abc": "gclid", "GCLID=abc": "gclid", "gclid=": "", "gclid": "", "xgclid=1": "", "msclkid=1&yclid=2": "msclkid", "wbraid=1": "wbraid", "gbraid=1": "gbraid", "": "",
	} {
		if got := ClickID(query); got != want {
			t.Errorf("%q: %q, want %q", query, got, want)
		}
	}
}
