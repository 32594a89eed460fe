// Quick values: the numbers of the values in dictionaries.

package read

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"sync/atomic"
	"testing"

	"cairn/engine/event"
	"cairn/index"
)

// dictColumn is a column of texts alone.
type dictColumn struct {
	index.Column
	texts []string
}

func (c dictColumn) Card() int    { return len(c.texts) }
func (c dictColumn) Scalars() int { return len(c.texts) }
func (c dictColumn) Cell(code uint32) []byte {
	return event.AppendCell(nil, event.Str(c.texts[code-1]))
}

// TestReadDictionaries: whatever is read first and in whatever order a dictionary is, one text has
// one number.
func TestReadDictionaries(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	terms := newSharedTerms()
	for round := range 12 {
		var texts []string
		for range 400 {
			texts = append(texts, fmt.Sprint("v", rng.IntN(2000)))
		}
		texts = append(texts, "", event.Other)
		slices.Sort(texts)
		if round%4 == 3 { // of a damaged run
			rng.Shuffle(len(texts), func(i, k int) { texts[i], texts[k] = texts[k], texts[i] })
		}
		q := quickValues{
			sharedTerms: terms, reader: &valueReader{soleColumn: &pathColumn{col: dictColumn{texts: texts}}},
			codes: &partCodes{values: make([]atomic.Int32, len(texts)+1), single: new(atomic.Int32)},
		}
		never := func() bool { return false }
		for code := 1; code <= wholeFrom; code++ {
			q.read(int64(code*5), never)
		}
		for i, text := range texts {
			if n := q.codes.values[i+1].Load() - 3; n < 0 || terms.names[n] != text {
				t.Fatalf("round %d: code %d of %q has the number %d", round, i+1, text, n)
			}
		}
	}
	seen := make(map[string]bool)
	for _, name := range terms.names {
		if seen[name] {
			t.Errorf("%q has two numbers", name)
		}
		seen[name] = true
	}
	if len(terms.sorted) < 1000 {
		t.Errorf("%d names are sorted", len(terms.sorted))
	}
}
