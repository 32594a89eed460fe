package cli

import (
	"bytes"
	"net/mail"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"cairn/cli/config"
	"cairn/http/native"
	"cairn/http/tables"
)

// What no mail can be made of is wrong usage, before anything is asked.
func TestMailFlags(t *testing.T) {
	t.Setenv("CAIRN_URL", "http://127.0.0.1:1") // nobody answers there
	for _, c := range []struct{ flags, want string }{
		{"-format mail", "needs -mail-to"},
		{"-format mail -mail-to ada", "-mail-to: is no address"},
		{"-format mail -mail-to a@b.c -mail-from bob", "-mail-from: is no address"},
		{"-format mail -mail-to a@b.c -mail-from a@b.c,c@d.e", "-mail-from: has 2 addresses"},
		{"-mail-to a@b.c", "-mail-to and -mail-from are for -format mail"},
		{"-format mail -mail-to a@b.c -watch 5s", "-watch prints text"},
		{"-format letter", "there are text, json"},
	} {
		var out, errs bytes.Buffer
		if code := run(append([]string{"report", "overview"}, strings.Fields(c.flags)...), &out, &errs); code != ExitUsage || out.Len() > 0 || !strings.Contains(errs.String(), c.want) {
			t.Errorf("%s: %d %s%s", c.flags, code, out.String(), errs.String())
		}
	}
	var out, errs bytes.Buffer
	if code := run([]string{"report", "overview", "-format", "mail", "-mail-to", "A\r\nBcc: e@f.g <a@b.c>"}, &out, &errs); code != ExitUsage || out.Len() > 0 {
		t.Errorf("%d %s%s", code, out.String(), errs.String())
	}
}

// The link leads to what the mail shows, on the server that readers can reach; or there is none.
func TestLinkOfMail(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		file := filepath.Join(dir, name)
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return file
	}
	public := write("public.toml", "data_dir = \""+filepath.ToSlash(dir)+"\"\npublic_url = \"https://stats.example/cairn/\"\n")
	plain := write("plain.toml", "data_dir = \""+filepath.ToSlash(dir)+"\"\n")
	closed := write("closed.toml", "data_dir = \""+filepath.ToSlash(dir)+"\"\npublic_url = \"https://stats.example\"\ndashboard = false\n")
	zone := time.FixedZone("", 3600)
	report := &tables.Report{Site: "my shop", Zone: zone, From: time.Date(2026, 11, 23, 0, 0, 0, 0, zone), To: time.Date(2026, 11, 30, 0, 0, 0, 0, zone)}
	pages, _ := native.QuestionNamed("pages")
	for _, c := range []struct {
		file, url, query string
		question         *native.Question
		want, named      string
	}{
		{public, "", "range=lastweek&compare=previous&bot=false", nil, "https://stats.example/cairn/dashboard/site/my%20shop?bot=false&compare=previous&from=2026-11-23&to=2026-11-29", "lastweek"},
		{plain, "https://other.example/", "range=lastweek", &pages, "https://other.example/dashboard/site/my%20shop/pages?from=2026-11-23&to=2026-11-29", "lastweek"},
		{public, "http://127.0.0.1:8080", "", nil, "https://stats.example/cairn/dashboard/site/my%20shop?from=2026-11-23&to=2026-11-29", "30d"},
		{plain, "http://localhost:8080", "", nil, "", "30d"},
		{plain, "http://[::1]:8080", "from=2026-11-23", nil, "", ""},
		{plain, "", "range=7d", nil, "", "7d"},
		{closed, "", "range=7d", nil, "", "7d"},
		{public, "", "to=2026-11-29&name=" + strings.Repeat("x", 2000), nil, "https://stats.example/cairn/dashboard/site/my%20shop?range=30d", ""},
	} {
		query, err := url.ParseQuery(c.query)
		if err != nil {
			t.Fatal(err)
		}
		e := &reporting{whom: whom{Flags: config.Flags{File: c.file}, url: c.url}, query: query, question: c.question}
		if got := e.dashboard(report); got != c.want {
			t.Errorf("%s %s %.60s: %s, not %s", filepath.Base(c.file), c.url, c.query, got, c.want)
		}
		if got := e.rangeName(); got != c.named {
			t.Errorf("%.60s: the range %q, not %q", c.query, got, c.named)
		}
	}
}

// The message is one, and its lines end as sendmail wants them.
func TestPrintedMail(t *testing.T) {
	e := &reporting{whom: whom{url: "https://stats.example"}, query: url.Values{"range": {"lastweek"}}, mailTo: "ada@example.com", mailFrom: "Shop <shop@example.com>"}
	var out bytes.Buffer
	if err := printMail(&out, e, &tables.Report{Title: "Overview", Site: "a\r\nBcc: eve@evil.example"}); err != nil {
		t.Fatal(err)
	}
	m, err := mail.ReadMessage(bytes.NewReader(out.Bytes()))
	if err != nil || bytes.Contains(out.Bytes(), []byte("\r")) {
		t.Fatal(err, out.String())
	}
	if m.Header.Get("Bcc") != "" || m.Header.Get("To") != "ada@example.com" || m.Header.Get("From") != "Shop <shop@example.com>" || !strings.HasSuffix(m.Header.Get("Message-Id"), "@example.com>") {
		t.Errorf("%v", m.Header)
	}
	if date, err := m.Header.Date(); err != nil || time.Since(date).Abs() > time.Hour {
		t.Errorf("%v %v", date, err)
	}
}
