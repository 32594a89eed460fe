package ua

import (
	"bytes"
	_ "embed"
	"strings"
	"sync"
)

//go:embed bots.txt
var botList string

// bots is made by the first agent, since most commands have none.
var bots = sync.OnceValue(func() *matcher { return newMatcher(botList) })

// botName returns what a bot calls itself, "" for any other agent. text is agent in lower
// case. A library with an address ("node-fetch/1.0 (+https://github.com/…)") is not a bot.
func botName(agent string, text []byte, library bool) string {
	start, end, ok := bots().find(text)
	if !ok {
		if start, ok = mailAddress(text); !ok {
			return ""
		}
		end = start + 1
	}
	address := text[start] == '@' || bytes.HasPrefix(text[start:end], []byte("http")) || bytes.HasPrefix(text[start:end], []byte("www.")) || text[end-1] == ':'
	if !address {
		for start > 0 && strings.IndexByte(" ;(,+[/", agent[start-1]) < 0 {
			start--
		}
		return cutName(agent[start:])
	}
	if library && bytes.Contains(text, []byte("github.com")) {
		return ""
	}
	// The name is the last word before the address.
	before := agent[:start]
	for before != "" {
		before = strings.TrimRight(before, " ;(,+[-:")
		from := strings.LastIndexAny(before, " ;(,+[") + 1
		word := before[from:]
		before = before[:from]
		if word = cutName(word); word[0] >= 'A' && !strings.EqualFold(word, "compatible") && !strings.EqualFold(word, "mozilla") && len(word) > 1 {
			return word
		}
	}
	return "bot"
}

// mailAddress finds an @ between a word and a domain. Ecosia's android@101.0 is not an
// address.
func mailAddress(text []byte) (at int, ok bool) {
	for i, c := range text {
		if c != '@' || i == 0 || !isAlphanumeric(text[i-1]) || i+1 == len(text) || text[i+1] < 'a' || text[i+1] > 'z' {
			continue
		}
		for j := i + 2; j < len(text); j++ {
			if text[j] == '.' {
				return i, true
			}
			if !isAlphanumeric(text[j]) && text[j] != '-' {
				break
			}
		}
	}
	return 0, false
}

// cutName cuts a name where its version or its comment begins.
func cutName(s string) string {
	if i := strings.IndexAny(s, "/;(),+[]"); i > 0 {
		s = s[:i]
	}
	s = strings.TrimSpace(s)
	if len(s) > nameBytesMax {
		s = s[:nameBytesMax]
	}
	if s = printable(s); s == "" {
		return "bot"
	}
	return strings.Clone(s)
}

// libraries are the names of HTTP libraries and of the trackers' own SDKs for servers,
// in lower case. A library's agent begins with its name.
var libraries = func() map[string]bool {
	m := make(map[string]bool)
	for name := range strings.FieldsSeq(`
		curl libcurl libcurl-agent pycurl wget wget2 fetch python python-requests python-urllib python-urllib3 python-httpx httpx aiohttp urllib3 requests python-tornado
		go-http-client go-resty fasthttp gentleman okhttp java apache-httpclient apache-httpasyncclient jakarta ahc async-http-client asynchttpclient jersey resteasy
		unirest-java spring reactornetty netty jetty httpurlconnection google-http-java-client feign retrofit libwww-perl lwp lwp-trivial perl mojolicious ruby faraday rest-client httparty typhoeus
		httpclient http.rb excon php guzzlehttp guzzle symfony zend_http_client laminas_http_client pear node node.js node-fetch node-superagent superagent axios got undici needle request
		nodejs deno bun postmanruntime postman insomnia httpie xh hurl restsharp .net dart dio reqwest hyper ureq isahc surf winhttp microsoft powershell windowspowershell cpp-httplib
		cohttp hackney finch mint req elixir erlang ktor-client ktor alamofire moya urlsession lua-resty-http http_get httpunit http-client amazon k6 wrk ab siege hey vegeta locust artillery
		analytics-node analytics-python analytics-go analytics-ruby analytics-php analytics-java analytics.net segment-analytics rudder matomo piwik matomotracker matomo-php-tracker openpanel openpanel-sdk
	`) {
		m[name] = true
	}
	return m
}()

// isLibrary looks at the first product of an agent in lower case.
func isLibrary(text []byte) bool {
	n := bytes.IndexAny(text, "/ (;")
	if n < 0 {
		n = len(text)
	}
	return libraries[string(text[:n])]
}
