package opentracker

import (
	"encoding/json"
	"strings"
	"testing"

	"cairn/engine/query"
	"cairn/http/dialect/dialecttest"
)

// For any query and body, the answer has a known format and status, and an event is stored
// exactly when the status is 200.
func FuzzHit(f *testing.F) {
	for _, query := range []string{
		"si=app&gender=male[+10]&sid=0eb12a", "si=app&gender=male&age-group!=40s&json", "si=app&a=%zz&b=%FC&callback=f",
		"si=app&uid=u&otui=1.2.3.4.5.6&ots=1.2.3.4&t_ms=1795176000000&pix", "si=app&=x", "si=app&x=[-9007199254740992]&eid=e",
	} {
		f.Add(query, "", "")
		f.Add("si=app&json", "", query)
		f.Add("si=app", "multipart/form-data; boundary=X", "--X\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\nb\r\n--X--")
		f.Add("si=app", "application/json", `{"a!":"b[+1]","c":1e9,"d":false}`)
	}
	f.Fuzz(func(t *testing.T, raw, contentType, body string) {
		if strings.ContainsAny(raw, "# \r\n") {
			return
		}
		s := dialecttest.Golden{Dialect: New()}.Session()
		_, res := s.Do(request(t, "POST", "/opentracker?"+raw, contentType, body))
		page, err := s.Store.List(t.Context(), query.Query{Limit: 10})
		if err != nil || len(page.Events) != map[bool]int{true: 1}[res.Status == 200] {
			t.Fatalf("status %d, but %d events are stored (%v)", res.Status, len(page.Events), err)
		}
		if res.Status != 200 && res.Status != 400 && res.Status != 415 {
			t.Fatalf("status %d: %s", res.Status, res.Body)
		}
		switch res.ContentType {
		case typeJSON:
			if !json.Valid(res.Body) {
				t.Fatalf("the answer is %q", res.Body)
			}
		case typeJS:
			name, rest, _ := strings.Cut(string(res.Body), "(")
			if !isFunction(name) || !json.Valid([]byte(strings.TrimSuffix(rest, ");"))) {
				t.Fatalf("the answer is %q", res.Body)
			}
		case typeGIF:
			if string(res.Body) != pixel {
				t.Fatalf("the answer is %q", res.Body)
			}
		case typeText:
			if res.Status != 200 && !strings.HasPrefix(string(res.Body), "error: ") {
				t.Fatalf("the answer is %q", res.Body)
			}
		default:
			t.Fatalf("unexpected Content-Type %q", res.ContentType)
		}
	})
}

// Any read gets an answer in the requested format, or an error.
func FuzzRead(f *testing.F) {
	for _, query := range []string{
		"property=gender&segment=age-group!&filter=40s&sort=user&limit=5", "property=country&value=Germany&from=2026-11-01&to=1795176000",
		"period=3m&timeZone=Europe/Berlin", "property=k&interval=day&dataType=csv", "eid=x&uid=U&sid=S&nextToken=0", "property=ti&value=a&callback=f",
	} {
		f.Add(query)
	}
	f.Fuzz(func(t *testing.T, query string) {
		if strings.ContainsAny(query, "# \r\n") {
			return
		}
		s := dialecttest.Golden{Dialect: New()}.Session()
		s.Do(request(t, "GET", "/?si=app&uid=U&sid=S&gender=male[+3]&age-group!=40s&eid=x&ti=T&country=de", "", ""))
		for _, path := range append(append([]string{}, countsPaths[0]), viewPaths...) {
			_, res := s.Do(request(t, "GET", path+"?site=app&"+query, "", ""))
			if res.Status != 200 && res.Status != 400 && res.Status != 404 {
				t.Fatalf("%s: status %d: %s", path, res.Status, res.Body)
			}
			if res.ContentType == typeJSON && !json.Valid(res.Body) {
				t.Fatalf("%s: the answer is %q", path, res.Body)
			}
		}
	})
}

// A value splits into its base and its amount without loss.
func FuzzSplitAmount(f *testing.F) {
	for _, s := range []string{"male[+10]", "male[ 10]", "[-5]", "x[+1][+2]", "x[+]", "[+9999999999999999999]"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, value string) {
		base, by, found := splitAmount(value)
		if !found {
			if base != value || by != 1 {
				t.Fatalf("%q: %q %d", value, base, by)
			}
			return
		}
		rest := strings.TrimPrefix(value, base)
		if len(rest) < 4 || rest[0] != '[' || rest[len(rest)-1] != ']' || (rest[1] == '-') != (by < 0) && by != 0 {
			t.Fatalf("%q: %q %d", value, base, by)
		}
	})
}
