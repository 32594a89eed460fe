package event

import (
	"encoding/hex"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"
)

// browserEvent has a context as Segment's SDK for browsers sends it.
func browserEvent() *Event {
	const context = `{"page":{"path":"/p/1","referrer":"","search":"?a=b","title":"Über \"uns\"","url":"https://shop.example/p/1?a=b"},` +
		`"userAgent":"Mozilla/5.0","userAgentData":{"brands":[{"brand":"Chromium","version":"140"}],"mobile":false},"locale":"de-DE","timezone":null,` +
		`"library":{"name":"analytics.js","version":"next-1.84.3"},"screen":{"width":1280,"density":1.50},"a.b":{"":[]},"deep":{"one":{"two":{"three":1}}},"none":{}}`
	return &Event{
		Dialect: Segment, Type: Page, Name: "p", MessageID: "ajs-next-1795862399123-0b8e8c5e-0f0f-4b0a-9a36-dedd4bea2501",
		Context: Object{{"language", Str("de-DE")}, {"path", Str("/p/1")}, {"url", Str("https://shop.example/p/1?a=b")}},
		Extra:   Object{{"context", Raw(context)}, {"contextual", Str("x")}, {"integrations", Raw(`{"All":true}`)}},
	}
}

// fieldsOf returns the fields of a record, with KeySep as a slash, and the cells of some.
func fieldsOf(t *testing.T, record []byte) (fields []string, cells map[string]string) {
	t.Helper()
	cells = make(map[string]string)
	if err := ScanRecord(record, new(Ints), func(field, cell []byte) error {
		name := strings.ReplaceAll(string(field), KeySep, "/")
		fields, cells[name] = append(fields, name), string(cell)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return fields, cells
}

// A server's context that names a session and a page is stored in pieces: nearly every one is
// another, but not what is in it. The shorter one of a library that names itself is stored whole.
func TestContextsOfServers(t *testing.T) {
	const url = "https://www.shop.example/products/red-item-1.html"
	for context, want := range map[string][]string{
		`{"library":{"name":"@segment/analytics-node","version":"3.1.0"}}`:                {"xcontext"},
		`{"sessionId":"0123456789abcdef","page":{"url":"` + url + `"}}`:                   {"xcontext", "xcontext/sessionId"},
		`{"page":{"url":"` + url + `"},"x":"` + strings.Repeat("x", splitBytesMin) + `"}`: {"xcontext", "xcontext/x"},
	} {
		e := &Event{Dialect: Segment, Type: Track, Name: "n", Context: Object{{"url", Str(url)}}, Extra: Object{{"context", Raw(context)}}}
		record := AppendRecord(nil, &Head{}, AppendBody(nil, e))
		fields, _ := fieldsOf(t, record)
		if at := slices.Index(fields, "xcontext"); at < 0 || !slices.Equal(fields[at:], want) {
			t.Errorf("%s: the fields are %q, want %q at the end", context, fields, want)
		}
	}
}

// A large object of Extra is stored as its shape and its values. A value that the context
// has as well is not stored again.
func TestObjectsInPieces(t *testing.T) {
	e := browserEvent()
	record := AppendRecord(nil, &Head{}, AppendBody(nil, e))
	fields, cells := fieldsOf(t, record)
	i := slices.Index(fields, "xcontext")
	want := []string{
		"xcontext", "xcontext/deep/one/two", "xcontext/library/name", "xcontext/library/version", "xcontext/page/referrer", "xcontext/page/search", "xcontext/page/title",
		"xcontext/screen/density", "xcontext/screen/width", "xcontext/timezone", "xcontext/userAgent", "xcontext/userAgentData/brands", "xcontext/userAgentData/mobile",
		"xcontextual", "xintegrations",
	}
	if i < 0 || !slices.Equal(fields[i:], want) {
		t.Errorf("the fields are %q", fields)
	}
	shape := `o{"page":{"path":` + "\x02\x21" + `,"referrer":` + "\x01" + `,"search":` + "\x01" + `,"title":` + "\x01" + `,"url":` + "\x02\x20" + `},"userAgent":` + "\x01" +
		`,"userAgentData":{"brands":` + "\x01" + `,"mobile":` + "\x01" + `},"locale":` + "\x02\x24" + `,"timezone":` + "\x01" + `,"library":{"name":` + "\x01" + `,"version":` + "\x01" +
		`},"screen":{"width":` + "\x01" + `,"density":` + "\x01" + `},"a.b":{"":[]},"deep":{"one":{"two":` + "\x01" + `}},"none":{}}`
	for field, cell := range map[string]string{
		"xcontext": shape, "xcontext/page/title": `sÜber "uns"`, "xcontext/page/referrer": "s", "xcontext/timezone": "n", "xcontext/userAgentData/mobile": "f",
		"xcontext/screen/density": "d1.50", "xcontext/deep/one/two": `j{"three":1}`, "xcontext/userAgentData/brands": `j[{"brand":"Chromium","version":"140"}]`, "xintegrations": `j{"All":true}`,
	} {
		if cells[field] != cell {
			t.Errorf("%s is %q, want %q", field, cells[field], cell)
		}
	}
	if n := BodyCells(AppendBody(nil, e)); n < len(fields) || n > len(fields)+2 {
		t.Errorf("at most %d cells are expected, there are %d", n, len(fields))
	}
	read, err := DecodeRecord(record)
	if err != nil || string(AppendJSON(nil, read)) != string(AppendJSON(nil, e)) {
		t.Errorf("%v, read back\n%s\nwant\n%s", err, AppendJSON(nil, read), AppendJSON(nil, e))
	}
}

// TestPiecesGolden checks that the bytes of an object in pieces do not change.
func TestPiecesGolden(t *testing.T) {
	record := AppendRecord(nil, &Head{}, AppendBody(nil, browserEvent()))
	file := "testdata/record-v1-pieces.hex"
	if *rewrite {
		if err := os.WriteFile(file, []byte(hex.Dump(record)), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil || hex.Dump(record) != string(want) {
		t.Errorf("%v, the bytes of a record have changed:\n%s", err, hex.Dump(record))
	}
}

// A context field is referred to once. So an event is at most about twice as large as its
// record.
func TestOneReferenceToAField(t *testing.T) {
	url := "https://a.example/" + strings.Repeat("u", 4000)
	e := &Event{Dialect: Native, Type: Track, Context: Object{{"url", Str(url)}}}
	for i := range 30 {
		e.Extra = append(e.Extra, Member{fmt.Sprint("k", i), Raw(fmt.Sprintf(`{"url":%q,"a":{"url":%q}}`, url, url))})
	}
	body := AppendBody(nil, e)
	if n := strings.Count(string(body), url); n != 60 {
		t.Errorf("the record has %d of 61 texts, want 60", n)
	}
}

// The pieces of an event are bounded, in number and in the length of their fields.
func TestBoundsOfPieces(t *testing.T) {
	var long, many []string
	for i := range 200 {
		long = append(long, fmt.Sprintf(`"%s%03d":{"%s":%d}`, strings.Repeat("l", 100), i, strings.Repeat("m", 100), i))
		many = append(many, fmt.Sprintf(`"k%d":%d`, i, i))
	}
	e := &Event{Dialect: Native, Type: Track, Extra: Object{{"long", Raw("{" + strings.Join(long, ",") + "}")}, {"many", Raw("{" + strings.Join(many, ",") + "}")}, {"more", Raw("{" + strings.Join(many, ",") + "}")}}}
	if err := Validate(e); err != nil {
		t.Fatal(err)
	}
	record := AppendRecord(nil, &Head{}, AppendBody(nil, e))
	fields, cells := fieldsOf(t, record)
	if len(fields) != 2+3+piecesMax || cells["xlong"][0] != tagJSON || cells["xmore"][0] != tagJSON || !strings.Contains(cells["xmany"], `"k127":`+"\x01"+`,"k128":128`) {
		t.Errorf("%d fields", len(fields))
	}
	if read, err := DecodeRecord(record); err != nil || string(AppendJSON(nil, read)) != string(AppendJSON(nil, e)) {
		t.Errorf("read back %v", err)
	}
}

// A record whose pieces are not those of its shapes is damaged.
func TestDamagedPieces(t *testing.T) {
	record := AppendRecord(nil, &Head{}, AppendBody(nil, browserEvent()))
	for name, change := range map[string][2]string{
		"unknown reference":      {"\x02\x21", "\x02\x7e"},
		"reference to nothing":   {"\x02\x21", "\x02\x22"},
		"another key":            {`"search":`, `"saarch":`},
		"a hole is filled":       {`"search":` + "\x01", `"search":1`},
		"a value becomes a hole": {`"":[]`, `"":` + "\x01]"},
		"another piece":          {"xcontext\x01page\x01title", "xcontext\x01page\x01titlf"},
		"no shape":               {"o{", "j{"},
	} {
		if !strings.Contains(string(record), change[0]) {
			t.Fatalf("%s: the record has no %q", name, change[0])
		}
		if e, err := DecodeRecord([]byte(strings.Replace(string(record), change[0], change[1], 1))); !errors.Is(err, ErrCorrupt) {
			t.Errorf("%s: %v, %+v", name, err, e)
		}
	}
	for name, cells := range map[string][][2]string{
		"no shape":       {{"xa\x01b", "d1"}},
		"another object": {{"xa", "o{\"b\":\x01}"}, {"xb\x01b", "d1"}},
		"no piece":       {{"xa", "o{\"b\":\x01}"}},
		"one too many":   {{"xa", "o{\"b\":\x01}"}, {"xa\x01b", "d1"}, {"xa\x01c", "d1"}},
	} {
		e := new(Event)
		for _, c := range cells {
			if err := e.SetCell(c[0], []byte(c[1])); err != nil {
				t.Fatal(err)
			}
		}
		if err := e.Finish(); !errors.Is(err, ErrCorrupt) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// The number of a reference to the context never changes: records have it.
func TestReferences(t *testing.T) {
	for _, c := range []struct{ key, fields string }{
		{"url", "url"}, {"path", "path"}, {"title", "title"}, {"referrer", "referrer"}, {"locale", "language"}, {"language", "language"}, {"timezone", "timezone"},
		{"name", "os utm_campaign"}, {"version", "os_version"}, {"manufacturer", "brand"}, {"brand", "brand"}, {"model", "model"}, {"type", "device"},
		{"country", "country"}, {"region", "region"}, {"city", "city"}, {"source", "utm_source"}, {"medium", "utm_medium"}, {"term", "utm_term"}, {"content", "utm_content"}, {"other", ""},
	} {
		var fields []string
		RefPaths("context.a."+c.key, func(shape, rest, term, field string) {
			if shape == "xcontext" && rest == "a."+c.key && len(term) == 2 && term[0] == holeRef {
				fields = append(fields, field[1:])
			}
		})
		if got := strings.Join(fields, " "); got != c.fields {
			t.Errorf("%s refers to %q, want %q", c.key, got, c.fields)
		}
	}
	for _, key := range refKeys {
		if contextKind(key) != String {
			t.Errorf("%s is not a text of the context", key)
		}
	}
}

// The message ids of Segment's SDKs take 24 bytes. Ids that only look like them are strings.
func TestSDKMessageIDs(t *testing.T) {
	const id = "1795862399123-0b8e8c5e-0f0f-4b0a-9a36-dedd4bea2501"
	for _, s := range []string{"ajs-next-" + id, "node-next-" + id} {
		cell := AppendCell(nil, Str(s))
		if len(cell) != 24 || !validCell(cell) || CellValue(cell) != Str(s) || string(AppendCellTerm(nil, cell)) != s || !CellIsString(cell) {
			t.Errorf("%s has the cell %q", s, cell)
		}
		old := append([]byte{tagString}, s...)
		if !validCell(old) || string(Repacked(old, nil)) != string(cell) || CellValue(old) != Str(s) {
			t.Errorf("the cell of an older cairn is not read: %q", old)
		}
		if CompareCells(old, cell) == 0 || string(Repacked(cell, nil)) != string(cell) {
			t.Errorf("the old and the new cell of %s are one", s)
		}
	}
	for _, s := range []string{
		"ajs-next-0795862399123-0b8e8c5e-0f0f-4b0a-9a36-dedd4bea2501", "ajs-next-+795862399123-0b8e8c5e-0f0f-4b0a-9a36-dedd4bea2501", "ajs-next-1795862399123-0B8e8c5e-0f0f-4b0a-9a36-dedd4bea2501",
		"ajs-next_1795862399123-0b8e8c5e-0f0f-4b0a-9a36-dedd4bea2501", "ajs-next-1795862399123_0b8e8c5e-0f0f-4b0a-9a36-dedd4bea2501", "node-next1795862399123-0b8e8c5e-0f0f-4b0a-9a36-dedd4bea25011",
	} {
		if cell := AppendCell(nil, Str(s)); cell[0] != tagString || !validCell(cell) {
			t.Errorf("%s has the cell %q", s, cell)
		}
	}
	// Cells are ordered as their texts.
	rng := rand.New(rand.NewPCG(1, 2))
	var texts []string
	for range 300 {
		texts = append(texts, fmt.Sprintf("%s%d-%08x-1111-4222-8333-%012x", sdkIDs[rng.IntN(2)], 1_000_000_000_000+rng.Int64N(3)*4_000_000_000_000, rng.Uint32N(3), rng.Uint64N(3)), fmt.Sprint("b", rng.IntN(9)), "ajs-next-1")
	}
	slices.Sort(texts)
	cells := make([][]byte, len(texts))
	for i, s := range texts {
		cells[i] = AppendCell(nil, Str(s))
	}
	if !slices.IsSortedFunc(cells, CompareCells) {
		t.Error("the cells are not ordered as their texts")
	}
	for i := range cells[1:] {
		if CellKey(cells[i], 2) > CellKey(cells[i+1], 2) && texts[i][:2] == texts[i+1][:2] {
			t.Errorf("the keys of %q and %q are out of order", texts[i], texts[i+1])
		}
	}
}

// FuzzPieces: an object of Extra reads back as it was sent, and what is found in its pieces
// is what is found in the whole object.
func FuzzPieces(f *testing.F) {
	e := browserEvent()
	f.Add("context", e.Extra[0].Value.Text, "https://shop.example/p/1?a=b", "de-DE")
	f.Add("a.b", `{"":{"":1},"a.b":1,"a":{"b":2,"url":"u","":{"name":"u"}},"c\nd":[1,{"a":"\u0001"}],"pad":"`+strings.Repeat("x", 128)+`"}`, "u", "u")
	f.Add("x", `{"a":{"b":{"c":{"d":[{"e":[]}]}}},"`+strings.Repeat("k", 158)+`":1,"t":true,"n":null,"e":1e5}`, "", "\"")
	f.Fuzz(func(t *testing.T, key, object, url, language string) {
		e := &Event{Dialect: Segment, Type: Track, Context: Object{{"language", Str(language)}, {"url", Str(url)}}, Extra: Object{{key, Raw(object)}, {key + "2", Str(url)}}}
		if Validate(e) != nil {
			return
		}
		record := AppendRecord(nil, &Head{}, AppendBody(nil, e))
		read, err := DecodeRecord(record)
		if err != nil {
			t.Fatal(err)
		}
		if err := e.Finish(); err != nil {
			t.Fatal(err)
		}
		if fmt.Sprint(read.Extra) != fmt.Sprint(e.Extra) {
			t.Fatalf("read back\n%q\nwant\n%q", read.Extra, e.Extra)
		}
		cells := make(map[string][]byte)
		if err := ScanRecord(record, new(Ints), func(field, cell []byte) error {
			cells[string(field)] = slices.Clone(cell)
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		has := func(field, path, term string) (found bool) {
			CellLeaves(cells[field], func(p, t string) bool {
				found = found || p == path && t == term
				return !found
			})
			return found
		}
		inPieces := func(path, term string) bool {
			found := has("x"+path, "", term)
			for i := range path {
				found = found || path[i] == '.' && has("x"+path[:i], path[i+1:], term)
			}
			PiecePaths(path, func(field, rest string) { found = found || has(field, rest, term) })
			RefPaths(path, func(shape, rest, ref, field string) {
				found = found || has(shape, rest, ref) && has(field, "", term)
			})
			return found
		}
		for _, m := range e.Extra {
			CellLeaves(AppendCell(nil, m.Value), func(path, term string) bool {
				if path = strings.TrimSuffix(m.Key+"."+path, "."); !inPieces(path, term) {
					t.Errorf("%q is not found at %q", term, path)
				}
				return !t.Failed()
			})
		}
	})
}
