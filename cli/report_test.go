package cli

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"
	"unicode/utf8"

	"cairn/cli/config"
	"cairn/http/native"
	"cairn/http/tables"
)

// own are the flags of reports that are no parameters of the API.
var own = []string{"config", "data", "listen", "url", "key", "json", "ndjson", "csv", "format", "watch", "mail-to", "mail-from"}

// Every report has the parameters of its question as flags, no others, and the same in help, manual
// and the completion of each shell.
func TestReportsComeFromTheTable(t *testing.T) {
	names := map[string][]native.Param{overviewName: tables.OverviewParams()}
	for _, q := range native.Questions() {
		names[q.Name] = q.Params
	}
	list, page := describe(), manual()
	scripts := map[string]string{}
	for _, shell := range []string{"bash", "zsh", "fish"} {
		var out, errs strings.Builder
		if code := run([]string{"completion", shell}, &out, &errs); code != ExitOK {
			t.Fatal(shell, errs.String())
		}
		scripts[shell] = out.String()
	}
	listed, _ := reported(t, "report")
	top := list[slices.IndexFunc(list, func(d described) bool { return d.name == "report" })]
	for name, params := range names {
		if !strings.Contains(listed, "\n  "+name+" ") && !strings.HasPrefix(listed, "  "+name+" ") {
			t.Errorf("cairn report does not list %s", name)
		}
		if !slices.Contains(top.words, name) {
			t.Errorf("%s is not completed", name)
		}
		i := slices.IndexFunc(list, func(d described) bool { return d.name == "report "+name })
		if i < 0 {
			t.Errorf("report %s is not described", name)
			continue
		}
		d := list[i]
		help, _ := reported(t, "report", name, "-h")
		if again, _ := reported(t, "help", "report", name); again != help {
			t.Errorf("help report %s is not report %[1]s -h", name)
		}
		var flags []string
		for _, f := range d.flags {
			flags = append(flags, f.name)
		}
		for _, p := range params {
			if p.Filter {
				if slices.Contains(flags, p.Name) && !slices.Contains(own, p.Name) {
					t.Errorf("%s: the filter %s is a flag", name, p.Name)
				}
				if first, _, _ := strings.Cut(help, "\nFlags:"); !strings.Contains(strings.ReplaceAll(first, "\n", " ")+" ", " "+strings.TrimSuffix(p.Name, ".")) {
					t.Errorf("%s: help does not name the filter %s", name, p.Name)
				}
				continue
			}
			if !slices.Contains(flags, p.Name) {
				t.Errorf("%s: the parameter %s is no flag", name, p.Name)
			}
			if slices.Contains(own, p.Name) && p.Name != "format" {
				t.Errorf("%s: the parameter %s is called as a flag of the command", name, p.Name)
			}
			if !strings.Contains(help, "\n  -"+p.Name+" ") || p.About != "" && p.Name != "format" && !strings.Contains(help, plainText(p.About)) {
				t.Errorf("%s: help does not have -%s with its sentence", name, p.Name)
			}
		}
		for _, f := range flags {
			if !slices.Contains(own, f) && !slices.ContainsFunc(params, func(p native.Param) bool { return p.Name == f }) {
				t.Errorf("%s: the flag %s is no parameter", name, f)
			}
		}
		begin := strings.Index(page, ".SS \"cairn "+roff("report "+name)+" ")
		if begin < 0 {
			t.Errorf("the manual lacks report %s", name)
		}
		for shell, script := range scripts {
			if !strings.Contains(script, "report "+name) && shell != "fish" || !strings.Contains(script, "seen_subcommand_from "+name) && shell == "fish" {
				t.Errorf("%s does not complete report %s", shell, name)
			}
		}
	}
	for _, d := range list {
		if name, is := strings.CutPrefix(d.name, "report "); is && names[name] == nil {
			t.Errorf("report %s is no question", name)
		}
	}
}

// reported runs a command line that must succeed.
func reported(t *testing.T, args ...string) (stdout, stderr string) {
	t.Helper()
	var out, errs strings.Builder
	if code := run(args, &out, &errs); code != ExitOK {
		t.Errorf("%q: %d %s", args, code, errs.String())
	}
	return out.String(), errs.String()
}

// answering is the address of a server that answers as cairn does to a key.
func answering(t *testing.T, answer func(w http.ResponseWriter, r *http.Request)) string {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer k3y" {
			w.WriteHeader(401)
			fmt.Fprint(w, `{"error":"Unauthorized","status":401}`)
			return
		}
		answer(w, r)
	}))
	t.Cleanup(s.Close)
	return s.URL
}

// Wrong usage is exit code 2, a refusal or no answer 1; the sentence says what is wrong with which
// parameter.
func TestReportMistakes(t *testing.T) {
	refuse := func(status int, body string) string {
		return answering(t, func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/api/v1/sites" {
				fmt.Fprint(w, `{"sites":[{"name":"blog"},{"name":"shop\u001b[2J"}]}`)
				return
			}
			w.WriteHeader(status)
			fmt.Fprint(w, body)
		})
	}
	bad := refuse(400, `{"error":"range: must be one of today, 7d","field":"range","status":400}`)
	sites := refuse(400, `{"error":"must be given","field":"site","status":400}`)
	other := refuse(400, `{"error":"property: the site has no such property","field":"property","status":400}`)
	foreign := refuse(418, `<html>teapot`)
	field := refuse(400, `{"error":"a\u001b[2J: no such parameter here","field":"a\u001b[2J","status":400}`)
	escape := refuse(400, `{"error":"name: \u001b[2J","field":"name","status":400}`)
	for _, c := range []struct {
		line string
		code int
		want string
	}{
		{"vists", 2, `there is no report "vists", did you mean "visits"?`},
		{"visits -rang 7d", 2, `-rang: no such parameter here, did you mean "range"?`},
		{"visits -nosuch 7d", 2, "-nosuch: no such parameter here; there are by, goal, "},
		{"live -range 7d", 2, "-range: no such parameter here"},
		{"visits -country DE", 2, "-country: country is a filter: write country=VALUE, without the dash"},
		{"visits -prop.plan DE", 2, "-prop.plan: prop.plan is a filter"},
		{"visits country", 2, `"country" is no filter: write FIELD=VALUE`},
		{"visits -json -ndjson", 2, "the answer is printed as json already"},
		{"visits -format xml", 2, "there are text, json, ndjson, csv"},
		{"fields -csv", 2, "-csv: no such parameter here"},
		{"visits format=csv", 2, "format: how the answer is printed is no filter: write -format csv"},
		{"visits -format mail -mail-to undisclosed:;", 2, "-mail-to: has no address"},
		{"visits -watch 10ms", 2, "must be a time from 1s to 24h"},
		{"visits -watch soon", 2, "must be a time from 1s to 24h"},
		{"visits -watch 5s -json", 2, "-watch prints text, not json"},
		{"overview -ndjson", 2, "the overview has no rows of its own"},
		{"visits -ndjson -by source -by entry", 2, "give one -by"},
		{"visits -url nowhere", 2, `-url: "nowhere" is no address of a server`},
		{"visits -key @/no/such/file", 2, "-key: open /no/such/file"},
		{"visits -range x -key k3y -url " + bad, 1, "cairn report visits: range: must be one of today, 7d\n"},
		{"visits -key k3y -url " + sites, 1, `site: must be given. There are blog, shop\x1b[2J: give one as -site`},
		{"counters -key k3y -url " + other, 1, "property: the site has no such property\n"},
		{"visits -key k3y -url " + foreign, 1, foreign + " answered 418 I'm a teapot, and nothing that is from cairn"},
		{"visits -key wrong -url " + bad, 1, "does not know the key. Give another one as -key KEY, -key @FILE or CAIRN_KEY"},
		{"events -key k3y -url " + escape, 1, `name: \x1b[2J`},
		{"events -key k3y -url " + field, 1, `cairn report events: a\x1b[2J: no such parameter here` + "\n"},
		{"visits -key k3y -url http://127.0.0.1:1", 1, "cannot reach the server at http://127.0.0.1:1: "},
		{"visits -data " + filepath.Join(t.TempDir(), "none"), 1, "there is no data in "},
	} {
		var out, errs strings.Builder
		code := run(append([]string{"report"}, strings.Fields(c.line)...), &out, &errs)
		if code != c.code || out.Len() > 0 || !strings.Contains(errs.String(), c.want) || strings.Contains(errs.String(), "\x1b") {
			t.Errorf("%s: %d %q, want %d %q; stdout %q", c.line, code, errs.String(), c.code, c.want, out.String())
		}
	}
}

// Flags and filters are the query, from CAIRN_URL with CAIRN_KEY too; flags of the command line win
// over them; the bytes of the answer are printed as they are.
func TestReportAsks(t *testing.T) {
	var asked atomic.Value
	const body = "{\"site\":\"s\",\"zone\":\"UTC\",\n \"total\":{\"visits\":12345}}"
	address := answering(t, func(w http.ResponseWriter, r *http.Request) {
		asked.Store(r.URL.Path + "?" + r.URL.RawQuery)
		fmt.Fprint(w, body)
	})
	file := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(file, []byte("k3y\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("CAIRN_URL", address+"/")
	t.Setenv("CAIRN_KEY", "k3y")
	for _, c := range []struct{ line, want, out string }{
		{"visits -json -range 7d -by source -by entry visit.source=Google path~=/a&b=c* country!=DE", "/api/v1/visits?by=source&by=entry&country%21=DE&path~=%2Fa%26b%3Dc%2A&range=7d&visit.source=Google", body},
		{"-range 7d visits -json", "/api/v1/visits?range=7d", body},
		{"visits -csv", "/api/v1/visits?format=csv", body},
		{"visits -format json -range=7d", "/api/v1/visits?range=7d", body},
		{"funnel/entities -json -step type=page&name=x -step name=y", "/api/v1/funnel/entities?step=type%3Dpage%26name%3Dx&step=name%3Dy", body},
		{"visits -json has=prop.plan prop.a=", "/api/v1/visits?has=prop.plan&prop.a=", body},
		{`visits -json prop."a=b"!=c`, "/api/v1/visits?prop.%22a%3Db%22%21=c", body},
		{"count -ndjson", "/api/v1/count?", strings.ReplaceAll(strings.ReplaceAll(body, "\n", ""), " ", "") + "\n"},
		{"visits", "/api/v1/visits?", "Visits · s\nRange  all\nZone   UTC\n\nVisits  12,345\n"},
	} {
		out, errs := reported(t, append([]string{"report"}, strings.Fields(c.line)...)...)
		if got := asked.Load(); got != c.want || out != c.out || errs != "" {
			t.Errorf("%s: asked %s, want %s\n%s%s", c.line, got, c.want, out, errs)
		}
	}
	t.Setenv("CAIRN_KEY", "wrong")
	if out, _ := reported(t, "report", "visits", "-json", "-key", "@"+file); out != body {
		t.Error(out)
	}
	var out, errs strings.Builder
	t.Setenv("CAIRN_KEY", "k3y")
	if code := run([]string{"report", "visits", "-data", filepath.Join(t.TempDir(), "none")}, &out, &errs); code != ExitFailed || !strings.Contains(errs.String(), "there is no data") {
		t.Errorf("-data asks the server of CAIRN_URL: %s%s", out.String(), errs.String())
	}
}

// An overview in JSON is the answers of its questions as they are.
func TestReportOverview(t *testing.T) {
	address := answering(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/api/v1/site" {
			fmt.Fprint(w, `{"name":"s","zone":"UTC","events":7,"first":"2026-11-01T00:00:00.000Z","dialects":["native"]}`)
			return
		}
		fmt.Fprintf(w, `{"site":"s","zone":"UTC","asked":%q,"rows":[],"by":{},"total":{}}`, r.URL.Path)
	})
	out, _ := reported(t, "report", "overview", "-json", "-key", "k3y", "-url", address)
	var parts map[string]struct{ Asked string }
	if err := json.Unmarshal([]byte(out), &parts); err != nil || len(parts) != 4 || parts["pages"].Asked != "/api/v1/pages" || parts["breakdown"].Asked != "/api/v1/breakdown" {
		t.Errorf("%v %s", err, out)
	}
}

// Answers without a zone are shown in that of the site.
func TestReportZone(t *testing.T) {
	address := answering(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/api/v1/site" {
			fmt.Fprintf(w, `{"name":"%s","zone":"Asia/Tokyo"}`, r.URL.Query().Get("site"))
			return
		}
		fmt.Fprint(w, `{"interval":"day","buckets":[{"time":"2026-11-29T15:00:00.000Z","events":3}]}`)
	})
	if out, _ := reported(t, "report", "series", "-site", "s", "-key", "k3y", "-url", address); !strings.Contains(out, "2026-11-30") || !strings.Contains(out, "Asia/Tokyo") {
		t.Error(out)
	}
}

// Watching prints an answer after the other, keeps the last one when the server is away for a while,
// and ends without an error when it is told to.
func TestReportWatch(t *testing.T) {
	var calls atomic.Int32
	address := answering(t, func(w http.ResponseWriter, r *http.Request) {
		switch calls.Add(1) {
		case 2:
			w.WriteHeader(503)
			fmt.Fprint(w, `{"error":"the server is stopping","status":503}`)
		default:
			fmt.Fprintf(w, `{"site":"s","zone":"UTC","total":{"visits":%d}}`, 1000*calls.Load())
		}
	})
	q, _ := native.QuestionNamed("visits")
	var out locked
	e := &reporting{whom: whom{url: address, key: "k3y"}, name: "visits", question: &q, query: url.Values{}, format: "text", watch: time.Millisecond, out: &out}
	ctx, stop := context.WithTimeout(context.Background(), 20*time.Second)
	defer stop()
	ended := make(chan error, 1)
	go func() { ended <- e.run(ctx) }()
	for !strings.Contains(out.String(), "Visits  4,000") {
		select {
		case err := <-ended:
			t.Fatal(err, out.String())
		case <-time.After(time.Millisecond):
		}
	}
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	for _, want := range []string{"Visits  1,000\n", "the server is stopping\n", "\n\nVisits · s\nRange  all\nZone   UTC\n\nVisits  3,000\n"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is not in\n%s", want, out.String())
		}
	}
	// What the server refuses ends it.
	refusing := answering(t, func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(400)
		fmt.Fprint(w, `{"error":"range: no","field":"range","status":400}`)
	})
	e.url = refusing
	if err := e.run(context.Background()); err == nil || err.Error() != "range: no" {
		t.Error(err)
	}
}

// A screen that is drawn over has the new text where the old one was, and nothing of the old one.
func TestScreen(t *testing.T) {
	var out strings.Builder
	s := &screen{out: &out, alive: true}
	for _, text := range []string{"one\ntwo\nthree\n", "four\n"} {
		if err := s.show(text); err != nil {
			t.Fatal(err)
		}
	}
	if want := "one\x1b[K\ntwo\x1b[K\nthree\x1b[K\n\x1b[J" + "\x1b[3A\rfour\x1b[K\n\x1b[J"; out.String() != want {
		t.Errorf("%q", out.String())
	}
}

// The keys of a server whose sites stand in a configuration file are found by the data directory alone.
func TestKeysOfConfiguredSites(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "config.toml")
	if err := os.WriteFile(file, []byte("[[site]]\nname = \"shop\"\n[[site]]\nname = \"blog\"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg, _, err := config.Load(config.Flags{File: file, DataDir: dir}, nil)
	if err != nil {
		t.Fatal(err)
	}
	filled, err := config.FillKeys(&cfg, config.Known{}, false)
	if err == nil {
		err = filled.Write()
	}
	if err != nil {
		t.Fatal(err)
	}
	address := answering(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer "+cfg.AdminToken {
			w.WriteHeader(401)
			return
		}
		fmt.Fprint(w, `{"events":1234,"users":1,"sessions":1,"path":"/tmp/snapshot"}`)
	})
	for _, line := range []string{"report count -json", "report count -watch 1s -json", "snapshot", "backup now", "export", "tail", "forget user u -site shop", "dashboard"} {
		var out, errs strings.Builder
		run(append(strings.Fields(line), "-data", dir, "-url", address), &out, &errs)
		if strings.Contains(errs.String(), "no keys") {
			t.Errorf("%s: %s", line, errs.String())
		}
	}
}

// Who has a key needs neither the data directory nor the keys in it, as with "cairn mcp".
func TestReportWithAKeyAlone(t *testing.T) {
	address := answering(t, func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, `{"site":"s","zone":"UTC","total":{"visits":7}}`)
	})
	listen := strings.TrimPrefix(address, "http://")
	for _, dir := range []string{t.TempDir(), filepath.Join(t.TempDir(), "none")} {
		if out, errs := reported(t, "report", "visits", "-key", "k3y", "-listen", listen, "-data", dir); !strings.Contains(out, "Visits  7\n") {
			t.Errorf("%s%s", out, errs)
		}
	}
	q, _ := native.QuestionNamed("visits")
	var out locked
	e := &reporting{whom: whom{Flags: config.Flags{Listen: listen, DataDir: t.TempDir()}, key: "k3y"}, name: "visits", question: &q, query: url.Values{}, format: "text", watch: time.Hour, out: &out}
	ctx, stop := context.WithTimeout(context.Background(), 20*time.Second)
	defer stop()
	ended := make(chan error, 1)
	go func() { ended <- e.run(ctx) }()
	for !strings.Contains(out.String(), "Visits  7\n") {
		select {
		case err := <-ended:
			t.Fatal(err)
		case <-time.After(time.Millisecond):
		}
	}
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// What a stranger's server writes in the place of a status reaches no terminal either.
func TestReportOfAForeignStatus(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			_, _ = http.ReadRequest(bufio.NewReader(c))
			fmt.Fprint(c, "HTTP/1.1 404 \x1b[2Jgone\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
			c.Close()
		}
	}()
	var out, errs strings.Builder
	if code := run([]string{"report", "visits", "-key", "k3y", "-url", "http://" + ln.Addr().String()}, &out, &errs); code != ExitFailed || !strings.Contains(errs.String(), `404 \x1b[2Jgone`) || strings.Contains(errs.String(), "\x1b") {
		t.Errorf("%d %q", code, errs.String())
	}
}

// A server that takes a question and never answers is an error, and no wait without end.
func TestReportOfASilentServer(t *testing.T) {
	stop := make(chan struct{})
	address := answering(t, func(http.ResponseWriter, *http.Request) { <-stop })
	t.Cleanup(func() { close(stop) }) // before the server is closed
	q, _ := native.QuestionNamed("count")
	e := &reporting{whom: whom{url: address, key: "k3y"}, name: "count", question: &q, query: url.Values{}, format: "text", out: new(strings.Builder), wait: time.Millisecond}
	if err := e.run(context.Background()); err == nil || !strings.Contains(err.Error(), "cannot reach the server at "+address+": it takes the question and does not answer") {
		t.Error(err)
	}
}

// A path in quotes may hold a "=", for every command that takes filters.
func TestFiltersWithQuotes(t *testing.T) {
	var asked atomic.Value
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Store(r.URL.Query().Get(`prop."a=b"!`))
		w.WriteHeader(400)
		fmt.Fprint(w, `{"error":"no","status":400}`)
	}))
	t.Cleanup(server.Close)
	t.Setenv("CAIRN_ADMIN_TOKEN", "adm_0123456789abcdef0123456789abcdef")
	for _, line := range []string{"report count", "export", "tail", "forget -site shop"} {
		var out, errs strings.Builder
		asked.Store("")
		run(append(strings.Fields(line), "-url", server.URL, `prop."a=b"!=c=d`), &out, &errs)
		if asked.Load() != "c=d" {
			t.Errorf("%s: %q %s", line, asked.Load(), errs.String())
		}
	}
}

// What is drawn fits into the terminal: no line takes two, and what is said below a report is seen
// however high the report is.
func TestScreenFits(t *testing.T) {
	long := "12:00:00: cannot reach the server at /a/path/without/any/blank/in/it: is it running? \"cairn serve\" starts it"
	for _, high := range []int{0, 2, 3, 5, 8, 24} {
		lines := fit(strings.Split(strings.Repeat("of the report\n", 9), "\n")[:9], []string{"", long}, 20, high)
		if high > 0 && len(lines) > high-1 {
			t.Errorf("%d lines in %d: %q", len(lines), high, lines)
		}
		for _, line := range lines {
			if utf8.RuneCountInString(line) > 20 {
				t.Errorf("%q is wider than 20", line)
			}
		}
		if last := lines[len(lines)-1]; high > 2 && last != "it" {
			t.Errorf("%d: the last line is %q", high, last)
		}
	}
}

// What a terminal gets of an answer's own bytes has nothing that it obeys, however the bytes come.
func TestSafeWriter(t *testing.T) {
	text := "a\x1b[2J,\u009b,日本\u202e\r\nb\r\n\xff\xe6"
	want := `a\x1b[2J,\x9b,日本\u202e` + "\nb\n\ufffd"
	for size := range len(text) {
		var out strings.Builder
		w := &safeWriter{out: &out}
		for at := 0; at < len(text); at += size + 1 {
			if n, err := w.Write([]byte(text[at:min(len(text), at+size+1)])); err != nil || n == 0 {
				t.Fatal(n, err)
			}
		}
		if out.String() != want {
			t.Errorf("by %d bytes: %q, want %q", size+1, out.String(), want)
		}
	}
}
