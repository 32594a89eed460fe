package importer

import (
	"context"
	"strings"
	"testing"
)

// -map says what the columns of any table or JSON are, alone or over a preset.
func TestMap(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, text, mapped, format, want string }{
		{"a table", "TS,Event Column,uid,plan,colour\n2026-03-01 09:00:00,order,ada,pro,red\n", "time=ts,name=event column,user=uid,prop.plan=plan", "",
			`{"type":"track","name":"order","time":"2026-03-01T09:00:00.000Z","user":"ada","message_id":"ID","properties":{"plan":"pro"},"extra":{"colour":"red"}}`},
		{"all other columns", "ts;what;Plan;n\n1772356504;a;pro;3\n", "time=ts,name=what,prop.*=*", "",
			`{"type":"track","name":"a","time":"2026-03-01T09:15:04.000Z","message_id":"ID","properties":{"Plan":"pro","n":"3"}}`},
		{"JSON with objects", `{"when":1772356504,"user":{"id":7,"plan":"pro"},"page":{"url":"https://a.example/"},"x":[1]}`, "time=when,user=user.id,prop.plan=user.plan,c.url=page/url,type:=page", "",
			`{"type":"page","time":"2026-03-01T09:15:04.000Z","user":"7","message_id":"ID","properties":{"plan":"pro"},"context":{"url":"https://a.example/"},"extra":{"x":[1]}}`},
		{"an array", `[{"when":1772356504,"e":"a","id":"x"}]`, "time=when,name=e,message_id=id", "",
			`{"type":"track","name":"a","time":"2026-03-01T09:15:04.000Z","message_id":"x"}`},
		{"over a preset", "{\"event\":\"a\",\"properties\":{\"time\":1772356504,\"distinct_id\":\"d\",\"$insert_id\":\"i\",\"plan\":\"pro\",\"price\":\"9.50\"}}\n", "value=properties/price,-=properties/plan", "mixpanel",
			`{"type":"track","name":"a","time":"2026-03-01T09:15:04.000Z","user":"d","message_id":"i","value":9.5}`},
		{"columns that are left out", "ts,what,secret\n1772356504,a,x\n", "time=ts,name=what,-=secret", "",
			`{"type":"track","name":"a","time":"2026-03-01T09:15:04.000Z","message_id":"ID"}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := newFake(t)
			o := f.options(write(t, "file", c.text))
			o.Map, o.Format = c.mapped, c.format
			if _, err := Run(context.Background(), o); err != nil {
				t.Fatal(err)
			}
			got := strings.TrimSpace(f.body.String())
			if at := strings.Index(got, `"message_id":"`); strings.Contains(c.want, `"ID"`) && at >= 0 {
				end := at + 14 + strings.IndexByte(got[at+14:], '"')
				got = got[:at+14] + "ID" + got[end:]
			}
			if got != c.want {
				t.Errorf("got\n%s\nwant\n%s", got, c.want)
			}
		})
	}
	for _, c := range [][2]string{
		{"", "empty"}, {"time", "FIELD=COLUMN"}, {"when=ts", `"when" is not a field`}, {"c.colour=x", "not a key of a context"},
		{"prop.=x", "names nothing"}, {"prop.*:=x", "fixed text"}, {"c.url=", "FIELD=COLUMN"},
	} {
		if _, err := parseMap(c[0]); err == nil || !strings.Contains(err.Error(), c[1]) {
			t.Errorf("-map %q: %v", c[0], err)
		}
	}
}

// Times of other tools are read whatever their form.
func TestTimes(t *testing.T) {
	for text, want := range map[string]int64{
		"2026-03-01T09:15:04Z": 1772356504000, "2026-03-01 09:15:04": 1772356504000, "2026-03-01 09:15:04.123456": 1772356504123,
		"2026-03-01 10:15:04+01": 1772356504000, "2026-03-01T10:15:04.5+01:00": 1772356504500, "2026-03-01 09:15:04 UTC": 1772356504000,
		"2026-03-01 04:15:04 -0500": 1772356504000, "2026-03-01 09:15": 1772356500000, "2026-03-01": 1772323200000,
		"1772356504": 1772356504000, "1772356504123": 1772356504123, "1772356504123456": 1772356504123, "1772356504.25": 1772356504250,
	} {
		if got, ok := timeOf(text); !ok || got != want {
			t.Errorf("%s: %d %v, want %d", text, got, ok, want)
		}
	}
	for _, text := range []string{"", "yesterday", "2026-02-30", "2026-13-01", "2026-03-01 25:00:00", "2026-03-01T09:15:04+1", "2026-03-01 09:15:04 CET", "12", "2026-03-01 09:15:04."} {
		if got, ok := timeOf(text); ok {
			t.Errorf("%q is %d", text, got)
		}
	}
}

// Formats that the operator describes in the words of nginx or Apache.
func TestLogFormats(t *testing.T) {
	t.Parallel()
	const agent = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"
	for _, c := range []struct{ format, line, want string }{
		{`$host $remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent "$http_referer" "$http_user_agent" $request_time`,
			`tea.example 192.0.2.7 - - [01/Mar/2026:09:15:04 +0000] "GET /a?b=1 HTTP/1.1" 200 12 "-" "` + agent + `" 0.250`,
			`"context":{"url":"https://tea.example/a?b=1","path":"/a"},"extra":{"duration":250},"source":{"ip":"192.0.2.7","user_agent":"` + agent + `"}`},
		{`%v:%p %h %l %u %t "%r" %>s %O "%{Referer}i" "%{User-Agent}i" %D`,
			`tea.example:80 192.0.2.7 - ada [01/Mar/2026:09:15:04 +0000] "GET /a HTTP/1.1" 200 12 "https://x.example/" "an \"odd\" one" 1500`,
			`"user":"ada"`},
		{`$time_iso8601|$http_x_forwarded_for|$request_method|$request_uri|$status`,
			`2026-03-01T09:15:04+00:00|198.51.100.9, 10.0.0.1|GET|/a|200`, `"source":{"ip":"198.51.100.9"}`},
		{`%t %a %m %U%q %s`, "", "nothing stands between"},
		{`$remote_addr $request`, "", "no time"},
		{`$time_local $remote_addr`, "", "no request"},
	} {
		f := newFake(t)
		o := f.options(write(t, "a.log", c.line+"\n"))
		o.LogFormat = c.format
		_, err := Run(context.Background(), o)
		if c.line == "" {
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%s: %v", c.format, err)
			}
			continue
		}
		if err != nil || !strings.Contains(f.body.String(), c.want) || !strings.Contains(f.body.String(), `"time":"2026-03-01T09:15:04.000Z"`) {
			t.Errorf("%s: %v\n%s", c.format, err, &f.body)
		}
	}
}

// -all keeps what is left out otherwise, under names that tell it apart from pages.
func TestAllOfALog(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	o := f.options("testdata/access.log")
	o.All = true
	sum, err := Run(context.Background(), o)
	if err != nil {
		t.Fatal(err)
	}
	if sum.Stored != 9 || len(sum.LeftOut) != 1 {
		t.Errorf("%+v", sum)
	}
	for _, want := range []string{`"type":"track","name":"error"`, `"type":"track","name":"POST"`, `"name":"/style.css"`, "Googlebot"} {
		if strings.Count(f.body.String(), want) != 1 {
			t.Errorf("%s is there %d times", want, strings.Count(f.body.String(), want))
		}
	}
}

// Visitors of a log are told apart, have the same id on one day, and another one with another key.
func TestVisitorsOfALog(t *testing.T) {
	t.Parallel()
	ids := newVisitorIDs("a")
	other := newVisitorIDs("b")
	h := hit{client: "192.0.2.7", agent: "x", time: 1772356504000}
	id := ids.id(&h)
	if again := ids.id(&h); again != id || len(id) != 22 {
		t.Errorf("%q and %q", id, again)
	}
	seen := map[string]bool{id: true, other.id(&h): true}
	for _, h := range []hit{
		{client: "192.0.2.8", agent: "x", time: 1772356504000}, {client: "192.0.2.7", agent: "y", time: 1772356504000}, {client: "192.0.2.7", agent: "x", time: 1772356504000 + 86_400_000},
	} {
		seen[ids.id(&h)] = true
	}
	if len(seen) != 5 {
		t.Errorf("%d ids of 5 visitors", len(seen))
	}
}

// Cells may hold commas, quotes and line ends, and quotes where they should not be.
func TestCells(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"a,b,c\n":                            "a|b|c",
		"\"a,\"\"1\"\"\",b,\"\"\n":           `a,"1"|b|`,
		"\"two\nlines\",\"and\r\nmore\",x\n": "two\nlines|and\r\nmore|x",
		"5\" disk,\"a\"b,c\n":                `5" disk|ab|c`,
		",,\n":                               "||",
		"a,b,\"c\"":                          "a|b|c",
	} {
		m := &member{in: newReader("x,y,z\n" + text)}
		r, err := newCSV(m, []string{"x", "y", "z"}, ',', emptyTable(target{slot: slotProp}))
		if err != nil {
			t.Fatal(err)
		}
		var b builder
		if _, _, err := r.next(&b); err != nil || strings.Join(r.cells, "|") != want {
			t.Errorf("%q: %q %v", text, r.cells, err)
		}
	}
	m := &member{in: newReader("x\ty\tz\na\\tb\t\\N\tback\\\\slash\n")}
	r, err := newCSV(m, []string{"x", "y", "z"}, '\t', emptyTable(target{slot: slotProp}))
	if err != nil {
		t.Fatal(err)
	}
	var b builder
	if _, _, err := r.next(&b); err != nil || strings.Join(r.cells, "|") != "a\tb||back\\slash" {
		t.Errorf("%q %v", r.cells, err)
	}
}
