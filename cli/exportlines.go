package cli

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"cairn/cli/bench"

	"github.com/dustin/go-humanize"
)

// This file reads an export from the server. An NDJSON or CSV export that breaks off, because the
// server was started again or because whoever reads the output was slow, goes on by itself after the
// last whole event.

const (
	// exportTries is how often an export goes on by itself without a new event in between.
	exportTries = 5

	// exportCursorEvery is after how many events the cursor is printed.
	exportCursorEvery = 100_000
)

// exportWait is how long an export waits before it goes on. Tests do not wait.
var exportWait = 2 * time.Second

// events exports events.
func (e *exportFlags) events(ctx context.Context, s *server, stdout, stderr io.Writer) error {
	query, err := e.query()
	if err != nil {
		return err
	}
	query += "&format=" + e.format
	file, err := openExport(e, stdout)
	if err != nil {
		return err
	}
	if e.format == "csv" {
		if e.columns == "" {
			e.columns = file.columns
		}
		if file.goesOn {
			query += "&head=no"
		} else {
			query += "&head=yes"
		}
	}
	x := &exporting{e: e, s: s, file: file, query: query, after: e.after, told: newTold(e, stderr)}
	err = x.all(ctx)
	x.told.end()
	if err == nil {
		err = file.finish()
	}
	if err != nil {
		file.leave()
		if ctx.Err() != nil {
			err = errors.New("stopped")
		}
		if e.format != "parquet" && x.after != "" {
			err = fmt.Errorf("%w\n%s %s. Go on with the same command and -after %s", err, plural(x.told.events, "event"), "exported", x.after)
		}
		return err
	}
	x.told.whole(x.upTo)
	return nil
}

// exporting is an export under way.
type exporting struct {
	e     *exportFlags
	s     *server
	file  *exportFile
	query string
	after string // id of the last whole event
	upTo  string // what the server said at first, where the export ends
	told  *told
}

// all reads the whole export.
func (x *exporting) all(ctx context.Context) error {
	for tries := 0; ; tries++ {
		before := x.after
		err := x.once(ctx)
		var refused *refusal
		switch {
		case err == nil || ctx.Err() != nil || x.e.format == "parquet" || errors.As(err, &refused) && refused.status != http.StatusServiceUnavailable:
			return err
		case x.upTo == "" || errors.As(err, new(*fileError)):
			return err // it has not begun, or the file is at fault
		case x.after != before:
			tries = 0
		case tries >= exportTries:
			return err
		}
		select {
		case <-time.After(exportWait):
		case <-ctx.Done():
			return err
		}
	}
}

// once asks the server, and reads until the end or until the connection breaks off.
func (x *exporting) once(ctx context.Context) error {
	query := x.query
	if x.e.columns != "" {
		query += "&columns=" + url.QueryEscape(x.e.columns)
	}
	if x.after != "" {
		query += "&after=" + x.after
	}
	if x.upTo != "" {
		query += "&up_to=" + x.upTo
	}
	res, err := x.s.get(ctx, "/api/v1/export?"+query)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if x.upTo == "" {
		x.upTo = res.Header.Get("Cairn-Up-To")
	}
	if x.e.format == "parquet" {
		n, err := io.Copy(x.file, res.Body)
		x.told.bytes += n
		return err
	}
	return x.lines(res.Body)
}

// lines reads lines and writes those that are whole.
func (x *exporting) lines(from io.Reader) error {
	csv := x.e.format == "csv"
	r := bufio.NewReaderSize(from, 256<<10)
	var record []byte
	quoted := false // in a cell of CSV that has a line break
	for {
		part, err := r.ReadSlice('\n')
		record = append(record, part...)
		switch {
		case err == bufio.ErrBufferFull:
			if csv {
				quoted = quoted != (bytes.Count(part, []byte{'"'})%2 == 1)
			}
			continue
		case err == io.EOF && len(record) == 0:
			return nil
		case err == io.EOF:
			return io.ErrUnexpectedEOF
		case err != nil:
			return err
		}
		if csv {
			if quoted = quoted != (bytes.Count(part, []byte{'"'})%2 == 1); quoted {
				continue
			}
		}
		if _, err := x.file.Write(record); err != nil {
			return err
		}
		id := idOf(record, csv)
		if csv && id == "" && x.after == x.e.after { // the head
			x.e.columns = columnsOf(record)
			x.query = headless(x.query)
		}
		if id != "" {
			x.after = id
			x.told.event(id, len(record))
		}
		record = record[:0]
		if cap(record) > 4<<20 {
			record = nil
		}
	}
}

// idOf returns the id of the event in a line, "" when there is none.
func idOf(line []byte, csv bool) string {
	if !csv {
		line, _ = bytes.CutPrefix(line, []byte(`{"id":"`))
	}
	if len(line) < 33 {
		return ""
	}
	for _, c := range line[:32] {
		if (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return ""
		}
	}
	return string(line[:32])
}

// told says on stderr how far an export is.
type told struct {
	w        io.Writer
	quiet    bool
	terminal bool
	started  time.Time
	last     time.Time
	events   uint64
	bytes    int64
	id       string
}

func newTold(e *exportFlags, stderr io.Writer) *told {
	return &told{w: stderr, quiet: e.quiet, terminal: bench.IsTerminal(stderr), started: time.Now(), last: time.Now()}
}

// event counts an event.
func (t *told) event(id string, bytes int) {
	t.events++
	t.bytes += int64(bytes)
	t.id = id
	if t.quiet {
		return
	}
	switch {
	case !t.terminal:
		if t.events%exportCursorEvery == 0 {
			fmt.Fprintf(t.w, "%s, -after %s\n", plural(t.events, "event"), id)
		}
	case t.events%1024 == 0:
		if now := time.Now(); now.Sub(t.last) >= time.Second {
			t.last = now
			fmt.Fprintf(t.w, "\r\x1b[K%s, %s, %s a second", plural(t.events, "event"), humanize.IBytesN(uint64(t.bytes), 3), humanize.Comma(int64(float64(t.events)/now.Sub(t.started).Seconds())))
		}
	}
}

// end ends the line of progress.
func (t *told) end() {
	if t.terminal && !t.quiet {
		fmt.Fprint(t.w, "\r\x1b[K")
	}
}

// whole says that the export is whole.
func (t *told) whole(upTo string) {
	if t.quiet {
		return
	}
	what := plural(t.events, "event")
	if t.events == 0 && t.bytes > 0 {
		what = humanize.IBytesN(uint64(t.bytes), 3)
	}
	fmt.Fprintf(t.w, "%s exported.", what)
	if upTo != "" {
		fmt.Fprintf(t.w, " Later events: -after %s", upTo)
	}
	fmt.Fprintln(t.w)
}
