package importer

import (
	"archive/zip"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"
)

// pack packs a text as a container.
func pack(t testing.TB, kind, text string) string {
	t.Helper()
	var b bytes.Buffer
	var w io.WriteCloser
	switch kind {
	case "gzip":
		w = gzip.NewWriter(&b)
	case "zstd":
		z, err := zstd.NewWriter(&b)
		if err != nil {
			t.Fatal(err)
		}
		w = z
	default:
		return text
	}
	if _, err := io.WriteString(w, text); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// zipOf makes a zip of names and texts.
func zipOf(t testing.TB, members ...string) string {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for i := 0; i < len(members); i += 2 {
		w, err := z.Create(members[i])
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(w, members[i+1]); err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// Containers are seen by their first bytes, whatever the file is called, and give the same events
// with the same ids as the plain file.
func TestContainers(t *testing.T) {
	t.Parallel()
	text := logText(0, 3000)
	half := strings.Index(text, logLine(1500))
	whole := newFake(t)
	if _, err := Run(context.Background(), whole.options(write(t, "a.log", text))); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ name, text string }{
		{"gzip", pack(t, "gzip", text)},
		{"gzip in two parts", pack(t, "gzip", text[:half]) + pack(t, "gzip", text[half:])},
		{"zstd", pack(t, "zstd", text)},
		{"zip", zipOf(t, "logs/a.log", text, "__MACOSX/._a.log", "x", "logs/.DS_Store", "y")},
		{"zip of gzip", zipOf(t, "a.log.gz", pack(t, "gzip", text))},
	} {
		f := newFake(t)
		sum, err := Run(context.Background(), f.options(write(t, "some.file", c.text)))
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		if f.body.String() != whole.body.String() || sum.Stored != 3000 {
			t.Errorf("%s: %d are stored, and not the same", c.name, sum.Stored)
		}
	}
	for _, packed := range []string{text, pack(t, "gzip", text)} {
		f := newFake(t)
		o := f.options("-")
		o.Stdin = strings.NewReader(packed)
		if _, err := Run(context.Background(), o); err != nil || f.body.String() != whole.body.String() {
			t.Errorf("standard input: %v", err)
		}
	}
}

// A container that is broken says where, and nothing of it is sent: its checksum stands at the end,
// so nobody knows before which lines are right. The whole file later is stored whole.
func TestBrokenFiles(t *testing.T) {
	t.Parallel()
	text := logText(0, 3000)
	packed := pack(t, "gzip", text)
	flip := func(s string, at int) string {
		b := []byte(s)
		b[at] ^= 0x10
		return string(b)
	}
	zipped := zipOf(t, "a.log", text)
	f := newFake(t)
	for _, c := range []struct{ name, text string }{
		{"a cut gzip", packed[:len(packed)/2]},
		{"a gzip that lost its last bytes", packed[:len(packed)-3]},
		{"a gzip with a wrong bit", flip(packed, len(packed)/2)},
		{"a gzip with a wrong checksum", flip(packed, len(packed)-6)},
		{"a cut zstd", pack(t, "zstd", text)[:4000]},
		{"a zip with a wrong bit", flip(zipped, len(zipped)/2)},
	} {
		_, err := Run(context.Background(), f.options(write(t, "a.log.gz", c.text)))
		var at *FileError
		if !errors.As(err, &at) || at.Line == 0 || !strings.Contains(err.Error(), "a.log.gz") || f.requests > 0 {
			t.Errorf("%s: %v", c.name, err)
		}
	}
	if _, err := Run(context.Background(), f.options(write(t, "a.zip", zipped[:len(zipped)-40]))); err == nil || f.requests > 0 {
		t.Errorf("a cut zip: %v", err)
	}
	sum, err := Run(context.Background(), f.options(write(t, "a.log.gz", packed)))
	if err != nil || sum.Stored != 3000 {
		t.Errorf("the whole file: %+v %v", sum, err)
	}
}

// What comes by the standard input cannot be read twice: what was sent before it broke stays, and
// the whole text later adds what was missing. A line that is cut is not one.
func TestBrokenInput(t *testing.T) {
	t.Parallel()
	text := logText(0, 3000)
	for _, broken := range []string{pack(t, "gzip", text)[:15_000], text[:len(text)-9]} {
		f := newFake(t)
		o := f.options("-")
		o.Stdin = strings.NewReader(broken)
		first, err := Run(context.Background(), o)
		var at *FileError
		switch cut := broken[0] == '1'; {
		case cut && (err != nil || first.Refused["the line is cut: it has no end"] != 1 || first.Stored != 2999):
			t.Errorf("a cut line: %+v %v", first, err)
		case !cut && (!errors.As(err, &at) || at.Line == 0 || first.Stored == 0 || first.Stored >= 3000):
			t.Errorf("a cut gzip: %+v %v", first, err)
		}
		o.Stdin = strings.NewReader(text)
		again, err := Run(context.Background(), o)
		if err != nil || first.Stored+again.Stored != 3000 || len(f.ids) != 3000 {
			t.Errorf("the whole text: %+v %v", again, err)
		}
	}
}

// zeros is a text without an end, of one byte.
type zeros struct{ c byte }

func (z zeros) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = z.c
	}
	return len(p), nil
}

// A line of a gigabyte and a bomb are errors with file and line, and cost neither memory nor time.
func TestHugeLinesAndBombs(t *testing.T) {
	if testing.Short() {
		t.Skip("packs half a gigabyte")
	}
	dir := t.TempDir()
	bomb := func(name, begin string, c byte, size int64) string {
		path := filepath.Join(dir, name)
		f, err := os.Create(path)
		if err != nil {
			t.Fatal(err)
		}
		z, err := gzip.NewWriterLevel(f, gzip.BestSpeed)
		if err == nil {
			_, err = io.WriteString(z, begin)
		}
		if err == nil {
			_, err = io.CopyN(z, zeros{c}, size)
		}
		if err == nil {
			err = z.Close()
		}
		if err != nil {
			t.Fatal(err)
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
		return path
	}
	best := func(name string, size int64) string {
		var one bytes.Buffer
		z, err := gzip.NewWriterLevel(&one, gzip.BestCompression)
		if err == nil {
			_, err = io.WriteString(z, logText(0, 30))
		}
		if err == nil {
			_, err = io.CopyN(z, zeros{'\n'}, size)
		}
		if err == nil {
			err = z.Close()
		}
		if err != nil {
			t.Fatal(err)
		}
		return write(t, name, one.String())
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for _, c := range []struct {
		file, want string
		line       int
	}{
		{bomb("line.log.gz", logText(0, 30), 'x', 12<<20), "longer than 4 MiB", 31},
		{bomb("line.ndjson.gz", `{"name":"a","time":1772356504}`+"\n"+`{"name":"`, 'x', 12<<20), "longer than 4 MiB", 2},
		{bomb("element.json.gz", `[{"name":"a","time":1772356504},`+"\n"+`{"name":"`, 'x', 12<<20), "longer than 4 MiB", 2},
		{bomb("quote.csv.gz", "time,type,name\n2026-03-01,track,\"", '\n', 12<<20), "longer than 4 MiB", 2},
		{best("bomb.log.gz", 128<<20), "zip bomb", 0},
	} {
		f := newFake(t)
		_, err := Run(context.Background(), f.options(c.file))
		var at *FileError
		if !errors.As(err, &at) || !strings.Contains(err.Error(), c.want) || c.line > 0 && at.Line != c.line || !strings.Contains(err.Error(), filepath.Base(c.file)) {
			t.Errorf("%s: %v", c.file, err)
		}
	}
	runtime.ReadMemStats(&after)
	if grown := int64(after.TotalAlloc - before.TotalAlloc); grown > 600<<20 {
		t.Errorf("%d MiB were allocated", grown>>20)
	}
}

// What cannot be read says what it is, and nothing is sent.
func TestRefusedFiles(t *testing.T) {
	t.Parallel()
	wide := make([]string, 300)
	for i := range wide {
		wide[i] = fmt.Sprintf("column%d", i)
	}
	huge := strings.Repeat("a,", columnsMax) + "b"
	for _, c := range []struct {
		name, text string
		change     func(*Options)
		want       string
	}{
		{"another table", "a,b,c\n1,2,3\n", nil, "a table with the columns a, b, c"},
		{"another JSON", `{"colour":"red","size":3}` + "\n", nil, "the keys colour, size"},
		{"prose", "It was a dark night.\n", nil, "dark night"},
		{"the wrong format", "a,b,c\n1,2,3\n", func(o *Options) { o.Format = "umami" }, "lacks event_id, event_type, created_at, session_id, website_id"},
		{"a log as JSON", logText(0, 3), func(o *Options) { o.Format = "mixpanel" }, "It is an access log"},
		{"no such format", "a,b\n", func(o *Options) { o.Format = "excel" }, `no format "excel"`},
		{"300 unknown columns", strings.Join(wide, ",") + "\n", nil, "and 260 more"},
		{"too many columns", huge + "\n", func(o *Options) { o.Map = "time=b" }, "at most 2000"},
		{"a column twice", "time,Time\n", func(o *Options) { o.Map = "time=time" }, "twice"},
		{"a map of nothing", "a,b\n", func(o *Options) { o.Map = "time=when,name=b" }, "lacks when"},
		{"names that would move a terminal", "a\x1b[2J,b,c\n", nil, "the columns a\uFFFD[2J, b, c"},
		{"Umami's properties alone", "website_event_id,data_key,data_type,string_value\n", nil, "website_event.csv"},
		{"binary", "\x00\x01\x02", nil, "neither text"},
		{"UTF-16", "t\x00i\x00m\x00e\x00", nil, "UTF-16"},
		{"Parquet", "PAR1....", nil, "is Parquet"},
		{"an open quote", "time,type,name\n2026-03-01,track,\"a\n", nil, "never closed"},
		{"a log of another format", strings.Repeat("nonsense\n", 200), func(o *Options) { o.Format = "log" }, "not of the format log"},
		{"a container too many", pack(t, "gzip", pack(t, "gzip", pack(t, "gzip", "x"))), nil, "unpack it yourself"},
		{"a zip in a zip", zipOf(t, "a.zip", zipOf(t, "b", "c")), nil, "give the file itself"},
		{"an empty zip", zipOf(t), nil, "empty"},
		{"GoatCounter's sums", zipOf(t, "info.json", "{}", "hit_stats.jsonl", "{}"), nil, "goatcounter-cli export csv"},
		{"Plausible's sums", zipOf(t, "imported_pages_20260101_20260201.csv", "date,page\n"), nil, "events_v2"},
		{"Umami's sums", zipOf(t, "pages.csv", "x,y\n", "referrers.csv", "x,y\n", "events.csv", "x,y\n"), nil, "top lists"},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := newFake(t)
			o := f.options(write(t, "a.file", c.text))
			if c.change != nil {
				c.change(&o)
			}
			_, err := Run(context.Background(), o)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q", err, c.want)
			}
			if f.requests > 0 {
				t.Errorf("%d requests", f.requests)
			}
		})
	}
	f := newFake(t)
	if _, err := Run(context.Background(), f.options(filepath.Join(t.TempDir(), "none"))); err == nil {
		t.Error("a file that is not there is no error")
	}
	if sum, err := Run(context.Background(), f.options(write(t, "empty", ""))); err != nil || sum.Files != 0 {
		t.Errorf("an empty file: %v", err)
	}
}

// More columns than an event can hold are refused row by row, before the server sees them.
func TestWideRows(t *testing.T) {
	t.Parallel()
	var head, full, sparse []string
	for i := range 300 {
		head, full, sparse = append(head, fmt.Sprint("column", i)), append(full, "x"), append(sparse, "")
	}
	text := "when," + strings.Join(head, ",") + "\n2026-03-01," + strings.Join(full, ",") + "\n2026-03-01," + strings.Join(sparse, ",") + "\n2026-03-01,short\n"
	f := newFake(t)
	o := f.options(write(t, "wide.csv", text))
	o.Map = "time=when,name:=row"
	sum, err := Run(context.Background(), o)
	if err != nil {
		t.Fatal(err)
	}
	if sum.Stored != 1 || sum.Refused["extra: has N keys, at most N are stored; leave columns out with -map '-=COLUMN'"] != 1 || sum.Refused["has N cells and the header has N"] != 1 {
		t.Errorf("%+v", sum)
	}
}
