package e2e

import (
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// The programs of docs/notebooks.md run as they stand there, on the numbers of a site whose days are
// not those of UTC. They need pandas and R of Debian, and DuckDB of npm.

// notebooks is the page.
func notebooks(t *testing.T) string {
	t.Helper()
	page, err := os.ReadFile(filepath.Join(top, "docs", "notebooks.md"))
	if err != nil {
		t.Fatal(err)
	}
	return string(page)
}

// blockOf is the first block of code in a language below a heading of a page; "" = there is none.
func blockOf(page, heading, language string) string {
	_, section, ok := strings.Cut(page, "\n## "+heading)
	if !ok {
		return ""
	}
	section, _, _ = strings.Cut(section, "\n## ")
	_, block, _ := strings.Cut(section, "\n```"+language+"\n")
	block, _, ok = strings.Cut(block, "```\n")
	if !ok {
		return ""
	}
	return block
}

// berlin is a site for the programs.
const berlin = "[[site]]\nname = \"shop\"\nid = 1\ntimezone = \"Europe/Berlin\"\n"

// sowPages sends a page and a sign-up of three visitors on one day, of two and of one on the days
// before, and returns that day. They come between midnight of Berlin and midnight of UTC.
func (s *testServer) sowPages() (day time.Time) {
	s.Helper()
	day = time.Now().UTC().Truncate(24*time.Hour).AddDate(0, 0, -1)
	var body strings.Builder
	for back := range 3 {
		at := day.AddDate(0, 0, -back).Add(-30 * time.Minute)
		for i := range 3 - back {
			fmt.Fprintf(&body, `{"type":"page","name":"Home","anonymous":"a%d-%d","time":%q,"context":{"url":"https://shop.example/","referrer":"https://www.google.com/"}}`+"\n", back, i, at.Format(time.RFC3339))
			fmt.Fprintf(&body, `{"name":"signup","anonymous":"a%d-%d","time":%q,"properties":{"plan":"pro"}}`+"\n", back, i, at.Add(time.Second).Format(time.RFC3339))
		}
	}
	header := http.Header{"Authorization": {"Bearer " + s.keys().SecretKey}, "Content-Type": {"application/x-ndjson"}}
	if status, answer, err := request("POST", s.url()+"/api/v1/events", header, body.String()); err != nil || status != 200 {
		s.Fatalf("%d %s %v", status, answer, err)
	}
	return day
}

func TestNotebooks(t *testing.T) {
	t.Parallel()
	s := newSDK(t, "notebooks", berlin)
	day, page := s.sowPages(), notebooks(t)
	date := func(back int) string { return day.AddDate(0, 0, -back).Format(time.DateOnly) }
	tried := 0
	for _, program := range []struct {
		heading, language, file string
		command                 []string
		want                    []string
	}{
		{"pandas", "python", "days.py", []string{"/usr/bin/python3", "days.py"}, []string{date(2) + ` 00:00:00\+0[12]:00 +1 +1 +1\n`, date(1) + `.* 2 +2 +2\n`, date(0) + `.* 3 +3 +3\n`, `Google +6 `}},
		{"R", "r", "days.R", []string{"Rscript", "days.R"}, []string{date(2) + ` +1 +1 +1\n`, date(1) + ` +2 +2 +2\n`, date(0) + ` +3 +3 +3\n`, `Google +6 `}},
		{"DuckDB", "sql", "events.sql", []string{"node", "duckdb.mjs"}, []string{date(2) + `","1","1"\]\n`, date(1) + `","2","2"\]\n`, date(0) + `","3","3"\]\n`, `\["pro","6"\]\n`}},
	} {
		code := blockOf(page, program.heading+" ✓\n", program.language)
		if code == "" {
			t.Fatalf("the page has no program for %s that CI runs", program.heading)
		}
		tried++
		t.Run(program.heading, func(t *testing.T) {
			t.Parallel()
			own := &sdk{testServer: &testServer{T: t, options: s.options, child: s.running()}, dialect: s.dialect}
			dir := t.TempDir()
			if err := os.WriteFile(filepath.Join(dir, program.file), []byte(code), 0o600); err != nil {
				t.Fatal(err)
			}
			if program.heading == "DuckDB" {
				export := strings.Fields(blockOf(page, "DuckDB ✓\n", "sh"))
				if len(export) < 2 || export[0] != "cairn" || export[1] != "export" {
					t.Fatalf("the page exports with %q", export)
				}
				for i, arg := range export {
					if arg == "-from" {
						export[i+1] = date(3)
					}
				}
				cmd := exec.Command(s.options.Exe, slices.Concat(export[1:], s.options.Args, []string{"-data", s.options.Dir})...)
				cmd.Dir = dir
				own.run(cmd)
			}
			cmd := exec.Command(program.command[0], program.command[1:]...)
			cmd.Stdin = strings.NewReader(code)
			if cmd.Dir = dir; program.heading == "DuckDB" { // the script goes there itself, from where its module is
				cmd.Dir = ""
			}
			out := own.run(cmd, "CAIRN_URL="+s.url(), "CAIRN_KEY="+s.keys().ReadKey, "DIR="+dir)
			for _, want := range program.want {
				if !regexp.MustCompile(want).MatchString(out) {
					t.Errorf("no line is %q in\n%s", want, out)
				}
			}
		})
	}
	if marked := strings.Count(page, " ✓\n"); marked != tried {
		t.Errorf("the page marks %d programs, and %d are run", marked, tried)
	}
}

// The addresses for spreadsheets and Grafana in the documentation answer.
func TestAddressesOfNotebooks(t *testing.T) {
	t.Parallel()
	server := startServer(t, t.TempDir(), configured(t, berlin)...)
	day := server.sowPages()
	header := http.Header{"Authorization": {"Bearer " + server.keys().SecretKey}, "Content-Type": {"application/json"}}
	_, answer, err := request("POST", server.url()+"/api/v1/saved", header, `{"kind":"share","name":"sheet","scope":"numbers"}`)
	token := regexp.MustCompile(`"token":"([^"]*)"`).FindSubmatch(answer)
	if err != nil || token == nil {
		t.Fatal(string(answer), err)
	}
	dashboard, err := os.ReadFile(filepath.Join(top, "docs", "dashboard.md"))
	if err != nil {
		t.Fatal(err)
	}
	tables, panels := 0, 0
	for _, found := range regexp.MustCompile("https://cairn\\.example(/[^\\s`\"')]*)").FindAllStringSubmatch(notebooks(t)+string(dashboard), -1) {
		path := strings.NewReplacer("TOKEN", string(token[1]), "${__from:date:iso}", day.AddDate(0, 0, -3).Format(time.RFC3339), "${__to:date:iso}", day.AddDate(0, 0, 1).Format(time.RFC3339)).Replace(found[1])
		own := http.Header{}
		if strings.HasPrefix(path, "/api/") {
			own = header
		}
		status, answer, err := request("GET", server.url()+path, own, "")
		text := string(answer)
		switch {
		case err != nil || status != 200:
			t.Errorf("%s: %d %s %v", found[0], status, text, err)
		case strings.HasPrefix(path, "/api/"):
			panels++
			if !strings.Contains(text, `"series":[{`) || !strings.Contains(text, `"visitors":3`) {
				t.Errorf("%s: %s", found[0], text)
			}
		default:
			tables++
			if rows := strings.Count(text, "\r\n"); rows < 2 || !strings.Contains(text, "visits") {
				t.Errorf("%s: %s", found[0], text)
			}
		}
	}
	if tables < 3 || panels < 1 {
		t.Errorf("the pages have %d tables and %d panels", tables, panels)
	}
}
