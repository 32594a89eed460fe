package native

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"cairn/http/dialect"
	"cairn/http/native/nativetest"
)

// Story: the calls about keys ask the process, answer as openapi.json describes, show a key once
// and note who made it.

var someKeys = []SiteKey{
	{ID: "secret_key", Name: "secret_key", Kind: "secret_key", File: "keys.toml", LastUsed: 20_000},
	{ID: "shop", Name: "as TestContractAnswers asks", Kind: "read_key", File: "cairn.toml"},
	{ID: "k0123456789", Name: "ci", Kind: "read_key", File: "sites.toml", Created: nativetest.SomeDay - 1000, Ends: nativetest.SomeDay},
}

func (f *fakeControl) SiteKeys(site string) ([]SiteKey, error) {
	if site != "shop" {
		return nil, errNoSite
	}
	return someKeys, f.err
}

func (f *fakeControl) AddKey(site string, k NewKey) (MadeKey, error) {
	f.asked = append(f.asked, fmt.Sprint("add ", site, " ", k))
	return MadeKey{Key: someKeys[2], Secret: "rk_secret"}, f.err
}

func (f *fakeControl) RotateKey(site, id string, grace time.Duration) (MadeKey, error) {
	f.asked = append(f.asked, fmt.Sprint("rotate ", site, " ", id, " ", grace))
	return MadeKey{Key: someKeys[0], Secret: "sk_secret", Old: &someKeys[2]}, f.err
}

func (f *fakeControl) SetKey(site, id string, set KeySettings) (SiteKey, error) {
	text := fmt.Sprint("set ", site, " ", id)
	if set.Name != nil {
		text += " name " + *set.Name
	}
	if set.Ends != nil {
		text += fmt.Sprint(" ends ", *set.Ends)
	}
	f.asked = append(f.asked, text)
	return someKeys[2], f.err
}

func (f *fakeControl) RemoveKey(site, id string) error {
	f.asked = append(f.asked, fmt.Sprint("remove ", site, " ", id))
	return f.err
}

func (f *fakeControl) RenewAdmin() (string, error) {
	f.asked = append(f.asked, "renew")
	return "adm_secret", f.err
}

func TestKeyCalls(t *testing.T) {
	doc := nativetest.Contract(t, OpenAPI())
	ops := nativetest.Operations(t, doc)
	const keys, form = adminPath + "sites/shop/keys", "application/json"
	for _, c := range []struct {
		method, target, form, body string
		status                     int
		asked, answer, noted       string
	}{
		{"GET", keys, "", "", 200, "", `"last_used":"2024-10-04"`, ""},
		{"GET", keys, "", "", 200, "", `"ended":true`, ""},
		{"GET", keys + "/k0123456789", "", "", 200, "", `{"id":"k0123456789","name":"ci","kind":"read_key","file":"sites.toml","created":"`, ""},
		{"GET", keys + "/none", "", "", 404, "", "no such key", ""},
		{"GET", adminPath + "sites/none/keys", "", "", 404, "", "no such site", ""},
		{"GET", adminPath + "sites/none/keys/a", "", "", 404, "", "no such site", ""},
		{"POST", keys, form, `{"name":"ci","kind":"read_key"}`, 200, "add shop {ci read_key 0}", `"secret":"rk_secret","old":null`, "key add shop k0123456789"},
		{"POST", keys, form, `{"name":"ci","kind":"read_key","ends":null}`, 200, "add shop {ci read_key 0}", "", "key add shop k0123456789"},
		{"POST", keys, form, `{"name":"ci","kind":"read_key","ends":"2027-01-31T12:00:00+01:00"}`, 200, "add shop {ci read_key 1801393200000}", "", "key add shop k0123456789"},
		{"POST", keys, form, `{"name":"ci","kind":"read_key","ends":"soon"}`, 400, "", `"field":"ends"`, ""},
		{"POST", keys, form, `{"name":"ci","kind":"read_key","ends":{}}`, 400, "", `"field":"ends"`, ""},
		{"POST", keys, form, `{"name":7}`, 400, "", `"field":"name"`, ""},
		{"POST", keys, form, `{"name":"ci","secret":"mine"}`, 400, "", "JSON object", ""},
		{"POST", keys, form, `{"name":"ci"}{}`, 400, "", "JSON object", ""},
		{"POST", keys, form, `null`, 400, "", "JSON object", ""},
		{"POST", keys, form, `[]`, 400, "", "JSON object", ""},
		{"POST", keys, form, ``, 400, "", "JSON object", ""},
		{"POST", keys, "text/plain", `{"name":"ci"}`, 415, "", form, ""},
		{"POST", keys + "/secret_key/rotate", "", "", 200, "rotate shop secret_key 24h0m0s", `"secret":"sk_secret","old":{"id":"k01`, "key rotate shop k0123456789 to secret_key"},
		{"POST", keys + "/secret_key/rotate", form, `{"grace":"7d"}`, 200, "rotate shop secret_key 168h0m0s", "", "key rotate shop k0123456789 to secret_key"},
		{"POST", keys + "/secret_key/rotate", form, `{"grace":"-1h"}`, 400, "", `"field":"grace"`, ""},
		{"POST", keys + "/secret_key/rotate", form, `{"grace":5}`, 400, "", `"field":"grace"`, ""},
		{"PATCH", keys + "/k0123456789", form, `{"name":"new"}`, 200, "set shop k0123456789 name new", `{"id":"k0123456789","name":"ci"`, "key set shop k0123456789"},
		{"PATCH", keys + "/k0123456789", form, `{"ends":null}`, 200, "set shop k0123456789 ends 0", "", "key set shop k0123456789"},
		{"PATCH", keys + "/k0123456789", form, `{"ends":"2027-01-31T12:00:00+01:00","name":""}`, 200, "set shop k0123456789 name  ends 1801393200000", "", "key set shop k0123456789"},
		{"PATCH", keys + "/k0123456789", form, `{"ends":"soon"}`, 400, "", `"field":"ends"`, ""},
		{"PATCH", keys + "/k0123456789", form, `{"name":7}`, 400, "", `"field":"name"`, ""},
		{"PATCH", keys + "/k0123456789", form, `{"kind":"secret_key"}`, 400, "", "JSON object", ""},
		{"PATCH", keys + "/k0123456789", form, `{}`, 400, "", "name or ends", ""},
		{"DELETE", keys + "/k0123456789", "", "", 200, "remove shop k0123456789", `{"removed":"k0123456789"}`, "key remove shop k0123456789"},
		{"DELETE", keys + "/a%2Fb", "", "", 200, "remove shop a/b", `{"removed":"a/b"}`, "key remove shop a/b"},
		{"POST", adminPath + "token", "", "", 200, "renew", `{"admin_token":"adm_secret"}`, "admin token  "},
	} {
		f := new(fakeControl)
		res := callWith(t, nativetest.Full(), f, c.method, c.target, c.form, c.body)
		noted := ""
		for _, e := range f.noted {
			noted += strings.TrimSuffix(fmt.Sprint(e.Action, " ", e.Site, " ", e.What), "\n")
		}
		if got := strings.Join(f.asked, ","); res.Status != c.status || got != c.asked || !strings.Contains(string(res.Body), c.answer) || noted != c.noted {
			t.Errorf("%s %s %s: %d %s, asked %q, noted %q; want %d, %q, %q", c.method, c.target, c.body, res.Status, res.Body, got, noted, c.status, c.asked, c.noted)
		}
		if strings.Contains(fmt.Sprint(f.noted), "_secret") {
			t.Errorf("%s %s: the key is noted: %v", c.method, c.target, f.noted)
		}
		r, _ := routeFor(c.method, c.target)
		nativetest.ValidateAnswer(t, doc, ops[c.method+" "+r.path], res, c.method+" "+c.target)
	}
	// What the process refuses is the answer, and nothing is noted.
	for _, target := range []string{keys, keys + "/a/rotate", adminPath + "token"} {
		f := &fakeControl{err: &dialect.StatusError{Failure: dialect.Conflict, Msg: "it is in cairn.toml"}}
		res := callWith(t, nativetest.Full(), f, "POST", target, form, "{}")
		if res.Status != 409 || !strings.Contains(string(res.Body), "cairn.toml") || strings.Contains(string(res.Body), "_secret") || len(f.noted) > 0 {
			t.Errorf("%s: %d %s, noted %v", target, res.Status, res.Body, f.noted)
		}
		if res := callWith(t, nativetest.Full(), nil, "POST", target, form, "{}"); res.Status != 404 {
			t.Errorf("%s without a process: %d %s", target, res.Status, res.Body)
		}
	}
}
