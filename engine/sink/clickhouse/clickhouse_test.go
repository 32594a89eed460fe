package clickhouse

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"cairn/engine/export"
	"cairn/engine/sink"
	"cairn/engine/sink/clickhouse/clickhousetest"
)

// The database of the tests.
const testDatabase = "cairn_test"

// eachServer runs a test against the server that Debian has, and against a newer one where one is named.
func eachServer(t *testing.T, test func(t *testing.T, url string)) {
	t.Run("debian", func(t *testing.T) { test(t, clickhousetest.Start(t).URL) })
	t.Run("newer", func(t *testing.T) {
		url := os.Getenv(clickhousetest.Env)
		if url == "" {
			t.Skip(clickhousetest.Env + " names no newer server")
		}
		drop := func() { clickhousetest.Query(t, url, "DROP DATABASE IF EXISTS "+testDatabase) }
		drop()
		t.Cleanup(drop)
		test(t, url)
	})
}

// open makes the sink and its table.
func open(t *testing.T, url string) *Sink {
	t.Helper()
	s, err := New(Options{URL: url, Database: testDatabase, Create: true}) // without a TTL: some rows are of 1990
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	if err := s.Open(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.lost = time.Time{} // no process was before
	return s
}

var testSite = sink.Site{Number: 7, Name: `o'Neil\`}

// rowOf makes a line in the form of a sink.
func rowOf(form sink.Form, store uint64, site string, seq uint64, received int64, more map[string]any) []byte {
	row := map[string]any{"store": store, "site": site, "seq": seq, "id": fmt.Sprintf("%032x", seq), "type": "page", "dialect": "native", "person": seq % 10}
	for key, v := range more {
		row[key] = v
	}
	for _, key := range []string{"received", "time"} {
		at := time.UnixMilli(received).UTC()
		row[key] = at.Format("2006-01-02 15:04:05.000")
		if form == sink.ColumnsSeconds {
			row[key], row[key+"_ms"] = at.Format("2006-01-02 15:04:05"), at.UnixMilli()%1000
		}
	}
	if form != sink.Columns {
		for _, key := range []string{"properties", "extra", "increments"} {
			if v, ok := row[key]; ok {
				text, _ := json.Marshal(v)
				row[key] = string(text)
			}
		}
	}
	line, _ := json.Marshal(row)
	return append(line, '\n')
}

// rangeOf makes a range of seqs. more may add to a row.
func rangeOf(form sink.Form, store uint64, site sink.Site, first, last uint64, received func(seq uint64) int64, more func(seq uint64) map[string]any) *sink.Range {
	r := &sink.Range{Store: store, Site: site, First: first, Last: last}
	for seq := first; seq <= last; seq++ {
		var add map[string]any
		if more != nil {
			add = more(seq)
		}
		at := received(seq)
		r.Lines = append(r.Lines, rowOf(form, store, site.Name, seq, at, add)...)
		r.Ends = append(r.Ends, len(r.Lines))
		r.Seqs, r.IDs, r.Received = append(r.Seqs, seq), append(r.IDs, fmt.Sprintf("%032x", seq)), append(r.Received, at)
	}
	return r
}

// now is when the rows of tests were received, one a second.
func now(seq uint64) int64 { return 1_793_000_000_123 + int64(seq)*1000 }

func TestColumnsAreThoseOfTheExport(t *testing.T) {
	kinds := map[export.RowKind]dataKind{export.RowNumber: numbers, export.RowText: texts, export.RowWord: words, export.RowMoment: times,
		export.RowFloat: floats, export.RowBool: flags, export.RowTexts: lists, export.RowObject: objects}
	var want []column
	for _, c := range export.RowColumns {
		want = append(want, column{c.Name, kinds[c.Kind]})
	}
	if !slices.Equal(columns, want) {
		t.Errorf("columns are %v\nthe export has %v", columns, want)
	}
}

// A row that is sent comes back as it was, and once, however often it was sent.
func TestRowsAreThereOnce(t *testing.T) {
	eachServer(t, func(t *testing.T, url string) {
		s := open(t, url)
		more := func(seq uint64) map[string]any {
			return map[string]any{"name": "a\x00\"\\\n😀", "value": 1.5, "groups": []string{"x", "y'z"}, "bot": 1, "latitude": -12.25, "country": "DE",
				"properties": map[string]any{"plan": "free", "n": seq}}
		}
		r := rangeOf(s.Form(), 18446744073709551615, testSite, 1, 1000, now, more)
		for range 2 {
			if err := s.Send(t.Context(), r); err != nil {
				t.Fatal(err)
			}
		}
		count := func(final string) string {
			return clickhousetest.Query(t, url, "SELECT count(), uniqExact(seq), min(seq), max(seq), sum(value) FROM cairn_test.events "+final+" WHERE site = 'o\\'Neil\\\\'")
		}
		if got, want := count("FINAL"), "1000\t1000\t1\t1000\t1500"; got != want {
			t.Errorf("with FINAL: %q, want %q", got, want)
		}
		if s.server.settings["insert_deduplication_token"] {
			if got, want := count(""), "1000\t1000\t1\t1000\t1500"; got != want {
				t.Errorf("a range that came twice is stored twice: %q, want %q", got, want)
			}
		}
		plan := "JSONExtractString(toString(properties), 'plan')"
		if s.Form() != sink.Columns {
			plan = "visitParamExtractString(properties, 'plan')"
		}
		got := clickhousetest.Query(t, url, "SELECT name, groups, bot, latitude, country, store, "+plan+", toString(toDate(time)), user, isNull(longitude) FROM cairn_test.events WHERE seq = 7 LIMIT 1 FORMAT TabSeparated")
		if want := `a\0"\\\n😀` + "\t['x','y\\'z']\t1\t-12.25\tDE\t18446744073709551615\tfree\t2026-10-26\t\t1"; got != want {
			t.Errorf("row: %q\nwant %q", got, want)
		}
		marks, err := s.Newest(t.Context(), r.Store, testSite, 900, 2)
		if want := []sink.Mark{{Seq: 900, ID: r.IDs[899], Received: now(900)}, {Seq: 899, ID: r.IDs[898], Received: now(899)}}; err != nil || !slices.Equal(marks, want) {
			t.Errorf("newest: %v %v, want %v", marks, err, want)
		}
		if marks, err := s.Newest(t.Context(), 5, testSite, 900, 2); err != nil || len(marks) != 0 {
			t.Errorf("newest of another store: %v %v", marks, err)
		}
		// Another cairn has a row of its own under one of these seqs: both are seen.
		other := rangeOf(s.Form(), r.Store, testSite, 1000, 1000, func(uint64) int64 { return now(5000) }, nil)
		if err := s.Send(t.Context(), other); err != nil {
			t.Fatal(err)
		}
		if marks, err := s.Newest(t.Context(), r.Store, testSite, 1<<63, 2); err != nil || len(marks) != 2 || marks[0].Seq != 1000 || marks[1].Seq != 1000 {
			t.Errorf("newest where two cairns write: %v %v", marks, err)
		}
	})
}

// Imported rows keep the time of their receipt, and the server refuses an INSERT into more than 100
// partitions: 130 months go in several.
func TestManyMonths(t *testing.T) {
	eachServer(t, func(t *testing.T, url string) {
		s := open(t, url)
		month := func(seq uint64) int64 {
			return time.Date(1990, time.Month(seq), 3, 4, 5, 6, 789e6, time.UTC).UnixMilli()
		}
		months := uint64(130)
		if s.Form() == sink.ColumnsSeconds {
			months = 60 // this server refuses nothing, and takes long for each
		}
		r := rangeOf(s.Form(), 1, testSite, 1, months, month, nil)
		if err := s.Send(t.Context(), r); err != nil {
			t.Fatal(err)
		}
		if got := clickhousetest.Query(t, url, "SELECT count(), uniqExact(toYYYYMM(received)), toString(toDate(min(time))) FROM cairn_test.events"); got != fmt.Sprintf("%d\t%[1]d\t1990-01-03", months) {
			t.Errorf("rows and months: %q", got)
		}
	})
}

// What a client may send, ClickHouse takes.
func TestHostileProperties(t *testing.T) {
	eachServer(t, func(t *testing.T, url string) {
		s := open(t, url)
		objects := []string{`{"a":18446744073709551616,"b":[-9223372036854775809,{"c":123456789012345678901234567890}],"t":"18446744073709551616 \" 99999999999999999999"}`,
			`{"a.b":1,"a":{"b":2}}`, `{"":1}`, `{"a":1,"a.b":2}`, `{"l":[{"a.b":1,"a":{"b":2}}]}`, `{"e":1.7e308,"f":1e-400,"g":0.12345678901234567890123456789}`,
			`{"d":"2026-99-99","` + "`" + `":null,"a..b":{},".":[]}`, `{"v":1` + strings.Repeat("0", 400) + `}`, strings.Repeat(`{"a":`, 30) + "1" + strings.Repeat("}", 30)}
		more := func(seq uint64) map[string]any {
			return map[string]any{"properties": json.RawMessage(objects[seq-1]), "extra": json.RawMessage(objects[seq-1])}
		}
		r := rangeOf(s.Form(), 1, testSite, 1, uint64(len(objects)), now, more)
		if err := s.Send(t.Context(), r); err != nil {
			t.Fatal(err)
		}
		if got := clickhousetest.Query(t, url, "SELECT count() FROM cairn_test.events FINAL"); got != fmt.Sprint(len(objects)) {
			t.Errorf("rows: %q", got)
		}
		if got := clickhousetest.Query(t, url, "SELECT toString(properties) FROM cairn_test.events WHERE seq = 1 FORMAT TabSeparatedRaw"); !strings.Contains(got, "123456789012345678901234567890") {
			t.Errorf("a number of 30 digits became %s", got)
		}
	})
}

// A deletion takes its rows and no others, scattered or dense, and also those that arrive behind it.
func TestDelete(t *testing.T) {
	eachServer(t, func(t *testing.T, url string) {
		s := open(t, url)
		for store := uint64(1); store <= 2; store++ {
			for _, site := range []sink.Site{testSite, {Number: 8, Name: "other"}} {
				if err := s.Send(t.Context(), rangeOf(s.Form(), store, site, 1, 2000, now, nil)); err != nil {
					t.Fatal(err)
				}
			}
		}
		left := func() string {
			return clickhousetest.Query(t, url, "SELECT site, store, count(), sum(seq) FROM cairn_test.events GROUP BY site, store ORDER BY site, store")
		}
		if err := s.Delete(t.Context(), 1, testSite, []sink.Span{{First: 3, Last: 3}, {First: 5, Last: 6}, {First: 1001, Last: 1900}, {First: 5000, Last: 5001}}); err != nil {
			t.Fatal(err)
		}
		sum := 2000*2001/2 - 3 - 5 - 6 - (1001+1900)*900/2
		want := fmt.Sprintf("o\\'Neil\\\\\t1\t1097\t%d\no\\'Neil\\\\\t2\t2000\t2001000\nother\t1\t2000\t2001000\nother\t2\t2000\t2001000", sum)
		if got := left(); got != want {
			t.Errorf("left: %q\nwant  %q", got, want)
		}
		if err := s.DeleteSite(t.Context(), 2, testSite); err != nil {
			t.Fatal(err)
		}
		if got := left(); strings.Contains(got, "Neil\\\\\t2") || !strings.Contains(got, "other\t2\t2000") {
			t.Errorf("left after the site: %q", got)
		}
	})
}

// An INSERT whose answer was lost arrives behind the mutation. The deletion knows nothing of it but the
// time until when it may come.
func TestDeleteWaitsForALostInsert(t *testing.T) {
	eachServer(t, func(t *testing.T, url string) {
		proxy := clickhousetest.NewProxy(t, func() string { return url })
		s := open(t, proxy.URL)
		r := rangeOf(s.Form(), 1, testSite, 1, 100, now, nil)
		if err := s.Send(t.Context(), r); err != nil {
			t.Fatal(err)
		}
		proxy.Delay = 300 * time.Millisecond
		proxy.Choose = func() clickhousetest.Fault { return clickhousetest.Late }
		more := rangeOf(s.Form(), 1, testSite, 101, 200, now, nil)
		if err := s.Send(t.Context(), more); err == nil || !sink.FaultOf(err).Passes {
			t.Fatalf("a cut connection is %v", err)
		}
		if s.lost.IsZero() {
			t.Fatal("the sink does not know that an INSERT is lost")
		}
		s.lost = time.Now()
		s.now = func() time.Time { // the time is over as soon as the mutation has run and the INSERT has come
			if clickhousetest.Query(t, url, "SELECT count() FROM cairn_test.events WHERE seq BETWEEN 90 AND 100") == "0" {
				proxy.Wait()
			}
			return s.lost.Add(-time.Millisecond)
		}
		if err := s.Delete(t.Context(), 1, testSite, []sink.Span{{First: 90, Last: 110}}); err != nil {
			t.Fatal(err)
		}
		proxy.Wait()
		if got := clickhousetest.Query(t, url, "SELECT count(), sum(seq) FROM cairn_test.events WHERE seq <= 200"); got != fmt.Sprintf("179\t%d", 200*201/2-21*100) {
			t.Errorf("left: %q", got)
		}
	})
}

// The proxy does to an INSERT what a network can do. The range goes again, and in the end each row is
// there once.
func TestNetworkFaults(t *testing.T) {
	eachServer(t, func(t *testing.T, url string) {
		proxy := clickhousetest.NewProxy(t, func() string { return url })
		s := open(t, proxy.URL)
		next := 0
		proxy.Choose = func() clickhousetest.Fault {
			next++
			return clickhousetest.Fault(next*7/3) % clickhousetest.Faults
		}
		proxy.Delay = 50 * time.Millisecond
		for first := uint64(1); first <= 4000; first += 100 {
			r := rangeOf(s.Form(), 1, testSite, first, first+99, now, nil)
			for tries := 0; ; tries++ {
				err := s.Send(t.Context(), r)
				if err == nil {
					break
				}
				if f := sink.FaultOf(err); !f.Passes || tries > 20 {
					t.Fatalf("range %d after %d tries: %v", first, tries, err)
				}
			}
		}
		proxy.Wait()
		for f := range clickhousetest.Faults {
			if proxy.Seen(f) == 0 {
				t.Errorf("fault %d never happened", f)
			}
		}
		if got := clickhousetest.Query(t, url, "SELECT count(), uniqExact(seq), sum(seq) FROM cairn_test.events FINAL"); got != "4000\t4000\t8002000" {
			t.Errorf("rows, seqs, sum: %q", got)
		}
		if got, err := s.Count(t.Context(), testSite, sink.Count{Store: 1, First: 1, Last: 4000}); err != nil || got.Rows != 4000 || got.Seqs != 4000 {
			t.Errorf("count: %+v %v", got, err)
		}
		if got, err := s.CountPlain(t.Context(), testSite, sink.Count{Store: 1, First: 1, Last: 4000}); err != nil || got < 4000 {
			t.Errorf("count without FINAL: %d %v", got, err)
		}
	})
}

// Each error is told apart by its code, and what the server says of it stays with the admin.
func TestFaults(t *testing.T) {
	server := clickhousetest.Start(t)
	for _, c := range []struct {
		name   string
		change func(o *Options)
		before string
		want   sink.Fault
	}{
		{name: "a password that is wrong", change: func(o *Options) { o.User, o.Password = "secret", "no" }, want: sink.Fault{Code: "193"}},
		{name: "a user that is not there", change: func(o *Options) { o.User = "nobody" }, want: sink.Fault{Code: "192"}},
		{name: "a password that is right", change: func(o *Options) { o.User, o.Password = "secret", "pass word" }},
		{name: "no table", change: func(o *Options) { o.Table = "none" }, want: sink.Fault{Code: "60"}},
		{name: "no database", change: func(o *Options) { o.Database = "none" }, want: sink.Fault{Code: "60"}},
		{name: "a port where nobody listens", change: func(o *Options) { o.URL = "http://127.0.0.1:1" }, want: sink.Fault{Passes: true, Code: "unreachable"}},
		{name: "a column is missing", before: "ALTER TABLE cairn_test.events DROP COLUMN city", want: sink.Fault{Code: "table"}},
		{name: "a column has another type", before: "ALTER TABLE cairn_test.events MODIFY COLUMN bot String", want: sink.Fault{Code: "table"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			clickhousetest.Query(t, server.URL, "DROP DATABASE IF EXISTS cairn_test")
			open(t, server.URL)
			if c.before != "" {
				clickhousetest.Query(t, server.URL, c.before)
			}
			o := Options{URL: server.URL, Database: testDatabase}
			if c.change != nil {
				c.change(&o)
			}
			s, err := New(o)
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			err = s.Open(t.Context())
			if c.want.Code == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			if f := sink.FaultOf(err); err == nil || f.Code != c.want.Code || f.Passes != c.want.Passes {
				t.Errorf("%v; want code %s, passes %v", err, c.want.Code, c.want.Passes)
			}
			if c.want.Code == "table" && !strings.Contains(err.Error(), "column") {
				t.Errorf("%v names no column", err)
			}
		})
	}
}

// A quota is full: the sink stops. The status is 500, as for a shortage of memory, which passes.
func TestQuota(t *testing.T) {
	server := clickhousetest.Start(t)
	open(t, server.URL)
	s, err := New(Options{URL: server.URL, Database: testDatabase, User: "poor"})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	var last error
	for range 8 {
		if last = s.Open(t.Context()); last != nil {
			break
		}
	}
	if f := sink.FaultOf(last); last == nil || f.Code != "201" || f.Passes {
		t.Errorf("a full quota is %v", last)
	}
}

// A row that the server refuses is told apart from a table that has lost a column under way, which would
// have every row refused.
func TestBadRow(t *testing.T) {
	eachServer(t, func(t *testing.T, url string) {
		s := open(t, url)
		bad := rangeOf(s.Form(), 1, testSite, 1, 3, now, func(seq uint64) map[string]any {
			if seq == 2 {
				return map[string]any{"person": "secret person"}
			}
			return nil
		})
		err := s.Send(t.Context(), bad)
		if f := sink.FaultOf(err); err == nil || !f.BadRow || f.Passes || strings.Contains(f.Code, "secret") {
			t.Errorf("a bad row is %v", err)
		}
		clickhousetest.Query(t, url, "ALTER TABLE cairn_test.events DROP COLUMN city")
		good := rangeOf(s.Form(), 1, testSite, 1, 3, now, func(uint64) map[string]any { return map[string]any{"city": "Köln"} })
		err = s.Send(t.Context(), good)
		if f := sink.FaultOf(err); err == nil || f.BadRow || f.Passes {
			t.Errorf("a column that went is %v", err)
		}
	})
}

// A server of some versions takes what came of a body that broke off, and remembers its token: the range
// that goes again is then a repeat for it. A sink counts, and stores the rows again.
func TestHalfARangeUnderAToken(t *testing.T) {
	eachServer(t, func(t *testing.T, url string) {
		s := open(t, url)
		if !s.server.settings["insert_deduplication_token"] {
			t.Skip("this server knows no tokens")
		}
		r := rangeOf(s.Form(), 1, testSite, 1, 100, now, nil)
		half := *r
		half.Lines = r.Lines[:r.Ends[49]]
		// What the server does with the half under the token of the whole.
		token := s.tokenOf(r, 0, 100, r.Lines)
		if err := s.client.insert(t.Context(), time.Minute, "INSERT INTO cairn_test.events FORMAT JSONEachRow", func(w io.Writer) error { return writeAll(w, half.Lines) }, "", "insert_deduplication_token", token); err != nil {
			t.Fatal(err)
		}
		if err := s.Send(t.Context(), r); err != nil {
			t.Fatal(err)
		}
		if got := clickhousetest.Query(t, url, "SELECT count() FROM cairn_test.events FINAL"); got != "100" {
			t.Errorf("%s rows of 100", got)
		}
	})
}

// A table with rows of a store that has a Distributed before it.
func TestDistributed(t *testing.T) {
	server := clickhousetest.Start(t)
	s := open(t, server.URL)
	clickhousetest.Query(t, server.URL, "CREATE TABLE cairn_test.all AS cairn_test.events ENGINE = Distributed(one, cairn_test, events, rand())")
	all, err := New(Options{URL: server.URL, Database: testDatabase, Table: "all"})
	if err != nil {
		t.Fatal(err)
	}
	defer all.Close()
	if err := all.Open(t.Context()); err != nil {
		t.Fatal(err)
	}
	if all.table.cluster != "one" || all.table.localDatabase != testDatabase || all.table.localTable != "events" {
		t.Errorf("%+v", all.table)
	}
	if err := all.Send(t.Context(), rangeOf(s.Form(), 1, testSite, 1, 100, now, nil)); err != nil {
		t.Fatal(err)
	}
	if got := clickhousetest.Query(t, server.URL, "SELECT count() FROM cairn_test.events"); got != "100" {
		t.Errorf("%s rows", got)
	}
}

func TestConditions(t *testing.T) {
	var spans []sink.Span
	for seq := uint64(1); seq <= 60_000; seq++ {
		spans = append(spans, sink.Span{First: seq * 1_000_000_000, Last: seq * 1_000_000_000})
	}
	spans = append(spans, sink.Span{First: 1 << 50, Last: 1<<50 + 10_000_000})
	for range 1200 {
		last := spans[len(spans)-1].Last
		spans = append(spans, sink.Span{First: last + 2, Last: last + 2000})
	}
	list := conditions(spans)
	if len(list) < 4 || len(list) > 12 {
		t.Errorf("%d mutations", len(list))
	}
	total := 0
	for _, c := range list {
		if len(c) > conditionBytesMax+100 {
			t.Errorf("a condition of %d bytes", len(c))
		}
		total += strings.Count(c, ",") + strings.Count(c, " OR ") + 1
	}
	if total != len(spans) {
		t.Errorf("%d spans became %d", len(spans), total)
	}
	if got := conditions([]sink.Span{{First: 1, Last: 2}, {First: 10, Last: 200}}); len(got) != 1 || got[0] != "(seq IN (1,2) OR seq BETWEEN 10 AND 200)" {
		t.Error(got)
	}
	if got := conditions([]sink.Span{{First: 1<<64 - 2, Last: 1<<64 - 1}}); len(got) != 1 || got[0] != "(seq IN (18446744073709551614,18446744073709551615))" {
		t.Error(got)
	}
	if got := conditions(nil); got != nil {
		t.Error(got)
	}
}
