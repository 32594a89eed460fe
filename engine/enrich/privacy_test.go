package enrich

import (
	"bytes"
	"encoding/json"
	"errors"
	"math/rand"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"cairn/engine/event"
)

func TestStripParams(t *testing.T) {
	names := []string{"token", "Session", "mc_*", "user[email]"}
	for url, want := range map[string]string{
		"https://a.example/?token=1":                      "https://a.example/",
		"https://a.example/?a=1&token=1&b=2":              "https://a.example/?a=1&b=2",
		"https://a.example/?TOKEN=1&a":                    "https://a.example/?a",
		"/p?session&a=1#x":                                "/p?a=1#x",
		"/p?mc_cid=1&mc_eid=2#token=3":                    "/p",
		"/#/route?token=1&b=2":                            "/#/route?b=2",
		"/?user%5Bemail%5D=a%40b.c&x=1":                   "/?x=1",
		"/?a=1;token=2;b=3":                               "/?a=1;b=3",
		"?token=1":                                        "",
		"/?tokens=1&a=token=1":                            "/?tokens=1&a=token=1",
		"/?&&a=1&":                                        "/?&&a=1&",
		"https://a.example/token=1":                       "https://a.example/token=1",
		"https://a.example/#heading":                      "https://a.example/#heading",
		"https://a.example/?next=%2F%3Ftoken%3D1&%74oken": "https://a.example/?next=%2F%3Ftoken%3D1",
	} {
		if got := stripParams(url, names); got != want {
			t.Errorf("%s\n gives %s\n want %s", url, got, want)
		}
	}
}

// TestPrivacyReachesEverywhere searches the record of an event for texts that must not be
// stored.
func TestPrivacyReachesEverywhere(t *testing.T) {
	make := func() *event.Event {
		return &event.Event{
			Dialect: event.Segment, Type: event.Download, Name: "https://a.example/f.zip?token=hush", Value: event.Str("/v?token=hush"),
			Properties: object("url", "https://a.example/?token=hush&a=1", "search", "?token=hush", "note", "what? token=kept"),
			Context:    object("url", "https://a.example/?a=1&token=hush", "referrer", "https://b.example/#token=hush", "ip", "198.51.100.77"),
			Extra: event.Object{
				{Key: "ip", Value: event.Str("198.51.100.77")},
				{Key: "Client-IP", Value: event.Str("unknown 198.51.100.78x")},
				{Key: "requestIp", Value: event.Num("3325256704")},
				{Key: "context", Value: event.Raw(`{"ip":"198.51.100.77","v6":{"ip":"2001:db8:1:2::77"},"ips":["no ip here"],"page":{"url":"https:\/\/a.example\/?token=hush","search":"?token=hush","path":"/"},"n":[1,{"ip":"not one, 198.51.100.78x"},{"ip":3325256704},{"remote_addr":{"v4":"198.51.100.77:80"}}],"list":["/x?token=hush&b=1"]}`)},
			},
		}
	}
	d := New(Options{})
	for _, c := range []struct {
		policy     string
		has, hasNo []string
	}{
		{"truncate", []string{"198.51.100.0", "2001:db8:1::"}, []string{"198.51.100.77", "::77"}},
		{"drop", nil, []string{"198.51.100", "2001:db8"}},
		{"keep", []string{"198.51.100.77", "2001:db8:1:2::77"}, nil},
	} {
		e := make()
		d.Enrich(&Privacy{IP: c.policy, StripParams: []string{"token"}}, e, &event.Source{}, new(Arena))
		if err := event.Validate(e); err != nil {
			t.Fatal(err)
		}
		stored := string(event.AppendJSON(nil, e))
		if !json.Valid([]byte(stored)) {
			t.Fatalf("%s: %s", c.policy, stored)
		}
		for _, s := range append(c.has, "what? token=kept", "a=1", "b=1", "no ip here") {
			if !strings.Contains(stored, s) {
				t.Errorf("%s: %q is missing in %s", c.policy, s, stored)
			}
		}
		for _, s := range append(c.hasNo, "hush", "not one", "198.51.100.78", "3325256704", ":80") {
			if strings.Contains(stored, s) {
				t.Errorf("%s: %q is in %s", c.policy, s, stored)
			}
		}
	}
}

func TestRewriteJSON(t *testing.T) {
	upper := func(key, value string) (string, bool) {
		if key == "none" {
			return "", true
		}
		return strings.ToUpper(value), key == "k" && value != strings.ToUpper(value)
	}
	for in, want := range map[string]string{
		`{"k":"a","l":"a"}`:             `{"k":"A","l":"a"}`,
		`{"k":["a",{"l":"a"},"b"]}`:     `{"k":["A",{"l":"a"},"B"]}`,
		`{"k":{"k":"a"},"x":"k","k":1}`: `{"k":{"k":"A"},"x":"k","k":1}`,
		`{"k":"a\"\\"}`:                 `{"k":"A\"\\"}`,
		`{"\u006b":"a"}`:                `{"\u006b":"A"}`,
		`{"none":"a","m":["none","x"]}`: `{"none":null,"m":["none","x"]}`,
		`["a"]`:                         `["A"]`, // under its own key, k
		`{}`:                            `{}`,
		`{"k":"a`:                       `{"k":"a`,
		`}}]]"`:                         `}}]]"`,
		`{"k":"\ud800`:                  `{"k":"\ud800`,
	} {
		if got := new(Arena).rewriteJSON(in, "k", upper); got != want {
			t.Errorf("%s gives %s, want %s", in, got, want)
		}
	}
}

// A crash may leave something at the path of the new file. OpenSalts removes it and never
// writes to it, because it may be a link to another file. A directory there stays, and
// OpenSalts fails.
func TestSaltsAreWrittenAnew(t *testing.T) {
	dir := t.TempDir()
	path, other := filepath.Join(dir, "salts"), filepath.Join(dir, "other")
	for name, plant := range map[string]func(path string) error{
		"a file":          func(path string) error { return os.WriteFile(path, []byte("half a salt"), 0o644) },
		"a symbolic link": func(path string) error { return os.Symlink(other, path) },
		"a hard link":     func(path string) error { return os.Link(other, path) },
	} {
		if err := os.WriteFile(other, []byte("mine"), 0o644); err != nil {
			t.Fatal(err)
		}
		if err := plant(path + ".new"); err != nil {
			t.Fatal(err)
		}
		s, err := OpenSalts(path, nil, nil)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		s.Close()
		if text, err := os.ReadFile(other); string(text) != "mine" {
			t.Errorf("%s: the other file is now %q (%v)", name, text, err)
		}
		info, err := os.Lstat(path)
		if err != nil || !info.Mode().IsRegular() || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: the salts are %v (%v)", name, info, err)
		}
	}
	if err := os.Mkdir(path+".new", 0o700); err != nil {
		t.Fatal(err)
	}
	if s, err := OpenSalts(path, nil, nil); err == nil {
		s.Close()
		t.Error("a directory at the path of the new file gives no error")
	}
	if _, err := os.Stat(path + ".new"); err != nil {
		t.Error(err)
	}
}

// TestSalts follows the file over days, restarts and changes of the clock.
func TestSalts(t *testing.T) {
	path := filepath.Join(t.TempDir(), "salts")
	now := time.Date(2026, 11, 21, 23, 59, 0, 0, time.UTC)
	clock := func() time.Time { return now }
	random := rand.New(rand.NewSource(1))
	open := func() *Salts {
		t.Helper()
		s, err := OpenSalts(path, clock, random)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(s.Close)
		return s
	}
	file := func() string {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	shop, blog := uint32(1), uint32(2)

	s := open()
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the file is %v, %v", info.Mode(), err)
	}
	a, before := s.Visitor(shop, "203.0.113.9", "agent")
	if len(a) != 32 || before != "" {
		t.Errorf("first day: %q %q", a, before)
	}
	if b, _ := s.Visitor(shop, "203.0.113.9", "agent"); b != a {
		t.Error("the same visitor has two ids on one day")
	}
	for _, other := range [][]string{{"203.0.113.8", "agent"}, {"203.0.113.9", "agen", "t"}, {"203.0.113.9agent"}, {"", "203.0.113.9", "agent"}} {
		if b, _ := s.Visitor(shop, other...); b == a {
			t.Errorf("%q has the same id", other)
		}
	}
	if b, _ := s.Visitor(blog, "203.0.113.9", "agent"); b == a {
		t.Error("two sites see the same id")
	}

	s = open() // a restart
	if b, _ := s.Visitor(shop, "203.0.113.9", "agent"); b != a {
		t.Error("a restart made another id")
	}
	first := file()

	now = now.Add(2 * time.Minute) // past midnight
	b, before := s.Visitor(shop, "203.0.113.9", "agent")
	if b == a || before != a {
		t.Errorf("past midnight: the id is %q and yesterday's %q, which was %q", b, before, a)
	}
	if !strings.HasPrefix(file(), first) || strings.Count(file(), "\n") != 2 {
		t.Errorf("the file is %q, want two salts", file())
	}

	now = now.Add(24 * time.Hour)
	if err := s.Rotate(); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(file(), first) {
		t.Error("a salt is still in the file after 48 hours")
	}
	if _, before := s.Visitor(shop, "203.0.113.9", "agent"); before != b {
		t.Error("yesterday's id is lost")
	}

	now = now.AddDate(0, 0, 30) // a long sleep
	if _, before := open().Visitor(shop, "x"); before != "" || strings.Count(file(), "\n") != 1 {
		t.Errorf("after a sleep: %q, file %q", before, file())
	}
	now = now.AddDate(-10, 0, 0) // the clock was wrong
	if _, before := s.Visitor(shop, "x"); before != "" || strings.Count(file(), "\n") != 1 || !strings.HasPrefix(file(), "2016-12-") {
		t.Errorf("after a jump back: %q, file %q", before, file())
	}

	if err := os.WriteFile(path, []byte("2016-12-23 zz\n\x00garbage\n2016-12-23 00ff\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if id, _ := open().Visitor(shop, "x"); len(id) != 32 {
		t.Errorf("a broken file: %q", id)
	}
	if _, err := OpenSalts(filepath.Join(path, "no", "dir"), clock, random); err == nil {
		t.Error("a directory that cannot be written gives no error")
	}
	if _, err := OpenSalts(filepath.Join(t.TempDir(), "s"), clock, failing{}); !errors.Is(err, errNoRandom) {
		t.Errorf("no randomness: %v", err)
	}
	if bytes.Contains([]byte(file()), []byte("203.0.113")) {
		t.Error("the file contains the address of a visitor")
	}
}

var errNoRandom = errors.New("no randomness")

type failing struct{}

func (failing) Read([]byte) (int, error) { return 0, errNoRandom }

// An address field is found however its name is written, beside others and inside objects.
func TestAddressKeysInAnySpelling(t *testing.T) {
	d := New(Options{})
	for key := range addressKeys {
		for _, spelled := range []string{key, strings.ToUpper(key), strings.ToUpper(key[:1]) + key[1:], key[:len(key)-1] + strings.ToUpper(key[len(key)-1:]), key[:1] + "_" + key[1:], key[:2] + "-" + key[2:]} {
			e := event.Event{Extra: event.Object{
				{Key: spelled, Value: event.Str("81.2.69.142")},
				{Key: "context", Value: event.Raw(`{"a":[{"b":"x","` + spelled + `":"81.2.69.142"}]}`)},
			}}
			d.Enrich(&Privacy{IP: "truncate"}, &e, &event.Source{}, new(Arena))
			if got := string(event.AppendObject(nil, e.Extra)); strings.Contains(got, "142") || strings.Count(got, "81.2.69.0") != 2 {
				t.Errorf("%s: %s", spelled, got)
			}
		}
	}
}
