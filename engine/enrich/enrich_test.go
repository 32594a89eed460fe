package enrich

import (
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"cairn/engine/event"
	"cairn/engine/ua"
	"cairn/geo"
)

const (
	chromeAgent = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36"
	phoneAgent  = "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 Mobile/15E148 Safari/604.1"
	botAgent    = "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"
	dutch       = "193.0.6.139"
	american    = "129.6.15.28"
)

// text returns an object as sorted key=value words.
func text(o event.Object) string {
	var words []string
	for _, m := range o {
		words = append(words, m.Key+"="+m.Value.Text)
	}
	slices.Sort(words)
	return strings.Join(words, " ")
}

func object(pairs ...string) (o event.Object) {
	for i := 0; i < len(pairs); i += 2 {
		o = append(o, event.Member{Key: pairs[i], Value: event.Str(pairs[i+1])})
	}
	return o
}

func TestEnrich(t *testing.T) {
	locator := geo.Open(geo.Options{})
	defer locator.Close()
	d := New(Options{Geo: locator})
	dropping := &Privacy{IP: "drop"}
	for _, c := range []struct {
		name    string
		site    *Privacy
		context event.Object
		source  event.Source
		want    string
	}{
		{"nothing is known", dropping, nil, event.Source{}, ""},
		{"a browser at an address", dropping, nil, event.Source{IP: netip.MustParseAddr(dutch), UserAgent: chromeAgent, AcceptLanguage: "nl-nl,nl;q=0.9,en;q=0.8"},
			"browser=Chrome browser_version=126.0.0.0 country=NL device=desktop language=nl-NL os=Windows os_version=10 platform=Windows"},
		{"an IPv4 address from an IPv6 socket", dropping, nil, event.Source{IP: netip.MustParseAddr("::ffff:" + dutch)}, "country=NL"},
		{"a private address", dropping, nil, event.Source{IP: netip.MustParseAddr("10.0.0.1")}, ""},
		{"a bot has no browser and no os", dropping, nil, event.Source{UserAgent: botAgent}, "bot=true device=bot"},
		{"a library has no device", dropping, nil, event.Source{UserAgent: "curl/8.5.0"}, ""},
		{"client hints", dropping, nil, event.Source{UserAgent: chromeAgent, Hints: map[string]string{"sec-ch-ua": `"Brave";v="126", "Chromium";v="126"`, "sec-ch-ua-platform": `"Windows"`, "sec-ch-ua-platform-version": `"15.0.0"`}},
			"browser=Brave browser_version=126 device=desktop os=Windows os_version=11 platform=Windows"},
		{"uadata", dropping, nil, event.Source{UserAgent: chromeAgent, Hints: map[string]string{ua.DataKey: `{"platform":"Windows","platformVersion":"15.0.0"}`}},
			"browser=Chrome browser_version=126.0.0.0 device=desktop os=Windows os_version=11 platform=Windows"},
		{"nothing is detected if Skip is set", &Privacy{}, object("url", "https://a.example/p?utm_source=x", "os", "Plan 9"), event.Source{Skip: true, IP: netip.MustParseAddr(dutch), UserAgent: chromeAgent, AcceptLanguage: "nl"},
			"os=Plan 9 path=/p platform=Plan 9 url=https://a.example/p?utm_source=x utm_source=x"},

		// Values that the client sent stay. Nothing that contradicts them is added.
		{"sent country", dropping, object("country", "DE"), event.Source{IP: netip.MustParseAddr(dutch)}, "country=DE"},
		{"sent browser", dropping, object("browser", "Acme"), event.Source{UserAgent: chromeAgent},
			"browser=Acme device=desktop os=Windows os_version=10 platform=Windows"},
		{"sent browser equals the detected one", dropping, object("browser", "chrome", "browser_version", "9"), event.Source{UserAgent: chromeAgent},
			"browser=chrome browser_version=9 device=desktop os=Windows os_version=10 platform=Windows"},
		{"sent platform", dropping, object("platform", "Acme OS"), event.Source{UserAgent: chromeAgent},
			"browser=Chrome browser_version=126.0.0.0 device=desktop os=Acme OS platform=Acme OS"},
		{"an empty value counts as not sent", dropping, object("browser", "", "country", ""), event.Source{IP: netip.MustParseAddr(dutch), UserAgent: phoneAgent},
			"browser=Safari browser_version=17.5 country=NL device=smartphone os=iOS os_version=17.5.1 platform=iOS"},
		{"sent language, device and model", dropping, object("language", "xx", "device", "fridge", "model", "F1"), event.Source{UserAgent: chromeAgent, AcceptLanguage: "nl", Hints: map[string]string{"sec-ch-ua-model": `"SM-1"`}},
			"browser=Chrome browser_version=126.0.0.0 device=fridge language=xx model=F1 os=Windows os_version=10 platform=Windows"},

		// The policy decides how much of the address is kept.
		{"truncated", &Privacy{}, nil, event.Source{IP: netip.MustParseAddr(dutch)}, "country=NL ip=193.0.6.0"},
		{"truncated by name", &Privacy{IP: "truncate"}, nil, event.Source{IP: netip.MustParseAddr("2001:67c:2e8:22::c100:1%eth0")}, "country=NL ip=2001:67c:2e8::"},
		{"kept", &Privacy{IP: "keep"}, nil, event.Source{IP: netip.MustParseAddr("::ffff:" + dutch)}, "country=NL ip=193.0.6.139"},
		{"opted out", &Privacy{IP: "keep"}, nil, event.Source{IP: netip.MustParseAddr("0.0.0.0")}, ""},
		{"a sent address is located and truncated", &Privacy{}, object("ip", american), event.Source{}, "country=US ip=129.6.15.0"},
		{"a sent address is located and dropped", dropping, object("ip", american, "title", "x"), event.Source{}, "country=US title=x"},
		{"a sent text that is not an address", &Privacy{IP: "keep"}, object("ip", "x' OR 1=1"), event.Source{}, ""},

		// URLs give path, referrer_host and campaign.
		{"a click on an advertisement", dropping, object("url", "https://a.example/p?x=1&GCLID=abc"), event.Source{}, "click_id=gclid path=/p url=https://a.example/p?x=1&GCLID=abc"},
		{"path, referrer and campaign", dropping, object("url", "https://Shop.example:8443/a%20b/c?utm_source=news&utm_medium=e%2Dmail&utm_campaign=sp+ring&utm_term=&utm_term=t&x=1#top", "referrer", "https://u:p@WWW.Other.example./x?q=1"), event.Source{},
			"path=/a%20b/c referrer=https://WWW.Other.example./x?q=1 referrer_host=www.other.example url=https://Shop.example:8443/a%20b/c?utm_source=news&utm_medium=e%2Dmail&utm_campaign=sp+ring&utm_term=&utm_term=t&x=1#top utm_campaign=sp ring utm_medium=e-mail utm_source=news utm_term=t"},
		{"a sent campaign", dropping, object("url", "/?utm_source=a&utm_medium=b", "utm_source", "sent"), event.Source{},
			"path=/ url=/?utm_source=a&utm_medium=b utm_medium=b utm_source=sent"},
		{"a referrer on the same host has no referrer_host", dropping, object("url", "https://a.example/x", "referrer", "https://A.example/y"), event.Source{}, "path=/x referrer=https://A.example/y url=https://a.example/x"},
		{"schemes in capitals", dropping, object("url", "HTTP://Shop.example/A?B", "referrer", "Android-App://com.example/"), event.Source{},
			"path=/A referrer=android-app://com.example/ referrer_host=com.example url=http://Shop.example/A?B"},
		{"what looks like a scheme", dropping, object("url", "/A://b", "referrer", "A B://c"), event.Source{}, "path=/A://b referrer=A B://c referrer_host=c url=/A://b"},
		{"an app's url", dropping, object("url", "app://home", "referrer", "android-app://com.google.android.gm"), event.Source{},
			"path=/ referrer=android-app://com.google.android.gm referrer_host=com.google.android.gm url=app://home"},
		{"texts that are not URLs", dropping, object("url", "about:blank", "referrer", "-"), event.Source{}, "referrer=- url=about:blank"},
		{"an IPv6 host", dropping, object("referrer", "http://[2001:db8::1]:80/"), event.Source{}, "referrer=http://[2001:db8::1]:80/ referrer_host=[2001:db8::1]"},
		{"stripped", &Privacy{IP: "drop", StripParams: []string{"token", "utm_*"}}, object("url", "https://a.example/?token=1&utm_source=x&ok=2"), event.Source{}, "path=/ url=https://a.example/?ok=2"},
	} {
		e := event.Event{Dialect: event.Native, Type: event.Page, Context: slices.Clone(c.context)}
		d.Enrich(c.site, &e, &c.source, new(Arena))
		if got := text(e.Context); got != c.want {
			t.Errorf("%s:\n got %s\nwant %s", c.name, got, c.want)
		}
		if err := event.Validate(&e); err != nil {
			t.Errorf("%s: enrichment makes the event invalid: %v", c.name, err)
		}
		again := text(e.Context)
		if d.Enrich(c.site, &e, &c.source, new(Arena)); text(e.Context) != again {
			t.Errorf("%s: a second pass changes the context to %s", c.name, text(e.Context))
		}
	}
}

// TestEnrichPlace reads city, coordinates and network from a file.
func TestEnrichPlace(t *testing.T) {
	path := filepath.Join(t.TempDir(), "city.mmdb")
	if err := os.WriteFile(path, cityFile(t), 0o600); err != nil {
		t.Fatal(err)
	}
	locator := geo.Open(geo.Options{Files: []string{path}, Poll: -1})
	defer locator.Close()
	d := New(Options{Geo: locator})
	for _, c := range []struct {
		name    string
		context event.Object
		want    string
	}{
		{"nothing sent", nil, "asn=AS8767 city=Munich country=DE latitude=48.1374 longitude=11.5755 region=Bavaria timezone=Europe/Berlin"},
		{"country as detected", object("country", "de"), "asn=AS8767 city=Munich country=de latitude=48.1374 longitude=11.5755 region=Bavaria timezone=Europe/Berlin"},
		{"another country", object("country", "AT"), "asn=AS8767 country=AT"},
		{"another city", object("city", "Passau"), "asn=AS8767 city=Passau country=DE region=Bavaria timezone=Europe/Berlin"},
		{"another region", object("region", "Hesse"), "asn=AS8767 country=DE region=Hesse timezone=Europe/Berlin"},
		{"sent latitude", event.Object{{Key: "latitude", Value: event.Num("1")}}, "asn=AS8767 city=Munich country=DE latitude=1 region=Bavaria timezone=Europe/Berlin"},
	} {
		e := event.Event{Dialect: event.Native, Type: event.Page, Context: c.context}
		d.Enrich(&Privacy{IP: "drop"}, &e, &event.Source{IP: netip.MustParseAddr("1.1.1.1")}, new(Arena))
		if got := text(e.Context); got != c.want {
			t.Errorf("%s:\n got %s\nwant %s", c.name, got, c.want)
		}
	}
}

func TestBotAndServer(t *testing.T) {
	d := New(Options{})
	for agent, want := range map[string]struct {
		bot    string
		server bool
	}{
		"": {"", true}, "node": {"", true}, "MyApp/1.2.3": {"", true}, "curl/8.5.0": {"", true},
		chromeAgent: {"", false}, botAgent: {"Googlebot", false},
	} {
		src := event.Source{UserAgent: agent}
		if bot, server := d.Bot(&src), d.FromServer(&src); bot != want.bot || server != want.server {
			t.Errorf("%q: bot %q, server %v", agent, bot, server)
		}
	}
}

func TestLanguage(t *testing.T) {
	for header, want := range map[string]string{
		"en-US,en;q=0.9":             "en-US",
		"de":                         "de",
		"DE-at":                      "de-AT",
		"zh-hant-tw":                 "zh-Hant-TW",
		"en;q=0.1, fr;q=0.5,it;q=.9": "it",
		"fr ; q=0.5 , nl":            "nl",
		"*":                          "",
		"*;q=0.5, pt-BR;q=0.3":       "pt-BR",
		"en;q=0":                     "",
		"es-419":                     "es-419",
		"x":                          "",
		"english":                    "",
		"en_US":                      "",
		"en-":                        "",
		"":                           "",
		",,,;;":                      "",
		"../../etc":                  "",
		strings.Repeat("a-", 200):    "",
	} {
		if got := language(header); got != want {
			t.Errorf("%q is %q, want %q", header, got, want)
		}
	}
}

func FuzzEnrich(f *testing.F) {
	locator := geo.Open(geo.Options{})
	d := New(Options{Geo: locator})
	f.Add("https://a.example/p?utm_source=x&token=1#y", "https://b.example", chromeAgent, "en-US,en;q=0.9", dutch, `{"ip":"1.2.3.4","page":{"url":"/a?token=2"}}`)
	f.Add("//[::1", "://@:.", botAgent, "*;q=,", "::", `{"a":["ip",{"ip":["1.2.3.4"]}]}`)
	f.Add("?%zz=%", "#?#?", "", ";q=0.12345", "0.0.0.0", `{"\"ip":"\\"}`)
	f.Fuzz(func(t *testing.T, url, referrer, agent, languages, ip, extra string) {
		for _, policy := range []string{"truncate", "drop", "keep"} {
			e := event.Event{Dialect: event.Native, Type: event.Page, Name: referrer, Context: object("url", url, "referrer", referrer, "ip", ip)}
			if extra != "" {
				e.Extra = event.Object{{Key: "context", Value: event.Raw(extra)}}
			}
			if event.Validate(&e) != nil {
				return
			}
			src := event.Source{UserAgent: agent, AcceptLanguage: languages, Hints: map[string]string{"sec-ch-ua": agent, ua.DataKey: extra}}
			src.IP, _ = netip.ParseAddr(ip)
			d.Enrich(&Privacy{IP: policy, StripParams: []string{"token", "x*"}}, &e, &src, new(Arena))
			if err := event.Validate(&e); err != nil {
				t.Errorf("enrichment makes the event invalid: %v", err)
			}
			if addr, err := netip.ParseAddr(e.Context.Get("ip").Text); err == nil && policy != "keep" {
				hidden, _ := hideIP(addr, policy)
				if policy == "drop" || addr != addr.Unmap() || hidden != addr {
					t.Errorf("policy %s keeps %s of %s", policy, addr, ip)
				}
			}
		}
	})
}
