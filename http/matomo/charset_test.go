package matomo

import (
	"fmt"
	"net/url"
	"strings"
	"testing"
	"unicode/utf8"

	"golang.org/x/text/encoding/htmlindex"

	"cairn/engine/event"
	"cairn/http/dialect"
)

// found returns the search keyword and the campaign in the url of a page in a charset.
func found(t *testing.T, charset, bytes string) (keyword, campaign string) {
	t.Helper()
	page := "https://shop.example/s?q=" + url.QueryEscape(bytes) + "&mtm_campaign=" + url.QueryEscape(bytes)
	var b dialect.Batch
	req := request(t, "GET", "/matomo.php?idsite=1&rec=1&cs="+url.QueryEscape(charset)+"&url="+url.QueryEscape(page), "")
	if err := New(Options{}).Decode(req, &b); err != nil || len(b.Records) != 1 {
		t.Fatal(err, len(b.Records))
	}
	e := &b.Records[0].Event
	return e.Name, e.Context.Get("utm_campaign").Text
}

// Urls may hold text in the charset of their page.
func TestCharsets(t *testing.T) {
	for _, c := range []struct{ charset, bytes, want string }{
		{"", "gr\xfcn", "gr\xfcn"},
		{"utf-8", "gr\xfcn", "gr\xfcn"},
		{"ISO-8859-1", "gr\xfcn", "grün"},
		{" Latin1\t", "10 \x80", "10 €"},
		{"iso-8859-15", "10 \xa4", "10 €"},
		{"iso-8859-2", "\xbe\xeblu\xbb", "žëluť"},
		{"iso-8859-7", "\xf4\xf3\xdc\xe9", "τσάι"},
		{"windows-1251", "\xf7\xe0\xe9", "чай"},
		{"cp1251", "\xf7\xe0\xe9", "чай"},
		{"koi8-r", "\xde\xc1\xca", "чай"},
		{"KOI8-U", "\xde\xc1\xca", "чай"},
		{"ibm866", "\xe7\xa0\xa9 \xab\xe3\xad\xeb", "чай луны"},
		{"ibm866", "\xe7\xa0\xa9", "砩"}, // a word that happens to be valid UTF-8
		{"windows-1255", "\xfa\xe4", "תה"},
		{"windows-1256", "\xd4\xc7\xed", "شاي"},
		{"tis-620", "\xaa\xd2", "ชา"},
		{"macintosh", "gr\x9fn", "grün"},
		{"Shift_JIS", "\x97\xce\x92\x83", "緑茶"},
		{"sjis", "\xb5\xc1\xac", "ｵﾁｬ"},
		{"EUC-JP", "\xce\xd0\xc3\xe3", "緑茶"},
		{"iso-2022-jp", "\x1b$BNPCc\x1b(B", "緑茶"},
		{"GBK", "\xc2\xcc\xb2\xe8", "绿茶"},
		{"gb2312", "\xc2\xcc\xb2\xe8", "绿茶"},
		{"gb18030", "\xc2\xcc\xb2\xe8\x95\x32\x82\x36", "绿茶𠀀"},
		{"Big5", "\xba\xf1\xaf\xf9", "綠茶"},
		{"EUC-KR", "\xb3\xec\xc2\xf7", "녹차"},
		{"ks_c_5601-1987", "\xb3\xec\xc2\xf7", "녹차"},

		{"GBK", "绿茶", "绿茶"}, // a link in UTF-8
		{"windows-1251", "чай", "чай"},
		{"Shift_JIS", "\x97", "\x97"}, // half a character
		{"EUC-KR", "\xff\xff", "\xff\xff"},
		{"utf-16", "чай", "чай"}, // the urls of such a page are UTF-8
		{"utf-16le", "\xff\xfe", "\xff\xfe"},
		{"hz-gb-2312", "\xc2\xcc", "\xc2\xcc"}, // browsers do not decode this charset
		{"x-user-defined", "\xe1", "\uf7e1"},
		{"nonsense", "gr\xfcn", "gr\xfcn"},
		{strings.Repeat("x", 5000), "gr\xfcn", "gr\xfcn"},
	} {
		keyword, campaign := found(t, c.charset, c.bytes)
		if keyword != c.want || campaign != c.want {
			t.Errorf("%.20q %q: searched for %q, campaign %q, want %q", c.charset, c.bytes, keyword, campaign, c.want)
		}
	}
}

// All texts of a hit are in the charset that it names, also those of a bulk.
func TestCharsetOfEveryText(t *testing.T) {
	for _, c := range []struct{ query, want string }{
		{"action_name=%FCber", `"name":"über","context":{"title":"über"}`},
		{"action_name=%C3%BCber", `"name":"über","context":{"title":"über"}`},
		{"url=https://shop.example/%FCber%3Fq=gr%25FCn&action_name=a", `"name":"grün","context":{"url":"https://shop.example/über?q=gr%FCn","title":"a"}`},
		{"e_c=%FCber&e_a=%E4ndern&e_n=%F6l", `"name":"ändern","properties":{"category":"über","action":"ändern","label":"öl"}`},
		{"search=gr%FCn&search_cat=%F6l", `"name":"grün","properties":{"category":"öl"}`},
		{"c_n=%FC&c_p=%E4", `"name":"ü","properties":{"piece":"ä"}`},
		{"action_name=a&dimension1=%FC&_cvar=" + url.QueryEscape("{\"1\":[\"\xfc\",\"\xe4\"]}"), `"properties":{"dimension1":"ü","_cvar":{"ü":"ä"}}`},
		{"action_name=a&uid=m%FCller", `"user":"müller"`},
	} {
		var b dialect.Batch
		hit := "idsite=1&rec=1&cs=iso-8859-1&" + c.query
		for _, req := range []*dialect.Request{
			request(t, "GET", "/matomo.php?"+hit, ""),
			request(t, "POST", "/matomo.php", hit, "Content-Type", "application/x-www-form-urlencoded"),
			request(t, "POST", "/matomo.php", `{"requests":["?`+hit+`"]}`),
		} {
			b.Reset()
			if err := New(Options{}).Decode(req, &b); err != nil || len(b.Records) != 1 {
				t.Fatal(err, len(b.Records))
			}
			if got := string(event.AppendJSON(nil, &b.Records[0].Event)); !strings.Contains(got, c.want) {
				t.Errorf("%s %s:\n%s\nlacks %s", req.Method, c.query, got, c.want)
			}
		}
	}
}

// Every listed name is known. Its decoder reads ASCII letters and some letters of the charset.
func TestCharsetLabels(t *testing.T) {
	for _, label := range strings.Fields(`utf-8 ibm866 iso-8859-2 iso-8859-3 iso-8859-4 iso-8859-5 iso-8859-6 iso-8859-7
		iso-8859-8 iso-8859-8-i iso-8859-10 iso-8859-13 iso-8859-14 iso-8859-15 iso-8859-16 koi8-r koi8-u macintosh
		windows-874 windows-1250 windows-1251 windows-1252 windows-1253 windows-1254 windows-1255 windows-1256
		windows-1257 windows-1258 x-mac-cyrillic gbk gb18030 big5 euc-jp iso-2022-jp shift_jis euc-kr utf-16be utf-16le
		x-user-defined`) {
		charset, err := htmlindex.Get(label)
		if err != nil {
			t.Errorf("%s: %v", label, err)
			continue
		}
		if got := decodeCharset(charset, "tea"); got != "tea" {
			t.Errorf("%s: the text decodes to %q", label, got)
		}
	}
}

func FuzzCharset(f *testing.F) {
	for _, seed := range [][2]string{{"shift_jis", "\x97\xce\x92\x83"}, {"iso-2022-jp", "\x1b$BNPCc\x1b(B\x1b"}, {"gb18030", "\x95\x32\x82\x36\x81"}, {"utf-16", "\xff\xfea"}, {"", "\xff"}} {
		f.Add(seed[0], seed[1])
	}
	f.Fuzz(func(t *testing.T, label, text string) {
		h := hit{decoder: new(decoder)}
		h.p.v[pCharset] = raw{text: label, sent: true}
		got := h.charset()(text)
		if got != text && !utf8.ValidString(got) {
			t.Fatal(fmt.Errorf("%q in %q decodes to %q", text, label, got))
		}
		if utf8.ValidString(text) && !strings.Contains(text, "\x1b") && got != text {
			t.Fatalf("UTF-8 text %q in %q decodes to %q", text, label, got)
		}
	})
}
