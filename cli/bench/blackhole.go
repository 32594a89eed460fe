package bench

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"regexp"
	"strings"
	"sync"
)

// This file is a sink that takes everything and keeps nothing: it answers as ClickHouse does, at once.
// So the phase "sinks" measures what a sink costs cairn, and not what ClickHouse takes.

// blackHole answers the questions that cairn asks of ClickHouse.
type blackHole struct {
	URL    string
	server *http.Server

	mu      sync.Mutex
	columns []string // of the table, each an object as system.columns has it; none before it was made
}

// statementMax bounds a statement.
const statementMax = 1 << 20

// blackHoleVersion is the server that it seems to be: one that takes zstd.
const blackHoleVersion = "24.8.1.1"

func newBlackHole() (*blackHole, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	b := &blackHole{URL: "http://" + ln.Addr().String()}
	b.server = &http.Server{Handler: http.HandlerFunc(b.answer)}
	go b.server.Serve(ln)
	return b, nil
}

func (b *blackHole) close() { b.server.Close() }

// columnOf finds the columns of a CREATE TABLE, one in a line.
var columnOf = regexp.MustCompile("(?m)^ +`([a-z_]+)` (.*[^,\\n]),?$")

// codecOf is the end of a column that is no part of its type.
var codecOf = regexp.MustCompile(` (CODEC|DEFAULT)\b.*`)

func (b *blackHole) answer(w http.ResponseWriter, r *http.Request) {
	if strings.HasPrefix(r.URL.Query().Get("query"), "INSERT") {
		io.Copy(io.Discard, r.Body)
		return
	}
	text, err := io.ReadAll(io.LimitReader(r.Body, statementMax))
	if err != nil {
		return
	}
	statement := string(text)
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case strings.HasPrefix(statement, "SELECT version()"):
		fmt.Fprintf(w, "%s\tUTC\n", blackHoleVersion)
	case strings.HasPrefix(statement, "CREATE TABLE"):
		b.columns = nil
		for _, m := range columnOf.FindAllStringSubmatch(statement, -1) {
			b.columns = append(b.columns, fmt.Sprintf(`{"name":%q,"type":%q}`, m[1], codecOf.ReplaceAllString(m[2], "")))
		}
	case strings.Contains(statement, "FROM system.tables") && len(b.columns) > 0:
		io.WriteString(w, `{"engine":"ReplacingMergeTree","engine_full":"","sorting_key":"site, toDate(time), name, store, seq"}`+"\n")
	case strings.Contains(statement, "FROM system.columns"):
		io.WriteString(w, strings.Join(b.columns, "\n")+"\n")
	case strings.HasPrefix(statement, "SELECT count()"), strings.HasPrefix(statement, "SELECT max(seq)"):
		io.WriteString(w, "0\n")
	}
}
