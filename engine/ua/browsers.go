package ua

import "strings"

// rank orders the products of one agent. Every Chrome also calls itself Safari, every Edge
// also Chrome, and an app's web view all of them. The lowest rank wins, and of equals the
// first.
type rank uint8

const (
	app     rank = iota + 1 // an app that shows pages
	brand                   // a browser with a name of its own
	chrome                  // Chrome itself, or Chromium without another name
	firefox                 // Firefox, or Gecko without another name
	safari                  // Safari, or WebKit without another name
	unnamed
)

type product struct {
	name string
	rank rank
}

// products maps the name of a product, as agents write it, to its browser.
var products = map[string]product{
	// Apps.
	"FBAN": {"Facebook", app}, "FBAV": {"Facebook", app}, "FB_IAB": {"Facebook", app}, "FBIOS": {"Facebook", app},
	"Instagram": {"Instagram", app}, "Barcelona": {"Threads", app}, "Snapchat": {"Snapchat", app},
	"Pinterest": {"Pinterest", app}, "TwitterAndroid": {"X", app}, "Twitter": {"X", app}, "LinkedInApp": {"LinkedIn", app},
	"Line": {"LINE", app}, "LINE": {"LINE", app}, "KAKAOTALK": {"KakaoTalk", app}, "MicroMessenger": {"WeChat", app},
	"AlipayClient": {"Alipay", app}, "DingTalk": {"DingTalk", app}, "Weibo": {"Weibo", app}, "WeiboliteiOS": {"Weibo", app},
	"GSA": {"Google App", app}, "NAVER": {"Naver", app}, "DaumApps": {"Daum", app}, "musical_ly": {"TikTok", app},
	"BytedanceWebview": {"TikTok", app}, "trill": {"TikTok", app}, "TikTok": {"TikTok", app}, "Klarna": {"Klarna", app},
	"baiduboxapp": {"Baidu App", app}, "Viber": {"Viber", app}, "Reddit": {"Reddit", app}, "Discord": {"Discord", app}, "discord": {"Discord", app},
	"Slack": {"Slack", app}, "Slack_SSB": {"Slack", app}, "Teams": {"Microsoft Teams", app}, "Electron": {"Electron", brand},
	"Zalo": {"Zalo", app}, "Telegram-Android": {"Telegram", app}, "Bing": {"Bing", app}, "BingSapphire": {"Bing", app}, "BingWeb": {"Bing", app},
	"Flipboard": {"Flipboard", app}, "SamsungBrowserUI": {"Samsung Internet", brand}, "YaApp_Android": {"Yandex App", app},
	"YandexSearch": {"Yandex App", app}, "YaSearchBrowser": {"Yandex App", app}, "MetaIAB": {"Facebook", app}, "Messenger": {"Messenger", app},

	// Browsers.
	"Edg": {"Edge", brand}, "EdgA": {"Edge", brand}, "EdgiOS": {"Edge", brand}, "Edge": {"Edge", brand}, "EdgW": {"Edge", brand},
	"OPR": {"Opera", brand}, "OPiOS": {"Opera", brand}, "Opera": {"Opera", brand}, "Opera Mini": {"Opera Mini", app}, "Opera Mobi": {"Opera", brand}, "Opera Tablet": {"Opera", brand}, "IEMobile": {"Internet Explorer", chrome}, "Thunderbird": {"Thunderbird", brand}, "Kindle": {"Kindle", brand},
	"OPRGX": {"Opera GX", app}, "OPX": {"Opera GX", brand}, "OPT": {"Opera Touch", brand}, "Coast": {"Opera Coast", brand},
	"SamsungBrowser": {"Samsung Internet", brand}, "MiuiBrowser": {"MIUI Browser", brand}, "HuaweiBrowser": {"Huawei Browser", brand},
	"VivoBrowser": {"Vivo Browser", brand}, "HeyTapBrowser": {"HeyTap Browser", brand}, "OppoBrowser": {"HeyTap Browser", brand}, "RealmeBrowser": {"HeyTap Browser", brand},
	"OculusBrowser": {"Meta Quest Browser", brand}, "PicoBrowser": {"Pico Browser", brand}, "UCBrowser": {"UC Browser", brand}, "UBrowser": {"UC Browser", brand}, "UCWEB": {"UC Browser", brand},
	"QQBrowser": {"QQ Browser", brand}, "MQQBrowser": {"QQ Browser", brand}, "YaBrowser": {"Yandex Browser", brand}, "Whale": {"Whale", brand},
	"Vivaldi": {"Vivaldi", brand}, "Brave": {"Brave", brand}, "Brave Chrome": {"Brave", brand}, "DuckDuckGo": {"DuckDuckGo", brand}, "Ddg": {"DuckDuckGo", brand},
	"Ecosia": {"Ecosia", brand}, "Puffin": {"Puffin", brand}, "Maxthon": {"Maxthon", brand}, "MxBrowser": {"Maxthon", brand}, "Silk": {"Silk", brand},
	"coc_coc_browser": {"Coc Coc", brand}, "CocCoc": {"Coc Coc", brand}, "Sleipnir": {"Sleipnir", brand}, "Iron": {"Iron", brand}, "Comodo_Dragon": {"Comodo Dragon", brand}, "Dragon": {"Comodo Dragon", brand}, "SLBrowser": {"Lenovo Browser", brand}, "Wolvic": {"Wolvic", brand}, "HiBrowser": {"Hi Browser", brand}, "SailfishBrowser": {"Sailfish Browser", brand},
	"Avast": {"Avast Secure Browser", brand}, "AVG": {"AVG Secure Browser", brand}, "Avira": {"Avira Secure Browser", brand}, "Norton": {"Norton Browser", brand}, "CCleaner": {"CCleaner Browser", brand},
	"AlohaBrowser": {"Aloha Browser", brand}, "Quark": {"Quark", brand}, "QuarkPC": {"Quark", brand}, "BIDUBrowser": {"Baidu Browser", brand}, "baidubrowser": {"Baidu Browser", brand}, "bdbrowser_i18n": {"Baidu Browser", brand}, "BaiduBrowser": {"Baidu Browser", brand},
	"2345Explorer": {"2345 Explorer", brand}, "LBBROWSER": {"Liebao", brand}, "360SE": {"360 Browser", brand}, "QIHU 360SE": {"360 Browser", brand}, "QIHU 360EE": {"360 Browser", brand}, "QihooBrowser": {"360 Browser", brand},
	"MetaSr": {"Sogou Explorer", brand}, "SogouMobileBrowser": {"Sogou Explorer", brand}, "TheWorld": {"The World", brand}, "Phoenix": {"Phoenix", brand}, "PHX": {"Phoenix", brand},
	"JioPages": {"JioSphere", brand}, "JioSphere": {"JioSphere", brand}, "MintBrowser": {"Mint Browser", brand}, "Dolphin": {"Dolphin", brand}, "Kiwi": {"Kiwi", brand}, "Mypal": {"Mypal", brand},
	"Epiphany": {"GNOME Web", brand}, "Konqueror": {"Konqueror", brand}, "konqueror": {"Konqueror", brand}, "Falkon": {"Falkon", brand}, "QupZilla": {"Falkon", brand}, "Midori": {"Midori", brand}, "Arora": {"Arora", brand}, "rekonq": {"Rekonq", brand}, "Iridium": {"Iridium", brand},
	"Ladybird": {"Ladybird", brand}, "OmniWeb": {"OmniWeb", brand}, "Camino": {"Camino", brand}, "iCab": {"iCab", brand}, "NetFront": {"NetFront", brand}, "NokiaBrowser": {"Nokia Browser", brand}, "BrowserNG": {"Nokia Browser", brand},
	"SeaMonkey": {"SeaMonkey", brand}, "PaleMoon": {"Pale Moon", brand}, "Waterfox": {"Waterfox", brand}, "IceCat": {"IceCat", brand}, "Iceweasel": {"Firefox", brand}, "LibreWolf": {"LibreWolf", brand}, "K-Meleon": {"K-Meleon", brand}, "Basilisk": {"Basilisk", brand}, "Floorp": {"Floorp", brand}, "Zen": {"Zen", brand}, "Cyberfox": {"Cyberfox", brand}, "Swiftfox": {"Firefox", brand},
	"Focus": {"Firefox Focus", brand}, "Klar": {"Firefox Focus", brand}, "FxiOS": {"Firefox", brand}, "Fennec": {"Firefox", firefox}, "Namoroka": {"Firefox", firefox}, "Shiretoko": {"Firefox", firefox}, "Minefield": {"Firefox", firefox}, "BonEcho": {"Firefox", firefox}, "GranParadiso": {"Firefox", firefox},
	"Firefox": {"Firefox", firefox}, "Firebird": {"Firefox", firefox},
	"Lynx": {"Lynx", brand}, "Links": {"Links", brand}, "ELinks": {"ELinks", brand}, "w3m": {"w3m", brand}, "Dillo": {"Dillo", brand}, "NetSurf": {"NetSurf", brand},
	"NintendoBrowser": {"Nintendo Browser", brand}, "PlayStation": {"PlayStation Browser", safari}, "Netscape": {"Netscape", brand}, "Navigator": {"Netscape", brand}, "Netscape6": {"Netscape", brand},
	"Tesla": {"Tesla Browser", brand}, "QtCarBrowser": {"Tesla Browser", brand},

	// Engines under their own name, and browsers that all others claim to be.
	"HeadlessChrome": {"Headless Chrome", brand}, "Chrome": {"Chrome", chrome}, "CriOS": {"Chrome", chrome}, "CrMo": {"Chrome", chrome}, "Chromium": {"Chromium", brand},
	"Safari": {"Safari", safari}, "Mobile Safari": {"Safari", safari},
}

// browser returns the name and version of the browser. system is the name of the
// operating system.
func (t *tokens) browser(system string) (name, ver string) {
	best := product{rank: unnamed + 1}
	for i := range t.n {
		tk := &t.store[i]
		if tk.comment && tk.version == "" {
			switch {
			case strings.HasPrefix(tk.text, "MSIE "):
				if best.rank > chrome {
					best, ver = product{"Internet Explorer", chrome}, version(tk.text[5:])
				}
				continue
			case tk.text == "LinkedInApp" || tk.text == "360SE" || tk.text == "TheWorld" || strings.HasPrefix(tk.text, "NAVER"):
				tk = &token{name: strings.TrimSuffix(tk.text, "(inapp"), comment: true}
			case strings.HasPrefix(tk.text, "Ecosia "):
				_, v, _ := strings.Cut(tk.text, "@")
				tk = &token{name: "Ecosia", version: v}
			default:
				continue
			}
		}
		p, ok := products[tk.name]
		v := tk.version
		if !ok {
			if p, v, ok = family(tk); !ok {
				continue
			}
		}
		if p.rank < best.rank {
			best, ver = p, version(v)
		} else if p.name == best.name && ver == "" {
			ver = version(v)
		}
	}
	switch best.name {
	case "Facebook":
		if t.has("FB_IAB") || t.has("FBAN") {
			if iab := t.textOf("FB_IAB"); strings.Contains(iab, "MESSENGER") || strings.Contains(iab, "Orca") || strings.Contains(t.textOf("FBAN"), "Messenger") {
				best.name = "Messenger"
			}
		}
		ver = t.versionOf("FBAV")
	case "Opera": // Opera/9.80 (…) Version/12.16
		if v := t.versionOf("Version"); v != "" && t.versionOf("OPR") == "" && ver == "9.80" {
			ver = v
		}
	case "Internet Explorer":
		// Another browser with the same engine, or the compatibility view, which lowers
		// MSIE but not Trident.
		if v := engines[t.versionOf("Trident")]; v != "" {
			ver = v
		}
	case "Chrome":
		if system == "Android" && (t.has("wv") || t.versionOf("Version") == "4.0") {
			best.name = "Chrome WebView"
		}
	case "Safari":
		ver = t.versionOf("Version")
		switch {
		case system == "Android":
			best.name = "Android Browser"
		case system == "BlackBerry" || system == "Tizen" || system == "webOS":
			best.name = system + " Browser"
		case system == "PlayStation":
			best.name = "PlayStation Browser"
		}
	}
	if best.rank > unnamed {
		switch {
		case t.has("Trident") && t.has("rv:11.0"):
			return "Internet Explorer", "11.0"
		case (system == "iOS" || system == "iPadOS") && t.has("AppleWebKit"):
			return "Safari WebView", ""
		case system == "Android" && t.has("AppleWebKit"):
			return "Android Browser", t.versionOf("Version")
		}
		return "", ""
	}
	return best.name, ver
}

// engines has the version of Internet Explorer by that of its engine.
var engines = map[string]string{"4.0": "8.0", "5.0": "9.0", "6.0": "10.0", "7.0": "11.0", "8.0": "11.0"}

// family finds products whose names contain more than the name, mostly the version.
func family(tk *token) (p product, version string, ok bool) {
	for _, f := range [...]struct{ prefix, name string }{
		{"musical_ly_", "TikTok"}, {"trill_", "TikTok"}, {"BytedanceWebview", "TikTok"}, {"Pinterest", "Pinterest"}, {"KAKAOTALK", "KakaoTalk"},
		{"QIHU", "360 Browser"}, {"Maxthon", "Maxthon"},
	} {
		if rest, ok := strings.CutPrefix(tk.name, f.prefix); ok {
			if rest == "" {
				rest = tk.version
			}
			return product{f.name, app}, strings.TrimSpace(rest), true
		}
	}
	return product{}, "", false
}

// textOf returns the whole text of the first piece called name.
func (t *tokens) textOf(name string) string {
	for i := range t.n {
		if t.store[i].name == name {
			return t.store[i].text
		}
	}
	return ""
}
