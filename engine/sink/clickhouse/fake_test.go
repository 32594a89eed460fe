package clickhouse

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"cairn/engine/sink"
)

// fake is a server that answers as it is told: what a real one does once a year, or with replicas.
type fake struct {
	sink *Sink

	// answer returns what is said to a statement; false ends the connection without an answer.
	answer func(statement string, settings url.Values) (text string, ok bool)

	mu   sync.Mutex
	said []string // statements and INSERTs, in their order
}

// newFake makes a server that knows tokens, and a sink that has met it.
func newFake(t *testing.T, answer func(statement string, settings url.Values) (string, bool)) *fake {
	t.Helper()
	f := &fake{answer: answer}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		statement := r.URL.Query().Get("query")
		if statement == "" {
			statement = string(body)
		}
		f.mu.Lock()
		f.said = append(f.said, statement)
		f.mu.Unlock()
		text, ok := f.answer(statement, r.URL.Query())
		if !ok {
			conn, _, err := w.(http.Hijacker).Hijack()
			if err == nil {
				conn.Close()
			}
			return
		}
		io.WriteString(w, text)
	}))
	t.Cleanup(server.Close)
	s, err := New(Options{URL: server.URL})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	s.server = &server24
	s.table = &table{form: sink.ColumnsText}
	s.lost = time.Time{}
	f.sink = s
	return f
}

// server24 is what a server of 2024 can do.
var server24 = server{version: Version{24, 8}, zone: "UTC", settings: map[string]bool{"insert_deduplication_token": true, "async_insert": true, "mutations_sync": true}}

// count returns how many statements begin so.
func (f *fake) count(begin string) (n int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, s := range f.said {
		if strings.HasPrefix(s, begin) {
			n++
		}
	}
	return n
}

// Rows that the server took for a repeat go a second time without a token. When the answer to that is lost, a
// deletion has to wait for them as for any INSERT.
func TestASecondInsertThatIsLost(t *testing.T) {
	t.Parallel()
	f := newFake(t, func(statement string, settings url.Values) (string, bool) {
		switch {
		case strings.HasPrefix(statement, "INSERT"):
			return "", settings.Get("insert_deduplicate") == ""
		case strings.HasPrefix(statement, "SELECT uniqExact(seq)"):
			return "0\n", true
		}
		return "", true
	})
	err := f.sink.Send(t.Context(), rangeOf(sink.ColumnsText, 1, testSite, 1, 10, now, nil))
	if err == nil || !sink.FaultOf(err).Passes || f.count("INSERT") != 2 {
		t.Fatalf("%v after %d INSERTs", err, f.count("INSERT"))
	}
	if wait := time.Until(f.sink.lost); wait < f.sink.o.InsertMax {
		t.Errorf("a deletion waits %v for the INSERT, which may take %v", wait, f.sink.o.InsertMax)
	}
}

// A replica that lags counts no row although another one has some: the mutation begins all the same.
func TestDeleteWhereAReplicaLags(t *testing.T) {
	t.Parallel()
	for name, of := range map[string]table{"one server": {}, "replicas": {replicated: true}, "shards": {cluster: "c", localDatabase: "d", localTable: "t"}} {
		settled := ""
		f := newFake(t, func(statement string, settings url.Values) (string, bool) {
			switch {
			case strings.HasPrefix(statement, "SELECT count()"):
				return "0\n", true
			case strings.HasPrefix(statement, "ALTER"):
				settled = settings.Get("mutations_sync")
			}
			return "", true
		})
		of.form = sink.ColumnsText
		f.sink.table = &of
		if err := f.sink.Delete(t.Context(), 1, testSite, []sink.Span{{First: 3, Last: 5}}); err != nil {
			t.Fatal(err)
		}
		want, sync := 1, "2"
		if name == "one server" {
			want, sync = 0, ""
		}
		if n := f.count("ALTER"); n != want || settled != sync {
			t.Errorf("%s: %d mutations, mutations_sync %q, want %d and %q", name, n, settled, want, sync)
		}
	}
}

// A sink that is opened again may stand before another table: it counts the rows of the first range once more.
func TestOpenForgetsWhatItKnew(t *testing.T) {
	t.Parallel()
	var rows strings.Builder
	for _, c := range columnsOf(sink.ColumnsText) {
		rows.WriteString(`{"name":"` + c.name + `","type":"` + Version{20, 3}.typeOf(column{kind: c.kind}) + "\"}\n")
	}
	stored := true
	f := newFake(t, func(statement string, settings url.Values) (string, bool) {
		switch {
		case strings.HasPrefix(statement, "SELECT version()"):
			return "24.8.1.1\tUTC\n", true
		case strings.HasPrefix(statement, "SELECT name FROM system.settings"):
			return "insert_deduplication_token\n", true
		case strings.Contains(statement, "FROM system.tables"):
			return `{"engine":"ReplacingMergeTree","engine_full":"","sorting_key":"site, store, seq"}` + "\n", true
		case strings.Contains(statement, "FROM system.columns"):
			return rows.String(), true
		case strings.HasPrefix(statement, "SELECT uniqExact(seq)"):
			if stored {
				return "10\n", true
			}
			return "0\n", true
		}
		return "", true
	})
	send := func() {
		t.Helper()
		if err := f.sink.Send(t.Context(), rangeOf(sink.ColumnsText, 1, testSite, 1, 10, now, nil)); err != nil {
			t.Fatal(err)
		}
	}
	send()
	send()
	if n := f.count("INSERT"); n != 2 {
		t.Fatalf("%d INSERTs", n)
	}
	stored = false // somebody has deleted the rows, and the server still knows the token
	if err := f.sink.Open(t.Context()); err != nil {
		t.Fatal(err)
	}
	send()
	if n := f.count("INSERT"); n != 4 {
		t.Errorf("%d INSERTs, want 4: the server takes the third for a repeat", n)
	}
}

// After a time at which INSERTs took too long a range goes in many pieces. It goes in fewer again when it is quick.
func TestPiecesBecomeFewer(t *testing.T) {
	t.Parallel()
	f := newFake(t, func(statement string, settings url.Values) (string, bool) {
		if strings.HasPrefix(statement, "SELECT uniqExact(seq)") {
			return "100\n", true
		}
		return "", true
	})
	var took time.Duration
	at := time.Now()
	f.sink.now = func() time.Time { at = at.Add(took); return at }
	f.sink.pieces = 8
	send := func(want int) {
		t.Helper()
		before := f.count("INSERT")
		if err := f.sink.Send(t.Context(), rangeOf(sink.ColumnsText, 1, testSite, 1, 64, now, nil)); err != nil {
			t.Fatal(err)
		}
		if n := f.count("INSERT") - before; n != want {
			t.Errorf("%d INSERTs, want %d", n, want)
		}
	}
	took = f.sink.o.InsertMax
	send(8)
	send(8)
	took = 0
	for _, want := range []int{8, 4, 2, 1, 1} {
		send(want)
	}
}
