package clickhouse

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"cairn/engine/sink"

	"github.com/cespare/xxhash/v2"
)

// Options say where the table is and who may use it.
type Options struct {
	URL      string // "http://ch:8123"
	Database string // "cairn"
	Table    string // "events"
	User     string // "" = the server's default user
	Password string
	CA       string // a file with certificates that are trusted besides the system's
	Create   bool   // make the table where it is missing
	Days     int    // after how many days a table that is made forgets rows; 0 = never

	// InsertMax is how long the server may take for one INSERT; 0 = InsertMaxDefault. A deletion waits so
	// long, and a little longer, where an INSERT may be lost.
	InsertMax time.Duration
}

// Defaults of Options.
const (
	DatabaseDefault  = "cairn"
	TableDefault     = "events"
	InsertMaxDefault = time.Minute
)

const (
	// monthsMax is in how many months the rows of one INSERT may have been received. The server refuses
	// an INSERT into more than 100 partitions.
	monthsMax = 50

	// slackMost is how much longer than the server may take the client waits at most.
	slackMost = 15 * time.Second

	// piecesMax is in how many INSERTs a range goes at most where the line is slow.
	piecesMax = 64
)

// Sink is a table of ClickHouse. It implements sink.Sink.
type Sink struct {
	o      Options
	client *client
	now    func() time.Time // the clock, for tests

	server   *server
	table    *table
	encoding string // of a body: "zstd", "gzip" or ""

	// lost is until when an INSERT may arrive whose answer nobody got. At the start that is one of the
	// process before.
	lost time.Time

	// whole has the sites of which no range can be there in part under a token that the server knows:
	// it would take the range that goes again for a repeat, and rows would be missing. Of others the rows
	// are counted after a range.
	whole map[place]bool

	// pieces is in how many INSERTs a range goes: more after each one that took too long, fewer after a range
	// that was quick.
	pieces int
}

// place is a site of a store.
type place struct {
	store uint64
	site  uint32
}

// New returns a sink. It asks nothing of the server yet.
func New(o Options) (*Sink, error) {
	if o.Database == "" {
		o.Database = DatabaseDefault
	}
	if o.Table == "" {
		o.Table = TableDefault
	}
	if o.InsertMax == 0 {
		o.InsertMax = InsertMaxDefault
	}
	c, err := newClient(&o)
	if err != nil {
		return nil, err
	}
	s := &Sink{o: o, client: c, now: time.Now, whole: map[place]bool{}, pieces: 1}
	s.lose()
	return s, nil
}

// Name implements sink.Sink.
func (s *Sink) Name() string { return "clickhouse" }

// Form implements sink.Sink.
func (s *Sink) Form() sink.Form {
	if s.table == nil {
		return sink.ColumnsSeconds
	}
	return s.table.form
}

// Close implements sink.Sink.
func (s *Sink) Close() error {
	s.client.close()
	return nil
}

// ask asks a question that reads.
func (s *Sink) ask(ctx context.Context, question string) ([]byte, error) {
	return s.client.ask(ctx, askMax, question, "max_execution_time", seconds(askMax))
}

func seconds(d time.Duration) string {
	return strconv.Itoa(int((d + time.Second - 1) / time.Second))
}

// qualified is the table in statements.
func (s *Sink) qualified() string { return name(s.o.Database) + "." + name(s.o.Table) }

// Open implements sink.Sink.
func (s *Sink) Open(ctx context.Context) error {
	s.table = nil
	clear(s.whole) // it may be another table, or one that has lost rows whose token the server still knows
	met, err := s.client.meet(ctx)
	if err != nil {
		return err
	}
	s.server = met
	s.encoding = "gzip"
	if met.version.takesZstd() {
		s.encoding = "zstd"
	}
	t, err := s.look(ctx)
	if err == errNoTable && s.o.Create {
		if err = s.create(ctx); err == nil {
			t, err = s.look(ctx)
		}
	}
	if err == errNoTable {
		err = &sink.Fault{Code: strconv.Itoa(codeUnknownTable), Err: fmt.Errorf(`there is no table %s.%s; set create = true, or make it from what "cairn sink schema" prints`, s.o.Database, s.o.Table)}
	}
	if err != nil {
		return err
	}
	s.table = t
	return nil
}

// Version returns the version of the server. It is known after Open, even one that failed for the table.
func (s *Sink) Version(ctx context.Context) (Version, error) {
	if s.server == nil {
		met, err := s.client.meet(ctx)
		if err != nil {
			return Version{}, err
		}
		s.server = met
	}
	return s.server.version, nil
}

// slack is how much longer than the server may take the client waits.
func (s *Sink) slack() time.Duration { return min(s.o.InsertMax, slackMost) }

// lose notes that an INSERT may arrive later.
func (s *Sink) lose() { s.lost = s.now().Add(s.o.InsertMax + s.slack()) }

// Send implements sink.Sink.
func (s *Sink) Send(ctx context.Context, r *sink.Range) error {
	at, begun := place{r.Store, r.Site.Number}, s.now()
	most := (r.Len() + s.pieces - 1) / s.pieces
	for from := 0; from < r.Len(); {
		to := cut(r.Received, from, min(from+most, r.Len()))
		if err := s.put(ctx, r, from, to, false); err != nil {
			return err
		}
		if !s.whole[at] && s.server.settings["insert_deduplication_token"] {
			n, err := s.distinct(ctx, r, from, to)
			if err == nil && n < to-from {
				err = s.put(ctx, r, from, to, true)
			}
			if err != nil {
				return err
			}
		}
		from = to
	}
	s.whole[at] = true
	if s.now().Sub(begun) < s.o.InsertMax/8 { // half as many pieces, each twice as large, do not take too long
		s.pieces = max(1, s.pieces/2)
	}
	return nil
}

// put is insert, and notes what an error may have left behind.
func (s *Sink) put(ctx context.Context, r *sink.Range, from, to int, again bool) error {
	err := s.insert(ctx, r, from, to, again)
	if err == nil {
		return nil
	}
	if !answered(err) {
		s.lose()
		delete(s.whole, place{r.Store, r.Site.Number})
	}
	if sink.FaultOf(err).Code == "timeout" || codeOf(err) == codeTimeout {
		s.pieces = min(2*s.pieces, piecesMax)
	}
	return s.refused(ctx, err)
}

// codeTimeout is the code of an INSERT that took longer than max_execution_time.
const codeTimeout = 159

// cut returns where the INSERT that begins at a row ends: at to, or before the row of one month too many.
func cut(received []int64, from, to int) int {
	var months [monthsMax]int64
	n, last := 0, int64(-1)
	for i := from; i < to; i++ {
		if day := received[i] / (24 * 3600 * 1000); day == last {
			continue
		} else {
			last = day
		}
		t := time.UnixMilli(received[i]).UTC()
		month := int64(t.Year())*12 + int64(t.Month())
		if !slices.Contains(months[:n], month) {
			if n == monthsMax {
				return i
			}
			months[n] = month
			n++
		}
	}
	return to
}

// insert sends the rows from..to of a range. again stores them even if the server knows the token.
func (s *Sink) insert(ctx context.Context, r *sink.Range, from, to int, again bool) error {
	start := 0
	if from > 0 {
		start = r.Ends[from-1]
	}
	body := r.Lines[start:r.Ends[to-1]]
	write := func(w io.Writer) error { return writeAll(w, body) }
	if s.table.form == sink.Columns {
		write = func(w io.Writer) error { return quoteNumbers(w, body) }
	}
	settings := []string{
		"max_execution_time", seconds(s.o.InsertMax),
		"input_format_skip_unknown_fields", "0", // a column that is missing is an error and not nothing
		"input_format_allow_errors_num", "0",
		"input_format_allow_errors_ratio", "0",
	}
	known := s.server.settings
	add := func(setting, value string) {
		if known[setting] {
			settings = append(settings, setting, value)
		}
	}
	add("async_insert", "0")
	add("type_json_skip_duplicated_paths", "1") // {"a.b":1,"a":{"b":2}} would be refused
	if s.table.cluster != "" {
		add("insert_distributed_sync", "1")
	}
	if again {
		settings = append(settings, "insert_deduplicate", "0")
	} else {
		add("insert_deduplication_token", s.tokenOf(r, from, to, body))
	}
	statement := "INSERT INTO " + s.qualified() + " FORMAT JSONEachRow"
	for {
		err := s.client.insert(ctx, s.o.InsertMax+s.slack(), statement, write, s.encoding, settings...)
		if codeOf(err) != codeUnknownEncoding || s.encoding == "" {
			return err
		}
		if s.encoding == "zstd" {
			s.encoding = "gzip"
		} else {
			s.encoding = ""
		}
	}
}

// tokenOf is the token of an INSERT. The number of a site is never given again, so a site that is made
// anew under an old name meets no old tokens.
func (s *Sink) tokenOf(r *sink.Range, from, to int, body []byte) string {
	return fmt.Sprintf("%d:%d:%d:%d:%016x", r.Store, r.Site.Number, r.Seqs[from], r.Seqs[to-1], xxhash.Sum64(body))
}

// refused looks at the table once more where the server refused a row: a column that somebody has taken
// away is no matter of a row, and must not make the caller pass over all of them.
func (s *Sink) refused(ctx context.Context, err error) error {
	f := sink.FaultOf(err)
	if !f.BadRow || f.Err == nil {
		return err
	}
	if _, look := s.look(ctx); look == errNoTable {
		return &sink.Fault{Code: strconv.Itoa(codeUnknownTable), Err: look}
	} else if look != nil {
		return look
	}
	if strings.Contains(f.Err.Error(), "Unknown field") { // cairn has one that it knows nothing of, in every row
		return &sink.Fault{Code: f.Code, Err: f.Err}
	}
	return err
}

// where is the condition for the rows of a store and site.
func where(store uint64, site sink.Site) string {
	return "store = " + strconv.FormatUint(store, 10) + " AND site = " + literal(site.Name)
}

// distinct counts the rows from..to of a range that are there.
func (s *Sink) distinct(ctx context.Context, r *sink.Range, from, to int) (int, error) {
	first, last := slices.Min(r.Received[from:to]), slices.Max(r.Received[from:to])
	month := func(ms int64) string { return time.UnixMilli(ms).UTC().Format("200601") }
	n, err := s.number(ctx, fmt.Sprintf("SELECT uniqExact(seq) FROM %s WHERE %s AND seq BETWEEN %d AND %d AND toYYYYMM(received) BETWEEN %s AND %s",
		s.qualified(), where(r.Store, r.Site), r.Seqs[from], r.Seqs[to-1], month(first), month(last)))
	return int(n), err
}

// number asks a question whose answer is one number.
func (s *Sink) number(ctx context.Context, question string) (uint64, error) {
	answer, err := s.ask(ctx, question+" FORMAT TabSeparated")
	if err != nil {
		return 0, err
	}
	n, err := strconv.ParseUint(strings.TrimSpace(string(answer)), 10, 64)
	if err != nil {
		return 0, unreadable(err)
	}
	return n, nil
}

// Newest implements sink.Sink. Where two rows have one seq, which tells of two cairns, it returns both.
//
// To sort the rows of a site would take the server more memory than it has, once there are billions of them.
// So only a stretch of seqs is sorted, below the newest one; another follows while rows are wanted.
func (s *Sink) Newest(ctx context.Context, store uint64, site sink.Site, upTo uint64, n int) (marks []sink.Mark, err error) {
	for width := uint64(2*n + stretchMin); len(marks) < n; width *= 4 {
		top, err := s.number(ctx, fmt.Sprintf("SELECT max(seq) FROM %s WHERE %s AND seq <= %d", s.qualified(), where(store, site), upTo))
		if err != nil {
			return nil, err
		}
		if top == 0 {
			return marks, nil // no row is left: seqs begin with 1
		}
		first := top - min(top-1, width)
		some, err := s.marks(ctx, store, site, first, top, n-len(marks))
		if err != nil {
			return nil, err
		}
		if marks = append(marks, some...); first == 1 {
			return marks, nil
		}
		upTo = first - 1
	}
	return marks, nil
}

// stretchMin is how many seqs Newest looks at, at least.
const stretchMin = 1000

// marks returns the newest rows of the seqs from first to last, at most n of them, newest first.
func (s *Sink) marks(ctx context.Context, store uint64, site sink.Site, first, last uint64, n int) (marks []sink.Mark, err error) {
	received := "toString(toUnixTimestamp64Milli(received))"
	by := "received"
	if s.table.form == sink.ColumnsSeconds {
		received, by = "toString(toUInt64(toUInt32(received)) * 1000 + received_ms)", "received, received_ms"
	}
	answer, err := s.ask(ctx, fmt.Sprintf("SELECT toString(seq) AS s, id AS i, %s AS r FROM %s WHERE %s AND seq BETWEEN %d AND %d ORDER BY seq DESC LIMIT 1 BY seq, id, %s LIMIT %d FORMAT JSONEachRow",
		received, s.qualified(), where(store, site), first, last, by, n))
	if err != nil {
		return nil, err
	}
	for d := json.NewDecoder(bytes.NewReader(answer)); d.More(); {
		var row struct {
			S uint64 `json:",string"`
			I string
			R int64 `json:",string"`
		}
		if err := d.Decode(&row); err != nil {
			return nil, unreadable(err)
		}
		marks = append(marks, sink.Mark{Seq: row.S, ID: row.I, Received: row.R})
	}
	return marks, nil
}

// sleep waits, or until the context is done.
func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return unanswered(context.Cause(ctx))
	}
}

var _ sink.Sink = (*Sink)(nil)
