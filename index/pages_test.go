// Pages: unpacking gives what was packed, value by value and all at once. No bytes
// whatever make a read leave the page.

package index

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// sameInts packs values and reads them back, one by one, all at once and some at once.
func sameInts(t interface{ Fatalf(string, ...any) }, what string, values []int64) {
	b := appendInts([]byte("before"), values)
	p, ok := parseInts(b[len("before"):])
	if !ok || p.n != len(values) {
		t.Fatalf("%s: parsed %v, %d values of %d", what, ok, p.n, len(values))
	}
	got := make([]int64, PageRows)
	for i := range got {
		got[i] = -99
	}
	p.decode(got)
	for i, v := range values {
		if p.at(i) != v || got[i] != v {
			t.Fatalf("%s: value %d is %d, at says %d, decode %d", what, i, v, p.at(i), got[i])
		}
	}
	for _, v := range got[len(values):] {
		if v != -99 {
			t.Fatalf("%s: decode wrote past the last value", what)
		}
	}
	for _, step := range []int{1, 3, 127, 500} {
		var rows []int32
		for i := len(values) % step; i < len(values); i += step {
			rows = append(rows, int32(7*PageRows+i)) // as if it were the eighth page
		}
		p.pick(rows, got)
		for i, row := range rows {
			if want := values[row%PageRows]; got[i] != want {
				t.Fatalf("%s: value %d is %d, picked as %d", what, row%PageRows, want, got[i])
			}
		}
	}
}

func TestIntsEveryWidth(t *testing.T) {
	for width := 0; width <= 64; width++ {
		for _, n := range []int{1, 2, 127, 128, 129, 1000, PageRows} {
			for _, base := range []int64{0, -1, -1 << 40, math.MinInt64, 12345} {
				values := make([]int64, n)
				top := uint64(1)<<width - 1
				if width == 64 {
					top = math.MaxUint64
				}
				x := uint64(width)*77 + 1
				for i := range values {
					x = x*6364136223846793005 + 1442695040888963407
					off := x & top
					if i%128 == 0 {
						off = top // so that every block needs the width
					} else if i%128 == 1 {
						off = 0
					}
					values[i] = int64(uint64(base) + off) // may wrap around: any values will do
				}
				sameInts(t, fmt.Sprintf("width %d, %d values from %d", width, n, base), values)
			}
		}
	}
}

func TestIntsProperty(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(0, 600).Draw(t, "n")
		if rapid.IntRange(0, 9).Draw(t, "long") == 0 {
			n = rapid.IntRange(PageRows-200, PageRows).Draw(t, "n")
		}
		var values []int64
		block := rapid.OneOf(rapid.Int64(), rapid.Int64Range(-5, 5), rapid.SampledFrom([]int64{math.MinInt64, math.MaxInt64, 0, 1 << 32, 1<<32 - 1}))
		for len(values) < n { // few distinct draws, many values
			v := block.Draw(t, "value")
			step := rapid.Int64Range(-3, 3).Draw(t, "step")
			for range min(n-len(values), rapid.IntRange(1, 700).Draw(t, "run")) {
				values = append(values, v)
				v += step
			}
		}
		sameInts(t, "random", values)
	})
}

// readPage reads a parsed page in the three ways, which must agree.
func readPage(t *testing.T, p intPage) {
	got := make([]int64, PageRows)
	p.decode(got)
	rows, picked := make([]int32, p.n), make([]int64, p.n)
	for i := range rows {
		rows[i] = int32(i)
	}
	p.pick(rows, picked)
	for i := range p.n {
		if p.at(i) != got[i] || picked[i] != got[i] {
			t.Fatalf("value %d: at says %d, decode %d, pick %d", i, p.at(i), got[i], picked[i])
		}
	}
}

func FuzzInts(f *testing.F) {
	for _, values := range [][]int64{{}, {5}, {-1, 1 << 20}, {math.MinInt64, math.MaxInt64}, make([]int64, 300), {0, 1, 2, 1 << 40, 3}} {
		f.Add(appendInts(nil, values))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if p, ok := parseInts(b); ok {
			readPage(t, p)
		}
	})
}

// A page that is cut short or has extra bytes does not parse. A page with a flipped bit
// may parse; reading it then does not leave the page.
func TestIntsDamage(t *testing.T) {
	for _, values := range [][]int64{{7, 7, 7}, {1, 2, 3, 1 << 30}, {math.MinInt64, 0, 3}} {
		good := appendInts(nil, values)
		for i := range good {
			if p, ok := parseInts(good[:i:i]); ok {
				readPage(t, p)
				if i < pageHeader {
					t.Errorf("%d of %d bytes parse", i, len(good))
				}
			}
			for bit := range 8 {
				bad := slices.Clone(good)
				bad[i] ^= 1 << bit
				if p, ok := parseInts(bad[:len(bad):len(bad)]); ok {
					readPage(t, p)
				}
			}
		}
	}
}

// dictPageOf returns one page of all the cells.
func dictPageOf(cells [][]byte) []byte {
	var all []byte
	var ends []uint32
	for _, c := range cells {
		all = append(all, c...)
		ends = append(ends, uint32(len(all)))
	}
	return appendDict(nil, all, ends)
}

// sameCells packs cells page by page, as Build does, and reads them back.
func sameCells(t interface{ Fatalf(string, ...any) }, cells [][]byte) {
	var pages [][]byte
	w := dictWriter{separate: func(_, first []byte) []byte { return slices.Clone(first) }, emit: func(page uint32, data []byte) {
		if int(page) != len(pages) {
			t.Fatalf("page %d after %d", page, len(pages))
		}
		pages = append(pages, slices.Clone(data))
	}}
	for _, c := range cells {
		w.add(c)
	}
	w.flush()
	if len(w.firsts) != len(pages) || len(w.separators) != len(pages) {
		t.Fatalf("%d pages, %d firsts, %d separators", len(pages), len(w.firsts), len(w.separators))
	}
	at := 0
	for i, page := range pages {
		if w.firsts[i] != at || !bytes.Equal(w.separators[i], cells[at]) {
			t.Fatalf("page %d begins with cell %d, %x; want %d, %x", i, w.firsts[i], w.separators[i], at, cells[at])
		}
		b, ok := openDict(nil, page)
		if !ok {
			t.Fatalf("page %d does not load", i)
		}
		p := trustedDict(b)
		if p.n > 1 && len(p.data) > DictPageBytes || p.n < 1 {
			t.Fatalf("a page of %d cells and %d bytes", p.n, len(p.data))
		}
		for i, c := range cells[at : at+p.n] {
			if got := p.cell(i); !bytes.Equal(got, c) || cap(got) != len(c) {
				t.Fatalf("cell %d is %x with cap %d, want %x", i, got, cap(got), c)
			}
		}
		at += p.n
	}
	if at != len(cells) {
		t.Fatalf("%d cells of %d", at, len(cells))
	}
}

func TestDict(t *testing.T) {
	for name, cells := range map[string][][]byte{
		"one empty":        {{}},
		"empty ones":       {{}, {}, {}},
		"equal lengths":    {[]byte("ab"), []byte("cd")},
		"mixed lengths":    {[]byte("a"), {}, []byte("bcd")},
		"a large one":      {make([]byte, 1<<16), []byte("b"), make([]byte, 1<<17)},
		"at the bound":     {make([]byte, DictPageBytes-1), []byte("b"), []byte("c")},
		"65,535 bytes":     {make([]byte, 1<<16-1), {}},
		"65,536 and empty": {make([]byte, 1<<16), {}},
	} {
		t.Run(name, func(t *testing.T) { sameCells(t, cells) })
	}
	// Build writes no pages of more than 64 KiB, but the format allows them.
	big := [][]byte{make([]byte, 40_000), []byte("x"), make([]byte, 40_000)}
	if b, ok := openDict(nil, dictPageOf(big)); !ok {
		t.Error("80,001 bytes in one page")
	} else if p := trustedDict(b); len(p.cell(2)) != 40_000 || string(p.cell(1)) != "x" {
		t.Error("80,001 bytes in one page: read back differently")
	}
	rapid.Check(t, func(t *rapid.T) {
		sameCells(t, rapid.SliceOfN(rapid.SliceOfN(rapid.Byte(), 0, rapid.SampledFrom([]int{0, 3, 2000}).Draw(t, "size")), 1, 50).Draw(t, "cells"))
	})
}

func FuzzDict(f *testing.F) {
	for _, cells := range [][][]byte{{{}}, {[]byte("ab"), []byte("cd")}, {[]byte("a"), {}, []byte("bcd")}, {make([]byte, 1<<16), {1}}} {
		f.Add(dictPageOf(cells))
	}
	f.Add([]byte{3, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0}) // many cells of no bytes
	f.Add([]byte{3, 0, 0, 0, 1, 0, 0, 0, 1})          // lengths whose product is small by chance
	f.Fuzz(func(t *testing.T, b []byte) {
		b, ok := openDict(nil, b)
		if !ok {
			return
		}
		p := trustedDict(b)
		size := 0
		for i := range p.n {
			size += len(p.cell(i))
		}
		if size != len(p.data) {
			t.Fatalf("cells of %d bytes out of %d", size, len(p.data))
		}
	})
}

// Decodes a page, or picks a hundredth and a third of its rows, by the width of its values in bits.
func BenchmarkDecode(b *testing.B) {
	for _, width := range []int{3, 6, 13, 17, 22, 40} {
		b.Run(fmt.Sprint(width), func(b *testing.B) {
			values := benchValues(width)
			page := trustedInts(appendInts(nil, values))
			b.SetBytes(8 * PageRows)
			for b.Loop() {
				page.decode(values)
			}
		})
		for _, step := range []int{100, 3} {
			var rows []int32
			for i := 0; i < PageRows; i += step {
				rows = append(rows, int32(i))
			}
			b.Run(fmt.Sprintf("%d/pick=%d", width, len(rows)), func(b *testing.B) {
				page := trustedInts(appendInts(nil, benchValues(width)))
				to := make([]int64, len(rows))
				for b.Loop() {
					page.pick(rows, to)
				}
			})
		}
	}
}

// benchValues returns a page of values of so many bits.
func benchValues(width int) []int64 {
	values := make([]int64, PageRows)
	for i := range values {
		values[i] = int64(uint64(i) * 0x9e3779b97f4a7c15 >> (64 - width))
	}
	return values
}

// A page that says it has more bytes of cells than 32 bits can count is damaged, on a
// machine of any word.
func TestDictOfTooManyBytes(t *testing.T) {
	const cells, size = 1 << 24, 1<<8 + 1 // 1<<32 + 1<<24 bytes, of which 1<<24 are there
	page := append(binary.LittleEndian.AppendUint32([]byte{3}, cells), 0, 0, 0, 0)
	binary.LittleEndian.PutUint32(page[5:], size)
	if _, ok := openDict(nil, append(page, make([]byte, cells)...)); ok {
		t.Error("the page is opened")
	}
}
