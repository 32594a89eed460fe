// Fields: the columns of CSV and Parquet, by the names that filters have.

package export

import (
	"slices"
	"strings"

	"cairn/engine/event"
	"cairn/engine/query"
	"cairn/engine/read"
)

// chosenColumns is how many columns an export gets when none are asked for.
const chosenColumns = 50

// place is a place where the value of a column may be.
type place struct {
	field string // of the part
	path  string // inside its cell; "" = the cell itself
}

// fixedFields are the fields of the columns of query.ExportFixed that are cells.
var fixedFields = map[string]string{
	"type": event.FieldType, "name": event.FieldName, "user": event.FieldUser, "anonymous": event.FieldAnonymous,
	"session": event.FieldSession, "dialect": event.FieldDialect, "value": event.FieldValue,
}

// more are the other fields that a column may name.
var moreFields = map[string]string{
	"previous": event.FieldPrevious, "groups": event.FieldGroups, "message_id": event.FieldMessageID,
	"increments": event.FieldIncrements, "segments": event.FieldSegments,
}

// placesOf returns where the value of a column may be, nil when there is no such column. The
// first place where a row has something counts.
func placesOf(name string) []place {
	if f := moreFields[name]; f != "" {
		return []place{{field: f}}
	}
	prefix, path, dotted := strings.Cut(name, ".")
	switch {
	case dotted && (path == "" || strings.Contains(path, event.KeySep)):
		return nil
	case dotted && prefix == "prop":
		return placesIn(event.PrefixProperty, path)
	case dotted && prefix == "extra":
		return placesIn(event.PrefixExtra, path)
	case dotted && prefix == "context" && slices.Contains(event.ContextKeys, path):
		return []place{{field: event.PrefixContext + path}}
	case slices.Contains(event.ContextKeys, name) && name != "timezone": // as for filters
		return []place{{field: event.PrefixContext + name}}
	}
	return nil
}

// placesIn returns the places of a dotted path in one of the objects.
func placesIn(prefix, path string) []place {
	places := []place{{field: prefix + path}}
	for i := 1; i < len(path); i++ {
		if path[i] == '.' {
			places = append(places, place{prefix + path[:i], path[i+1:]})
		}
	}
	return append(places, place{prefix, path}) // keys that share a column
}

// checkColumns refuses columns that do not exist.
func checkColumns(names []string) error {
	if len(names) > query.ExportColumnsMax {
		return query.Bad("columns", "at most %d columns", query.ExportColumnsMax)
	}
	for i, name := range names {
		switch {
		case slices.Contains(names[:i], name):
			return query.Bad("columns", "%q is given twice", name)
		case slices.Contains(query.ExportFixed, name):
			return query.Bad("columns", "every export has the column %q", name)
		case placesOf(name) == nil:
			return query.Bad("columns", "there is no column %q; columns are prop.NAME, extra.NAME, previous, groups, message_id, increments, segments and the keys of the context", name)
		}
	}
	return nil
}

// mostUsed returns the properties and keys of the context that most rows have, in the order of
// their names.
func mostUsed(s *read.Stretches) ([]string, error) {
	rows := make(map[string]int)
	err := s.EachPart(func(p *read.Cells) error {
		for _, field := range p.Fields() {
			name := nameOf(field)
			if name == "" {
				continue
			}
			n, err := p.RowsOf(p.Column(field))
			if err != nil {
				return err
			}
			if n > 0 { // deleted events name no column
				rows[name] += n
			}
		}
		return p.Err()
	})
	names := make([]string, 0, len(rows))
	for name := range rows {
		names = append(names, name)
	}
	slices.SortFunc(names, func(a, b string) int {
		if rows[a] != rows[b] {
			return rows[b] - rows[a]
		}
		return strings.Compare(a, b)
	})
	names = names[:min(len(names), chosenColumns)]
	slices.Sort(names)
	return names, err
}

// nameOf returns the name of the column of a property or of a key of the context, else "".
func nameOf(field string) string {
	switch key := field[1:]; {
	case key == "":
	case field[:1] == event.PrefixProperty:
		return "prop." + key
	case field[:1] == event.PrefixContext && key == "timezone":
		return "context." + key
	case field[:1] == event.PrefixContext:
		return key
	}
	return ""
}

// value is a column of CSV or Parquet in a part: the columns of the places where its value may
// be.
type value struct {
	at     []int
	object *object // of extra, whose objects may be in pieces; nil = none
	places []place // of at
}

// bindValue adds the columns of a value. render makes of a cell what the encoder needs; it gets
// the cell at the path of the place.
func bindValue(p *part, places []place, render func(dst, cell []byte) []byte) value {
	var v value
	for _, at := range places {
		own := render
		if at.path != "" {
			path := at.path
			own = func(dst, cell []byte) []byte {
				if inner := event.AppendCellAt(nil, cell, path); len(inner) > 0 {
					return render(dst, inner)
				}
				return dst
			}
		}
		column := p.add(at.field, own)
		if column < 0 {
			continue
		}
		if c := p.columns[column]; at.field[:1] == event.PrefixExtra && len(at.field) > 1 && c.col.Scalars() < c.col.Card() {
			c.shaped, v.object = true, bindPieces(p, at.field)
		}
		v.at, v.places = append(v.at, column), append(v.places, at)
	}
	return v
}

// append appends what render makes of the value of a row. Nothing stands for no value.
func (v *value) append(dst []byte, b *block, i int, render func(dst, cell []byte) []byte) []byte {
	start := len(dst)
	for at, column := range v.at {
		n := b.number(column, i)
		if n == 0 {
			continue
		}
		if w := b.windows[column]; w.shapes != nil && w.shapes[n-1] != nil {
			cell := v.object.shape(append([]byte(nil), jsonCell...), w.shapes[n-1], b, i)
			if path := v.places[at].path; path != "" {
				cell = event.AppendCellAt(nil, cell, path)
			}
			if len(cell) > 0 {
				dst = render(dst, cell)
			}
		} else {
			dst, _ = b.append(dst, column, i)
		}
		if len(dst) > start {
			break
		}
	}
	return dst
}

// jsonCell begins the cell of an object.
var jsonCell = event.AppendCell(nil, event.Raw(""))
