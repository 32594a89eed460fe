package ua

import (
	"strings"
	"testing"
	"unicode/utf8"
)

// TestAgents checks Parse with testdata/agents.tsv.
func TestAgents(t *testing.T) {
	rows := 0
	for _, line := range linesOf(t, "testdata/agents.tsv") {
		if strings.HasPrefix(line, "#") {
			continue
		}
		f := strings.Split(line, "\t")
		if len(f) != 6 {
			t.Fatalf("not a row: %q", line)
		}
		rows++
		want := Agent{Browser: f[0], BrowserVersion: f[1], OS: f[2], OSVersion: f[3], Device: f[4]}
		if got := Parse(f[5], Hints{}); got != want {
			t.Errorf("%s\n got %+v\nwant %+v", f[5], got, want)
		}
	}
	if rows < 400 {
		t.Errorf("only %d rows", rows)
	}
}

// TestBotRecall tries real crawlers. An HTTP library counts as found, because the list
// has some.
func TestBotRecall(t *testing.T) {
	var bots, libraries int
	agents := linesOf(t, "testdata/crawlers.txt")
	for _, agent := range agents {
		switch a := Parse(agent, Hints{}); {
		case a.Bot != "":
			bots++
		case a.Library:
			libraries++
		default:
			t.Logf("missed: %.120s", agent)
		}
	}
	recall := float64(bots+libraries) / float64(len(agents))
	t.Logf("%d bots and %d libraries of %d agents of crawler-user-agents 1.60.0: recall %.1f %%", bots, libraries, len(agents), 100*recall)
	if recall < 0.97 {
		t.Errorf("recall fell to %.1f %%", 100*recall)
	}
}

// TestPeopleAreNoBots tries agents of real traffic. None is a bot, and browser, system
// and device of each are known.
func TestPeopleAreNoBots(t *testing.T) {
	for _, agent := range linesOf(t, "testdata/people.txt") {
		a := Parse(agent, Hints{})
		if a.Bot != "" || a.Library {
			t.Errorf("%q is mistaken for a bot, %q, or a library: %v", agent, a.Bot, a.Library)
		}
		if a.Browser == "" || a.OS == "" || a.Device == "" {
			t.Errorf("%q gives %+v", agent, a)
		}
	}
}

func TestBots(t *testing.T) {
	for _, c := range []struct{ agent, bot string }{
		{"Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)", "Googlebot"},
		{"Mozilla/5.0 (Linux; Android 6.0.1; Nexus 5X Build/MMB29P) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Mobile Safari/537.36 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)", "Googlebot"},
		{"Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko; compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm) Chrome/116.0.1938.76 Safari/537.36", "bingbot"},
		{"Mozilla/5.0 (compatible; AhrefsBot/7.0; +http://ahrefs.com/robot/)", "AhrefsBot"},
		{"facebookexternalhit/1.1 (+http://www.facebook.com/externalhit_uatext.php)", "facebookexternalhit"},
		{"WhatsApp/2.23.20.0 A", "WhatsApp"},
		{"Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko; compatible; GPTBot/1.2; +https://openai.com/gptbot)", "GPTBot"},
		{"Mozilla/5.0 (compatible; YaK/1.0; http://linkfluence.com/; bot@linkfluence.com)", "YaK"},
		{"my-crawler/0.1", "my-crawler"},
		{"ZmEu", "ZmEu"},
		{"Acme Fetch 2.0 - https://acme.example/fetch", "Fetch"},
		{"Mozilla/5.0 (+https://acme.example)", "bot"},
		{"ichiro/2.0 (ichiro@nttr.co.jp)", "ichiro"},

		{"", ""},
		{"-", ""},
		{"curl/8.5.0", ""},
		{"Wget/1.21.4", ""},
		{"okhttp/4.12.0", ""},
		{"node", ""},
		{"Node.js/20", ""},
		{"undici", ""},
		{"axios/1.7.2", ""},
		{"node-fetch/1.0 (+https://github.com/bitinn/node-fetch)", ""},
		{"got (https://github.com/sindresorhus/got)", ""},
		{"PostmanRuntime/7.39.0", ""},
		{"python-requests/2.32.3", ""},
		{"Go-http-client/2.0", ""},
		{"Matomo/LogImport", ""},
		{"analytics-node/3.5.0", ""},
		{"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) HeadlessChrome/126.0.0.0 Safari/537.36", ""},
		{"Mozilla/5.0 (Linux; Android 9; CUBOT_X19) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/100.0.0.0 Mobile Safari/537.36", ""},
		{"Mozilla/5.0 (Linux; Android 10; CUBOT) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/100.0.0.0 Mobile Safari/537.36", ""},
		{"Mozilla/4.0 (compatible; MSIE 8.0; Windows NT 6.1; Trident/4.0; Embedded Web Browser from: http://bsalsa.com/)", ""},
		{"Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/119.0.0.0 Mobile Safari/537.36 (Ecosia android@119.0.6045.194)", ""},
		{"Mozilla/5.0 (Windows; U; Windows NT 5.1; en-US; rv:1.9.2.17) Gecko/20110414 Lightning/1.0b3pre Thunderbird/3.1.10", ""},
	} {
		a := Parse(c.agent, Hints{})
		if a.Bot != c.bot {
			t.Errorf("%q is the bot %q, want %q", c.agent, a.Bot, c.bot)
		}
		if c.bot != "" && (a != Agent{Bot: c.bot, Device: BotDevice}) {
			t.Errorf("a bot's own claims are trusted: %+v", a)
		}
	}
}

// Apps that name only what they are made of, and agents as logs of IIS have them.
func TestApps(t *testing.T) {
	for agent, want := range map[string]Agent{
		"App/3.2 CFNetwork/1490.0.4 Darwin/23.2.0":              {OS: "iOS", OSVersion: "17.2", Device: Smartphone},
		"App/3.2 CFNetwork/1325.0.1 Darwin/21.1.0":              {OS: "iOS", OSVersion: "15.1", Device: Smartphone},
		"App/3.2 CFNetwork/1220.1 Darwin/20.3.0":                {OS: "iOS", OSVersion: "14", Device: Smartphone},
		"App/3.2 CFNetwork/672.0.8 Darwin/14.0.0":               {OS: "iOS", OSVersion: "8", Device: Smartphone},
		"App/3.2 CFNetwork/3860.100.1 Darwin/25.1.0":            {OS: "iOS", OSVersion: "26.1", Device: Smartphone},
		"My%20App/12 CFNetwork/978.0.7 Darwin/18.7.0 (x86_64)":  {OS: "macOS", OSVersion: "10.14", Device: Desktop},
		"My%20App/12 CFNetwork/1408.0.4 Darwin/22.5.0 (x86_64)": {OS: "macOS", OSVersion: "13.5", Device: Desktop},
		"App/3.2 Darwin/23.2.0":                                 {},
		"App/3.2 CFNetwork/1 Darwin/99999999999999999999":       {},
		"okhttp/4.12.0":                                                            {OS: "Android", Library: true},
		"App/3.2 okhttp/4.12.0":                                                    {OS: "Android", Device: Smartphone},
		"App/3.2+CFNetwork/1490.0.4+Darwin/23.2.0":                                 {OS: "iOS", OSVersion: "17.2", Device: Smartphone},
		strings.ReplaceAll(windowsChrome, " ", "+"):                                {Browser: "Chrome", BrowserVersion: "126.0.0.0", OS: "Windows", OSVersion: "10", Device: Desktop},
		strings.ReplaceAll(androidChrome, " ", "+"):                                {Browser: "Chrome", BrowserVersion: "126.0.0.0", OS: "Android", OSVersion: "10", Device: Smartphone},
		"Mozilla/5.0+(compatible;+Googlebot/2.1;++http://www.google.com/bot.html)": {Bot: "Googlebot", Device: BotDevice},
		"a+b/1.0": {},
	} {
		if a := Parse(agent, Hints{}); a != want {
			t.Errorf("%q\n got %+v\nwant %+v", agent, a, want)
		}
	}
}

func TestLibraries(t *testing.T) {
	for agent, want := range map[string]bool{
		"curl/8.5.0": true, "okhttp/4.12.0": true, "node": true, "Apache-HttpClient/4.5.14 (Java/17)": true, "Python/3.12 aiohttp/3.9.5": true,
		"analytics-go (version: 3.3.0)": true, "Mozilla/5.0 (Windows NT 10.0) Chrome/126.0.0.0": false, "MyShop/1.2": false, "": false,
	} {
		if a := Parse(agent, Hints{}); a.Library != want || a.Browser != "" && want {
			t.Errorf("%q: %+v", agent, a)
		}
	}
}

const (
	windowsChrome = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36"
	androidChrome = "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Mobile Safari/537.36"
	braveList     = `"Not/A)Brand";v="8", "Chromium";v="126", "Brave";v="126"`
)

func TestHints(t *testing.T) {
	for _, c := range []struct {
		name    string
		agent   string
		headers map[string]string
		want    Agent
	}{
		{"Chrome on Windows 11", windowsChrome, map[string]string{
			"sec-ch-ua": `"Not/A)Brand";v="8", "Chromium";v="126", "Google Chrome";v="126"`, "sec-ch-ua-mobile": "?0", "sec-ch-ua-platform": `"Windows"`,
			"sec-ch-ua-platform-version": `"15.0.0"`, "sec-ch-ua-full-version-list": `"Not/A)Brand";v="8.0.0.0", "Chromium";v="126.0.6478.127", "Google Chrome";v="126.0.6478.127"`},
			Agent{Browser: "Chrome", BrowserVersion: "126.0.6478.127", OS: "Windows", OSVersion: "11", Device: Desktop}},
		{"the same on Windows 10", windowsChrome, map[string]string{"sec-ch-ua-platform": `"Windows"`, "sec-ch-ua-platform-version": `"10.0.0"`},
			Agent{Browser: "Chrome", BrowserVersion: "126.0.0.0", OS: "Windows", OSVersion: "10", Device: Desktop}},
		{"Windows 8.1", windowsChrome, map[string]string{"sec-ch-ua-platform": `"Windows"`, "sec-ch-ua-platform-version": `"0.3"`},
			Agent{Browser: "Chrome", BrowserVersion: "126.0.0.0", OS: "Windows", OSVersion: "8.1", Device: Desktop}},
		{"Brave says so in hints alone", windowsChrome, map[string]string{"sec-ch-ua": braveList},
			Agent{Browser: "Brave", BrowserVersion: "126", OS: "Windows", OSVersion: "10", Device: Desktop}},
		{"Edge by its agent, whole version by hint", windowsChrome + " Edg/126.0.0.0", map[string]string{"sec-ch-ua-full-version-list": `"Microsoft Edge";v="126.0.2592.87", "Chromium";v="126.0.6478.127"`},
			Agent{Browser: "Edge", BrowserVersion: "126.0.2592.87", OS: "Windows", OSVersion: "10", Device: Desktop}},
		{"model and system version of a phone", androidChrome, map[string]string{"sec-ch-ua-platform": `"Android"`, "sec-ch-ua-platform-version": `"14.0.0"`, "sec-ch-ua-model": `"SM-S918B"`, "sec-ch-ua-mobile": "?1"},
			Agent{Browser: "Chrome", BrowserVersion: "126.0.0.0", OS: "Android", OSVersion: "14", Device: Smartphone, Brand: "Samsung", Model: "SM-S918B"}},
		{"a tablet by its form factor", androidChrome, map[string]string{"sec-ch-ua-form-factors": `"Tablet"`, "sec-ch-ua-model": `"Unheard Of"`},
			Agent{Browser: "Chrome", BrowserVersion: "126.0.0.0", OS: "Android", OSVersion: "10", Device: Tablet, Model: "Unheard Of"}},
		{"a web view of an app stays the app's", strings.Replace(androidChrome, "; K)", "; K; wv)", 1) + " Instagram 336.0.0.35.90 Android", map[string]string{"sec-ch-ua": `"Android WebView";v="126", "Chromium";v="126"`},
			Agent{Browser: "Instagram", BrowserVersion: "336.0.0.35.90", OS: "Android", OSVersion: "10", Device: Smartphone}},
		{"Matomo's uadata", windowsChrome, map[string]string{DataKey: `{"brands":[{"brand":"Chromium","version":"126"},{"brand":"Google Chrome","version":"126"}],"fullVersionList":[{"brand":"Not/A)Brand","version":"8.0.0.0"},{"brand":"Google Chrome","version":"126.0.6478.127"}],"mobile":false,"model":"","platform":"Windows","platformVersion":"15.0.0","formFactors":["Desktop"]}`},
			Agent{Browser: "Chrome", BrowserVersion: "126.0.6478.127", OS: "Windows", OSVersion: "11", Device: Desktop}},
		{"hints without an agent", "", map[string]string{"sec-ch-ua": `"Google Chrome";v="126"`, "sec-ch-ua-platform": `"macOS"`, "sec-ch-ua-platform-version": `"14.5.0"`},
			Agent{Browser: "Chrome", BrowserVersion: "126", OS: "macOS", OSVersion: "14.5", Device: Desktop}},
		{"garbage", windowsChrome, map[string]string{"sec-ch-ua": `"a\`, "sec-ch-ua-platform": "\x00", "sec-ch-ua-model": "\"\xff\xfe\"", "sec-ch-ua-platform-version": "x", DataKey: "{"},
			Agent{Browser: "Chrome", BrowserVersion: "126.0.0.0", OS: "Windows", OSVersion: "10", Device: Desktop}},
		{"too long to be true", windowsChrome, map[string]string{"sec-ch-ua": strings.Repeat(braveList, 50), "sec-ch-ua-model": `"` + strings.Repeat("x", 100) + `"`},
			Agent{Browser: "Chrome", BrowserVersion: "126.0.0.0", OS: "Windows", OSVersion: "10", Device: Desktop}},
	} {
		if got := Parse(c.agent, HintsOf(c.headers)); got != c.want {
			t.Errorf("%s:\n got %+v\nwant %+v", c.name, got, c.want)
		}
	}
}

// TestMatcher compares the automaton with plain search.
func TestMatcher(t *testing.T) {
	m := newMatcher("he\nshe\nhis\nhers|\n^start\n|word\n!ashe\n# no\n\n")
	for text, want := range map[string]string{
		"ushers": "she", "ahe": "he", "ashe": "", "xhis": "his", "start": "start", "no start": "", "a word": "word", "sword": "", "1word": "", "": "", "zz": "",
	} {
		start, end, ok := m.find([]byte(text))
		if got := text[start:end]; got != want || ok != (want != "") {
			t.Errorf("%q: found %q, want %q", text, got, want)
		}
	}
	// Every pattern of the list is found by itself.
	for _, p := range bots().patterns {
		if _, _, ok := bots().find([]byte(p.text)); !ok {
			t.Errorf("%q is not found", p.text)
		}
		if p.text != strings.ToLower(p.text) {
			t.Errorf("%q is not in lower case", p.text)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add(windowsChrome, braveList, `"Windows"`, `{"brands":[]}`)
	f.Add("Mozilla/5.0 (((;;;/ / [/] {,", `"`, `"`, "[")
	f.Add("a@b.c http://", `"\"";v="`, "", `{"fullVersionList":[1,{"brand":1}]}`)
	f.Add("Opera Mini/7.1 /", "", "", "")
	for _, line := range []string{"PlayStation", "XiaoMi/MiuiBrowser/", "[FBAN/;FBAV/]", "musical_ly_", "(Ecosia @)", "CrOS", "Windows NT", "Win 9x 4.90; Windows 98"} {
		f.Add(line, "", "", "")
	}
	f.Fuzz(func(t *testing.T, agent, brands, platform, data string) {
		h := HintsOf(map[string]string{"sec-ch-ua": brands, "sec-ch-ua-full-version-list": brands, "sec-ch-ua-platform": platform, "sec-ch-ua-model": platform, "sec-ch-ua-platform-version": platform, DataKey: data})
		a := Parse(agent, h)
		for _, s := range []string{a.Browser, a.BrowserVersion, a.OS, a.OSVersion, a.Device, a.Brand, a.Model, a.Bot} {
			if len(s) > nameBytesMax || !utf8.ValidString(s) || strings.ContainsAny(s, "\x00\r\n") {
				t.Errorf("%q", s)
			}
		}
		if (a.Bot != "") != (a.Device == BotDevice) {
			t.Errorf("%+v", a)
		}
		if b := Parse(agent, h); b != a {
			t.Errorf("two calls differ: %+v, %+v", a, b)
		}
	})
}
