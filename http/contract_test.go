package httpd

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"cairn/engine/query"
	"cairn/http/dialect"
	"cairn/http/native"
	"cairn/http/native/nativetest"
)

// rest is a fakeEngine under another, whose methods come first.
type rest struct{ *fakeEngine }

// The whole server, over a socket: every operation of the document answers with
// the right key, and refuses no key and the wrong one, as the document says.
func TestContractServed(t *testing.T) {
	doc := nativetest.Contract(t, native.OpenAPI())
	reads := nativetest.Full()
	fake := rest{}
	s := start(t, func(o *Options) {
		fake.fakeEngine, o.Dashboard, o.Control, o.Keyring, o.Backups = o.Engine.(*fakeEngine), true, oneSite{"shop"}, oneKey{}, reads
		o.Engine = &struct {
			*nativetest.Engine
			rest
		}{reads, fake}
	})
	ask := func(method, path, key, body string) *dialect.Response {
		t.Helper()
		req, err := http.NewRequest(method, "http://"+s.addr+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		if key != "" {
			req.Header.Set("Authorization", "Bearer "+key)
		}
		if strings.HasPrefix(path, "/api/v1/admin/") {
			req.Header.Set("Content-Type", "application/json")
		}
		answer, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer answer.Body.Close()
		res := &dialect.Response{Status: answer.StatusCode, ContentType: answer.Header.Get("Content-Type")}
		if res.Body, err = io.ReadAll(answer.Body); err != nil {
			t.Fatal(err)
		}
		if res.Status == 401 && answer.Header.Get("WWW-Authenticate") != "Bearer" {
			t.Errorf("%s %s: 401 without WWW-Authenticate", method, path)
		}
		return res
	}
	for key, op := range nativetest.Operations(t, doc) {
		method, path, _ := strings.Cut(key, " ")
		path = nativetest.Target(method, path)
		body := ""
		if path == "/api/v1/live/stream" { // it does not end
			continue
		}
		switch {
		case strings.HasPrefix(path, "/api/v1/saved"):
			path = strings.ReplaceAll(path, nativetest.SomeID, nativetest.SavedID)
			if body = `{"kind":"filter","name":"a","query":"country=DE"}`; method == "PUT" {
				body = `{"kind":"filter","name":"a","query":"country=DE","revision":1}`
			}
		case strings.HasSuffix(path, "/rotate"):
			body = `{"grace":"1h"}`
		case op["requestBody"] != nil:
			body = `{"name":"a"}`
		}
		expect := func(bearer string, status int) {
			t.Helper()
			res := ask(method, path, bearer, body)
			media, _, _ := strings.Cut(res.ContentType, ";")
			content := nativetest.Deref(t, doc, op["responses"].(nativetest.Object)[fmt.Sprint(status)])["content"].(nativetest.Object)
			if res.Status != status || content[media] == nil {
				t.Errorf("%s with %q: %d %s %.200s", key, bearer, res.Status, res.ContentType, res.Body)
			} else if media == "application/json" {
				nativetest.ValidateAnswer(t, doc, op, res, key)
			}
		}
		expect("admin", 200)
		if security := op["security"].([]any); len(security) != 1 {
			expect("", 200) // open, as far as this machine is concerned
			continue
		}
		expect("", 401)
		expect("nobody's", 401)
		switch right := op["security"].([]any)[0].(nativetest.Object)["bearer"].([]any)[0]; {
		case strings.HasPrefix(path, "/api/v1/admin/") && right != "manage":
			expect("shop-secret", 403)
		case right == "read":
			expect("shop-read", 200)
			expect("shop-secret", 200)
			expect("shop-write", 403)
		case right == "manage":
			expect("shop-secret", 200)
			expect("shop-write", 403)
			expect("shop-read", 403)
		case right == "admin":
			expect("shop-secret", 403)
		default:
			expect("shop-write", 200)
			expect("shop-secret", 200)
			expect("shop-read", 403)
		}
	}
	fake.ready = query.ErrDiskFull
	if res := ask("GET", "/readyz", "", ""); res.Status != 503 {
		t.Errorf("%d %s", res.Status, res.Body)
	} else {
		nativetest.ValidateAnswer(t, doc, nativetest.Operations(t, doc)["GET /readyz"], res, "readyz")
	}
	if res := ask("GET", "/openapi.json", "", ""); string(res.Body) != string(native.OpenAPI()) {
		t.Error("another document is served")
	}
}

// oneKey is a keyring with one key, whose id is shop, as nativetest.Target asks.
type oneKey struct{}

var shopKey = native.SiteKey{ID: "shop", Name: "shop", Kind: "read_key", File: "sites.toml"}

func (oneKey) SiteKeys(string) ([]native.SiteKey, error) { return []native.SiteKey{shopKey}, nil }
func (oneKey) AddKey(string, native.NewKey) (native.MadeKey, error) {
	return native.MadeKey{Key: shopKey, Secret: "rk_a"}, nil
}
func (oneKey) RotateKey(string, string, time.Duration) (native.MadeKey, error) {
	return native.MadeKey{Key: shopKey, Secret: "rk_b", Old: &shopKey}, nil
}
func (oneKey) SetKey(string, string, native.KeySettings) (native.SiteKey, error) {
	return shopKey, nil
}
func (oneKey) RemoveKey(string, string) error { return nil }
func (oneKey) RenewAdmin() (string, error)    { return "adm_a", nil }
