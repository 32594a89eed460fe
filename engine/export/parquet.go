//go:build !noparquet

// Parquet: the columns of CSV with types, and the objects of the event as JSON. The build tag
// noparquet leaves this file out.

package export

import (
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"math"
	"reflect"
	"runtime"
	"slices"
	"strconv"
	"sync"

	"cairn/engine/event"
	"cairn/engine/query"
	"cairn/engine/read"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/compress/zstd"
)

const hasParquet = true

const (
	// groupRows is how many rows a row group has at most.
	groupRows = 1 << 17

	// groupBytes is about how many bytes of memory a row group has at most.
	groupBytes = 16 << 20

	// pageBytes is when the page of a column is encoded and compressed.
	pageBytes = 1 << 18

	// dictionaryBytes is the largest dictionary of a column. Beyond it texts are stored as
	// they are: they hardly repeat.
	dictionaryBytes = 1 << 19
)

// kind is the type of a column.
type kind byte

const (
	kindNone kind = iota // no row has a value
	kindBool
	kindInt
	kindFloat
	kindText
)

// render returns what makes of a cell the bytes of a value: 1, and those of the type. A value that
// is not of the type is text, so the type of a column is found out before.
func (k kind) render(dst, cell []byte) []byte {
	if event.CellKind(cell) == event.Null {
		return dst
	}
	dst = append(dst, 1)
	switch k {
	case kindBool, kindText, kindNone:
		if event.CellKind(cell) == event.JSON {
			return event.AppendCellJSON(dst, cell)
		}
		return event.AppendCellText(dst, cell)
	case kindInt:
		n, _ := strconv.ParseInt(string(event.AppendCellText(nil, cell)), 10, 64)
		return binary.LittleEndian.AppendUint64(dst, uint64(n))
	}
	f, _ := strconv.ParseFloat(string(event.AppendCellText(nil, cell)), 64)
	return binary.LittleEndian.AppendUint64(dst, math.Float64bits(f))
}

// value returns the value of what render has made.
func (k kind) value(b []byte) parquet.Value {
	switch k {
	case kindBool:
		return parquet.BooleanValue(string(b[1:]) == "true")
	case kindInt:
		return parquet.Int64Value(int64(binary.LittleEndian.Uint64(b[1:])))
	case kindFloat:
		return parquet.DoubleValue(math.Float64frombits(binary.LittleEndian.Uint64(b[1:])))
	}
	return parquet.ByteArrayValue(b[1:])
}

func (k kind) node() parquet.Node {
	switch k {
	case kindBool:
		return parquet.Optional(parquet.Leaf(parquet.BooleanType))
	case kindInt:
		return parquet.Optional(parquet.Encoded(parquet.Int(64), &parquet.RLEDictionary))
	case kindFloat:
		return parquet.Optional(parquet.Encoded(parquet.Leaf(parquet.DoubleType), &parquet.RLEDictionary))
	}
	return parquet.Optional(parquet.Encoded(parquet.String(), &parquet.RLEDictionary))
}

// kindOf returns the kind of the value of a cell.
func kindOf(cell []byte) kind {
	switch event.CellKind(cell) {
	case event.Null, event.Absent:
		return kindNone
	case event.Bool:
		return kindBool
	case event.Number:
		text := string(event.AppendCellText(nil, cell))
		if _, err := strconv.ParseInt(text, 10, 64); err == nil {
			return kindInt
		}
		if f, err := strconv.ParseFloat(text, 64); err == nil && !math.IsInf(f, 0) {
			return kindFloat
		}
	}
	return kindText
}

// and returns the kind of a column with values of both kinds.
func (k kind) and(o kind) kind {
	switch {
	case k == o || o == kindNone:
		return k
	case k == kindNone:
		return o
	case k >= kindInt && o >= kindInt:
		return max(k, o)
	}
	return kindText
}

// kindIn finds out the kind of a column from the dictionaries of all parts.
func kindIn(s *read.Stretches, places []place) (k kind, err error) {
	err = s.EachPart(func(p *read.Cells) error {
		for _, at := range places {
			col := p.Column(at.field)
			if col == nil {
				continue
			}
			has, err := p.Has(col)
			if err != nil {
				return err
			}
			for code := uint32(1); code <= uint32(col.Card()) && k != kindText; code++ {
				if has != nil && !has(code) {
					continue
				}
				cell := col.Cell(code)
				if at.path != "" && !event.IsShape(cell) {
					cell = event.AppendCellAt(nil, cell, at.path)
				}
				if event.IsShape(cell) { // what is in its pieces is not looked at
					k = kindText
				} else if k = k.and(kindOf(cell)); code%4096 == 0 {
					if err := s.Check(); err != nil {
						return err
					}
				}
			}
		}
		return p.Err()
	})
	return k, err
}

// field is a column of the file.
type field struct {
	parquet.Node
	name   string
	kind   kind
	places []place // nil for what is not a cell
	prefix string  // of an object; "" = it is none
	plain  bool    // no dictionary
}

// Name implements parquet.Field.
func (f *field) Name() string { return f.name }

// Value implements parquet.Field. Rows are never values of Go here.
func (f *field) Value(reflect.Value) reflect.Value { return reflect.Value{} }

// record is the schema of a file: a parquet.Group in an order of its own.
type record struct {
	parquet.Group
	fields []parquet.Field
}

// Fields implements parquet.Node.
func (r record) Fields() []parquet.Field { return r.fields }

// fieldsOf returns the columns of a file.
func fieldsOf(s *read.Stretches, q *query.Export) ([]*field, error) {
	moment := parquet.Encoded(parquet.Timestamp(parquet.Millisecond), &parquet.DeltaBinaryPacked)
	fields := []*field{
		{Node: parquet.String(), name: "id", plain: true},
		{Node: moment, name: "received"},
		{Node: moment, name: "time"},
	}
	add := func(name string, places []place) error {
		k, err := kindIn(s, places)
		fields = append(fields, &field{Node: k.node(), name: name, kind: cmp.Or(k, kindText), places: places})
		return err
	}
	for _, name := range query.ExportFixed[len(fields):] {
		if err := add(name, []place{{field: fixedFields[name]}}); err != nil {
			return nil, err
		}
	}
	for _, name := range q.Columns {
		if err := add(name, placesOf(name)); err != nil {
			return nil, err
		}
	}
	for prefix, name := range objects {
		fields = append(fields, &field{Node: parquet.Optional(parquet.JSON()), name: name, prefix: prefix, plain: true})
	}
	return fields, nil
}

// objects yields the objects of an event, by the prefix of their fields.
func objects(yield func(prefix, name string) bool) {
	_ = yield(event.PrefixProperty, "properties") && yield(event.PrefixContext, "context") && yield(event.PrefixExtra, "extra")
}

// sink is the file as the library writes it. It begins with the first write, and what it writes
// at once is small.
type sink struct{ out *output }

func (s sink) Write(b []byte) (int, error) {
	if err := s.out.write(b); err != nil {
		return 0, err
	}
	return len(b), nil
}

// writeParquet writes the export as one file.
func writeParquet(ctx context.Context, s *read.Stretches, out *output, q *query.Export, bytes int64) error {
	fields, err := fieldsOf(s, q)
	if err != nil {
		return err
	}
	schema := record{}
	for _, f := range fields {
		schema.fields = append(schema.fields, f)
	}
	options := []parquet.WriterOption{
		parquet.NewSchema("event", schema),
		parquet.Compression(&zstd.Codec{Level: zstd.SpeedFastest}),
		parquet.PageBufferSize(pageBytes),
		parquet.WriteBufferSize(0),
		parquet.DictionaryMaxBytes(dictionaryBytes),
		parquet.CreatedBy("cairn", "", ""),
	}
	for _, f := range fields {
		if f.plain {
			options = append(options, parquet.SkipPageBounds(f.name))
		}
	}
	w := &parquetWriter{s: s, out: out, fields: fields, file: parquet.NewGenericWriter[any](sink{out}, options...)}
	w.columns = w.file.ColumnWriters()
	w.work = make([]fieldWork, len(fields))
	ctx, stop := context.WithCancel(ctx)
	blocks := make(chan *block, 2)
	var wg sync.WaitGroup
	defer wg.Wait() // the view is closed after that
	defer stop()
	var failed error
	wg.Go(func() {
		defer close(blocks)
		defer query.Recovered(&failed)
		failed = produce(ctx, s, w.bind, bytes, func(b *block) bool { return send(ctx, blocks, b) })
	})
	for b := range blocks {
		if err := w.write(b); err != nil {
			return err
		}
		out.wrote(s, b)
		b.release()
	}
	if failed != nil {
		return failed
	}
	if err := w.flush(); err != nil {
		return err
	}
	return w.file.Close()
}

// parquetWriter is a file that is being written.
type parquetWriter struct {
	s       *read.Stretches
	out     *output
	fields  []*field
	file    *parquet.GenericWriter[any]
	columns []*parquet.ColumnWriter
	work    []fieldWork
	rows    int
	bytes   int // about the memory of the row group
}

// fieldWork is what one goroutine at a time needs for a column.
type fieldWork struct {
	values []parquet.Value
	text   []byte
	bytes  int
	err    error
}

// partFields are the columns of the file in a part.
type partFields struct {
	values  []value
	objects []*object
}

func (w *parquetWriter) bind(p *part) {
	f := &partFields{values: make([]value, len(w.fields)), objects: make([]*object, len(w.fields))}
	for i, field := range w.fields {
		switch {
		case field.places != nil:
			f.values[i] = bindValue(p, field.places, field.kind.render)
		case field.prefix != "":
			f.objects[i] = bindObject(p, field.prefix, field.name)
		}
	}
	p.fields = f
}

// write writes the rows of a block, as many columns at once as there are processors.
func (w *parquetWriter) write(b *block) error {
	err := w.each(func(i int) { w.column(i, b) })
	if err == nil {
		err = b.err
	}
	if err != nil {
		return err
	}
	w.rows += b.len()
	for i := range w.work {
		w.bytes += w.work[i].bytes
	}
	if w.rows+blockRows > groupRows || w.bytes >= groupBytes {
		return w.flush()
	}
	return nil
}

// flush ends a row group.
func (w *parquetWriter) flush() error {
	if err := w.each(func(i int) { w.work[i].err = w.columns[i].Flush() }); err != nil {
		return err
	}
	w.rows, w.bytes = 0, 0
	return w.file.Flush()
}

// each calls fn for every column of the file and returns the first error.
func (w *parquetWriter) each(fn func(i int)) error {
	n := max(1, min(runtime.GOMAXPROCS(0), 4, len(w.fields)))
	var wg sync.WaitGroup
	errs := make([]error, n)
	for g := range n {
		wg.Go(func() {
			defer query.Recovered(&errs[g])
			w.s.Work(func() {
				for i := len(w.fields) - 1 - g; i >= 0; i -= n { // the objects are the most work
					fn(i)
				}
			})
		})
	}
	wg.Wait()
	for i := range w.work {
		errs = append(errs, w.work[i].err)
	}
	if at := slices.IndexFunc(errs, func(err error) bool { return err != nil }); at >= 0 {
		return errs[at]
	}
	return nil
}

var errShort = errors.New("parquet: a column did not take all rows")

// column writes the rows of a block to one column.
func (w *parquetWriter) column(i int, b *block) {
	f, work := w.fields[i], &w.work[i]
	part := b.part.fields.(*partFields)
	work.values, work.text, work.bytes = work.values[:0], work.text[:0], 0
	for row := range b.len() {
		var v parquet.Value
		start, level := len(work.text), 1
		switch {
		case f.name == "id":
			work.text, level = w.s.AppendID(work.text, b.seq(row)), 0
			v = parquet.ByteArrayValue(work.text[start:])
		case f.name == "received":
			v, level = parquet.Int64Value(b.ints[event.IntReceived][row]), 0
		case f.name == "time":
			v, level = parquet.Int64Value(b.ints[event.IntTime][row]), 0
		case f.prefix != "":
			if work.text = part.objects[i].append(work.text, b, row); len(work.text) == start {
				level = 0
			} else {
				v = parquet.ByteArrayValue(work.text[start:])
			}
		default:
			if work.text = part.values[i].append(work.text, b, row, f.kind.render); len(work.text) == start {
				level = 0
			} else {
				v = f.kind.value(work.text[start:])
			}
		}
		work.values = append(work.values, v.Level(0, level, i))
	}
	if work.bytes = len(work.text) / 8; f.prefix != "" {
		work.bytes = len(work.text) / 4 // compressed
	} else if f.name == "id" {
		work.bytes = len(work.text)
	}
	n, err := w.columns[i].WriteRowValues(work.values)
	if err == nil && n != len(work.values) {
		err = errShort
	}
	work.err = err
	if cap(work.text) > 4<<20 {
		work.text = nil
	}
}
