//go:build !noparquet

package export_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"cairn/engine"
	"cairn/engine/event"
	"cairn/engine/query"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/parquet-go/parquet-go"
)

var site = &engine.Site{Site: query.Site{ID: 1, Name: "shop"}}

// store opens a store with events.
func store(t *testing.T, events ...event.Event) *engine.Engine {
	t.Helper()
	at := time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
	e, err := engine.Open(engine.Options{Dir: "data", FS: vfs.NewMem(), Sites: engine.SitesOf(site), SealRows: 100, Now: func() time.Time {
		at = at.Add(time.Millisecond)
		return at
	}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	})
	var records []engine.Record
	for i := range events {
		records = append(records, engine.Record{Site: site, Record: &event.Record{Event: events[i]}})
	}
	for some := range slices.Chunk(records, 100) {
		if _, err := e.Ingest(t.Context(), some, true, nil); err != nil {
			t.Fatal(err)
		}
	}
	return e
}

// file is a Parquet file that was read: the columns in order, and the rows.
type file struct {
	names, types []string
	rows         [][]any
	groups       int
}

// exportFile exports Parquet and reads it.
func exportFile(t *testing.T, e *engine.Engine, q query.Export) *file {
	t.Helper()
	ctx, end := context.WithCancel(t.Context())
	defer end()
	q.Site, q.Format = &site.Site, query.Parquet
	run, err := e.BeginExport(ctx, q)
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	done, err := run.Write(ctx, &b)
	if err != nil {
		t.Fatal(err)
	}
	f, err := parquet.OpenFile(bytes.NewReader(b.Bytes()), int64(b.Len()))
	if err != nil {
		t.Fatal(err)
	}
	out := &file{groups: len(f.RowGroups())}
	for _, field := range f.Schema().Fields() {
		out.names, out.types = append(out.names, field.Name()), append(out.types, field.Type().String())
	}
	for _, group := range f.RowGroups() {
		rows := group.Rows()
		buf := make([]parquet.Row, 64)
		for {
			n, err := rows.ReadRows(buf)
			for _, row := range buf[:n] {
				values := make([]any, len(row))
				for i, v := range row {
					values[i] = valueOf(v)
				}
				out.rows = append(out.rows, values)
			}
			if err != nil {
				break
			}
		}
		rows.Close()
	}
	if done.Events != uint64(len(out.rows)) || f.NumRows() != int64(len(out.rows)) {
		t.Fatalf("%d events, %d rows read of %d", done.Events, len(out.rows), f.NumRows())
	}
	return out
}

func valueOf(v parquet.Value) any {
	switch {
	case v.IsNull():
		return nil
	case v.Kind() == parquet.Boolean:
		return v.Boolean()
	case v.Kind() == parquet.Int64:
		return v.Int64()
	case v.Kind() == parquet.Double:
		return v.Double()
	}
	return string(v.ByteArray())
}

// column returns the values of a column.
func (f *file) column(t *testing.T, name string) (values []any, kind string) {
	t.Helper()
	at := slices.Index(f.names, name)
	if at < 0 {
		t.Fatalf("no column %s in %q", name, f.names)
	}
	for _, row := range f.rows {
		values = append(values, row[at])
	}
	return values, f.types[at]
}

// The library that everybody reads Parquet with gives back what was sent, with its types.
func TestParquet(t *testing.T) {
	first := event.Event{Dialect: event.Native, Type: event.Track, Name: "buy", Time: 1795176000123, User: "ada", Anonymous: "a1", Session: "s", Value: event.Num("12"),
		Properties: event.Object{{Key: "plan", Value: event.Str("=pro")}, {Key: "n", Value: event.Num("5")}, {Key: "price", Value: event.Num("1.5")}, {Key: "on", Value: event.Boolean(true)},
			{Key: "mixed", Value: event.Num("1")}, {Key: "deep", Value: event.Raw(`{"a":{"b":7}}`)}, {Key: "empty", Value: event.Str("")}, {Key: "null", Value: event.Value{Kind: event.Null}}},
		Context: event.Object{{Key: "country", Value: event.Str("DE")}, {Key: "latitude", Value: event.Num("48.1")}, {Key: "bot", Value: event.Boolean(true)}},
		Extra:   event.Object{{Key: "x", Value: event.Raw(`[1,"<"]`)}}}
	second := event.Event{Dialect: event.Native, Type: event.Page, Time: 1795176000124, Anonymous: "a2", Value: event.Num("0.5"),
		Properties: event.Object{{Key: "n", Value: event.Num("-9007199254740993")}, {Key: "price", Value: event.Num("2")}, {Key: "mixed", Value: event.Str("b")}, {Key: "deep", Value: event.Str("flat")}}}
	f := exportFile(t, store(t, first, second), query.Export{Columns: []string{"prop.plan", "prop.n", "prop.price", "prop.on", "prop.mixed", "prop.deep", "prop.deep.a.b", "prop.empty", "prop.null", "prop.nobody", "country", "latitude", "bot"}})
	if want := slices.Concat(query.ExportFixed, []string{"prop.plan", "prop.n", "prop.price", "prop.on", "prop.mixed", "prop.deep", "prop.deep.a.b", "prop.empty", "prop.null", "prop.nobody", "country", "latitude", "bot"}, []string{"properties", "context", "extra"}); !slices.Equal(f.names, want) {
		t.Fatalf("columns %q", f.names)
	}
	for name, want := range map[string]struct {
		kind   string
		values []any
	}{
		"time":          {"TIMESTAMP(isAdjustedToUTC=true,unit=MILLIS)", []any{int64(1795176000123), int64(1795176000124)}},
		"received":      {"TIMESTAMP(isAdjustedToUTC=true,unit=MILLIS)", []any{int64(1795176000123), int64(1795176000124)}},
		"type":          {"STRING", []any{"track", "page"}},
		"name":          {"STRING", []any{"buy", nil}},
		"user":          {"STRING", []any{"ada", nil}},
		"anonymous":     {"STRING", []any{"a1", "a2"}},
		"value":         {"DOUBLE", []any{12.0, 0.5}},
		"prop.plan":     {"STRING", []any{"=pro", nil}},
		"prop.n":        {"INT(64,true)", []any{int64(5), int64(-9007199254740993)}},
		"prop.price":    {"DOUBLE", []any{1.5, 2.0}},
		"prop.on":       {"BOOLEAN", []any{true, nil}},
		"prop.mixed":    {"STRING", []any{"1", "b"}},
		"prop.deep":     {"STRING", []any{`{"a":{"b":7}}`, "flat"}},
		"prop.deep.a.b": {"INT(64,true)", []any{int64(7), nil}},
		"prop.empty":    {"STRING", []any{"", nil}},
		"prop.null":     {"STRING", []any{nil, nil}},
		"prop.nobody":   {"STRING", []any{nil, nil}},
		"country":       {"STRING", []any{"DE", nil}},
		"latitude":      {"DOUBLE", []any{48.1, nil}},
		"bot":           {"BOOLEAN", []any{true, nil}},
		"context":       {"JSON", []any{`{"bot":true,"country":"DE","latitude":48.1}`, nil}},
		"extra":         {"JSON", []any{`{"x":[1,"\u003c"]}`, nil}},
	} {
		values, kind := f.column(t, name)
		if name == "received" {
			if kind != want.kind {
				t.Errorf("received is %s", kind)
			}
			continue
		}
		if kind != want.kind || !reflect.DeepEqual(values, want.values) {
			t.Errorf("%s: %s %v, want %s %v", name, kind, values, want.kind, want.values)
		}
	}
	properties, _ := f.column(t, "properties")
	var object map[string]any
	if err := json.Unmarshal([]byte(properties[0].(string)), &object); err != nil || len(object) != 8 || object["plan"] != "=pro" {
		t.Errorf("properties %v, %v", properties[0], err)
	}
}

// A file of many rows over many runs has all of them in order, a large value among them.
func TestParquetOfManyRows(t *testing.T) {
	var events []event.Event
	for i := range 2500 {
		e := event.Event{Dialect: event.Native, Type: event.Track, Name: "a", MessageID: fmt.Sprint("m", i), Properties: event.Object{{Key: "i", Value: event.Num(fmt.Sprint(i))}}}
		if i == 1700 {
			e.Properties.Set("large", event.Str(strings.Repeat("x", 8000)))
		}
		events = append(events, e)
	}
	e := store(t, events...)
	for _, bytes := range []int64{0, 1} {
		e.ExportBytes = bytes
		f := exportFile(t, e, query.Export{Where: []query.Cond{{Field: "prop.i", Values: []string{"3"}, Op: query.OpNot}}})
		values, kind := f.column(t, "prop.i")
		if len(values) != 2499 || kind != "INT(64,true)" {
			t.Fatalf("%d rows of %s", len(values), kind)
		}
		for i, v := range values {
			if want := int64(i); v != want && (i < 3 || v != want+1) {
				t.Fatalf("row %d is %v", i, v)
			}
		}
		large, _ := f.column(t, "prop.large")
		if large[1699] != strings.Repeat("x", 8000) {
			t.Errorf("the large value is not there")
		}
	}
}

// A site without events has a file without rows.
func TestParquetWithoutEvents(t *testing.T) {
	if f := exportFile(t, store(t), query.Export{}); len(f.rows) != 0 || len(f.names) != len(query.ExportFixed)+3 {
		t.Errorf("%d rows, columns %q", len(f.rows), f.names)
	}
}
