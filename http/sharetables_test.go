package httpd

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"cairn/engine"
)

// A share's tables are CSV by the link alone: within its scope and its filter, with cells that no
// spreadsheet takes for formulas, until the share ends.
func TestSharedTables(t *testing.T) {
	t.Parallel()
	s := &sharer{}
	s.now.Store(time.Now().UnixNano())
	s.testServer = onStore(t, engine.Options{}, func(o *Options) {
		o.Dashboard, o.Now = true, func() time.Time { return time.Unix(0, s.now.Load()) }
	}, testSite(1, "shop"))
	if a := s.send("POST", "/api/v1/events", `[{"type":"page","name":"Home","anonymous":"a","context":{"url":"https://shop.example/=1+1"}},{"type":"page","name":"=cmd|'/c calc'!A1","anonymous":"b","context":{"url":"https://shop.example/b","title":"@SUM(A1)"}},
		{"name":"-2+3","user":"ada","properties":{"mail":"ada@example.com"}},{"name":"+1","user":"ada"},{"name":"a \"quoted\", long\r\nname","user":"bob"},{"name":"\tx","user":"bob"}]`, secret, "Content-Type: application/json"); a.status != 200 {
		t.Fatal(a.status, a.body)
	}
	filter, _ := s.save(`{"kind":"filter","name":"f","query":"name=-2%2B3"}`)
	until := time.Unix(0, s.now.Load()).Add(time.Hour).UTC().Format(time.RFC3339)
	id, numbers := s.save(`{"kind":"share","name":"n","scope":"numbers","expires":"` + until + `"}`)
	_, filtered := s.save(`{"kind":"share","name":"f","scope":"people","filter":"` + filter + `"}`)
	at := func(token, screen string) string { return "/dashboard/s/" + token + screen }
	get := func(method, target, tag string) (status int, h http.Header, body string) {
		t.Helper()
		req, err := http.NewRequest(method, "http://"+s.addr+strings.ReplaceAll(target, "+", "%2B"), nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("If-None-Match", tag)
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		text, err := io.ReadAll(res.Body)
		if err != nil {
			t.Errorf("%s: %v", target, err)
		}
		return res.StatusCode, res.Header, string(text)
	}
	const events = "?_format=csv&_panel=events&range=7d"
	for _, test := range []struct {
		token, screen string
		status        int
		has           []string
		lacks         string
	}{
		{numbers, "/pages?_format=csv&range=30d", 200, []string{"value,views,", "\r\n/b,1,", "\r\n/=1+1,1,"}, ""},
		{numbers, "/pages?_format=csv&range=30d&_tab=title", 200, []string{"\r\n'@SUM(A1),1,"}, ""},
		{numbers, events, 200, []string{"\r\n'-2+3,1,", "\r\n'+1,1,", "\r\n'\tx,1,", "\r\n\"a \"\"quoted\"\", long\r\nname\",1,"}, "ada"},
		{numbers, "?_format=csv&_panel=chart&range=7d", 200, []string{"time,", "\r\n20"}, ""},
		{numbers, "?_format=csv&range=7d", 400, []string{`"field":"_panel"`, "chart, sources (_tab: channel source"}, ""},
		{numbers, "/pages?_format=csv&range=7d&user=ada", 403, []string{`"field":"user"`, "this share may not name user"}, "\r\n"},
		{numbers, "?_format=csv&_panel=properties&_prop=mail&range=7d", 403, []string{"this share may not name prop.mail"}, "ada"},
		{numbers, "/people?_format=csv&range=7d", 404, nil, "ada"},
		{numbers, "/pages?_format=csv&range=soon", 400, []string{`"field":"range"`}, ""},
		{filtered, events, 200, []string{"\r\n'-2+3,1,"}, "quoted"},
		{filtered, "/people?_format=csv&range=7d", 200, []string{"\r\nada,"}, "bob"},
		{filtered, "/events?_format=csv&_panel=list&range=7d", 200, []string{"ada"}, "bob"},
	} {
		status, h, body := get("GET", at(test.token, test.screen), "")
		if status != test.status || test.lacks != "" && strings.Contains(body, test.lacks) {
			t.Errorf("%s: %d %s", test.screen, status, body)
		}
		for _, has := range test.has {
			if !strings.Contains(body, has) {
				t.Errorf("%s: lacks %q: %q", test.screen, has, body)
			}
		}
		if status == 200 && (h.Get("Content-Type") != "text/csv; charset=utf-8" || !strings.HasPrefix(h.Get("Content-Disposition"), `attachment; filename="shop-`) || h.Get("Set-Cookie") != "") {
			t.Errorf("%s: %v", test.screen, h)
		}
	}
	address := at(numbers, "/pages?_format=csv&range=30d")
	_, first, _ := get("GET", address, "")
	tag := first.Get("ETag")
	if status, h, body := get("GET", address, tag); tag == "" || status != 304 || body != "" || h.Get("ETag") != tag {
		t.Errorf("the same again: %q, %d %q %v", tag, status, body, h)
	}
	if status, _, _ := get("GET", at(filtered, "/pages?_format=csv&range=30d"), tag); status != 200 {
		t.Errorf("the tag of another share: %d", status)
	}
	if status, h, body := get("HEAD", address, ""); status != 200 || h.Get("Content-Type") != "text/csv; charset=utf-8" || body != "" {
		t.Errorf("HEAD: %d %v %q", status, h, body)
	}
	s.send("POST", "/api/v1/events", `{"type":"page","name":"B","anonymous":"c","context":{"url":"https://shop.example/b"}}`, secret, "Content-Type: application/json")
	if status, _, body := get("GET", address, tag); status != 200 || !strings.Contains(body, "\r\n/b,2,") {
		t.Errorf("after an event: %d %q", status, body)
	}
	// It is over by its date, or as soon as somebody ends it.
	s.now.Add(int64(2 * time.Hour))
	if status, _, _ := get("GET", address, tag); status != 404 {
		t.Errorf("over: %d", status)
	}
	s.now.Add(-int64(2 * time.Hour))
	if status, _, _ := get("GET", address, ""); status != 200 {
		t.Errorf("within its time: %d", status)
	}
	if a := s.send("DELETE", "/api/v1/saved/"+id, "", secret); a.status != 200 && a.status != 204 {
		t.Fatal(a.status, a.body)
	}
	if status, _, body := get("GET", address, tag); status != 404 || strings.Contains(body, "/b,") {
		t.Errorf("ended: %d %s", status, body)
	}
}
