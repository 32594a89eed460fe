package httpd

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
)

// What the vendor's log importer and PHP tracker send, as it was captured, except for the
// host and the token. They do not run here, because they need Python and PHP.
func TestMatomoCaptures(t *testing.T) {
	t.Parallel()
	const (
		firefox = "Mozilla/5.0 (X11; Linux x86_64; rv:127.0) Gecko/20100101 Firefox/127.0"
		safari  = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.4 Safari/605.1.15"
		phpUA   = "Mozilla%2F5.0+%28X11%3B+Linux+x86_64%3B+rv%3A127.0%29+Gecko%2F20100101+Firefox%2F127.0"
	)
	importer := []string{"Accept-Encoding: identity", "User-Agent: Matomo/LogImport", "Connection: close"}
	php := []string{"User-Agent: " + firefox, "Accept: */*", "Accept-Language: fr-BE,fr;q=0.8"}
	for _, c := range []struct {
		name, method, target, body string
		headers                    []string
		status                     int
		want                       string
		stored                     []string // type name value url, ip, browser; oldest first
	}{
		{"the importer asks for its site", "POST", "/", "module=API&format=json&method=SitesManager.getSiteFromId&filter_limit=-1&token_auth=shop-token&idSite=1",
			append(importer, "Content-type: application/x-www-form-urlencoded"), 200, `{"idsite":"1","name":"shop","main_url":"http://shop.example",`, nil},
		{"the importer sends lines", "POST", "/piwik.php?queuedtracking=0",
			`{"token_auth": "shop-token", "requests": [{"rec": "1", "apiv": "1", "url": "http://shop.example/caf%C3%A9", "urlref": "", "cip": "10.0.37.7", "cdt": "2026-11-10 08:00:10", "idsite": "1", "queuedtracking": "0", "dp": "1", "ua": "` + safari + `", "cvar": "{\"1\": [\"HTTP-code\", \"200\"]}", "bw_bytes": 70239}, ` +
				`{"rec": "1", "apiv": "1", "url": "http://shop.example/file.zip", "urlref": "https://news.example/story?id=3", "cip": "10.1.19.7", "cdt": "2026-11-10 08:00:28", "idsite": 1, "queuedtracking": "0", "dp": "1", "ua": "` + safari + `", "cvar": "{\"1\": [\"HTTP-code\", \"200\"]}", "download": "http://shop.example/file.zip", "bw_bytes": 11265}, null, ` +
				`{"rec": "1", "apiv": "1", "url": "http://shop.example/missing", "urlref": "", "cip": "10.1.19.8", "cdt": "2026-11-10 08:00:30", "idsite": "1", "queuedtracking": "0", "dp": "1", "ua": "` + firefox + `", "action_name": "404/URL = %2Fmissing/From = ", "cvar": "{\"1\": [\"HTTP-code\", \"404\"]}", "bw_bytes": 0}]}`,
			append(importer, "Content-type: application/json"), 200, `{"status":"success","tracked":4,"invalid":0,"invalid_indices":[]}`, []string{
				"page /caf%C3%A9 http://shop.example/caf%C3%A9 10.0.37.0 Safari",
				"download http://shop.example/file.zip http://shop.example/file.zip 10.1.19.0 Safari",
				"page 404/URL = %2Fmissing/From = http://shop.example/missing 10.1.19.0 Firefox",
			}},
		{"the importer with a wrong token", "POST", "/piwik.php?queuedtracking=0",
			`{"token_auth": "0123456789abcdef0123456789abcdef", "requests": [{"rec": "1", "apiv": "1", "url": "http://shop.example/a", "cip": "10.0.37.7", "cdt": "2026-11-10 08:00:10", "idsite": "1"}]}`,
			append(importer, "Content-type: application/json"), 200, `{"status":"success","tracked":0,"invalid":1}`, nil},
		{"PHP sends a hit", "GET", "/matomo.php?idsite=1&rec=1&apiv=1&r=993031&_idts=1795247223&_id=0123456789abcdef&url=https%3A%2F%2Fshop.example%2Fone&urlref=&pv_id=44ae5d&action_name=One+and+two", "",
			php, 200, matomoPixel, []string{"page One and two https://shop.example/one 203.0.113.0 Firefox"}},
		{"PHP sends a hit with a token", "POST", "/matomo.php?idsite=1&rec=1&apiv=1&r=993031&cip=198.51.100.7&_idts=1795247223&cid=0123456789abcdef&url=https%3A%2F%2Fshop.example%2Fone&urlref=&pv_id=44ae5d&action_name=One", "token_auth=shop-token",
			append(php, "Content-Type: application/x-www-form-urlencoded"), 200, matomoPixel, []string{"page One https://shop.example/one 198.51.100.0 Firefox"}},
		{"PHP sends a bulk", "POST", "/matomo.php",
			`{"requests":["http:\/\/127.0.0.1:8970\/matomo.php?idsite=1&rec=1&apiv=1&r=574416&cip=198.51.100.7&_idts=1795247223&cid=0123456789abcdef&url=https%3A%2F%2Fshop.example%2Fone&urlref=&pv_id=047ec5&action_name=Two&ua=` + phpUA + `&lang=fr-BE%2Cfr%3Bq%3D0.8",` +
				`"http:\/\/127.0.0.1:8970\/matomo.php?idsite=1&rec=1&apiv=1&r=703299&cip=198.51.100.7&_idts=1795247223&cid=0123456789abcdef&url=https%3A%2F%2Fshop.example%2Fone&urlref=&pv_id=047ec5&idgoal=0&revenue=25&ec_st=19.8&ec_tx=1&ec_sh=4.2&ec_dt=0&ec_items=%5B%5B%22S1%22%2C%22Pot%22%2C%5B%22Tea%22%2C%22Pots%22%5D%2C%229.9%22%2C2%5D%5D&ec_id=o-1&ua=` + phpUA + `"],"token_auth":"shop-token"}`,
			[]string{"Accept: */*", "Content-Type: application/json"}, 200, `{"status":"success","tracked":2,"invalid":0,"invalid_indices":[]}`, []string{
				"page Two https://shop.example/one 198.51.100.0 Firefox",
				"order o-1 = 25 https://shop.example/one 198.51.100.0 Firefox",
			}},
	} {
		s := withVisits(t, nil)
		got := s.send(c.method, c.target, c.body, append(slices.Clone(c.headers), "X-Forwarded-For: 203.0.113.9")...)
		if got.status != c.status || !strings.HasPrefix(got.body, c.want) {
			t.Errorf("%s: %d %q, want %q", c.name, got.status, got.body, c.want)
		}
		var page struct {
			Events []struct {
				Type, Name string
				Value      any
				Context    map[string]any
			}
		}
		if err := json.Unmarshal([]byte(s.send("GET", "/api/v1/events?order=asc", "", "Authorization: Bearer shop-secret").body), &page); err != nil {
			t.Fatal(err)
		}
		var stored []string
		for _, e := range page.Events {
			text := e.Type + " " + e.Name
			if e.Value != nil {
				text += fmt.Sprint(" = ", e.Value)
			}
			stored = append(stored, fmt.Sprint(text, " ", e.Context["url"], " ", e.Context["ip"], " ", e.Context["browser"]))
		}
		if !slices.Equal(stored, c.stored) {
			t.Errorf("%s: stored are\n\t%s\nwant\n\t%s", c.name, strings.Join(stored, "\n\t"), strings.Join(c.stored, "\n\t"))
		}
	}
}
