// Exporter: who may export, with how much memory, and the way of one export.

package export

import (
	"context"
	"io"
	"runtime"
	"sync"
	"sync/atomic"

	"cairn/engine/query"
	"cairn/engine/read"
)

const (
	// atOnce is how many exports may run at once. Each takes a processor, and memory.
	atOnce = 2

	// bytesMost and bytesLeast bound the memory of one export.
	bytesMost  = 40 << 20
	bytesLeast = 2 << 20

	// progressEvents is after how many events Export.Progress is called.
	progressEvents = 100_000
)

// Exporter makes exports. It is safe for any number of goroutines.
type Exporter struct {
	// ExportBytes, if set before use, is the memory of one export in place of what there is.
	ExportBytes int64

	reader  *read.Reader
	running atomic.Int32
}

// New makes an Exporter.
func New(reader *read.Reader) *Exporter { return &Exporter{reader: reader} }

// run is one export that may run.
type run struct {
	q     query.Export
	read  *read.Reader
	bytes int64
	plan  query.ExportPlan
	end   func() // gives the place and the memory back
}

// BeginExport checks the question of an export and takes its place among those that run. The place is
// given back after Write, and when ctx is over: a caller who ends ctx need not call Write. Errors are those of
// the question, query.ErrExportsBusy, or query.ErrReportsBusy when there is no memory.
func (x *Exporter) BeginExport(ctx context.Context, q query.Export) (query.ExportRun, error) {
	if x.running.Add(1) > atOnce {
		x.running.Add(-1)
		return nil, query.ErrExportsBusy
	}
	r := &run{q: q, read: x.reader}
	room, bytes, err := x.reader.ExportRoom(bytesLeast, bytesMost)
	if err == nil {
		if x.ExportBytes != 0 {
			bytes = x.ExportBytes
		}
		if r.bytes, err = bytes, r.prepare(ctx); err != nil {
			room.Close()
		}
	}
	if err != nil {
		x.running.Add(-1)
		return nil, err
	}
	r.end = sync.OnceFunc(func() {
		room.Close()
		x.running.Add(-1)
	})
	context.AfterFunc(ctx, r.end)
	return r, nil
}

// prepare chooses the columns and says what the export is going to be.
func (r *run) prepare(ctx context.Context) error {
	q := &r.q
	if q.Format == query.Parquet && !hasParquet {
		return query.Bad("format", "this cairn was built without parquet")
	}
	s, err := r.read.Stretches(ctx, q)
	if err != nil {
		return err
	}
	defer s.Close()
	if q.Format != query.NDJSON {
		if q.Columns == nil {
			if q.Columns, err = mostUsed(s); err != nil {
				return err
			}
		} else if err := checkColumns(q.Columns); err != nil {
			return err
		}
	}
	rows, last := s.Bounds()
	r.plan = query.ExportPlan{Columns: q.Columns, Rows: rows}
	if last != 0 {
		q.UpTo = string(s.AppendID(nil, last))
		r.plan.UpTo = q.UpTo
	}
	return nil
}

// Plan implements query.ExportRun.
func (r *run) Plan() query.ExportPlan { return r.plan }

// Write implements query.ExportRun.
func (r *run) Write(ctx context.Context, w io.Writer) (done query.Exported, err error) {
	defer r.end()
	s, err := r.read.Stretches(ctx, &r.q)
	if err != nil {
		return done, err
	}
	defer s.Close()
	out := &output{w: w, q: &r.q}
	switch r.q.Format {
	case query.Parquet:
		err = writeParquet(ctx, s, out, &r.q, r.bytes)
	case query.CSV:
		e := newCSV(s, &r.q)
		if !r.q.NoHead {
			err = out.write(e.head(nil))
		}
		if err == nil {
			err = writeTexts(ctx, s, e, out, r.bytes)
		}
	default:
		err = writeTexts(ctx, s, newNDJSON(s), out, r.bytes)
	}
	return out.done, err
}

// output is where an export goes.
type output struct {
	w    io.Writer
	q    *query.Export
	done query.Exported
}

// writeBytes is how much is written at once: a client has some time for so much.
const writeBytes = 64 << 10

func (o *output) write(b []byte) error {
	for len(b) > 0 {
		n := min(len(b), writeBytes)
		if _, err := o.w.Write(b[:n]); err != nil {
			return err
		}
		b = b[n:]
	}
	return nil
}

// wrote counts events that are written.
func (o *output) wrote(s *read.Stretches, b *block) error {
	before := o.done.Events
	o.done.Events += uint64(b.len())
	o.done.Last = string(s.AppendID(nil, b.seq(b.len()-1)))
	if o.q.Progress != nil && before/progressEvents != o.done.Events/progressEvents {
		o.q.Progress(o.done.Events, o.done.Last)
	}
	return nil
}

// textWriter is where texts go. After an error of a method nothing more is written.
type textWriter interface {
	// write takes text of a block, which is valid until it returns. The first text of a block
	// begins with its first row.
	write(text []byte) error
	// wrote says that all of a block is written.
	wrote(s *read.Stretches, b *block) error
}

// textEncoder is an encoder whose rows are texts one after the other.
type textEncoder interface {
	// bind says how to read the rows of a part.
	bind(p *part) (row func(dst []byte, b *block, i int) []byte)
}

// writeTexts reads the rows, has several goroutines encode them, and writes them in order.
func writeTexts(ctx context.Context, s *read.Stretches, e textEncoder, out textWriter, bytes int64) error {
	workers := max(1, min(runtime.GOMAXPROCS(0), 4))
	ctx, stop := context.WithCancel(ctx)
	ordered, jobs := make(chan *block, workers+1), make(chan *block, workers+1)
	var wg sync.WaitGroup
	errs := make([]error, workers+1)
	fail := func(at int) {
		if errs[at] != nil {
			stop()
		}
	}
	defer wg.Wait() // the view is closed after that
	defer stop()
	wg.Go(func() {
		defer close(ordered)
		defer close(jobs)
		defer fail(workers)
		defer query.Recovered(&errs[workers])
		errs[workers] = produce(ctx, s, func(p *part) {
			row := e.bind(p)
			p.encode = func(b *block) { encode(ctx, s, b, row) }
		}, bytes, func(b *block) bool {
			b.out = make(chan []byte, 1)
			return send(ctx, ordered, b) && send(ctx, jobs, b)
		})
	})
	for i := range workers {
		wg.Go(func() {
			defer fail(i)
			defer query.Recovered(&errs[i])
			for b := range jobs {
				err := func() error {
					defer close(b.out)
					b.part.encode(b)
					return b.err
				}()
				if err != nil {
					errs[i] = err
					return
				}
			}
		})
	}
	write := func() error {
		for b := range ordered {
			for more := true; more; {
				select {
				case text, ok := <-b.out:
					if more = ok; !more {
						break
					}
					if err := out.write(text); err != nil {
						return err
					}
					b.part.buffers.put(text)
				case <-ctx.Done():
					return ctx.Err()
				}
			}
			err := out.wrote(s, b)
			b.release()
			if err != nil {
				return err
			}
		}
		return nil
	}
	err := write()
	stop()
	wg.Wait()
	// Where a goroutine has failed, the others and the writer only say that they were stopped.
	for _, own := range errs {
		if own != nil && !ctxError(own) && (err == nil || ctxError(err) || err == errEnough) {
			return own
		}
	}
	return err
}

// ctxError reports whether an error is that of a context that has ended.
func ctxError(err error) bool { return err == context.Canceled || err == context.DeadlineExceeded }

func send[T any](ctx context.Context, to chan<- T, v T) bool {
	select {
	case to <- v:
		return true
	case <-ctx.Done():
		return false
	}
}

// encode encodes the rows of a block and passes them on, about writeBytes at a time. It takes a
// processor for each piece, and none while it waits for the client.
func encode(ctx context.Context, s *read.Stretches, b *block, row func(dst []byte, b *block, i int) []byte) {
	for i := 0; i < b.len(); {
		dst := b.part.buffers.get()
		s.Work(func() {
			for ; i < b.len() && len(dst) < writeBytes-writeBytes/8; i++ {
				dst = row(dst, b, i)
			}
		})
		if !send(ctx, b.out, dst) {
			return
		}
	}
}

// buffers are buffers for texts.
type buffers struct{ sync.Pool }

func (p *buffers) get() []byte {
	if b, ok := p.Get().(*[]byte); ok {
		return (*b)[:0]
	}
	return make([]byte, 0, writeBytes+writeBytes/4)
}

func (p *buffers) put(b []byte) {
	if cap(b) <= 4*writeBytes {
		p.Put(&b)
	}
}
