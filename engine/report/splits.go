// Splits: the texts of an answer, numbered across all slices.

package report

import (
	"fmt"
	"strings"

	"cairn/engine/query"
	"cairn/engine/read"
)

// splits numbers texts from 1; 0 is no text. The zero splits is empty.
type splits struct {
	texts read.Terms
	fold  bool     // texts are compared without case
	least []moment // with fold: by number, the earliest row that has the text
}

// splitBytesMax is how many bytes all texts of an answer may have.
const splitBytesMax = 16 << 20

// number returns the number of a text. It fails when there are too many texts.
func (s *splits) number(text string) (uint32, error) {
	n := s.texts.ID(text)
	return uint32(n) + 1, tooManyTexts(&s.texts)
}

// tooManyTexts returns an error when there are more texts than an answer may have. A slice has the
// same bound: one row may have a thousand.
func tooManyTexts(texts *read.Terms) error {
	if texts != nil && (texts.Len() > query.CounterRowsMax || texts.Bytes() > splitBytesMax) {
		return fmt.Errorf("%w: more than %d different values, or %d bytes of them", query.ErrBadQuery, query.CounterRowsMax, splitBytesMax)
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

// text returns the text of a number.
func (s *splits) text(n uint32) query.Text {
	if n == 0 {
		return query.Text{Null: true}
	}
	return query.Text{Text: s.texts.Text(int32(n - 1))}
}

// group returns what is the same for numbers that are one value.
func (s *splits) group(n uint32) query.Text {
	t := s.text(n)
	if s.fold {
		t.Text = query.Fold(t.Text)
	}
	return t
}

// earlier reports whether the text of a is shown rather than that of b, of one value.
func (s *splits) earlier(a, b uint32) bool { return s.fold && s.least[a].before(s.least[b]) }

// compareValues orders texts bytewise, null last.
func compareValues(a, b query.Text) int {
	switch {
	case a.Null != b.Null && a.Null:
		return 1
	case a.Null != b.Null:
		return -1
	}
	return strings.Compare(a.Text, b.Text)
}
