package segment

import (
	"encoding/base64"
	"encoding/json"
	"net/url"
	"strings"
	"testing"

	"cairn/engine/query"
	"cairn/http/dialect/dialecttest"
)

var corpus = []string{
	`{"type":"track","event":"e","userId":"u","properties":{"revenue":"$1","a":[{}]},"context":{"page":{"url":"https://x/?utm_source=a","search":"?utm_term=%zz"},"ip":"::1","locale":"de_DE","device":{"type":"mobile"}}}`,
	`{"type":"identify","anonymousId":1e3,"traits":{"a":null},"context":{"traits":{"a":1},"active":false},"timestamp":"2026-11-20T12:00:00Z","sentAt":1700000000}`,
	`{"batch":[{"type":"page","name":7,"userId":"u","messageId":" \u200b"},{"type":"alias","previousId":"u","userId":"u"},3],"context":{"a":{"b":[1]}},"integrations":{"All":false}}`,
	`[{"type":"group","groupId":{},"userId":"\ud800"}]`,
	`{"batch":{},"type":"screen","userId":true,"context":{"location":{"latitude":91,"longitude":"7"},"screen":{"width":1e2,"height":-1}}}`,
}

// fuzz sends any body to one path. The reply has a status of the protocol and is JSON or an
// image, and the store has events exactly when the status is 2xx.
func fuzz(t *testing.T, method, target, body string) {
	s := dialecttest.Golden{Dialect: New(nil)}.Session()
	events, res := s.Do(request(t, method, target, body))
	switch res.Status {
	case 200, 207, 400, 413:
	default:
		t.Fatalf("%d %s", res.Status, res.Body)
	}
	if res.ContentType == "image/gif" {
		if string(res.Body) != gif || res.Status != 200 {
			t.Fatalf("%d %q", res.Status, res.Body)
		}
	} else if !json.Valid(res.Body) {
		t.Fatalf("%q", res.Body)
	}
	totals, err := s.Store.Count(t.Context(), query.Query{})
	if err != nil || (totals.Events > 0) != (res.Status/100 == 2) && method != "HEAD" {
		t.Fatalf("%d, but %d events (%v) of\n%s", res.Status, totals.Events, err, events)
	}
	// The same request again gets the same answer.
	if _, again := s.Do(request(t, method, target, body)); again.Status != res.Status || string(again.Body) != string(res.Body) {
		t.Fatalf("%d %s, then %d %s", res.Status, res.Body, again.Status, again.Body)
	}
}

func FuzzSingle(f *testing.F) {
	for _, body := range corpus {
		for _, path := range []string{"i", "t", "p", "s", "g", "a"} {
			f.Add(path, body)
		}
	}
	f.Fuzz(func(t *testing.T, path, body string) {
		if path = "/v1/" + path; byPath[path] != nil && byPath[path].kind == single {
			fuzz(t, "POST", path, body)
		}
	})
}

func FuzzBatchBody(f *testing.F) {
	for _, body := range corpus {
		f.Add(body)
		f.Add(`{"batch":[` + body + `],"sentAt":"2026-11-20T12:00:00Z"}`)
	}
	f.Fuzz(func(t *testing.T, body string) { fuzz(t, "POST", "/v1/batch", body) })
}

func FuzzWebhook(f *testing.F) {
	for _, body := range corpus {
		f.Add(body)
	}
	f.Fuzz(func(t *testing.T, body string) { fuzz(t, "POST", "/v1/w", body) })
}

func FuzzPixel(f *testing.F) {
	for _, body := range corpus {
		f.Add("track", base64.StdEncoding.EncodeToString([]byte(body)))
		f.Add("page", base64.RawURLEncoding.EncodeToString([]byte(body)))
	}
	f.Fuzz(func(t *testing.T, path, data string) {
		if path = "/v1/pixel/" + path; byPath[path] != nil {
			fuzz(t, "GET", path+"?data="+url.QueryEscape(data), "")
			fuzz(t, "GET", path+"?data="+strings.ReplaceAll(data, "#", ""), "")
		}
	})
}

func FuzzFlatPixel(f *testing.F) {
	f.Add("event=a&userId=u&properties.a=b&a=%zz")
	f.Add("writeKey=key&event=&=&anonymousId=a&a=1&a=2")
	f.Fuzz(func(t *testing.T, query string) { fuzz(t, "GET", "/pixel/v1/track?"+query, "") })
}
