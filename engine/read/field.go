// Fields: what a row has under a name, for reports that break events down by any field. What
// the row has is what a filter of that name compares, with two exceptions: user is the text of
// the row's own user, while a filter follows the person; and session is the name of the row's
// session, while a filter also takes its key.

package read

import (
	"slices"
	"strings"

	"cairn/engine/event"
	"cairn/engine/query"
	"cairn/engine/referrer"
	"cairn/index"
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

// FieldKnown reports whether name is that of a field which Slice.Field reads.
func FieldKnown(name string) bool {
	_, _, known := fieldAlts(name)
	return known || slices.Contains(derivedFields, name)
}

// derivedFields are the fields that are not stored as such.
var derivedFields = []string{"page", "host", "channel", "source", "medium", "campaign", "term", "content"}

// withoutCase reports whether the texts of a field are compared without case.
func withoutCase(name string) bool { return name == "source" || campaignFields[name] != "" }

// Field returns a reader of a field. texts numbers what it finds. The texts of source, medium,
// campaign, term and content are folded (query.Fold), since they are compared without case; see
// AsSent for what is shown of them.
func (s *Slice) Field(name string, texts *Terms) Field {
	return openField(s.part, s.site, name, withoutCase(name), texts)
}

// AsSent is Field, with the texts of source, medium, campaign, term and content as the row has
// them. folded is false for any other field: it then reads what Field reads. A report shows the
// text of the earliest row of a group, by time and seq.
func (s *Slice) AsSent(name string, texts *Terms) (_ Field, folded bool) {
	return openField(s.part, s.site, name, false, texts), withoutCase(name)
}

// Elements is Field, with a term as often as the row has it: each element of an array counts.
// name is value, prop.PATH or extra.PATH.
func (s *Slice) Elements(name string, texts *Terms) Field {
	f := s.Field(name, texts)
	repeat(f)
	return f
}

// repeat makes a field return terms as often as a row has them.
func repeat(f Field) {
	switch f := f.(type) {
	case *columnsField:
		f.repeats = true
		for _, c := range f.columns {
			repeat(c)
		}
	case *referredField:
		repeat(f.field)
	case *cellField:
		f.repeats = true
	}
}

// openField returns a reader of a field in the rows of a part.
func openField(p index.Part, site *query.Site, name string, fold bool, texts *Terms) Field {
	text := func(term string) string { return term }
	if fold {
		text = query.Fold
	}
	switch {
	case name == "source" || name == "channel":
		return newSourceField(p, site, name == "channel", text, texts)
	case name == "page":
		f := &pageField{path: openColumns(p, contextAlts("path"), nil, texts)}
		f.name = openColumns(p, []index.Alt{{Field: event.FieldName}}, nil, texts)
		if col := p.Column(event.FieldType); col != nil {
			f.types, f.views = newRowInts(col.Codes()), col.Find("", pageTypes)
		}
		return f
	case name == "host":
		return openColumns(p, contextAlts("url"), referrer.HostOf, texts)
	case campaignFields[name] != "":
		return openColumns(p, contextAlts(campaignFields[name]), text, texts)
	}
	alts, _, _ := fieldAlts(name)
	return openColumns(p, alts, nil, texts)
}

// openColumns returns a reader of the alternatives that a part has. text turns a term into the
// text of the field, or into "" when it has none; nil = the term itself.
func openColumns(p index.Part, alts []index.Alt, text func(term string) string, texts *Terms) Field {
	f := &columnsField{}
	for i := range alts {
		a := &alts[i]
		c := openCellField(p, a.Field, a.Path, text, texts)
		if c == nil {
			continue
		}
		if a.With == nil {
			f.columns = append(f.columns, c)
		} else if shape := openPathColumn(p, a.With.Field, a.With.Path, new(terms)); shape != nil {
			f.columns = append(f.columns, &referredField{c, shape, a.With.Terms[0], make(map[int64]bool)})
		}
	}
	if len(f.columns) == 1 {
		return f.columns[0]
	}
	return f
}

// Lacks reports whether certainly no row of the slice has a field. It does not know that of the
// fields that are not stored as such.
func (s *Slice) Lacks(name string) bool {
	alts, _, known := fieldAlts(name)
	return known && !slices.ContainsFunc(alts, func(a index.Alt) bool { return s.part.Column(a.Field) != nil })
}

// columnsField reads a field that may be in several columns, or in none.
type columnsField struct {
	columns []Field
	ids     idSet
	repeats bool // see Slice.Elements
}

func (f *columnsField) Terms(row int) []int32 {
	f.ids.reset()
	for _, c := range f.columns {
		if f.repeats {
			f.ids.list = append(f.ids.list, c.Terms(row)...)
			continue
		}
		for _, id := range c.Terms(row) {
			f.ids.add(id)
		}
	}
	return f.ids.list
}

// cellField reads a path inside the cells of a column. It reads each cell once.
type cellField struct {
	col   index.Column
	codes *rowInts
	path  string
	text  func(term string) string
	texts *Terms

	repeats bool // see Slice.Elements

	// What a code has: 0 = not read yet, -1 = nothing, from 1 on the number of its only term
	// plus 1, from -2 down several terms, which are in lists[-2-n].
	memo  []int32
	wide  map[int64]int32 // instead of memo, for a column with more codes than a slice has rows
	lists [][]int32
	one   [1]int32
}

// openCellField returns nil when the part has no such column.
func openCellField(p index.Part, field, path string, text func(string) string, texts *Terms) *cellField {
	col := p.Column(field)
	if col == nil {
		return nil
	}
	f := &cellField{col: col, codes: newRowInts(col.Codes()), path: path, text: text, texts: texts}
	if card := col.Card(); card <= rangeRowsMax {
		f.memo = make([]int32, card+1)
	} else {
		f.wide = make(map[int64]int32)
	}
	return f
}

func (f *cellField) Terms(row int) []int32 {
	code := f.codes.at(row)
	if code <= 0 {
		return nil
	}
	var n int32
	if f.memo != nil {
		if code >= int64(len(f.memo)) {
			return nil
		}
		if n = f.memo[code]; n == 0 {
			n = f.read(code)
			f.memo[code] = n
		}
	} else if n = f.wide[code]; n == 0 {
		if code > int64(f.col.Card()) {
			return nil
		}
		if len(f.wide) >= rangeRowsMax { // of slices before this one
			clear(f.wide)
			f.lists = f.lists[:0]
		}
		n = f.read(code)
		f.wide[code] = n
	}
	switch {
	case n > 0:
		f.one[0] = n - 1
		return f.one[:]
	case n == -1:
		return nil
	}
	return f.lists[-2-n]
}

// read reads what the cell of a code has.
func (f *cellField) read(code int64) int32 {
	var ids idSet
	event.CellTerms(f.col.Cell(uint32(code)), f.path, func(term string) {
		if isReference(term) {
			return
		}
		if f.text != nil {
			if term = f.text(term); term == "" {
				return
			}
		}
		if id := f.texts.ID(term); f.repeats {
			ids.list = append(ids.list, id)
		} else {
			ids.add(id)
		}
	})
	switch len(ids.list) {
	case 0:
		return -1
	case 1:
		return ids.list[0] + 1
	}
	f.lists = append(f.lists, ids.list)
	return -1 - int32(len(f.lists))
}

// referredField reads a value that an object of Extra takes from the context.
type referredField struct {
	field Field
	shape *pathColumn
	term  string         // of the reference in the shape
	refer map[int64]bool // whether the shape of a code has it
}

func (f *referredField) Terms(row int) []int32 {
	code := f.shape.codes.at(row)
	if code <= 0 || code > int64(f.shape.col.Card()) {
		return nil
	}
	refers, known := f.refer[code]
	if !known {
		event.CellTerms(f.shape.col.Cell(uint32(code)), f.shape.path, func(term string) { refers = refers || term == f.term })
		f.refer[code] = refers
	}
	if !refers {
		return nil
	}
	return f.field.Terms(row)
}

// pageField reads the page of a row: its path, or else the name of a page view.
type pageField struct {
	path, name Field
	types      *rowInts // nil when no row has a type
	views      []uint32 // codes of page views
}

func (f *pageField) Terms(row int) []int32 {
	if ids := f.path.Terms(row); len(ids) > 0 {
		return ids
	}
	if f.types != nil && slices.Contains(f.views, uint32(f.types.at(row))) {
		return f.name.Terms(row)
	}
	return nil
}

// sourceField reads the source or the channel of a row, from what the row itself says about
// where its visitor came from.
type sourceField struct {
	channel bool
	text    func(string) string
	texts   *Terms

	facts          Terms // the texts of the fields that follow
	source, medium Field
	others         [3]Field // the other utm_*
	referrer, url  Field    // hosts; referrer has none that is the site's
	click          Field

	known map[factsKey]int32 // number in texts plus 1; 0 = none
	last  factsKey           // of the row before
	id    int32
	one   [1]int32
}

// factsKey is the facts of a row as numbers in facts plus 1; 0 = none.
type factsKey struct {
	source, medium, host int32
	campaign, click      bool
}

func newSourceField(p index.Part, site *query.Site, channel bool, text func(string) string, texts *Terms) *sourceField {
	f := &sourceField{channel: channel, text: text, texts: texts, known: make(map[factsKey]int32)}
	own := make(map[string]bool, len(site.Hosts))
	for _, h := range site.Hosts {
		own[referrer.BareHost(h)] = true
	}
	open := func(key string, text func(string) string) Field {
		return openColumns(p, contextAlts(key), text, &f.facts)
	}
	f.source, f.medium = open("utm_source", nil), open("utm_medium", nil)
	for i, key := range [...]string{"utm_campaign", "utm_term", "utm_content"} {
		f.others[i] = open(key, nil)
	}
	f.referrer = open("referrer_host", func(host string) string {
		if host = referrer.BareHost(host); own[host] {
			return ""
		}
		return host
	})
	f.url, f.click = open("url", referrer.HostOf), open("click_id", nil)
	f.id = f.find(factsKey{})
	f.known[f.last] = f.id
	return f
}

func (f *sourceField) Terms(row int) []int32 {
	if key := f.factsOf(row); key != f.last {
		id, known := f.known[key]
		if !known {
			id = f.find(key)
			f.known[key] = id
		}
		f.last, f.id = key, id
	}
	if f.id == 0 {
		return nil
	}
	f.one[0] = f.id - 1
	return f.one[:]
}

// factsOf reads the facts of a row.
func (f *sourceField) factsOf(row int) factsKey {
	first := func(field Field) int32 {
		if ids := field.Terms(row); len(ids) > 0 {
			return ids[0] + 1
		}
		return 0
	}
	key := factsKey{source: first(f.source), medium: first(f.medium), host: first(f.referrer), click: first(f.click) != 0}
	key.campaign = key.source != 0 || key.medium != 0
	for _, other := range f.others {
		key.campaign = key.campaign || first(other) != 0
	}
	if key.host != 0 && first(f.url) == key.host {
		key.host = 0 // from a page of the same host
	}
	return key
}

// find returns the number of the source or channel of some facts plus 1; 0 = none.
func (f *sourceField) find(key factsKey) int32 {
	text := func(id int32) string {
		if id == 0 {
			return ""
		}
		return f.facts.Text(id - 1)
	}
	facts := referrer.Facts{Source: text(key.source), Medium: text(key.medium), Campaign: key.campaign, Click: key.click, Host: text(key.host)}
	if f.channel {
		return f.texts.ID(facts.Channel()) + 1
	}
	if name := facts.Name(); name != "" {
		return f.texts.ID(f.text(strings.Clone(name))) + 1
	}
	return 0
}

// textClause finds the rows of which the text of a derived field satisfies test; nil = those
// that have one.
func (v *view) textClause(name string, test func(text string) bool) index.Clause {
	return index.Clause{Rows: func(p index.Part) func(row int) bool {
		var texts Terms
		var satisfies []int8 // by number of a text: 0 = not known, 1 = yes, -1 = no
		f, c, over := openField(p, v.site, name, false, &texts), clock{budget: v.budget}, false
		return func(row int) bool {
			if over = over || c.countRow(0) != nil; over {
				return false
			}
			ids := f.Terms(row)
			if len(ids) == 0 || test == nil {
				return len(ids) > 0
			}
			id := int(ids[0])
			for len(satisfies) <= id {
				satisfies = append(satisfies, 0)
			}
			if satisfies[id] == 0 {
				satisfies[id] = -1
				if test(texts.Text(ids[0])) {
					satisfies[id] = 1
				}
			}
			return satisfies[id] > 0
		}
	}}
}
