package mail

import (
	"bytes"
	"flag"
	"io"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net/mail"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"cairn/engine/calendar"
	"cairn/http/native"
	"cairn/http/tables"
)

var updateMail = flag.Bool("mail.update", false, "write the golden mail; read git diff before it is committed")

// overview is the report of a week of a shop, whose answers are in testdata. change may change them.
func overview(t testing.TB, change func(text string) string) *tables.Report {
	t.Helper()
	query := url.Values{"from": {"2026-11-23"}, "to": {"2026-11-29"}, "compare": {"previous"}, "bot": {"false"}}
	r, err := tables.Overview(func(q *native.Question, _ url.Values) ([]byte, error) {
		text, err := os.ReadFile(filepath.Join("testdata", q.Name+".json"))
		if change != nil {
			text = []byte(change(string(text)))
		}
		return text, err
	}, query, tables.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// message is the mail of a report, always the same.
func message(t testing.TB, r *tables.Report) *Message {
	t.Helper()
	from, err := Addresses("Statistics of the shop <cairn@stats.example>")
	if err != nil {
		t.Fatal(err)
	}
	to, err := Addresses("Ada Lovelace <ada@example.com>, bob@example.com")
	if err != nil {
		t.Fatal(err)
	}
	return &Message{
		Report: r, Range: "lastweek", From: from, To: to, ID: "0123456789abcdef",
		Date:      time.Date(2026, 11, 30, 7, 0, 0, 0, time.FixedZone("", 3600)),
		Dashboard: "https://stats.example/dashboard/site/shop?from=2026-11-23&to=2026-11-29&compare=previous",
	}
}

// read is a message as mail programs read it: the header, the text and the HTML.
func read(t testing.TB, text []byte) (header mail.Header, plain, page string) {
	t.Helper()
	for i, c := range text {
		if c == '\n' && (i == 0 || text[i-1] != '\r') || c == '\r' && (i+1 == len(text) || text[i+1] != '\n') || c >= 0x7f || c < ' ' && c != '\r' && c != '\n' {
			t.Fatalf("byte %d is %q", i, c)
		}
	}
	if bytes.Contains(text, []byte("\r\n.\r\n")) {
		t.Error("a line is a dot alone, at which sendmail stops reading")
	}
	top, _, _ := bytes.Cut(text, []byte("\r\n\r\n"))
	for line := range strings.SplitSeq(string(top), "\r\n") {
		if len(line) > 998 || strings.TrimSpace(line) == "" {
			t.Errorf("a line of the header: %q", line)
		}
	}
	for line := range bytes.Lines(text[len(top):]) {
		if len(line) > 78 {
			t.Errorf("a line has %d bytes: %q", len(line), line)
		}
	}
	m, err := mail.ReadMessage(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	for name, values := range m.Header {
		if len(values) != 1 || !slices.Contains([]string{"From", "To", "Subject", "Date", "Message-Id", "Auto-Submitted", "Mime-Version", "Content-Type"}, name) {
			t.Errorf("header %s: %q", name, values)
		}
	}
	kind, params, err := mime.ParseMediaType(m.Header.Get("Content-Type"))
	if err != nil || kind != "multipart/alternative" {
		t.Fatalf("%s: %v", m.Header.Get("Content-Type"), err)
	}
	parts := multipart.NewReader(m.Body, params["boundary"])
	for i := 0; ; i++ {
		part, err := parts.NextRawPart()
		if err == io.EOF && i == 2 {
			return m.Header, plain, page
		}
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(quotedprintable.NewReader(part))
		if err != nil || part.Header.Get("Content-Transfer-Encoding") != "quoted-printable" {
			t.Fatalf("part %d: %v %v", i, part.Header, err)
		}
		switch part.Header.Get("Content-Type") {
		case "text/plain; charset=utf-8":
			plain = string(body)
		case "text/html; charset=utf-8":
			page = string(body)
		default:
			t.Fatalf("part %d: %v", i, part.Header)
		}
	}
}

// The whole mail, as it stands in testdata/overview.eml with lines that end with \n.
func TestGoldenMail(t *testing.T) {
	text, err := message(t, overview(t, nil)).Bytes()
	if err != nil {
		t.Fatal(err)
	}
	got := strings.ReplaceAll(string(text), "\r\n", "\n")
	file := filepath.Join("testdata", "overview.eml")
	if *updateMail {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("the mail is not that of %s; -mail.update writes it:\n%s", file, got)
	}
}

// Mail programs read what was meant, and both parts have the numbers of the answers.
func TestMailIsRead(t *testing.T) {
	r := overview(t, nil)
	m := message(t, r)
	text, err := m.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	header, plain, page := read(t, text)
	subject, err := new(mime.WordDecoder).DecodeHeader(header.Get("Subject"))
	if want := "shop: 131 visitors last week (+7 %)"; err != nil || subject != want {
		t.Errorf("the subject is %q, not %q: %v", subject, want, err)
	}
	to, err := header.AddressList("To")
	if err != nil || len(to) != 2 || *to[0] != (mail.Address{Name: "Ada Lovelace", Address: "ada@example.com"}) || *to[1] != (mail.Address{Address: "bob@example.com"}) {
		t.Errorf("To: %v %v", to, err)
	}
	from, err := header.AddressList("From")
	if err != nil || len(from) != 1 || *from[0] != *m.From[0] {
		t.Errorf("From: %v %v", from, err)
	}
	if date, err := header.Date(); err != nil || !date.Equal(m.Date) {
		t.Errorf("Date: %v %v", date, err)
	}
	if header.Get("Message-Id") != "<0123456789abcdef@stats.example>" || header.Get("Auto-Submitted") != "auto-generated" || header.Get("Mime-Version") != "1.0" {
		t.Errorf("%v", header)
	}
	if want := m.text(); strings.ReplaceAll(plain, "\r\n", "\n") != want {
		t.Errorf("the text is\n%s\nand not\n%s", plain, want)
	}
	shown := shownBy(t, page, m.Dashboard)
	for _, n := range r.Numbers {
		if !strings.Contains(shown, n.Title+"\n"+n.Text+"\n") || !strings.Contains(plain, n.Text) {
			t.Errorf("%s, %s, is missing", n.Title, n.Text)
		}
	}
	rows := 0
	for _, table := range r.Tables {
		for _, row := range table.Rows {
			rows++
			if line := "\n" + row.Cells[0].Text + "\n" + row.Cells[1].Text; !strings.Contains(shown, line) || !strings.Contains(plain, row.Cells[0].Text) {
				t.Errorf("the row %q of %s is missing", line, table.Title)
			}
		}
	}
	if rows < 20 || len(r.Numbers) != 6 {
		t.Errorf("%d rows and %d numbers", rows, len(r.Numbers))
	}
	// By itself it gets another id each time, and the program that sends it says who does.
	m.ID, m.From, m.Host = "", nil, "web1.example"
	ids := map[string]bool{}
	for range 3 {
		text, err := m.Bytes()
		if err != nil {
			t.Fatal(err)
		}
		header, _, _ := read(t, text)
		ids[header.Get("Message-Id")] = regexp.MustCompile(`^<[0-9a-f]{32}@web1\.example>$`).MatchString(header.Get("Message-Id")) && header.Get("From") == ""
	}
	if len(ids) != 3 {
		t.Errorf("the ids are %v", ids)
	}
	for id, ok := range ids {
		if !ok {
			t.Errorf("%s", id)
		}
	}
	if _, err := (&Message{Report: r}).Bytes(); err == nil {
		t.Error("a mail to nobody is made")
	}
}

// Reports of all shapes become a mail: without numbers, without rows, with more rows than a mail has.
func TestMailOfOtherReports(t *testing.T) {
	long := tables.Table{Name: "page", Title: "Pages", Columns: []tables.Column{{Title: "Page"}}, Count: 5000}
	for i := range 12 {
		long.Columns = append(long.Columns, tables.Column{Title: string(rune('A' + i)), Kind: tables.KindCount})
	}
	for range 300 {
		long.Rows = append(long.Rows, tables.Row{Share: 0.5, Cells: slices.Repeat([]tables.Cell{{Text: "12", Number: 12, Has: true}}, len(long.Columns))})
	}
	steps := func(n int, number float64) (list []tables.Step) {
		for range n {
			list = append(list, tables.Step{Label: "2026-11-30", Cell: tables.Cell{Text: "1", Number: number, Has: true}})
		}
		return list
	}
	for _, c := range []struct {
		report  tables.Report
		subject string
		want    []string
	}{
		{tables.Report{Title: "Pages", Site: "shop", Tables: []tables.Table{long}}, "shop: Pages last week", []string{"and 4920 more", "5 more columns"}},
		{tables.Report{Title: "Pages", Tables: []tables.Table{{Title: "Pages", Columns: long.Columns[:2], Empty: "Nobody came."}}}, "cairn: Pages last week", []string{"Nobody came."}},
		{tables.Report{Title: "Overview", Site: "shop", Tail: []string{"This site has no events yet."}}, "shop: Overview last week", []string{"no events yet"}},
		{tables.Report{Title: "Overview", Site: "shop", Tail: []string{".", "."}}, "shop: Overview last week", []string{"\n.\n.\n"}},
		{tables.Report{Title: "Visits", Site: "shop", Series: []tables.Series{{Title: "Visits", Steps: steps(1000, 1)}}}, "shop: Visits last week", nil},
		{tables.Report{Title: "Visits", Site: "shop", Series: []tables.Series{{Title: "Visits", Steps: steps(7, 0)}}}, "shop: Visits last week", nil},
		{tables.Report{Title: "Visits", Site: "shop", Series: []tables.Series{{Title: "Visits", Interval: "day", Steps: steps(30, 1)}}}, "shop: Visits last week", []string{"Visits by day", "at most 1 (2026-11-30)"}},
	} {
		text, err := message(t, &c.report).Bytes()
		if err != nil {
			t.Fatal(err)
		}
		header, _, page := read(t, text)
		if subject := header.Get("Subject"); subject != c.subject {
			t.Errorf("the subject is %q, not %q", subject, c.subject)
		}
		shown := shownBy(t, page, "https://stats.example/dashboard/site/shop?from=2026-11-23&to=2026-11-29&compare=previous")
		for _, want := range c.want {
			if !strings.Contains(shown, want) {
				t.Errorf("%s: %q is missing in\n%s", c.subject, want, shown)
			}
		}
		if len(text) > 400<<10 {
			t.Errorf("%s: %d bytes", c.subject, len(text))
		}
		if strings.Count(page, "height=\"72\" bgcolor") != strings.Count(strings.Join(c.want, ""), "by day")*30 {
			t.Errorf("%s: the chart is wrong", c.subject)
		}
	}
}

// Each range of the API has words.
func TestSubjects(t *testing.T) {
	for _, name := range calendar.RangeNames {
		if rangeWords[name] == "" {
			t.Errorf("%s has no words", name)
		}
	}
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	day := func(d, hour int) time.Time { return time.Date(2026, 11, d, hour, 0, 0, 0, berlin) }
	number := func(key, title, text string, x float64, kind tables.Kind, change string) tables.Number {
		return tables.Number{Key: key, Title: title, Kind: kind, Cell: tables.Cell{Text: text, Number: x, Has: true, Change: tables.Change{Text: change}}}
	}
	visitors := number("visitors", "Visitors", "12,480", 12480, tables.KindCount, "+8.3 %")
	for _, c := range []struct {
		report tables.Report
		named  string
		want   string
	}{
		{tables.Report{Site: "shop", Numbers: []tables.Number{number("visits", "Visits", "5", 5, tables.KindCount, ""), visitors}}, "lastweek", "shop: 12,480 visitors last week (+8 %)"},
		{tables.Report{Site: "shop", Numbers: []tables.Number{number("visitors", "Visitors", "1", 1, tables.KindCount, "-0.3 %")}}, "today", "shop: 1 visitor today (-0.3 %)"},
		{tables.Report{Site: "shop", Numbers: []tables.Number{number("visitors", "Visitors", "1", 1, tables.KindCount, "new")}}, "yesterday", "shop: 1 visitor yesterday (new)"},
		{tables.Report{Site: "shop", Numbers: []tables.Number{number("users", "People", "1", 1, tables.KindCount, "")}}, "today", "shop: 1 person today"},
		{tables.Report{Site: "shop", Numbers: []tables.Number{number("entries", "Entries", "1", 1, tables.KindCount, "")}}, "today", "shop: 1 entry today"},
		{tables.Report{Site: "shop", Numbers: []tables.Number{number("visitors", "Visitors, 5 minutes", "1", 1, tables.KindCount, "")}}, "", "shop: 1 visitor, 5 minutes"},
		{tables.Report{Site: "shop", Numbers: []tables.Number{number("carts_abandoned", "Abandoned carts", "1", 1, tables.KindCount, "")}}, "today", "shop: 1 abandoned cart today"},
		{tables.Report{Site: "shop", Numbers: []tables.Number{number("revenue", "Revenue", "1,234.50", 1234.5, tables.KindMoney, "+1,200 %")}}, "month", "shop: Revenue 1,234.50 this month (+1,200 %)"},
		{tables.Report{Site: "shop", Zone: berlin, From: day(23, 0), To: day(30, 0), Numbers: []tables.Number{visitors}}, "", "shop: 12,480 visitors from 2026-11-23 to 2026-11-29 (+8 %)"},
		{tables.Report{Site: "shop", Zone: berlin, From: day(23, 0), To: day(24, 0), Numbers: []tables.Number{visitors}}, "", "shop: 12,480 visitors on 2026-11-23 (+8 %)"},
		{tables.Report{Site: "shop", Zone: berlin, From: day(23, 8), To: day(24, 0), Numbers: []tables.Number{visitors}}, "", "shop: 12,480 visitors from 2026-11-23 08:00 to 2026-11-24 00:00 (+8 %)"},
		{tables.Report{Title: "Sites"}, "", "cairn: Sites"},
	} {
		if got := subject(&c.report, c.named); got != c.want {
			t.Errorf("%q, not %q", got, c.want)
		}
	}
}

func TestAddresses(t *testing.T) {
	for text, want := range map[string]string{
		"ada@example.com":                              `ada@example.com`,
		"ada@example.com, bob@example.com":             `ada@example.com, bob@example.com`,
		"Ada Lovelace <ada@example.com>":               `Ada Lovelace <ada@example.com>`,
		`"Lovelace, Ada" <ada@example.com>`:            `=?utf-8?q?Lovelace=2C_Ada?= <ada@example.com>`,
		"Zoë <zoe@example.com>":                        `=?utf-8?q?Zo=C3=AB?= <zoe@example.com>`,
		`"=?utf-8?q?evil?=" <a@example.com>`:           `=?utf-8?q?=3D=3Futf-8=3Fq=3Fevil=3F=3D?= <a@example.com>`,
		`"a b"@example.com`:                            "!an address has ASCII letters alone",
		"ada@exämple.com":                              "!an address has ASCII letters alone",
		"ada":                                          "!is no address",
		"":                                             "!is no address",
		"undisclosed recipients:;":                     "!has no address",
		"ada@example.com\r\nBcc: eve@example.com":      "!has a control character",
		"\"A\nBcc: eve@example.com\" <a@example.com>":  "!has a control character",
		"A\xffB <a@example.com>":                       "!has a control character",
		strings.Repeat("a@b.example, ", 100) + "c@d.e": "!100 are the most",
		strings.Repeat("a", 300) + "@example.com":      "!too long",
		strings.Repeat("é", 200) + " <a@example.com>":  "!too long",
	} {
		list, err := Addresses(text)
		if sentence, wrong := strings.CutPrefix(want, "!"); wrong {
			if err == nil || !strings.Contains(err.Error(), sentence) {
				t.Errorf("%.60q: %v, %v", text, list, err)
			}
			continue
		}
		var h header
		h.addresses("To", list)
		if got := h.String(); err != nil || got != "To: "+want+"\r\n" {
			t.Errorf("%.60q: %q, not %q: %v", text, got, want, err)
			continue
		}
		again, err := mail.ParseAddressList(strings.TrimSpace(strings.TrimPrefix(h.String(), "To: ")))
		if err != nil || len(again) != len(list) {
			t.Errorf("%.60q: %v %v", text, again, err)
		}
		for i := range again {
			if *again[i] != *list[i] {
				t.Errorf("%.60q: %v is read as %v", text, list[i], again[i])
			}
		}
	}
}

// The answer of each question becomes a mail whose two parts have its numbers and its rows.
func TestMailOfEachQuestion(t *testing.T) {
	const folder = "../testdata"
	files, err := filepath.Glob(filepath.Join(folder, "*.json"))
	if err != nil {
		t.Fatal(err)
	}
	asked := map[string]bool{}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".json")
		if strings.HasPrefix(name, "overview-") {
			continue
		}
		q, ok := native.QuestionNamed(strings.Replace(name, "-", "/", 1))
		if !ok {
			name, _, _ = strings.Cut(name, "-")
			if q, ok = native.QuestionNamed(name); !ok {
				t.Fatalf("%s is of no question", file)
			}
		}
		asked[q.Name] = true
		answer, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		r, err := tables.Read(&q, url.Values{}, answer, tables.Options{})
		if err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		m := message(t, r)
		text, err := m.Bytes()
		if err != nil {
			t.Fatal(err)
		}
		_, plain, page := read(t, text)
		if want := m.text(); strings.ReplaceAll(plain, "\r\n", "\n") != want || len(want) < 20 {
			t.Errorf("%s: the text is\n%s", file, plain)
		}
		shown := shownBy(t, page, m.Dashboard)
		for _, n := range r.Numbers {
			if !strings.Contains(shown, "\n"+n.Title+"\n"+n.Text) {
				t.Errorf("%s: %s %s is missing", file, n.Title, n.Text)
			}
		}
		left := rowsMax
		for _, table := range r.Tables {
			for _, row := range table.Rows[:min(len(table.Rows), left)] {
				left--
				for _, cell := range row.Cells[:min(len(row.Cells), len(columnsOf(&table)))] {
					if cell.Text != "" && !strings.Contains(shown, "\n"+tables.CutRunes(cell.Text, textMax)+"\n") {
						t.Errorf("%s: %q of %s is missing", file, cell.Text, table.Title)
					}
				}
			}
		}
	}
	for _, q := range native.Questions() {
		if !asked[q.Name] {
			t.Errorf("%s has no answer in %s", q.Name, folder)
		}
	}
}
