package mail

import (
	"mime"
	"testing"
	"time"

	"cairn/http/tables"
)

// Whatever the texts of a report and the names of those who get it are: there is a message with its two
// parts, and the subject is what was meant.
func FuzzMail(f *testing.F) {
	for _, text := range hostile {
		f.Add(text, text, text)
	}
	f.Add("shop", "/a", "Ada")
	f.Fuzz(func(t *testing.T, site, value, name string) {
		if len(site)+len(value)+len(name) > 4096 {
			return
		}
		site, value = tables.Safe(site), tables.Safe(value)
		r := &tables.Report{Title: "Pages", Site: site, Zone: time.UTC, Head: []tables.Line{{Name: "Filters", Text: value}}, Tail: []string{value}, Tables: []tables.Table{{
			Title: "Pages", Columns: []tables.Column{{Title: "Page"}, {Title: "Views", Kind: tables.KindCount}},
			Rows: []tables.Row{{Share: 1, Cells: []tables.Cell{{Text: value, Has: true}, {Text: "1", Number: 1, Has: true}}}},
		}}}
		m := message(t, r)
		m.To[0].Name = cutBytes(name)
		text, err := m.Bytes()
		if err != nil {
			t.Fatal(err)
		}
		header, _, page := read(t, text)
		if to, err := header.AddressList("To"); err != nil || len(to) != 2 || to[0].Address != "ada@example.com" {
			t.Errorf("To: %v %v in %q", to, err, header.Get("To"))
		}
		if site == "" {
			site = "cairn"
		}
		subject, err := new(mime.WordDecoder).DecodeHeader(header.Get("Subject"))
		if want := tables.CutRunes(site+": Pages last week", subjectMax); err != nil || subject != want {
			t.Errorf("the subject %q is read as %q: %v", want, subject, err)
		}
		shownBy(t, page, m.Dashboard)
	})
}
