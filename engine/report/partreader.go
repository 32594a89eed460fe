// Part readers: what a pass reads of the rows of a part, for one goroutine.

package report

import (
	"slices"

	"cairn/engine/event"
	"cairn/engine/identity"
	"cairn/engine/read"
	"cairn/index"
)

// Kinds of rows, by the code of their type.
const (
	rowAction = 1 << iota
	rowView
	rowPage // of type page
	rowKnown
)

// typeKinds returns the kinds of rows by the code of their type.
func typeKinds(p index.Part) (codes index.Column, kinds []uint8) {
	col := p.Column(event.FieldType)
	if col == nil {
		return nil, nil
	}
	kinds = make([]uint8, col.Card()+1)
	for code := 1; code <= col.Card(); code++ {
		t := event.Type(event.CellValue(col.Cell(uint32(code))).Text)
		kind := uint8(rowKnown)
		if slices.Contains(identity.Actions, t) {
			kind |= rowAction
		}
		if t == event.Page || t == event.Screen {
			kind |= rowView
		}
		if t == event.Page {
			kind |= rowPage
		}
		kinds[code] = kind
	}
	return col, kinds
}

// partReader reads the rows of a part for one goroutine.
type partReader struct {
	time, ords, who *read.Column
	types           *read.Column // nil when no row has a type
	kinds           []uint8
	rules           *ruleReader
	values          read.Field
	labels          *labelReader
	hosts           *hostReader // nil when nobody asks where visits came from
	clues           *clueReader // nil when no row may say it, or nobody asks
	remembered      [2]read.Field
	dims            []*dimReader // nil of those that are not of kind dimField
}

func (w *passWorker) newPartReader(s *read.Slice) *partReader {
	r := &partReader{time: s.Ints(event.IntTime), ords: s.Ints(event.IntSession), who: s.Ints(event.IntPerson)}
	col, kinds := typeKinds(s.Part())
	if col == nil {
		return r
	}
	r.types, r.kinds, r.rules = s.Codes(col), kinds, newRuleReader(s)
	if w.match.goal != nil {
		r.values = s.Field("value", w.texts)
	}
	if w.label != "" {
		r.labels = newLabelReader(s, w.label, w.passQuestion.hosts, w.texts)
	}
	if w.source {
		r.hosts, r.clues = newHostReader(s, w.texts), newClueReader(s, w.own, w.texts)
		for i, key := range [...]string{"extra._rcn", "extra._rck"} {
			r.remembered[i] = s.Field(key, w.texts)
		}
	}
	r.dims = make([]*dimReader, len(w.passQuestion.dims))
	for i := range w.passQuestion.dims {
		if d := &w.passQuestion.dims[i]; d.kind == dimField {
			r.dims[i] = newDimReader(s, d, w.texts)
		}
	}
	return r
}

// ruleReader reads the rule of a row's dialect.
type ruleReader struct {
	codes *read.Column
	rules []*event.Rule
}

func newRuleReader(s *read.Slice) *ruleReader {
	col := s.Part().Column(event.FieldDialect)
	if col == nil {
		return &ruleReader{rules: []*event.Rule{new(event.Rule)}}
	}
	r := &ruleReader{codes: s.Codes(col), rules: make([]*event.Rule, col.Card()+1)}
	r.rules[0] = new(event.Rule)
	for code := 1; code <= col.Card(); code++ {
		r.rules[code] = event.NewestRule(event.Dialect(event.CellValue(col.Cell(uint32(code))).Text))
	}
	return r
}

func (r *ruleReader) at(row int) *event.Rule {
	if r.codes == nil {
		return r.rules[0]
	}
	return r.rules[r.codes.At(row)]
}

// labelReader reads what a page view is a view of.
type labelReader struct {
	label *oneTerm   // of the context
	name  read.Field // instead, where the context lacks it; nil = nothing is
	urls  *hostReader
	host  bool // the label is the host
}

func newLabelReader(s *read.Slice, label string, hosts bool, terms *read.Terms) *labelReader {
	r := &labelReader{host: label == "host"}
	if hosts || r.host {
		r.urls = newHostReader(s, terms)
	}
	switch label {
	case "page":
		r.label, r.name = newOneTerm(s, "path", nil, terms), s.Field("name", terms)
	case "url", "title":
		r.label = newOneTerm(s, label, nil, terms)
	}
	return r
}

// at returns the numbers of a page view's label and host plus 1; 0 = it has none.
func (r *labelReader) at(row int) (label, host int32) {
	if r.urls != nil {
		host = r.urls.at(row)
	}
	if r.host {
		return host, host
	}
	if label = r.label.at(row); label == 0 && r.name != nil {
		label = firstTerm(r.name, row)
	}
	return label, host
}
