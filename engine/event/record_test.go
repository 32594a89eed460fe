package event

import (
	"bytes"
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

var rewrite = flag.Bool("rewrite", false, "write the golden files anew")

// fullEvent has every field that a record holds.
func fullEvent() (*Event, *Head) {
	e := &Event{
		Dialect: OpenPanel, Type: Order, Name: "Order <1>", Time: 1795435200123, Received: 1795435201000,
		User: "user-1", Anonymous: "022bb90c-bbac-11e4-8dfc-aa07a5b093db", Session: "507f191e810c19729de860ea507f191e",
		Previous: "user-0", Groups: []string{"staff", "né"}, MessageID: "507f191e810c19729de860ea507f191f", Value: Num("18.990"),
		Properties: Object{{"amount", Num("1e2")}, {"first", Boolean(true)}, {"gone", Value{Kind: Null}}, {"items", Raw(`[{"sku":"a\"b","n":2}]`)}},
		Context:    Object{{"bot", Boolean(false)}, {"country", Str("NL")}, {"latitude", Num("52.09")}},
		Extra:      Object{{"integrations", Raw(`{"All":true}`)}, {"long", Str(strings.Repeat("x", 200))}},
		Increments: []Amount{{"amount", 10}, {"items.n", -2}}, Segments: []string{"age-group"}, Uncounted: true, Late: true,
		SessionOrd: 70000, PersonOrd: 3, Day: 20780, NotCounted: []string{"items.sku"}, Capped: []Term{{"items.n", "2"}, {"name", `a "b"`}},
	}
	return e, &Head{SessionOrd: e.SessionOrd, PersonOrd: e.PersonOrd, Session: e.Session, Capped: e.Capped, CappedByProperty: e.CappedByProperty}
}

// cutEvent has the additions to version 1 of the record.
func cutEvent() (*Event, *Head) {
	e := &Event{
		Dialect: Segment, Type: Track, Name: "x", Properties: Object{{"items", Raw(`[{"n":1},{"n":2,"sku":"a"}]`)}},
		Cut: &Cut{"items", 2}, Capped: []Term{{"items.n", "1"}, {"items.n", "2"}, {"items.sku", Other}}, CappedByProperty: true,
	}
	return e, &Head{Capped: e.Capped, CappedByProperty: true}
}

// namesEvent has names over the cap.
func namesEvent() (*Event, *Head) {
	e := &Event{
		Dialect: Native, Type: Track, Name: "x", Properties: Object{{"a", Raw(`{"b":1,"c":[1,2]}`)}, {"é\"", Num("1")}},
		CappedNames: []string{"a.b", "é\""}, Capped: []Term{{"a.c", "2"}}, CappedByProperty: true,
	}
	return e, &Head{CappedNames: e.CappedNames, Capped: e.Capped, CappedByProperty: true}
}

// importedEvent is the first event of an imported session.
func importedEvent() (*Event, *Head) {
	e := &Event{
		Dialect: Matomo, Type: Page, Name: "x", Time: 1795435200123, Received: 1795435200123, Anonymous: "a",
		Session: "507f191e810c19729de860ea507f191e", Imported: true, SessionOf: "0123456789abcdef0123456789abcdef", SessionOrd: 7, PersonOrd: 3, Day: 20780,
	}
	return e, HeadOf(e)
}

// TestRecordGolden checks that the bytes of version 1 of the format do not change.
func TestRecordGolden(t *testing.T) {
	full, head := fullEvent()
	cut, cutHead := cutEvent()
	names, namesHead := namesEvent()
	imported, importedHead := importedEvent()
	for _, c := range []struct {
		name string
		e    *Event
		head *Head
	}{
		{"least", &Event{Dialect: Native, Type: Track}, &Head{}},
		{"full", full, head},
		{"cut", cut, cutHead},
		{"names", names, namesHead},
		{"imported", imported, importedHead},
	} {
		record := AppendRecord(nil, c.head, AppendBody(nil, c.e))
		file := "testdata/record-v1-" + c.name + ".hex"
		if *rewrite {
			if err := os.WriteFile(file, []byte(hex.Dump(record)), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if hex.Dump(record) != string(want) {
			t.Errorf("%s: the bytes of a record have changed:\n%s", c.name, hex.Dump(record))
		}
		e, err := DecodeRecord(record)
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(e, c.e) {
			t.Errorf("%s: read back\n%+v\nwant\n%+v", c.name, e, c.e)
		}
	}
}

// stored draws an event as the engine passes it to AppendBody.
func stored() *rapid.Generator[*Event] {
	return rapid.Custom(func(t *rapid.T) *Event {
		short := func(name string) string { return text().Draw(t, name) }
		list := func(name string) []string {
			l := rapid.SliceOfN(rapid.StringMatching(`[a-z"é]{1,8}`), 0, 3).Draw(t, name)
			if len(l) == 0 {
				return nil
			}
			return l
		}
		id := short
		e := &Event{
			Dialect: rapid.SampledFrom(Dialects).Draw(t, "dialect"), Type: rapid.SampledFrom(Types).Draw(t, "type"),
			Name: short("name"), User: id("user"), Anonymous: id("anonymous"), Session: id("session"), Previous: id("previous"), MessageID: id("message"),
			Time: rapid.Int64Range(MinTime, MaxTime).Draw(t, "time"), Received: rapid.Int64Range(0, MaxTime).Draw(t, "received"),
			Groups: list("groups"), Segments: list("segments"), NotCounted: list("not counted"),
			Properties: object(2, 6).Draw(t, "properties"), Extra: object(1, 3).Draw(t, "extra"),
			Uncounted: rapid.Bool().Draw(t, "uncounted"), Late: rapid.Bool().Draw(t, "late"),
			SessionOrd: rapid.Uint64().Draw(t, "session ord"), PersonOrd: rapid.Uint64().Draw(t, "person ord"), Day: rapid.Int32().Draw(t, "day"),
		}
		for _, key := range rapid.SliceOfNDistinct(rapid.SampledFrom(ContextKeys), 0, 8, rapid.ID[string]).Draw(t, "context") {
			v := Str(text().Draw(t, "value"))
			switch contextKind(key) {
			case Number:
				v = Num(number().Draw(t, "value"))
			case Bool:
				v = Boolean(rapid.Bool().Draw(t, "value"))
			}
			e.Context = append(e.Context, Member{key, v})
		}
		if rapid.Bool().Draw(t, "has value") {
			e.Value = Num(number().Draw(t, "value"))
		}
		for _, path := range list("increments") {
			e.Increments = append(e.Increments, Amount{path, rapid.Int64Range(-MaxAmount, MaxAmount).Draw(t, "by")})
		}
		for _, path := range list("capped") {
			e.Capped = append(e.Capped, Term{path, text().Draw(t, "value")})
		}
		if e.CappedByProperty = len(e.Capped) > 0 && rapid.Bool().Draw(t, "by property"); e.CappedByProperty {
			e.Capped = byProperty(e.Capped)
		}
		if e.CappedByProperty || len(e.Capped) == 0 {
			if e.CappedNames = list("capped names"); e.CappedNames != nil {
				slices.Sort(e.CappedNames)
				e.CappedNames = slices.Compact(e.CappedNames)
			}
		}
		if rapid.Bool().Draw(t, "cut") {
			e.Cut = &Cut{text().Draw(t, "key"), rapid.IntRange(0, CountedLeavesMax).Draw(t, "leaves")}
		}
		e.Finish()
		return e
	})
}

// byProperty groups the terms of each property; Other is the only term of its property.
func byProperty(list []Term) (out []Term) {
	for i, t := range list {
		if slices.ContainsFunc(list[:i], func(u Term) bool { return u.Property == t.Property }) {
			continue
		}
		at := len(out)
		for _, u := range list[i:] {
			if u.Property == t.Property && u.Value == Other {
				out = append(out[:at], u)
				break
			} else if u.Property == t.Property {
				out = append(out, u)
			}
		}
	}
	return out
}

func TestRecordRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		e := stored().Draw(t, "event")
		head := &Head{SessionOrd: e.SessionOrd, PersonOrd: e.PersonOrd, Session: e.Session, Capped: e.Capped, CappedByProperty: e.CappedByProperty, CappedNames: e.CappedNames}
		record := AppendRecord([]byte("before"), head, AppendBody(nil, e))[len("before"):]
		read, err := DecodeRecord(record)
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(read, e) {
			t.Fatalf("read back\n%+v\nwant\n%+v", read, e)
		}

		// The same event made from its columns, in any order.
		var ints Ints
		type column struct {
			field string
			cell  []byte
		}
		var columns []column
		if err := ScanRecord(record, &ints, func(field, cell []byte) error {
			columns = append(columns, column{string(field), bytes.Clone(cell)})
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		rebuilt := new(Event)
		for _, i := range rapid.Permutation(columns).Draw(t, "order") {
			if err := rebuilt.SetCell(i.field, i.cell); err != nil {
				t.Fatal(err)
			}
		}
		for i, v := range ints {
			rebuilt.SetInt(i, v)
		}
		rebuilt.Finish()
		if !reflect.DeepEqual(rebuilt, e) {
			t.Fatalf("rebuilt\n%+v\nwant\n%+v", rebuilt, e)
		}
	})
}

// TestRecordCut tries every shorter record, and every record with one byte more.
func TestRecordCut(t *testing.T) {
	e, head := fullEvent()
	record := AppendRecord(nil, head, AppendBody(nil, e))
	for n := range record {
		if _, err := DecodeRecord(record[:n:n]); !errors.Is(err, ErrCorrupt) {
			t.Fatalf("%d of %d bytes: %v", n, len(record), err)
		}
	}
	if _, err := DecodeRecord(append(record, 0)); !errors.Is(err, ErrCorrupt) {
		t.Fatalf("a byte too many: %v", err)
	}
	if _, err := DecodeRecord(append([]byte{2}, record[1:]...)); !errors.Is(err, ErrCorrupt) {
		t.Fatalf("a later version: %v", err)
	}
}

// TestRecordOfMany has more fields than one byte counts, with keys that share their
// start, and values of every size class.
func TestRecordOfMany(t *testing.T) {
	for _, n := range []int{31, 32, 33, 34, 127, 128, MaxProperties} {
		e := &Event{Dialect: Segment, Type: Track}
		for i := range n {
			key := fmt.Sprintf("property-%03d", (i*89)%n)
			e.Properties = append(e.Properties, Member{key, Str(strings.Repeat("v", i*3))})
			e.Extra = append(e.Extra, Member{key[:8] + strings.Repeat("z", i%100) + key, Num(fmt.Sprint(i))})
		}
		e.Properties = append(e.Properties[:n-1], Member{"p", Str(strings.Repeat("x", 20000))})
		e.Properties[0].Key = "pr"
		if err := Validate(e); err != nil {
			t.Fatal(err)
		}
		read, err := DecodeRecord(AppendRecord(nil, &Head{}, AppendBody(nil, e)))
		e.Finish()
		if err != nil || !reflect.DeepEqual(read, e) {
			t.Fatalf("%d members: %v", n, err)
		}
	}
}

// TestLargestRecord has an event of the largest size. All its values are capped and
// need escapes.
func TestLargestRecord(t *testing.T) {
	e := &Event{Dialect: Segment, Type: Track, Properties: Object{{"a", Str(strings.Repeat(`"`, MaxEventBytes-100))}}}
	if err := Validate(e); err != nil {
		t.Fatal(err)
	}
	e.Counts(func(property, term string, by int64) bool {
		e.Capped = append(e.Capped, Term{property, term})
		return true
	})
	read, err := DecodeRecord(AppendRecord(nil, &Head{Capped: e.Capped}, AppendBody(nil, e)))
	if err != nil || !reflect.DeepEqual(read, e) {
		t.Fatal(err)
	}
}

// The reader accepts records up to its own limit, which records of older versions may
// need. For a longer record it reports the length.
func TestLongestRecordRead(t *testing.T) {
	e := &Event{Dialect: Native, Type: Track, Name: "e", Properties: Object{{"p", Raw("[1,2]")}}}
	body := AppendBody(nil, e)
	of := func(n int) []byte {
		head := &Head{Capped: []Term{{"p", ""}}}
		head.Capped[0].Value = strings.Repeat("v", n-len(AppendRecord(nil, head, body)))
		for len(AppendRecord(nil, head, body)) > n { // the length field of the list grows too
			head.Capped[0].Value = head.Capped[0].Value[1:]
		}
		return AppendRecord(nil, head, body)
	}
	none := func(_, _ []byte) error { return nil }
	if err := ScanRecord(of(RecordReadMax), new(Ints), none); err != nil {
		t.Errorf("%d bytes: %v", RecordReadMax, err)
	}
	err := ScanRecord(of(RecordReadMax+1), new(Ints), none)
	if want := fmt.Sprintf("corrupt event record: %d bytes, where at most %d are read", RecordReadMax+1, RecordReadMax); err == nil || err.Error() != want {
		t.Errorf("one byte more: %v, want %s", err, want)
	}
}

func TestScanRecordStops(t *testing.T) {
	e, head := fullEvent()
	stop := errors.New("stop")
	n := 0
	err := ScanRecord(AppendRecord(nil, head, AppendBody(nil, e)), new(Ints), func(_, _ []byte) error {
		if n++; n == 5 {
			return stop
		}
		return nil
	})
	if err != stop || n != 5 {
		t.Errorf("%v after %d cells", err, n)
	}
}

func TestSetCellRefuses(t *testing.T) {
	for _, c := range [][2]string{
		{"", "sx"}, {FieldName, ""}, {FieldName, "d1"}, {FieldName, "h1"}, {FieldGroups, "sx"}, {FieldGroups, `j{"a":1}`}, {FieldGroups, `j["a"`},
		{FieldGroups, `j["a",]`}, {FieldGroups, "j[1]"}, {FieldGroups, `j["a"]x`}, {FieldIncrements, `j{"a":1.5}`}, {FieldIncrements, `j{"a":1`},
		{FieldIncrements, `j["a"]`}, {FieldCapped, `j["a","b"]`}, {FieldCapped, `j[["a"]]`}, {FieldCapped, `j[["a","b"]`}, {FieldCapped, `j[["a","b"`},
		{FieldCapped, "j[]"}, {FieldCapped, `j[[1,"a"]]`}, {FieldCapped, `j[[0,"a"]`}, {FieldCapped, `j[[0,"a"],[1,""]]`}, {FieldCapped, `j[[0,"a","(other)"]]`},
		{FieldCapped, `j[[0,"a"],["b","x"]]`}, {FieldCapped, `j[[0,"a",1]]`}, {FieldCapped, `j[[0]]`}, {FieldCapped, `j[[0,"a"],]`}, {FieldCapped, `j[[0,"é"],[1,"a"]]`}, {FieldCapped, `j[[99999999999999999999,"a"]]`},
		{FieldCapped, `j[""]`}, {FieldCapped, `j["0:1:a"`}, {FieldCapped, `j["0:1:a",]`}, {FieldCapped, `j["0:1:a"]x`}, {FieldCapped, `j["0:1:a1:0:"]`}, {FieldCapped, `j["0:1:b0:1:a"]`},
		{FieldCapped, `j["0:2:a"]`}, {FieldCapped, `j["1:1:a"]`}, {FieldCapped, `j["0:1"]`}, {FieldCapped, `j["0:1:é1:1:a"]`}, {FieldCapped, `j["0:1:a",["b","x"]]`}, {FieldCapped, `j["0:1:a","0:1:b"]`},
		{FieldCut, "sx"}, {FieldCut, "j[]"}, {FieldCut, `j["a"]`}, {FieldCut, `j["a",1001]`}, {FieldCut, `j["a",-1]`}, {FieldCut, `j["a",1`}, {FieldCut, `j["a",1,2]`}, {FieldCut, `j{"a":1}`},
		{FieldValue, "t"}, {"\x1f", "sx"}, {"qkey", "sx"},
	} {
		if err := new(Event).SetCell(c[0], []byte(c[1])); !errors.Is(err, ErrCorrupt) {
			t.Errorf("SetCell(%q, %q): %v", c[0], c[1], err)
		}
	}
}

// The order of the keys of earlier events changes no record.
func TestKeysInAnyOrder(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 34))
	var lists []Object
	for range 12 {
		var o Object
		for i := range rng.IntN(20) {
			o = append(o, Member{strings.Repeat("k", 1+rng.IntN(40)) + strconv.Itoa(i), Value{}})
		}
		lists = append(lists, o)
	}
	warm, hits := new(keyOrder), 0
	for range 5000 {
		o := lists[min(rng.IntN(12), rng.IntN(12))]
		if rng.IntN(50) == 0 {
			rng.Shuffle(len(o), func(i, j int) { o[i], o[j] = o[j], o[i] })
		}
		for i := range o {
			if o[i].Value = Str("v"); rng.IntN(200) == 0 {
				o[i].Value = Value{}
			}
		}
		if slices.ContainsFunc(warm.known, func(b *orderedKeys) bool { return b.are(o) }) {
			hits++
		}
		var got, want []string
		for _, i := range warm.of(o) {
			got = append(got, o[i].Key)
		}
		for _, m := range o {
			if m.Value.Kind != Absent {
				want = append(want, m.Key)
			}
		}
		if slices.Sort(want); !slices.Equal(got, want) {
			t.Fatalf("got %q, want %q", got, want)
		}
	}
	if hits < 500 || len(warm.known) > keyOrdersMax {
		t.Errorf("%d lists were known, %d are: the test tests little", hits, len(warm.known))
	}
}
