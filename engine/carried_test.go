// What a sink gets of a row: the same bytes whatever becomes of the row, in memory, sealed, merged or
// read by another start.

package engine_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"slices"
	"testing"

	"cairn/engine/export"
	"cairn/engine/query"
)

var rowForms = map[string]export.RowForm{
	"native":  {Native: true},
	"columns": {Store: 1<<64 - 1},
	"texts":   {Store: 7, Texts: true},
	"seconds": {Store: 8, Texts: true, Seconds: true},
}

// carried returns the lines of all rows of a site.
func (p *pair) carried(site *query.Site, form export.RowForm, most export.LinesMost, after uint64) *export.Lines {
	p.Helper()
	s := p.engine.Carried(p.Context(), site, after, math.MaxUint64)
	defer s.Close()
	l := new(export.Lines)
	if err := l.Read(p.Context(), s, form, most, 1<<20); err != nil {
		p.Fatalf("op %d: lines: %v", p.op, err)
	}
	return l
}

func TestRowsKeepTheirBytes(t *testing.T) {
	t.Parallel()
	for seed := range uint64(6) {
		t.Run(fmt.Sprintf("seed=%d", seed+1), func(t *testing.T) {
			t.Parallel()
			p := newPair(t, seed+1)
			p.open()
			defer p.closeIfOpen()
			known := make(map[string]string)
			for p.op = 1; p.op <= 12 && !t.Failed(); p.op++ {
				for range 6 {
					p.tick()
					p.ingest()
				}
				if p.chance(3) {
					p.reopen()
				}
				for _, site := range p.sites {
					for name, form := range rowForms {
						l := p.carried(&site.Site, form, export.LinesMost{}, 0)
						if want := p.model.of(&site.Site).events; l.Len() != len(want) || len(l.Ends) != len(want) || l.Cut {
							t.Fatalf("%d lines of %d events, cut %t", l.Len(), len(want), l.Cut)
						}
						at := 0
						for i, seq := range l.Seqs {
							key, line := fmt.Sprint(site.Name, name, seq), string(l.Text[at:l.Ends[i]])
							if at = l.Ends[i]; seq != uint64(i)+1 || !json.Valid([]byte(line)) {
								t.Fatalf("line %d is seq %d: %s", i, seq, line)
							}
							if before, is := known[key]; is && before != line {
								t.Fatalf("op %d: %s:\nbefore %snow    %s", p.op, key, before, line)
							}
							known[key] = line
						}
					}
				}
			}
		})
	}
}

// Every column of a row is one that the list of columns has, of its kind, and the rows have what the
// native form has.
func TestRowsHaveTheirColumns(t *testing.T) {
	t.Parallel()
	p := newPair(t, 11)
	p.open()
	defer p.closeIfOpen()
	for range 60 {
		p.tick()
		p.ingest()
	}
	kinds := make(map[string]export.RowKind)
	for _, c := range export.RowColumns {
		kinds[c.Name] = c.Kind
	}
	seen := make(map[string]bool)
	for _, site := range p.sites {
		flat, native := p.carried(&site.Site, rowForms["columns"], export.LinesMost{}, 0), p.carried(&site.Site, rowForms["native"], export.LinesMost{}, 0)
		at, nativeAt := 0, 0
		for i := range flat.Seqs {
			var row, ev map[string]any
			if err := json.Unmarshal(flat.Text[at:flat.Ends[i]], &row); err != nil {
				t.Fatal(err)
			}
			if err := json.Unmarshal(native.Text[nativeAt:native.Ends[i]], &ev); err != nil {
				t.Fatal(err)
			}
			at, nativeAt = flat.Ends[i], native.Ends[i]
			for _, must := range []string{"store", "site", "seq", "id", "received", "time", "dialect", "type", "person"} {
				if row[must] == nil {
					t.Errorf("no %s in %v", must, row)
				}
			}
			context, _ := ev["context"].(map[string]any)
			for name, v := range row {
				seen[name] = true
				kind, is := kinds[name]
				ok := is
				switch v.(type) {
				case string:
					ok = is && (kind == export.RowText || kind == export.RowWord || kind == export.RowMoment)
				case float64:
					ok = is && (kind == export.RowNumber || kind == export.RowFloat || kind == export.RowBool)
				case []any:
					ok = is && kind == export.RowTexts
				case map[string]any:
					ok = is && kind == export.RowObject
				default:
					ok = false
				}
				if !ok {
					t.Errorf("column %s has %v", name, v)
				}
				switch want := context[name]; {
				case want == true:
					want = 1.0
					fallthrough
				case want != nil:
					if fmt.Sprint(want) != fmt.Sprint(v) && want != false {
						t.Errorf("%s is %v, want %v", name, v, want)
					}
				}
			}
			for _, same := range []string{"id", "seq", "site", "dialect", "type", "name", "user", "anonymous", "session", "session_of", "previous", "groups", "message_id", "properties", "extra", "increments"} {
				if fmt.Sprint(ev[same]) != fmt.Sprint(row[same]) {
					t.Errorf("%s is %v, want %v", same, row[same], ev[same])
				}
			}
			if v := ev["value"]; v != nil && row["value"] == nil && row["value_text"] == nil {
				t.Errorf("the value %v is nowhere", v)
			}
			for key := range context {
				if row[key] == nil && context[key] != "" {
					t.Errorf("the context's %s is nowhere", key)
				}
			}
		}
	}
	for _, must := range []string{"properties", "extra", "country", "session_of", "value", "groups", "user"} {
		if !seen[must] {
			t.Errorf("no row has the column %s; all: %q", must, slices.Sorted(maps.Keys(seen)))
		}
	}
}

// Limits cut lines, and the rest follows.
func TestLinesAreBounded(t *testing.T) {
	t.Parallel()
	p := newPair(t, 5)
	p.open()
	defer p.closeIfOpen()
	for range 80 {
		p.tick()
		p.ingest()
	}
	site := &p.sites[0].Site
	all := p.carried(site, rowForms["columns"], export.LinesMost{}, 0)
	for _, most := range []export.LinesMost{{Rows: 1}, {Rows: 7}, {Bytes: 1}, {Bytes: 5000}, {Rows: 9, Bytes: 3000}, {Months: 1}} {
		var text []byte
		after, n := uint64(0), 0
		for cut := true; cut; n++ {
			l := p.carried(site, rowForms["columns"], most, after)
			if cut = l.Cut; l.Len() == 0 {
				break
			}
			if most.Rows > 0 && l.Len() > most.Rows || most.Bytes > 0 && l.Len() > 1 && len(l.Text) > most.Bytes || len(l.Text) != l.Ends[l.Len()-1] {
				t.Fatalf("%+v: %d rows, %d bytes", most, l.Len(), len(l.Text))
			}
			text, after = append(text, l.Text...), l.Seqs[l.Len()-1]
		}
		if string(text) != string(all.Text) {
			t.Errorf("%+v: %d bytes in %d pieces, want %d", most, len(text), n, len(all.Text))
		}
	}
}
