// Splits: the texts of an answer, numbered across all slices.

package report

import (
	"fmt"
	"strings"

	"cairn/engine/query"
	"cairn/engine/read"
)

// splits numbers texts from 1; 0 is no text. The zero splits is empty.
type splits struct{ texts read.Terms }

// splitBytesMax is how many bytes all texts of an answer may have.
const splitBytesMax = 16 << 20

// number returns the number of a text. It fails when there are too many texts.
func (s *splits) number(text string) (uint32, error) {
	n := s.texts.ID(text)
	if s.texts.Len() > query.CounterRowsMax || s.texts.Bytes() > splitBytesMax {
		return 0, fmt.Errorf("%w: more than %d different values, or %d bytes of them", query.ErrBadQuery, query.CounterRowsMax, splitBytesMax)
	}
	return uint32(n) + 1, nil
}

// text returns the text of a number.
func (s *splits) text(n uint32) query.Text {
	if n == 0 {
		return query.Text{Null: true}
	}
	return query.Text{Text: s.texts.Text(int32(n - 1))}
}

// compareTexts orders texts bytewise, null last.
func compareTexts(a, b query.Text) int {
	switch {
	case a.Null != b.Null && a.Null:
		return 1
	case a.Null != b.Null:
		return -1
	}
	return strings.Compare(a.Text, b.Text)
}
