// Splits: the texts of an answer, numbered across all slices.

package report

import (
	"slices"
	"strings"

	"cairn/engine/query"
	"cairn/engine/read"
)

// splits numbers texts from 1; 0 is no text. It begins empty.
type splits struct {
	param string   // that asks for the texts
	in    []string // fields that each text lies in; what it lies in stands before it, see shownText
	texts read.Terms
	fold  bool     // texts are compared without case
	least []moment // with fold: by number, the earliest row that has the text
}

// splitBytesMax is how many bytes all texts of an answer may have.
const splitBytesMax = 16 << 20

// number returns the number of a text. It fails when there are too many texts.
func (s *splits) number(text string) (uint32, error) {
	n := s.texts.ID(text)
	return uint32(n) + 1, tooManyTexts(s.param, &s.texts)
}

// tooManyTexts returns an error about a parameter when there are more texts than an answer may have. A slice has the
// same bound: one row may have a thousand.
func tooManyTexts(param string, texts *read.Terms) error {
	if texts != nil && (texts.Len() > query.CounterRowsMax || texts.Bytes() > splitBytesMax) {
		return tooManyValues(param)
	}
	return nil
}

// ofSlice returns the number of a value of a slice.
func (s *splits) ofSlice(from *sliceTuples, value uint32) (uint32, error) {
	n, err := s.number(from.texts.Text(int32(value - 1)))
	if err != nil || from.least == nil {
		return n, err
	}
	s.fold = true
	s.least = grownTo(s.least, int(n))
	if m := from.least[value]; s.least[n].seq == 0 || m.before(s.least[n]) {
		s.least[n] = m
	}
	return n, nil
}

// grownTo returns a list that has an element at i.
func grownTo[T any](list []T, i int) []T {
	if i >= len(list) {
		list = append(list, make([]T, max(64, len(list), i+1-len(list)))...)
	}
	return list
}

// len returns how many numbers there are, with 0.
func (s *splits) len() int { return s.texts.Len() + 1 }

// text returns the text of a number, and what it lies in.
func (s *splits) text(n uint32) (query.Text, []query.InValue) {
	if n == 0 {
		return query.Text{Null: true}, nil
	}
	return cutText(s.texts.Text(int32(n-1)), s.in)
}

// group returns what is the same for numbers that are one value.
func (s *splits) group(n uint32) query.Text {
	switch {
	case n == 0:
		return query.Text{Null: true}
	case s.fold:
		return query.Text{Text: query.Fold(s.texts.Text(int32(n - 1)))}
	}
	return query.Text{Text: s.texts.Text(int32(n - 1))}
}

// earlier reports whether the text of a is shown rather than that of b, of one value.
func (s *splits) earlier(a, b uint32) bool { return s.fold && s.least[a].before(s.least[b]) }

// cutText splits a text that lies in others, which stand before it, each followed by dimSep.
func cutText(text string, in []string) (query.Text, []query.InValue) {
	parts := strings.SplitN(text, dimSep, len(in)+1)
	var values []query.InValue
	for i, name := range in {
		values = append(values, query.InValue{Field: name, Text: parts[i]})
	}
	return query.Text{Text: parts[len(in)]}, values
}

// compareIn orders what values lie in, as compareOuter does.
func compareIn(a, b []query.InValue) int {
	return slices.CompareFunc(a, b, func(x, y query.InValue) int { return compareOuter(x.Text, y.Text) })
}
