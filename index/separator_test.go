package index

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// separatorRows are rows whose texts are long, and near each other: they share prefixes of all
// lengths, with and without a difference in the last byte.
func separatorRows() (texts []string) {
	rng := rand.New(rand.NewPCG(7, 7))
	for _, size := range []int{1, 10, 63, 64, 65, 200, 3000, 9000} {
		stem := strings.Repeat("ab", size)[:size]
		for i := range 60 {
			texts = append(texts, fmt.Sprintf("%s%03d", stem, i), stem[:rng.IntN(size+1)]+strings.Repeat("z", rng.IntN(100)))
		}
		texts = append(texts, stem, stem+"\x00", stem+"\xff")
	}
	slices.Sort(texts)
	return slices.Compact(texts)
}

// Every text of a column of long texts is found, and nothing else, by the separators of its
// pages.
func TestSeparators(t *testing.T) {
	texts := separatorRows()
	format := *testFormat
	mem := NewMemPart(&format, 1, testInts)
	mem.Lock()
	for i, text := range texts {
		mem.Append(make([]int64, testInts))
		mem.Set([]byte("text"), format.AppendText(nil, text))
		if i%3 == 0 {
			mem.Set([]byte("object"), []byte("j"+strings.Repeat("x", 5000)+fmt.Sprint(i)))
		}
	}
	mem.Unlock()
	mem.Publish()
	db := openDB(t)
	run := runOf(t, db, 2, mem.Snapshot(), nil, NewCache(1<<20))
	col := run.Part().Column("text")
	for _, text := range texts {
		codes := col.Find("", []string{text})
		if len(codes) != 1 || string(format.AppendTerm(nil, col.Cell(codes[0]))) != text {
			t.Fatalf("%.20q of %d bytes is found at %v", text, len(text), codes)
		}
		for _, other := range []string{text + "!", text[:len(text)/2] + "~", text[:len(text)-1]} {
			if _, is := slices.BinarySearch(texts, other); is {
				continue
			}
			if codes := col.Find("", []string{other}); len(codes) != 0 {
				t.Fatalf("%.20q of %d bytes is found at %v, but is in no row", other, len(other), codes)
			}
		}
	}
}

// The separators of large cells, texts or not, take a small part of their bytes.
func TestSeparatorsAreShort(t *testing.T) {
	rng := rand.New(rand.NewPCG(8, 8))
	mem := NewMemPart(testFormat, 1, testInts)
	mem.Lock()
	for i := range 200 {
		text := make([]byte, 8000)
		for k := range text {
			text[k] = byte('a' + rng.IntN(26))
		}
		mem.Append(make([]int64, testInts))
		mem.Set([]byte("text"), testFormat.AppendText(nil, string(text)))
		mem.Set([]byte("object"), fmt.Appendf(nil, "j%d%s", i, text))
	}
	mem.Unlock()
	mem.Publish()
	sink := &sizesSink{}
	if err := Build(sink, 1, mem.Snapshot(), testInts, testFormat, nil, ""); err != nil {
		t.Fatal(err)
	}
	if sink.dict < 3_200_000 || sink.firsts*100 > sink.dict {
		t.Errorf("%d bytes of cells have %d bytes of separators", sink.dict, sink.firsts)
	}
}

// sizesSink adds up the bytes of dictionary pages and of their separators.
type sizesSink struct{ dict, firsts int }

func (s *sizesSink) Set(key, value []byte) error {
	switch key[11] {
	case byte(secDict):
		s.dict += len(value)
	case byte(secFirsts):
		s.firsts += len(value)
	}
	return nil
}
