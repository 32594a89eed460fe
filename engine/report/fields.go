// Fields and values: what there is to filter and break down by.

package report

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"cairn/engine/event"
	"cairn/engine/query"
	"cairn/engine/read"
	"cairn/index"
)

// Fields lists the fields of the runs that touch a range. It looks at dictionaries, and at rows of
// runs with deleted ones alone.
func (r *Reports) Fields(ctx context.Context, q query.FieldsQuery) (*query.FieldsAnswer, error) {
	rows := r.reader.Rows(ctx, q.Site)
	defer rows.Close()
	key := fmt.Sprintf("fields %q %d", q.Search, q.Limit)
	answer, as, err := read.Kept(rows, &q.Report, key, fieldsBytes, func() (*query.FieldsAnswer, error) {
		l := fieldList{rows: rows, at: make(map[string]int)}
		if err := rows.EachPart(q.Span, l.addPart); err != nil {
			return nil, err
		}
		return l.answer(&q), nil
	})
	if err != nil || answer == nil {
		return &query.FieldsAnswer{AsOf: as}, err
	}
	full := *answer
	full.AsOf = as
	return &full, nil
}

func fieldsBytes(a *query.FieldsAnswer) int {
	n := 64
	for i := range a.Fields {
		n += 128 + len(a.Fields[i].Field)
		for _, text := range a.Fields[i].Examples {
			n += 16 + len(text)
		}
	}
	return n
}

// fieldList collects fields.
type fieldList struct {
	rows   *read.Rows
	fields []query.FieldInfo
	at     map[string]int // index in fields by name
	more   bool
}

// coreFields are the fields that are stored by themselves.
var coreFields = map[string]string{
	event.FieldType: "type", event.FieldDialect: "dialect", event.FieldName: "name", event.FieldUser: "user", event.FieldAnonymous: "anonymous",
	event.FieldSession: "session", event.FieldGroups: "group", event.FieldMessageID: "message_id", event.FieldValue: "value",
}

// fieldKinds are the kinds in the order of the list.
var fieldKinds = []string{"core", "context", "property", "extra"}

const (
	// fieldCells is how many cells of a column are looked at, and fieldLeaves how many values
	// inside them.
	fieldCells  = 64
	fieldLeaves = 1024
	// exampleBytes is the longest example.
	exampleBytes = 100
	// fieldNameBytes is the longest name of a field: a longer one cannot be asked for.
	fieldNameBytes = 1024
)

// addPart adds the fields of a part.
func (l *fieldList) addPart(part *read.Cells) error {
	for _, field := range part.Fields() {
		if err := l.rows.Check(); err != nil {
			return err
		}
		name, kind := coreFields[field], "core"
		switch {
		case name != "":
		case field == event.PrefixContext || field == event.PrefixProperty || field == event.PrefixExtra:
			if col := part.Column(field); col != nil && !l.more { // keys without a column
				codes, err := part.Codes(col, 1)
				if err != nil {
					return err
				}
				l.more = len(codes) > 0
			}
			continue
		case strings.ContainsFunc(field, func(r rune) bool { return r < ' ' }):
			continue // not a field that can be asked for
		case strings.HasPrefix(field, event.PrefixContext):
			name, kind = field[1:], "context"
		case strings.HasPrefix(field, event.PrefixProperty):
			name, kind = "prop."+field[1:], "property"
		case strings.HasPrefix(field, event.PrefixExtra):
			name, kind = "extra."+field[1:], "extra"
		default:
			continue
		}
		if col := part.Column(field); col != nil {
			codes, err := part.Codes(col, fieldCells)
			if err != nil {
				return err
			}
			l.addColumn(name, kind, col, codes)
		}
	}
	return nil
}

// addColumn adds the field of a column, and those inside the cells of some codes.
func (l *fieldList) addColumn(name, kind string, col index.Column, codes []uint32) {
	card, leaves := col.Card(), 0
	if len(codes) < fieldCells {
		card = len(codes) // the others are cells of deleted rows
	}
	certain := make(map[string]bool) // paths under which some cell has a value
	for _, code := range codes {
		if leaves >= fieldLeaves {
			break
		}
		cell := col.Cell(code)
		event.CellLeaves(cell, func(path, term string) bool {
			if !certain[path] { // without the empty keys that come first, the path may be another one
				is := false
				event.CellTerms(cell, path, func(string) { is = true })
				if leaves++; !is {
					return leaves < fieldLeaves
				}
				certain[strings.Clone(path)] = true
			}
			field := name
			if path != "" && kind != "core" {
				field += "." + strings.TrimPrefix(path, ".")
			}
			if leaves++; term != "" && term[0] >= ' ' {
				if info := l.field(field, kind); info != nil {
					info.About = max(info.About, uint64(card))
					info.Numbers = info.Numbers || event.IsNumber(term)
					if len(info.Examples) < query.FieldExamples && len(term) <= exampleBytes && utf8.ValidString(term) && !slices.Contains(info.Examples, term) {
						info.Examples = append(info.Examples, strings.Clone(term))
					}
				}
			}
			return leaves < fieldLeaves
		})
	}
}

// field returns a field, nil when there are too many.
func (l *fieldList) field(name, kind string) *query.FieldInfo {
	i, known := l.at[name]
	if !known {
		if len(l.fields) == query.FieldsMax || len(name) > fieldNameBytes {
			l.more = true
			return nil
		}
		i, name = len(l.fields), strings.Clone(name)
		l.at[name] = i
		l.fields = append(l.fields, query.FieldInfo{Field: name, Kind: kind})
	}
	return &l.fields[i]
}

// answer returns the fields that are asked for.
func (l *fieldList) answer(q *query.FieldsQuery) *query.FieldsAnswer {
	a := &query.FieldsAnswer{More: l.more}
	search := query.NewSearch(q.Search)
	for _, f := range l.fields {
		if q.Search == "" || search.Matches(f.Field) {
			slices.Sort(f.Examples)
			a.Fields = append(a.Fields, f)
		}
	}
	slices.SortFunc(a.Fields, func(x, y query.FieldInfo) int {
		return cmp.Or(slices.Index(fieldKinds, x.Kind)-slices.Index(fieldKinds, y.Kind), strings.Compare(x.Field, y.Field))
	})
	if len(a.Fields) > q.Limit {
		a.Fields, a.More = slices.Clone(a.Fields[:q.Limit]), true
	}
	return a
}

// Values answers with the values of a field, those with the most rows first. With a search it
// looks for them in the dictionaries first.
func (r *Reports) Values(ctx context.Context, q query.ValuesQuery) (*query.BreakdownAnswer, error) {
	search := q.Rows.Search
	if _, ofVisit := ofVisit(q.Field); search != "" && !ofVisit && !strings.HasSuffix(search, `\`) && !isClock(q.Field) && q.Field != "user" && q.Field != "session" {
		if !strings.Contains(search, "*") {
			search = "*" + search + "*"
		}
		q.Where = append(slices.Clone(q.Where), query.Cond{Field: q.Field, Op: query.OpMatch, Values: []string{search}})
	}
	return r.Breakdown(ctx, query.BreakdownQuery{Report: q.Report, By: []string{q.Field}, Metrics: query.MetricEvents, Rows: q.Rows})
}
