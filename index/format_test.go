// Helpers of the tests in this package: a small format of cells, parts of random rows,
// and the same rows as a plain model.

package index

import (
	"bytes"
	"flag"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
	"pgregory.net/rapid"
)

var update = flag.Bool("update", false, "write the golden files")

// A cell of these tests is one of
//
//	s TEXT            the term is TEXT
//	U TEXT            the same term, another cell: two cells may share a term
//	j PATH=TERM;…     an array or object with those leaves; PATH "" is an element
var testFormat = &Format{
	Compare: func(a, b []byte) int {
		sa, sb := testScalar(a), testScalar(b)
		switch {
		case sa && !sb:
			return -1
		case !sa && sb:
			return 1
		case sa:
			if c := bytes.Compare(a[1:], b[1:]); c != 0 {
				return c
			}
		}
		return bytes.Compare(a, b)
	},
	Scalar:     testScalar,
	AppendTerm: func(dst, cell []byte) []byte { return append(dst, cell[1:]...) },
	Key:        func(cell []byte, skip int) uint64 { return bigEndian(cell[min(1+skip, len(cell)):]) },
	Text:       func(cell []byte) bool { return cell[0] == 's' },
	AppendText: func(dst []byte, text string) []byte { return append(append(dst, 's'), text...) },
	Counted:    Counted{Unit: 70, Field: "name"},
	Leaves: func(cell []byte, yield func(path, term string) bool) {
		for _, l := range testLeaves(cell) {
			if !yield(l[0], l[1]) {
				return
			}
		}
	},
}

func testScalar(cell []byte) bool { return len(cell) > 0 && cell[0] != 'j' }

func testLeaves(cell []byte) (leaves [][2]string) {
	if testScalar(cell) {
		return [][2]string{{"", string(cell[1:])}}
	}
	for _, l := range strings.Split(string(cell[1:]), ";") {
		path, term, ok := strings.Cut(l, "=")
		if leaf := [2]string{path, term}; ok && !slices.Contains(leaves, leaf) {
			leaves = append(leaves, leaf)
		}
	}
	return leaves
}

// modelRow is one row as it was written.
type modelRow struct {
	ints  []int64
	cells map[string]string
}

const testInts = 2

// memPartOf returns a part in memory with the rows.
func memPartOf(first uint64, rows []modelRow) *MemPart {
	o := NewMemPart(testFormat, first, testInts)
	o.Lock()
	for _, r := range rows {
		o.Append(r.ints)
		fields := make([]string, 0, len(r.cells))
		for f := range r.cells {
			fields = append(fields, f)
		}
		slices.Sort(fields)
		for _, f := range fields {
			o.Set([]byte(f), []byte(r.cells[f]))
		}
	}
	o.Unlock()
	o.Publish()
	return o
}

// dbSink puts the keys of a run into a database as they come.
type dbSink struct {
	t    interface{ Fatalf(string, ...any) }
	db   pebble.Writer
	last []byte
}

func (s *dbSink) Set(key, value []byte) error {
	if bytes.Compare(s.last, key) >= 0 {
		s.t.Fatalf("key %x after %x", key, s.last)
	}
	s.last = slices.Clone(key)
	return s.db.Set(key, value, pebble.NoSync)
}

// runOf seals a part into db.
func runOf(t interface{ Fatalf(string, ...any) }, db *pebble.DB, id uint64, part Part, totals []Total, cache *Cache) *Run {
	return runAs(t, db, testFormat, id, part, totals, cache)
}

// runAs is runOf for a format.
func runAs(t interface{ Fatalf(string, ...any) }, db *pebble.DB, format *Format, id uint64, part Part, totals []Total, cache *Cache) *Run {
	sum := &Checksum{Next: &dbSink{t: t, db: db}}
	if err := Build(sum, id, part, testInts, format, totals, "id"); err != nil {
		t.Fatalf("build: %v", err)
	}
	d := Descriptor{Site: 1, First: part.First(), Rows: uint64(part.Len()), Run: id, Keys: sum.Keys, Sum: sum.Sum()}
	return NewRun(d, db, cache, format)
}

// drawBlanks makes some of the rows blank, in a third of all cases.
func drawBlanks(t *rapid.T, rows []modelRow) {
	if rapid.IntRange(0, 2).Draw(t, "blanks") == 0 {
		for i := range rows {
			if i%3 == 0 {
				rows[i].cells[FieldGone] = "st"
			}
		}
	}
}

func openDB(t testing.TB) *pebble.DB {
	t.Helper()
	db, err := pebble.Open("db", &pebble.Options{FS: vfs.NewMem(), FormatMajorVersion: pebble.FormatValueSeparation, Logger: quiet{}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db
}

type quiet struct{}

func (quiet) Infof(string, ...any)         {}
func (quiet) Errorf(string, ...any)        {}
func (quiet) Fatalf(f string, args ...any) { panic(fmt.Sprintf(f, args...)) }

// shape describes one field of random rows.
type shape struct {
	field string
	every int // one row in every has it
	cells []string
}

// drawRows draws rows with dense and sparse fields, with few and with many values, with
// scalars, arrays and objects.
func drawRows(t *rapid.T, most int) []modelRow {
	n := rapid.IntRange(1, most).Draw(t, "rows")
	seed := rapid.Uint64().Draw(t, "seed")
	next := func(n int64) int { // a plain generator: drawing each row from rapid is slow
		seed = seed*6364136223846793005 + 1442695040888963407
		return int(seed >> 33 % uint64(n))
	}
	term := func() string { return []string{"a", "b", "ab", "", "x y", "é"}[next(6)] }
	fields := []shape{
		{"name", 1, []string{"sa", "sb", "sc"}},
		{"same", 1, []string{"sone"}},
		{"mixed", 2, []string{"sa", "Ua", "ja=a", "jk=a", "j=a;=b", "s", "j"}},
		{"rare", 40, []string{"sa", "sb", "j=a;k.l=b"}},
		{"once", n + 1, []string{"sa"}},
	}
	wide := shape{field: "wide", every: 1 + next(30)}
	for i := range 200 {
		wide.cells = append(wide.cells, fmt.Sprintf("%c%03d", "sU"[next(2)], i/2), fmt.Sprintf("j=%s;k%d=%s", term(), i, term()))
	}
	fields = append(fields, wide)
	width := next(64)
	rows := make([]modelRow, n)
	for i := range rows {
		r := modelRow{ints: []int64{int64(i) * 10, int64(next(1<<31)) << 32 >> width}, cells: map[string]string{"id": fmt.Sprintf("sm%d", i)}}
		if next(5) == 0 {
			delete(r.cells, "id")
		}
		for _, f := range fields {
			if next(int64(f.every)) == 0 {
				r.cells[f.field] = f.cells[next(int64(len(f.cells)))]
			}
		}
		rows[i] = r
	}
	if n > 3 {
		rows[next(int64(n))].cells["once"] = "sa"
	}
	return rows
}
