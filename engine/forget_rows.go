// The names in deleted rows, read by column: the codes of some rows, and then the dictionary of
// each column once. Rows that have all names in common are one.

package engine

import (
	"slices"

	"cairn/engine/event"
	"cairn/engine/table"
	"cairn/index"

	"github.com/RoaringBitmap/roaring/v2/roaring64"
)

// Columns that have what the table of ids may have of a row, see identity.NamesIn.
const (
	nameUser = iota
	nameAnonymous
	namePrevious
	nameSession
	nameFingerprint
	nameName
	nameTexts // the columns before have texts that are looked for

	nameDialect = iota - 1
	nameType
	nameSessionOf
	nameOverflow // has the fingerprint where that has no column of its own
	nameColumns
)

var nameFields = [nameColumns]string{
	nameUser: event.FieldUser, nameAnonymous: event.FieldAnonymous, namePrevious: event.FieldPrevious, nameSession: event.FieldSession,
	nameFingerprint: event.PrefixExtra + event.Fingerprint, nameName: event.FieldName,
	nameDialect: event.FieldDialect, nameType: event.FieldType, nameSessionOf: event.FieldSessionOf,
	nameOverflow: event.PrefixExtra,
}

// namedRow is the codes of what names a row.
type namedRow struct {
	codes   [nameColumns]uint32
	session uint64 // ordinal
}

const (
	// namedRows is how many different rows are read at once.
	namedRows = 1 << 13
	// namedRowsKnown is how many different rows of a part are remembered, so that each is read once.
	namedRowsKnown = 1 << 16
	// fewRows: so few rows of a page are read one by one.
	fewRows = 32
)

// nameReader reads the names of the rows at some seqs.
type nameReader struct {
	site *siteState
	pace *pacedSink
	seqs roaring64.IntPeekable64

	part   uint64 // seq of the first row of the part that seen is of
	seen   map[namedRow]struct{}
	found  []namedRow
	rows   []int // scratch
	bufs   [nameColumns + 1][]int64
	byCode []uint64 // scratch
}

func newNameReader(s *siteState, seqs *roaring64.Bitmap, pace *pacedSink) *nameReader {
	r := &nameReader{site: s, pace: pace, seqs: seqs.Iterator(), seen: make(map[namedRow]struct{})}
	for i := range r.bufs {
		r.bufs[i] = make([]int64, index.PageRows)
	}
	return r
}

// read returns the names of the next rows, none at the end. No view is open when it returns.
func (r *nameReader) read() (events []event.Event, err error) {
	v := r.site.View()
	defer v.Close()
	for len(events) == 0 && r.seqs.HasNext() {
		p := v.PartOf(r.seqs.PeekNext())
		if p == nil {
			r.seqs.Next() // the event is lost
			continue
		}
		part := openIn(p, index.NewCache(forgetCache))
		if err := r.collect(part); err != nil {
			return nil, err
		}
		if events, err = r.resolve(part); err != nil {
			return nil, err
		}
	}
	return events, nil
}

// collect adds different rows of a part to found.
func (r *nameReader) collect(part index.Part) error {
	if first := part.First(); r.part != first {
		r.part = first
		clear(r.seen)
	}
	r.found = r.found[:0]
	var codes [nameColumns]index.Ints
	for i, field := range nameFields {
		if col := part.Column(field); col != nil {
			codes[i] = col.Codes()
		}
	}
	visits, orders := visitsIn(part)
	sessions := part.Ints(event.IntSession)
	for len(r.found) < namedRows && r.seqs.HasNext() {
		seq := r.seqs.PeekNext()
		if seq >= part.First()+uint64(part.Len()) {
			break
		}
		page := int(seq-part.First()) / index.PageRows
		end := part.First() + uint64(min(part.Len(), (page+1)*index.PageRows))
		r.rows = r.rows[:0]
		for ; r.seqs.HasNext() && r.seqs.PeekNext() < end; r.seqs.Next() {
			r.rows = append(r.rows, int(r.seqs.PeekNext()-part.First()))
		}
		value := func(ints index.Ints, buf int) []int64 {
			if len(r.rows) > fewRows {
				return ints.Page(page, r.bufs[buf])
			}
			for _, row := range r.rows {
				r.bufs[buf][row%index.PageRows] = ints.At(row)
			}
			return r.bufs[buf]
		}
		var values [nameColumns][]int64
		for i := range codes {
			if codes[i] != nil {
				values[i] = value(codes[i], i)
			}
		}
		ords := value(sessions, nameColumns)
		if err := part.Err(); err != nil {
			return err
		}
		var last namedRow
		for _, row := range r.rows {
			at := row % index.PageRows
			now := namedRow{session: uint64(ords[at])}
			for i := range values {
				if values[i] != nil {
					now.codes[i] = uint32(values[i][at])
				}
			}
			hits := visits[now.codes[nameDialect]]
			if !hits { // what only visits need names nothing
				now.codes[nameFingerprint], now.codes[nameOverflow] = 0, 0
			}
			if !hits || !orders[now.codes[nameType]] {
				now.codes[nameName], now.codes[nameType] = 0, 0
			}
			if now == last {
				continue
			}
			last = now
			if _, known := r.seen[now]; known {
				continue
			}
			if len(r.seen) >= namedRowsKnown {
				clear(r.seen)
			}
			r.seen[now] = struct{}{}
			r.found = append(r.found, now)
		}
		if err := r.pace.pace(); err != nil {
			return err
		}
	}
	return part.Err()
}

// visitsIn returns the codes of dialects that have visits, and those of the type order.
func visitsIn(part index.Part) (visits, orders map[uint32]bool) {
	visits, orders = make(map[uint32]bool), make(map[uint32]bool)
	for code, dialect := range dialectsIn(part) {
		if event.NewestRule(dialect).Visits {
			visits[code] = true
		}
	}
	for _, code := range codesOf(part, event.FieldType, string(event.Order)) {
		orders[code] = true
	}
	return visits, orders
}

// dialectsIn returns the dialects of a part by code.
func dialectsIn(part index.Part) map[uint32]event.Dialect {
	all := make(map[uint32]event.Dialect)
	for _, d := range event.Dialects {
		for _, code := range codesOf(part, event.FieldDialect, string(d)) {
			all[code] = d
		}
	}
	return all
}

func codesOf(part index.Part, field, text string) []uint32 {
	if col := part.Column(field); col != nil {
		return col.Find("", []string{text})
	}
	return nil
}

// resolve returns what names the rows in found. Each dictionary is read in its order.
func (r *nameReader) resolve(part index.Part) ([]event.Event, error) {
	var parser event.Parser
	events := make([]event.Event, len(r.found))
	for i := range r.found {
		events[i].SessionOrd = r.found[i].session
	}
	for c, field := range nameFields {
		col := part.Column(field)
		if col == nil {
			continue
		}
		r.byCode = r.byCode[:0]
		for i := range r.found {
			if code := r.found[i].codes[c]; code != 0 {
				r.byCode = append(r.byCode, uint64(code)<<32|uint64(i))
			}
		}
		slices.Sort(r.byCode)
		last, text := uint32(0), ""
		for _, pair := range r.byCode {
			if code := uint32(pair >> 32); code != last {
				last = code
				if text = event.CellValue(col.Cell(code)).Text; c == nameOverflow {
					parser.Reset()
					cell, err := overflowFingerprint(&parser, col.Cell(code))
					if err != nil {
						return nil, index.Unreadable(part, part.First(), err)
					}
					text = event.CellValue(cell).Text
				}
			}
			e := &events[uint32(pair)]
			switch c {
			case nameUser:
				e.User = text
			case nameAnonymous:
				e.Anonymous = text
			case namePrevious:
				e.Previous = text
			case nameSession:
				e.Session = text
			case nameFingerprint, nameOverflow:
				if text != "" {
					e.Extra = event.Object{{Key: event.Fingerprint, Value: event.Str(text)}}
				}
			case nameName:
				e.Name = text
			case nameDialect:
				e.Dialect = event.Dialect(text)
			case nameType:
				e.Type = event.Type(text)
			case nameSessionOf:
				e.SessionOf = text
			}
		}
		if err := r.pace.pace(); err != nil {
			return nil, err
		}
	}
	return events, part.Err()
}

// overflowFingerprint returns the cell of the fingerprint in a cell of keys without a column of
// their own, nil when there is none.
func overflowFingerprint(parser *event.Parser, cell []byte) ([]byte, error) {
	members, err := event.CellValue(cell).Object(parser)
	if err != nil {
		return nil, err
	}
	for _, m := range members {
		if m.Key == event.Fingerprint {
			return event.AppendCell(nil, m.Value), nil
		}
	}
	return nil, nil
}

// idReaders reads the ids of single rows of a view.
type idReaders struct {
	view  *table.View
	cache *index.Cache
	parts map[*table.Part]*table.RowReader
}

// read returns the ids of the row at seq, nil when there is none.
func (r *idReaders) read(seq uint64) (*event.Event, error) {
	p := r.view.PartOf(seq)
	if p == nil {
		return nil, nil
	}
	if r.parts == nil {
		r.parts = make(map[*table.Part]*table.RowReader)
	}
	if r.parts[p] == nil {
		r.parts[p] = table.NewIDReader(openIn(p, r.cache))
	}
	return r.parts[p].Read(int(seq - p.First()))
}
