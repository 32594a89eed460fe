package httpd

import (
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"cairn/engine"
	"cairn/engine/enrich"
)

// addressed are requests of every dialect that say in an odd way which address they come
// from. %s is a form of an address.
func addressed() []owned {
	form := []string{"Content-Type: application/x-www-form-urlencoded"}
	secret := []string{"Authorization: Bearer shop-secret"}
	panel := func(header string) []string {
		return []string{clientID, clientSecret, firefox, header}
	}
	return []owned{
		{"POST", "/v1/track", `{"writeKey":"shop-write","userId":"u","event":"a","context":{"ip":"%s"}}`, nil},
		{"POST", "/v1/batch", `{"writeKey":"shop-write","context":{"ip":"%s"},"batch":[{"type":"page","userId":"u"},{"type":"identify","userId":"u","context":{"device":{"ip":["%s"]}}}]}`, nil},
		{"POST", "/v1/track", `{"writeKey":"shop-write","userId":"u","event":"a","request_ip":"%s","context":{"x":{"ipAddress":{"v4":"%s"}},"IP":"%s"}}`, nil},
		{"GET", "/v1/pixel/track?data=eyJ3cml0ZUtleSI6InNob3Atd3JpdGUiLCJ1c2VySWQiOiJ1IiwiZXZlbnQiOiJhIn0=", "", []string{firefox, "X-Forwarded-For: %s"}},
		{"POST", "/track", `{"type":"track","payload":{"name":"a","properties":{"__ip":"%s"}}}`, panel("X-Unused: 1")},
		{"POST", "/track", `{"type":"track","payload":{"name":"b"}}`, panel("x-client-ip: %s")},
		{"POST", "/track", `{"type":"track","payload":{"name":"c"}}`, panel("openpanel-client-ip: %s")},
		{"POST", "/track", `{"type":"identify","payload":{"profileId":"u","properties":{"__ip":"%s"}}}`, panel("X-Unused: 1")},
		{"POST", "/track", `{"type":"group","payload":{"id":"g","type":"t","name":"n","properties":{"__ip":"%s"}}}`, panel("X-Unused: 1")},
		{"POST", "/matomo.php", "idsite=1&rec=1&action_name=a&token_auth=shop-token&cip=%s", append(form, firefox)},
		{"POST", "/", "si=shop&ti=a&uid=u", append(form, "X-Forwarded-For: %s")},
		{"POST", "/tracking/events", `{"eventName":"a","value":1}`, append(secret, "X-Forwarded-For: %s")},
		{"POST", "/tracking/events", `{"eventName":"a","value":1}`, append(secret, "X-Real-Ip: %s")},
		{"POST", "/tracking/events", `{"eventName":"a","value":1}`, append(secret, `Forwarded: for="%s"`)},
		{"POST", "/api/v1/events", `{"name":"a","context":{"ip":"%s"}}`, secret},
		{"POST", "/api/v1/events", `{"name":"a","extra":{"ip":"%s","clientIp":["%s"],"hop":{"X-Forwarded-For":"%s"}}}`, secret},
	}
}

// An address field holds an address or nothing. What the site does not keep of an address is
// neither listed nor anywhere on the disk.
func TestNoRawAddressIsStored(t *testing.T) {
	t.Parallel()
	forms := []string{"81.2.%d.11:4123", "81.2.%d.11, 10.1.1.1", " 81.2.%d.11", "10.0.0.1,81.2.%d.11:1", "near 81.2.%d.11", "81.2.%d.11/32"}
	for _, policy := range []string{"truncate", "drop", "keep"} {
		t.Run(policy, func(t *testing.T) {
			t.Parallel()
			salts, err := enrich.OpenSalts(filepath.Join(t.TempDir(), "salts"), nil, nil)
			if err != nil {
				t.Fatal(err)
			}
			dir := t.TempDir()
			site := testSite(1, "shop")
			site.Privacy.IP = policy
			s := onStore(t, engine.Options{Dir: dir, Visitors: salts}, nil, site)
			stored := 0
			for n, form := range forms {
				address := fmt.Sprintf(form, 70+n)
				for _, q := range addressed() {
					q.body = strings.ReplaceAll(q.body, "%s", address)
					for i, h := range q.headers {
						q.headers[i] = strings.ReplaceAll(h, "%s", address)
					}
					if a := s.connect().ask(q); a.status/100 != 2 {
						t.Fatalf("%s %s %v: %d %s", q.target, q.body, q.headers, a.status, a.body)
					}
					stored++
				}
			}
			listing := s.send("GET", "/api/v1/events?limit=1000", "", "Authorization: Bearer shop-read").body
			if got := strings.Count(listing, `"seq":`); got < stored {
				t.Fatalf("%d events of %d requests", got, stored)
			}
			texts := filesIn(t, dir)
			texts["the listing"] = []byte(listing)
			for where, text := range texts {
				for n := range forms {
					whole := fmt.Sprintf("81.2.%d.11", 70+n)
					if at := bytes.Index(text, []byte(whole)); at >= 0 && policy != "keep" {
						t.Errorf("%s has %q", where, text[max(0, at-80):min(len(text), at+40)])
					}
					if policy == "keep" && where == "the listing" { // in a file, any byte may follow
						for _, raw := range []string{whole + ":", whole + ",", "near " + whole, whole + "/"} {
							if at := bytes.Index(text, []byte(raw)); at >= 0 {
								t.Errorf("%s has %q", where, text[max(0, at-80):min(len(text), at+40)])
							}
						}
					}
				}
			}
			for n := range forms[:4] { // the last two are no addresses
				want := map[string]string{"truncate": "81.2.%d.0", "drop": "", "keep": "81.2.%d.11"}[policy]
				if want != "" {
					want = fmt.Sprintf(`"`+want+`"`, 70+n)
				}
				if got := strings.Count(listing, want); want != "" && got < len(addressed())-3 {
					t.Errorf("%s is listed %d times", want, got)
				}
			}
		})
	}
}

// filesIn reads all files of a data directory.
func filesIn(t *testing.T, dir string) map[string][]byte {
	t.Helper()
	texts := map[string][]byte{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		texts[path], err = os.ReadFile(path)
		return err
	})
	if err != nil || len(texts) < 4 {
		t.Fatalf("%d files, %v", len(texts), err)
	}
	return texts
}

// A password in a url is stored in no field of any dialect, however long it is.
func TestNoPasswordOfAURLIsStored(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	site := testSite(1, "shop")
	s := onStore(t, engine.Options{Dir: dir}, nil, site)
	form := []string{"Content-Type: application/x-www-form-urlencoded", firefox}
	secret := []string{"Authorization: Bearer shop-secret"}
	panel := []string{clientID, clientSecret, firefox}
	for _, password := range []string{"hush", strings.Repeat("hush", 1000)} {
		url := "https://ada:" + password + "@shop.example/a"
		for _, q := range []owned{
			{"POST", "/api/v1/events", `{"name":"a","context":{"url":"%s","referrer":"%s"}}`, secret},
			{"POST", "/api/v1/events", `{"name":"a","value":"%s","properties":{"p":"%s","q":{"r":["%s"]}},"extra":{"e":"%s"}}`, secret},
			{"POST", "/tracking/events", `{"eventName":"a","value":1,"metadata":{"u":["a@b.example","%s"]}}`, secret},
			{"POST", "/v1/page", `{"writeKey":"shop-write","userId":"u","properties":{"url":"%s","referrer":"%s"},"context":{"page":{"url":"%s","referrer":"%s"},"referrer":{"link":"%s"}}}`, nil},
			{"POST", "/v1/identify", `{"writeKey":"shop-write","userId":"u","traits":{"website":"%s"}}`, nil},
			{"POST", "/track", `{"type":"track","payload":{"name":"screen_view","properties":{"__path":"%s","__referrer":"https://b:%s@other.example/"}}}`, panel},
			{"POST", "/track", `{"type":"track","payload":{"name":"link_out","properties":{"href":"%s","path":"%s"}}}`, panel},
			{"POST", "/track", `{"type":"identify","payload":{"profileId":"u","avatar":"%s"}}`, panel},
			{"POST", "/matomo.php", "idsite=1&rec=1&url=%s&urlref=%s&_ref=%s", form},
			{"POST", "/matomo.php", "idsite=1&rec=1&action_name=%s&dimension1=%s&cvar={\"1\":[\"a\",\"%s\"]}", form},
			{"POST", "/matomo.php", "idsite=1&rec=1&link=%s&url=http://shop.example/", form},
			{"POST", "/matomo.php", "idsite=1&rec=1&download=%s&url=http://shop.example/", form},
			{"POST", "/matomo.php", "idsite=1&rec=1&e_c=a&e_a=b&e_n=%s", form},
			{"POST", "/matomo.php", "idsite=1&rec=1&c_n=a&c_p=%s&c_t=%s", form},
			{"POST", "/matomo.php?idsite=1&rec=1", "", append(form, "Referer: %s")},
			{"POST", "/", "si=shop&ti=%s&url=%s", form},
		} {
			if len(password) > 100 && strings.HasPrefix(q.target, "/tracking") {
				continue // too long a text for that dialect
			}
			q.body = strings.ReplaceAll(q.body, "https://b:%s@", "https://b:"+password+"@")
			q.body = strings.ReplaceAll(q.body, "%s", url)
			for i, h := range q.headers {
				q.headers[i] = strings.ReplaceAll(h, "%s", url)
			}
			if a := s.connect().ask(q); a.status/100 != 2 && len(password) < 100 {
				t.Errorf("%s %s: %d %s", q.target, q.body, a.status, a.body)
			}
		}
	}
	texts := filesIn(t, dir)
	texts["the listing"] = []byte(s.send("GET", "/api/v1/events?limit=1000", "", secret[0]).body)
	for where, text := range texts {
		if at := bytes.Index(text, []byte("hush")); at >= 0 {
			t.Errorf("%s has %q", where, text[max(0, at-200):min(len(text), at+40)])
		}
	}
	if !bytes.Contains(texts["the listing"], []byte(`"url":"https://shop.example/a"`)) {
		t.Errorf("no url is listed without the password: %s", texts["the listing"])
	}
}
