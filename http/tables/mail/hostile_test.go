package mail

import (
	"encoding/json"
	"mime"
	"net/url"
	"slices"
	"strings"
	"testing"

	"cairn/http/tables"
)

// This file tries answers whose texts come from somebody who wants to do harm.

// hostile are texts of strangers.
var hostile = []string{
	"a\r\nBcc: eve@evil.example\r\n\r\n<b>", "\r\n.\r\n", "--=_0123456789abcdef--", "=_0123456789abcdef", "<script>alert(1)</script>", `"><img src=https://evil.example/x.png>`,
	`</td></tr></table><a href="https://evil.example">`, "\u202eevil\u202c", "\u200b", "https://evil.example/login?a=b", "javascript:alert(1)", "{{.Subject}}", "=?utf-8?q?evil?=", "=?utf-8?b?PGI+?=",
	"\x1b[31mred", "\x00", "\xff\xfe", strings.Repeat("long", 512), strings.Repeat("é", 700), "e\u0301\u0301\u0301\u0301\u0301\u0301\u0301", "🏳️‍🌈", "' onmouseover='alert(1)", "%zz", "&lt;b&gt;", "From me", ".", "NUL\tTAB",
}

// Whatever the answers hold: the message has its header and its two parts, the page nothing but tables,
// and what is shown is the text.
func TestHostileMail(t *testing.T) {
	for _, text := range hostile {
		quoted, err := json.Marshal(text)
		if err != nil {
			t.Fatal(err)
		}
		inside := string(quoted[1 : len(quoted)-1])
		r := overview(t, func(answer string) string {
			answer = strings.NewReplacer(`"site":"shop"`, `"site":"`+inside+`"`, `"name":"shop"`, `"name":"`+inside+`"`, `"zone":"Europe/Berlin"`, `"zone":"`+inside+`"`).Replace(answer)
			for _, value := range []string{"/pricing", "/docs", "search", "direct", "DE", "Chrome", "signup"} {
				answer = strings.ReplaceAll(answer, `"value":"`+value+`"`, `"value":"`+inside+value+`"`)
			}
			return answer
		})
		if len(r.Numbers) == 0 || len(r.Tables) == 0 {
			t.Fatalf("%.40q: %d numbers", text, len(r.Numbers))
		}
		m := message(t, r)
		m.Head(text)
		m.Range = ""
		m.From[0].Name, m.To[0].Name = cutBytes(text), cutBytes(text)
		m.Dashboard = "https://stats.example/dashboard/site/" + url.PathEscape(text)
		if len(m.Dashboard) > 900 {
			m.Dashboard = "https://stats.example/dashboard"
		}
		whole, err := m.Bytes()
		if err != nil {
			t.Fatal(err)
		}
		header, plain, page := read(t, whole)
		subject, err := new(mime.WordDecoder).DecodeHeader(header.Get("Subject"))
		if want := tables.CutRunes(r.Site+": 131 visitors from 2026-11-22 23:00 to 2026-11-29 23:00 (+7 %)", subjectMax); err != nil || subject != want || r.Site != tables.Safe(string([]rune(text))) {
			t.Errorf("%.40q: the subject is %q: %v", text, subject, err)
		}
		for _, name := range []string{"From", "To"} {
			list, err := header.AddressList(name)
			if err != nil || !strings.HasSuffix(list[0].Address, ".example") && !strings.HasSuffix(list[0].Address, ".com") || strings.ContainsAny(list[0].Name, "\r\n\x00\x1b") {
				t.Errorf("%.40q: %s: %v %v", text, name, list, err)
			}
		}
		shown := shownBy(t, page, m.Dashboard)
		for what, body := range map[string]string{"text": strings.ReplaceAll(plain, "\r\n", "\n"), "page": shown} {
			if safe := strings.Map(func(r rune) rune {
				if r == '\n' {
					return -1
				}
				return r
			}, body); tables.Safe(safe) != safe {
				t.Errorf("%.40q: the %s has a character that cannot be seen: %q", text, what, body)
			}
		}
		if name := tables.CutRunes(tables.Safe(text+"/pricing"), textMax); !strings.Contains(shown, "\n"+name+"\n") && !strings.Contains(shown, name) {
			t.Errorf("%.40q: the page lacks %q:\n%s", text, name, shown)
		}
	}
}

// Head puts a text into the head of the report.
func (m *Message) Head(text string) {
	m.Report.Head = append(m.Report.Head, tables.Line{Name: "Filters", Text: tables.Safe("name=" + text)})
}

// cutBytes is a name as long as Addresses lets one be.
func cutBytes(text string) string {
	if len(text) > nameBytes {
		text = strings.ToValidUTF8(text[:nameBytes], "")
	}
	return text
}

// No piece of a text is an address, nor longer than a column is wide.
func TestPieces(t *testing.T) {
	for _, text := range append(slices.Clone(hostile), "", "/", "/blog/a.html?x=1&y=2", strings.Repeat("e\u0301", 50), "a "+strings.Repeat("b", 19)+" c") {
		list := pieces(text)
		if got := strings.Join(list, ""); got != text {
			t.Errorf("%q becomes %q", text, list)
		}
		for i, piece := range list {
			words := strings.Fields(piece)
			for _, word := range words {
				if n := len([]rune(strings.ReplaceAll(word, "\u0301", ""))); n > pieceMax {
					t.Errorf("%.40q: a piece has %d characters: %q", text, n, piece)
				}
			}
			if at := strings.IndexAny(piece, "./:@?&="); at >= 0 && at < len(piece)-1 && i < len(list)-1 {
				t.Errorf("%.40q: the piece %q goes on", text, piece)
			}
		}
	}
}
