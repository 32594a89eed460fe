package importer

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"path/filepath"
	"slices"
	"time"

	"cairn/engine/event"
	"cairn/engine/ua"
)

// This file is the way of an import: files are read in order, one after the other, by one
// goroutine that makes batches; another sends them in the same order, one at a time. Sessions
// depend on the order in which the server receives events, so no batch overtakes another.

// Options says what to import, and where to.
type Options struct {
	Files     []string // "-" = Stdin
	Format    string   // a name of Formats; "" or "auto" = each file says it
	Map       string   // see parseMap; "" = none
	LogFormat string   // of access logs; "" = the common ones are recognised
	Host      string   // the host of pages in access logs that do not name it
	All       bool     // of access logs also robots, static files and errors
	Follow    bool     // the last file is a log that grows; Run ends with the context
	DryRun    bool     // nothing is sent

	Stdin    io.Reader
	Rejected io.Writer // gets refused records as lines of JSON; nil = nobody does

	Client   *http.Client // how the server is reached; not needed for a dry run
	URL      string       // of the call that takes events, with its query
	Header   http.Header
	Compress bool   // bodies are compressed, for a server that is far away
	Secret   string // makes the ids of visitors of access logs

	// Progress, unless it is nil, is called after each batch, by the goroutine of Run.
	Progress    func(p Progress)
	poll, drain time.Duration // of follow; 0 = pollEvery and drainFor

	// Notice, unless it is nil, is told what the operator should know while the import runs.
	Notice func(text string)
}

// Progress is how far an import is.
type Progress struct {
	Summary    *Summary
	Bytes, All int64 // of the files; All is 0 if it is not known
}

const (
	// batchEvents is how many events a request has. More would not be faster, and each one
	// waits for the whole batch to be written.
	batchEvents = 1000
	// batchBytes is how long a body becomes; the server takes 8 MiB.
	batchBytes = 4 << 20
	// batchRecords is how many records are read before what is known of them is handed on.
	batchRecords = 20_000
	// batchesAhead is how many batches wait while one is sent.
	batchesAhead = 4
	// wrongMax is how many records of a file may be refused from its beginning before the whole
	// file is: it is of another format than it seemed.
	wrongMax = 100
	// reasonsMax bounds the reasons of a summary.
	reasonsMax = 40
)

// reader makes batches of files.
type reader struct {
	o      *Options
	mapped *userMap
	log    *logFormat
	ids    visitorIDs
	agents *ua.Cache
	b      builder
	out    chan<- *batch
	ctx    context.Context
	batch  *batch
	done   int64
	files  int
	kinds  []string
}

// Run imports. The summary is right also when there is an error: it says what was done before.
func Run(ctx context.Context, o Options) (*Summary, error) {
	sum := &Summary{LeftOut: map[string]int64{}, Refused: map[string]int64{}}
	r := &reader{o: &o, ids: newVisitorIDs(o.Secret)}
	if o.Format == "auto" {
		o.Format = ""
	}
	if err := r.options(); err != nil {
		return sum, err
	}
	all, err := r.sizes()
	if err != nil {
		return sum, err
	}
	if err := r.order(); err != nil {
		return sum, err
	}

	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	batches := make(chan *batch, batchesAhead)
	r.out, r.ctx, r.batch = batches, ctx, newBatch()
	failed := make(chan error, 1)
	go func() {
		err := r.all()
		if err == nil || !errors.Is(err, context.Canceled) {
			if late := r.flush(); err == nil {
				err = late
			}
		}
		close(batches)
		failed <- err
	}()

	var sink interface {
		take(ctx context.Context, b *batch) error
	}
	if o.DryRun {
		sum.Check = newCheck()
		sink = &checker{sum: sum, o: &o}
	} else {
		sink = newSender(&o, sum)
	}
	for b := range batches {
		if err == nil {
			if err = sink.take(ctx, b); err != nil {
				cancel()
				continue
			}
			if o.Progress != nil {
				o.Progress(Progress{sum, b.done, all})
			}
		}
	}
	readErr := <-failed
	sum.Files, sum.Formats = r.files, r.kinds
	if err == nil {
		err = readErr
	}
	if o.Follow && errors.Is(err, context.Canceled) {
		err = nil // how following ends
	}
	return sum, err
}

// options checks what can be checked without a file.
func (r *reader) options() error {
	o := r.o
	if o.Map != "" {
		m, err := parseMap(o.Map)
		if err != nil {
			return err
		}
		r.mapped = &m
	}
	if o.LogFormat != "" {
		if o.Format != "" && o.Format != accessLog.name {
			return errors.New("-log-format is for access logs")
		}
		f, err := parseLogFormat(o.LogFormat)
		if err != nil {
			return err
		}
		r.log, o.Format = f, accessLog.name
	}
	if o.Format != "" && byName(o.Format) == nil {
		return fmt.Errorf("cairn has no format %q; it knows %s", o.Format, formatNames())
	}
	if o.Follow && o.Files[len(o.Files)-1] == "-" {
		return errors.New("-follow needs a file; the standard input is read to its end anyway")
	}
	return nil
}

// all reads all files.
func (r *reader) all() error {
	for i, name := range r.o.Files {
		if r.o.Follow && i == len(r.o.Files)-1 {
			return follow(r.ctx, name, r.o.poll, r.o.drain, r.flush, func(m *member) error { return r.member(m, nil) })
		}
		if r.besides(name) {
			continue
		}
		var err error
		if name != "-" {
			err = verify(name)
		}
		if err == nil {
			err = openFile(name, r.o.Stdin, &r.done, func(m *member) error { return r.member(m, nil) })
		}
		var path *fs.PathError
		if err != nil && !errors.As(err, &path) {
			return err
		} else if err != nil {
			return &FileError{name, 0, path.Err}
		}
	}
	return nil
}

// open makes the records of a member.
func (r *reader) open(m *member, l *look) (*preset, records, error) {
	name := r.o.Format
	if r.log != nil {
		l.log = r.log.parse
	}
	p, err := recognise(l, name, r.mapped)
	if err != nil {
		return nil, nil, err
	}
	if p.shapes&shapeLog != 0 {
		return p, newLog(m, l, r), nil
	}
	if p.shapes&shapeRaw != 0 && r.mapped == nil {
		return p, &rawRecords{newJSON(m, l.head, nil)}, nil
	}
	t, err := newTable(p.columns)
	if err != nil {
		return nil, nil, err
	}
	if r.mapped != nil {
		r.mapped.into(t)
	}
	if l.json {
		return p, newJSON(m, l.head, t), nil
	}
	records, err := newCSV(m, l.columns, l.comma, t)
	if err == nil {
		records.own = p.own && !records.escapes
	}
	return p, records, err
}

// member reads one member. visit, unless it is nil, sees each event instead of the batch.
func (r *reader) member(m *member, visit func(*builder) error) error {
	if err := sumsOf([]string{m.base()}); err != nil {
		return &FileError{m.name, 0, err}
	}
	look, err := lookAt(m)
	if errors.Is(err, io.EOF) {
		return nil // it is empty
	}
	if err != nil {
		return &FileError{m.name, 0, err}
	}
	p, from, err := r.open(m, look)
	if err != nil {
		return &FileError{m.name, 0, err}
	}
	finish := p.finish
	if p.beside != nil && m.path != "" && visit == nil {
		if finish, err = p.beside(filepath.Dir(m.path)); err != nil {
			return err
		}
	}
	if r.files++; !slices.Contains(r.kinds, p.name) {
		r.kinds = append(r.kinds, p.name)
	}
	w := newWindow()
	wrong, first := 0, ""
	for {
		r.b.reset()
		r.b.own = p.own
		raw, line, err := from.next(&r.b)
		if errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
			return nil
		}
		var no refusal
		var left skip
		if err != nil && !errors.As(err, &no) && !errors.As(err, &left) {
			return &FileError{m.name, line, err}
		}
		if err := r.ctx.Err(); err != nil {
			return err
		}
		equal := w.add(raw)
		if err == nil {
			err = r.record(p, finish, m, raw, line, equal, visit)
		}
		switch {
		case err == nil:
			wrong = wrongMax + 1
		case errors.As(err, &left):
			wrong = wrongMax + 1
			r.batch.leftOut[string(left)]++
		case errors.As(err, &no):
			if first == "" {
				first = fmt.Sprintf("line %d: %s", line, no.why)
			}
			if wrong++; wrong == wrongMax {
				return &FileError{m.name, 0, fmt.Errorf("none of the first %d records is one of the format %s (%s)", wrongMax, p.name, first)}
			}
			if visit == nil {
				r.refuse(place{file: m, line: line, text: raw}, no.why)
			}
		default:
			return err
		}
		r.batch.read++
		if r.batch.read >= batchRecords && visit == nil {
			if err := r.flush(); err != nil {
				return err
			}
		}
	}
}

// record makes the events of one record.
func (r *reader) record(p *preset, finish func(*builder) error, m *member, raw []byte, line, equal int, visit func(*builder) error) error {
	part := 0
	emit := func() error {
		b := &r.b
		if b.bad != nil {
			return refusal{b.bad.Error()}
		}
		if p.shapes&shapeRaw == 0 {
			if err := b.complete(p.own); err != nil {
				return err
			}
		}
		if visit != nil {
			return visit(b)
		}
		if b.MessageID == "" || len(b.MessageID) > event.MaxIDBytes {
			b.MessageID = messageID(p.name, raw, equal, part)
		}
		part++
		return r.add(p, m, raw, line)
	}
	if r.mapped != nil {
		for _, c := range r.mapped.constants {
			r.b.put(c.to, "", event.Str(c.text))
		}
	}
	if p.many != nil {
		return p.many(&r.b, emit)
	}
	if finish != nil {
		if err := finish(&r.b); err != nil {
			var left skip
			var no refusal
			if errors.As(err, &left) || errors.As(err, &no) {
				return err
			}
			return refusal{err.Error()}
		}
	}
	return emit()
}

// complete checks what the server would not: a time, which the server would take as now, and how
// much there is.
func (b *builder) complete(own bool) error {
	if b.Time == 0 && !own {
		return refusal{"time: is missing"}
	}
	if b.Type == "" {
		b.Type = event.Track
	}
	for _, o := range [...]struct {
		name string
		n    int
	}{{"properties", len(b.Properties)}, {"extra", len(b.Extra)}} {
		if o.n > event.MaxProperties {
			return refusal{fmt.Sprintf("%s: has %d keys, at most %d are stored; leave columns out with -map '-=COLUMN'", o.name, o.n, event.MaxProperties)}
		}
	}
	return nil
}

// add puts the event of the builder into the batch.
func (r *reader) add(p *preset, m *member, raw []byte, line int) error {
	c := r.batch
	switch {
	case p.shapes&shapeRaw != 0 && r.b.rawID:
		c.body = append(c.body, raw...)
	case p.shapes&shapeRaw != 0:
		c.body = withMessageID(c.body, raw, r.b.MessageID)
	default:
		c.body = r.b.appendTo(c.body)
	}
	c.body = append(c.body, '\n')
	c.ends = append(c.ends, len(c.body))
	at := place{file: m, line: line}
	if r.o.Rejected != nil {
		at.text = append([]byte(nil), raw...)
		c.bytes += int64(len(raw))
	}
	c.places = append(c.places, at)
	if len(c.ends) >= batchEvents || len(c.body) >= batchBytes || c.bytes >= 2*batchBytes {
		return r.flush()
	}
	return nil
}

// flush hands the batch on.
func (r *reader) flush() error {
	if r.batch.read == 0 && len(r.batch.ends) == 0 && len(r.batch.refused) == 0 {
		return nil
	}
	r.batch.done = r.done
	select {
	case r.out <- r.batch:
	case <-r.ctx.Done():
		return r.ctx.Err()
	}
	r.batch = newBatch()
	return nil
}
