package table

import (
	"fmt"
	"reflect"
	"testing"

	"cairn/engine/event"
	"cairn/index"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
)

type setter struct{ db *pebble.DB }

func (s setter) Set(key, value []byte) error { return s.db.Set(key, value, pebble.NoSync) }

// Rows that are read together are the rows that are read one by one, in memory and sealed, in
// any order, and no more bytes are read than the caller allows. A reader that remembers cells
// reads the same into an event that it uses again, and tells a row's record from others.
func TestReadAll(t *testing.T) {
	table, rest := New(1, nil), new(Overflow)
	const rows = 300
	var records [][]byte
	for i := range rows {
		e := &event.Event{
			Dialect: event.Native, Type: event.Track, Name: fmt.Sprint("name ", i%5), User: fmt.Sprint("u", i%70), MessageID: fmt.Sprintf("%032x", i),
			Properties: event.Object{{Key: "n", Value: event.Num(fmt.Sprint(i))}},
		}
		if i%9 == 0 {
			e.Properties = append(e.Properties, event.Member{Key: "seldom", Value: event.Raw(`{"a":[1,"x"]}`)})
			e.Extra = event.Object{{Key: "more", Value: event.Str("text")}}
		}
		if i%17 == 0 {
			e.Name, e.User = "", ""
			e.Type = event.Page
		}
		records = append(records, event.AppendRecord(nil, &event.Head{}, event.AppendBody(nil, e)))
	}
	if _, err := table.Append(1, records, rest); err != nil {
		t.Fatal(err)
	}
	table.Publish(rows)
	v := table.View()
	defer v.Close()
	memory := v.Parts[0].Get()
	db, err := pebble.Open("db", &pebble.Options{FS: vfs.NewMem()})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	sum := &index.Checksum{Next: setter{db}}
	if err := index.Build(sum, 1, memory, event.NumInts, Format, nil, event.FieldMessageID); err != nil {
		t.Fatal(err)
	}
	run := index.NewRun(index.Descriptor{Site: 1, First: 1, Rows: rows, Run: 1, Keys: sum.Keys, Sum: sum.Sum()}, db, index.NewCache(1), Format)
	for name, part := range map[string]index.Part{"memory": memory, "run": run.Part()} {
		for _, shown := range []bool{false, true} {
			one, all := NewRowReader(part), NewRowReader(part)
			if shown {
				one.Shown()
				all.Shown()
			}
			some := []int{299, 298, 270, 17, 9, 18, 0, 153}
			helper := func(before bool) Helper { // begins before the reader, or beside it
				return func(work func(*RowReader)) func() {
					other, done := NewRowReader(part), make(chan struct{})
					if name == "run" { // where each goroutine has its own
						other = NewRowReader(run.Part())
					}
					if shown {
						other.Shown()
					}
					go func() {
						work(other)
						close(done)
					}()
					if before {
						<-done
					}
					return func() { <-done }
				}
			}
			for who, help := range map[string]Helper{"nobody": nil, "one before": helper(true), "one beside": helper(false)} {
				events, bytes := all.ReadAll(some, 1<<20, help)
				if len(events) != len(some) {
					t.Fatalf("%s, helped by %s: %d events of %d rows", name, who, len(events), len(some))
				}
				for i, row := range some {
					want, err := one.Read(row)
					if err != nil {
						t.Fatal(err)
					}
					if !reflect.DeepEqual(events[i], want) || bytes[i] != one.Bytes {
						t.Errorf("%s, helped by %s, row %d: %+v of %d bytes, want %+v of %d", name, who, row, events[i], bytes[i], want, one.Bytes)
					}
				}
				if events, _ := all.ReadAll(some, 100, help); events != nil {
					t.Errorf("%s, helped by %s: %d events are read with 100 bytes allowed", name, who, len(events))
				}
			}
		}
		again, one := NewRowReader(part), NewRowReader(part)
		again.Remember()
		var e event.Event
		for row := range rows {
			want, err := one.Read(row)
			if err == nil {
				err = again.ReadTo(row, &e)
			}
			if err != nil {
				t.Fatal(err)
			}
			for _, o := range []*event.Object{&e.Properties, &e.Context, &e.Extra} {
				if len(*o) == 0 {
					*o = nil // no list, or an empty one that is used again
				}
			}
			if !reflect.DeepEqual(&e, want) || again.Bytes != one.Bytes {
				t.Errorf("%s, row %d: read again %+v of %d bytes, want %+v of %d", name, row, e, again.Bytes, want, one.Bytes)
			}
			if err := again.Same(row, records[row]); err != nil {
				t.Errorf("%s, row %d: %v", name, row, err)
			}
			less, more, changed := *want, *want, *want
			less.Properties = nil
			more.Groups = []string{"g"}
			changed.MessageID = fmt.Sprintf("%032x", rows)
			for _, other := range []*event.Event{&less, &more, &changed} {
				if again.Same(row, event.AppendRecord(nil, &event.Head{}, event.AppendBody(nil, other))) == nil {
					t.Errorf("%s: row %d is the same as the record of %+v", name, row, other)
				}
			}
		}
		if err := part.Err(); err != nil {
			t.Error(err)
		}
	}
}
