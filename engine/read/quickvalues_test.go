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

// readerOf reads the values of a dictionary.
func readerOf(terms *sharedTerms, texts []string) *quickValues {
	return &quickValues{
		sharedTerms: terms, reader: &valueReader{soleColumn: &pathColumn{col: dictColumn{texts: texts}}},
		codes: &partCodes{values: make([]atomic.Int32, len(texts)+1), single: new(atomic.Int32)},
	}
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
		q, never := readerOf(terms, texts), func() bool { return false }
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

// TestReadLargeDictionaries: values that perhaps no row counts under get numbers as long as there is
// space for their names, and others when they are read. Those that are known are always found.
func TestReadLargeDictionaries(t *testing.T) {
	terms := newSharedTerms()
	never := func() bool { return false }
	dictionary := func(first string) (texts []string) {
		for i := range 20_000 {
			texts = append(texts, fmt.Sprintf("%s%05d%01000d", first, i, 0))
		}
		return texts
	}
	size := func() int { return terms.terms.bytes + len(terms.names)*wholeNameBytes }
	known, unknown := 0, 0
	for round, texts := range [][]string{dictionary("b"), dictionary("a"), dictionary("b")} {
		before := size()
		q := readerOf(terms, texts)
		q.readAll(never)
		if most := max(before, wholeBytesMax+2000); size() > most {
			t.Errorf("dictionary %d: %d bytes of names, want at most %d", round, size(), most)
		}
		for i, text := range texts {
			n := q.codes.values[i+1].Load() - 3
			want, there := terms.ids[text]
			switch {
			case there && n != want || !there && n != -3:
				t.Fatalf("dictionary %d: code %d has the number %d, want %d, known %v", round, i+1, n, want, there)
			case there:
				known++
			default:
				unknown++
				if i%100 == 0 {
					if n := q.read(int64(i+1), never) - 3; terms.names[n] != text {
						t.Fatalf("dictionary %d: code %d is read as the name of %d", round, i+1, n)
					}
				}
			}
		}
	}
	if known < 20_000 || unknown < 20_000 {
		t.Errorf("%d values were known, %d were not", known, unknown)
	}
}
