// The limits of a run: a value at a limit is written and read back; a value over it is
// neither written nor read.

package index

import (
	"fmt"
	"reflect"
	"testing"
)

func TestHeaderLimits(t *testing.T) {
	columns := func(n int) (all []columnHeader) {
		for i := range n {
			all = append(all, columnHeader{name: fmt.Sprintf("%05d", i)})
		}
		return all
	}
	for name, of := range map[string]func(over int) header{
		"rows":    func(over int) header { return header{version: 1, rows: rowsMax + over} },
		"ints":    func(over int) header { return header{version: 1, ints: intsMax + over} },
		"filter":  func(over int) header { return header{version: 2, filter: rowsMax + over} },
		"columns": func(over int) header { return header{version: 2, columns: columns(columnsMax + over)} },
		"leaves": func(over int) header {
			return header{version: 2, columns: []columnHeader{{name: "a", leaves: int64(leavesMax + over)}}}
		},
	} {
		most := of(0)
		if err := most.check(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if got, err := parseHeader(most.append(nil)); err != nil || !reflect.DeepEqual(*got, most) {
			t.Errorf("%s at the limit: %v", name, err)
		}
		more := of(1)
		if more.check() == nil {
			t.Errorf("%s over the limit is written", name)
		}
		if _, err := parseHeader(more.append(nil)); err == nil {
			t.Errorf("%s over the limit is read", name)
		}
	}
}

// A part with too many columns makes no run: its header is not written.
func TestTooManyColumns(t *testing.T) {
	for _, over := range []int{0, 1} {
		r := modelRow{make([]int64, testInts), map[string]string{}}
		for i := range columnsMax + over {
			r.cells[fmt.Sprint(i)] = "sa"
		}
		sink := &lastKey{}
		err := Build(sink, 1, memPartOf(1, []modelRow{r}).Snapshot(), testInts, testFormat, nil, "id")
		if header := string(sink.key) == string(pageKey{run: 1, col: colHeader}.append(nil)); header != (over == 0) || (err != nil) != (over == 1) {
			t.Errorf("%d columns over the limit: header written: %v, %v", over, header, err)
		}
	}
}

type lastKey struct{ key []byte }

func (s *lastKey) Set(key, _ []byte) error {
	s.key = append(s.key[:0], key...)
	return nil
}

func TestDescriptorLimits(t *testing.T) {
	for _, c := range []struct {
		Descriptor
		good bool
	}{
		{Descriptor{Version: 1, Site: 1, First: 1, Rows: rowsMax}, true},
		{Descriptor{Version: 2, Site: 1, First: 1, Rows: 1}, true},
		{Descriptor{Site: 1, First: 1, Rows: rowsMax + 1}, false},
		{Descriptor{Site: 1, First: 1}, false},
		{Descriptor{Site: 1, Rows: 1}, false},
	} {
		db := openDB(t)
		err := c.Put(batchOf(db))
		n := 0
		rerr := Descriptors(db, func(d Descriptor) error {
			n++
			if d != c.Descriptor {
				t.Errorf("%+v is read as %+v", c.Descriptor, d)
			}
			return nil
		})
		if (err == nil) != c.good || rerr != nil || (n == 1) != c.good {
			t.Errorf("%+v: written: %v, read: %d, %v", c.Descriptor, err, n, rerr)
		}
	}
}
