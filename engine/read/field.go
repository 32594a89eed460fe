// Fields: what a row has under a name, for reports that break events down by any field.

package read

import (
	"fmt"
	"slices"
	"strings"

	"cairn/engine/event"
	"cairn/engine/query"
)

// Terms are the texts of an answer, each with a number. Numbers compare faster than texts. The
// zero Terms is empty. One goroutine uses it.
type Terms struct{ terms }

// ID returns the number of a text. It keeps a copy of a new one.
func (t *Terms) ID(text string) int32 { return t.idCloned(text) }

// Text returns the text of a number.
func (t *Terms) Text(id int32) string { return t.names[id] }

// Len returns how many texts there are.
func (t *Terms) Len() int { return len(t.names) }

// Bytes returns how many bytes the texts have.
func (t *Terms) Bytes() int { return t.bytes }

// Field reads what the rows of a slice have under the name of a field.
type Field interface {
	// Terms returns the different terms of a row as numbers in the Terms of the field; none
	// when the row has no such field. Rows ascend. The slice is valid until the next call.
	Terms(row int) []int32
}

// FieldKnown returns an error that wraps query.ErrBadQuery unless name is that of a field which
// Slice.Field reads.
func FieldKnown(name string) error {
	if _, ok := fieldColumns(name); !ok {
		return fmt.Errorf("%w: unknown field %q", query.ErrBadQuery, name)
	}
	return nil
}

// Field returns a reader of a field. texts numbers what it finds.
func (s *Slice) Field(name string, texts *Terms) Field {
	alts, _ := fieldColumns(name)
	f := &columnsField{}
	for _, a := range alts {
		if col := openPathColumn(s.part, a.field, a.path, &texts.terms); col != nil {
			f.columns = append(f.columns, col)
		}
	}
	return f
}

// Lacks reports whether certainly no row of the slice has a field.
func (s *Slice) Lacks(name string) bool {
	columns, _ := fieldColumns(name)
	return !slices.ContainsFunc(columns, func(c fieldColumn) bool { return s.part.Column(c.field) != nil })
}

type fieldColumn struct{ field, path string }

// fieldColumns returns the columns, and the paths inside their cells, where a field may be.
func fieldColumns(name string) (columns []fieldColumn, ok bool) {
	switch {
	case plainFields[name] != "":
		return []fieldColumn{{plainFields[name], ""}}, true
	case name == "user":
		return []fieldColumn{{event.FieldUser, ""}}, true
	case name == "value":
		return []fieldColumn{{event.FieldValue, ""}}, true
	case strings.HasPrefix(name, "prop."):
		for _, a := range pathAlts(event.PrefixProperty, name[len("prop."):], nil) {
			columns = append(columns, fieldColumn{a.Field, a.Path})
		}
		return columns, true
	case strings.HasPrefix(name, "extra."):
		for _, a := range extraAlts(name[len("extra."):], nil) {
			columns = append(columns, fieldColumn{a.Field, a.Path})
		}
		return columns, true
	case slices.Contains(event.ContextKeys, name):
		return []fieldColumn{{event.PrefixContext + name, ""}, {event.PrefixContext, name}}, true
	}
	return nil, false
}

// columnsField reads a field that may be in several columns.
type columnsField struct {
	columns []*pathColumn
	ids     idSet
}

func (f *columnsField) Terms(row int) []int32 {
	if len(f.columns) == 1 {
		return f.columns[0].at(row)
	}
	f.ids.reset()
	for _, c := range f.columns {
		for _, id := range c.at(row) {
			f.ids.add(id)
		}
	}
	return f.ids.list
}
