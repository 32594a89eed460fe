package tables

import (
	"flag"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"cairn/http/native"

	"github.com/rogpeppe/go-internal/txtar"
)

var update = flag.Bool("update", false, "write the golden texts anew")

// answers are answers of a server, in testdata: a question, and the query that it was asked.
var answers = []struct{ name, question, query string }{
	{"visits", "visits", "range=30d&compare=previous&by=source&by=country&limit=5"},
	{"visits-hours", "visits", "range=7d&by=weekday&interval=none&goal=name%3Dadd_to_cart"},
	{"pages", "pages", "range=7d&compare=previous&limit=4&path~=/*"},
	{"breakdown", "breakdown", "range=7d&by=name&interval=day&limit=3&compare=previous"},
	{"breakdown-two", "breakdown", "range=7d&by=prop.plan&by=country&limit=6"},
	{"aggregate", "aggregate", "range=30d&of=value&by=country&limit=5"},
	{"aggregate-days", "aggregate", "range=7d&of=value&interval=day"},
	{"funnel", "funnel", "range=30d&step=type%3Dpage&step=name%3Dadd_to_cart&step=type%3Dorder&split=country"},
	{"funnel-entities", "funnel/entities", "range=30d&step=type%3Dpage&step=type%3Dorder&limit=5"},
	{"retention", "retention", "range=30d&period=week"},
	{"retention-entities", "retention/entities", "range=30d&at=2026-11-16&limit=4"},
	{"paths", "paths", "range=7d&depth=3&limit=3"},
	{"live", "live", ""},
	{"goals", "goals", "range=30d&compare=previous"},
	{"shop", "shop", "range=30d&compare=previous&by=sku"},
	{"fields", "fields", "range=7d"},
	{"values", "values", "range=7d&field=country"},
	{"count", "count", "range=7d&country!=US"},
	{"series", "series", "range=7d&interval=day"},
	{"counters", "counters", "range=7d&property=plan"},
	{"counters-all", "counters", "range=7d&limit=5"},
	{"events", "events", "limit=4"},
	{"sessions", "sessions", "range=7d&limit=4"},
	{"users", "users", "limit=4"},
	{"site", "site", ""},
	{"sites", "sites", ""},
}

// styles are how the golden texts are written.
var styles = []struct {
	name string
	Style
}{
	{"plain", Style{Param: "-"}},
	{"80", Style{Width: 80, Draw: true, Param: "-"}},
	{"80 in colour", Style{Width: 80, Draw: true, Color: true, Param: "-"}},
	{"120", Style{Width: 120, Draw: true, Param: "-"}},
	{"120 in colour", Style{Width: 120, Draw: true, Color: true, Param: "-"}},
	{"20", Style{Width: 20, Draw: true, Param: "-"}},
	{"few rows", Style{RowsMax: 8, BytesMax: 1200, TextMax: 12}},
}

// answer reads a file of testdata.
func answer(t testing.TB, name string) []byte {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", name+".json"))
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// asked is the question and the query of a case.
func asked(t testing.TB, question, query string) (*native.Question, url.Values) {
	t.Helper()
	q, ok := native.QuestionNamed(question)
	values, err := url.ParseQuery(query)
	if !ok || err != nil {
		t.Fatal(question, query, err)
	}
	return &q, values
}

// reports are the reports of all cases and of the overview.
func reports(t testing.TB, change func(name string, text []byte) []byte) map[string]*Report {
	t.Helper()
	list := make(map[string]*Report)
	for _, a := range answers {
		q, query := asked(t, a.question, a.query)
		r, err := Read(q, query, change(a.name, answer(t, a.name)), Options{})
		if err != nil {
			t.Fatal(a.name, err)
		}
		list[a.name] = r
	}
	_, query := asked(t, "visits", "range=30d&compare=previous")
	parts := make(map[string][]byte)
	for _, name := range []string{"site", "visits", "pages", "breakdown"} {
		parts[name] = change("overview-"+name, answer(t, "overview-"+name))
	}
	r, err := OverviewOf(parts, query, Options{})
	if err != nil {
		t.Fatal(err)
	}
	list["overview"] = r
	return list
}

func same(_ string, text []byte) []byte { return text }

// The texts of all answers, plain and on terminals, are those of testdata.
func TestGoldenTexts(t *testing.T) {
	for name, r := range reports(t, same) {
		file := filepath.Join("testdata", name+".txt")
		var made txtar.Archive
		for _, s := range styles {
			text := strings.ReplaceAll(r.Text(s.Style), "\x1b", "␛") // so that the files can be read
			made.Files = append(made.Files, txtar.File{Name: s.name, Data: []byte(text)})
		}
		if *update {
			if err := os.WriteFile(file, txtar.Format(&made), 0o644); err != nil {
				t.Fatal(err)
			}
			continue
		}
		golden, err := txtar.ParseFile(file)
		if err != nil {
			t.Error(err)
			continue
		}
		for i, f := range made.Files {
			if i >= len(golden.Files) || golden.Files[i].Name != f.Name || string(golden.Files[i].Data) != string(f.Data) {
				t.Errorf("%s, %s: got\n%s\n-update writes it anew", name, f.Name, f.Data)
			}
		}
	}
}
