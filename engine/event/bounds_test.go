package event

import (
	"bytes"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// nest puts a value inside levels nested objects, under keys of key bytes.
func nest(levels, key int, value string) string {
	for i := range levels {
		value = fmt.Sprintf(`{"%s":%s}`, strings.Repeat(string(rune('a'+i%26)), key), value)
	}
	return value
}

// list returns an array of the numbers from..to-1.
func list(from, to int) string {
	b := []byte{'['}
	for i := from; i < to; i++ {
		if i > from {
			b = append(b, ',')
		}
		b = fmt.Append(b, i)
	}
	return string(append(b, ']'))
}

func TestCut(t *testing.T) {
	keys := func(n, size int) string { // an object of n keys of size bytes
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, `,"%0*d":1`, size, i)
		}
		return "{" + b.String()[1:] + "}"
	}
	for _, c := range []struct {
		name string
		o    Object
		want string
	}{
		{"nothing", nil, "all"},
		{"as many leaves as count", Object{{"p", Raw(list(0, 1000))}}, "all"},
		{"one more", Object{{"p", Raw(list(0, 1001))}}, "p 1000"},
		{"many more", Object{{"p", Raw(list(0, 24001))}}, "p 1000"},
		{"the last is in another property", Object{{"b", Str("x")}, {"a", Raw(list(0, 1000))}}, "b 0"},
		{"in order of key, not as sent", Object{{"z", Raw(list(0, 900))}, {"b", Raw(list(0, 100))}, {"a", Str("x")}}, "z 899"},
		{"null is no leaf", Object{{"a", Raw("[null," + list(0, 1000)[1:])}, {"b", Value{Kind: Null}}}, "all"},
		{"as long a path as counts", Object{{strings.Repeat("k", 144), Raw(nest(8, 109, "1"))}}, "all"},
		{"a byte longer", Object{{strings.Repeat("k", 145), Raw(nest(8, 109, "1"))}}, strings.Repeat("k", 145) + " 1"},
		{"a longer one among others", Object{{"a", Str("x")}, {"b", Raw(nest(8, 150, `[1,2]`))}, {"c", Str("x")}}, "c 1"},
		{"one path often", Object{{"p", Raw(nest(6, 150, "["+strings.Repeat(`{"a":1},{"b":2},`, 450)+`1]`))}}, "all"},
		{"many names under a long one", Object{{"p", Raw(nest(6, 150, keys(100, 2)))}}, "p " + fmt.Sprint((4096+4*(1+6*155+100*7+1))/(1+6*151+3))},
		{"numbers that are longer than they look", Object{{"p", Raw("[" + strings.Repeat("1e300,", 99) + "1e300]")}}, "p " + fmt.Sprint((4096+4*(1+100*6+1)-1)/(301-5))},
		{"many of them in properties", Object{{"a", Num("1e308")}, {"b", Num("0.5")}}, "all"},
		{"names alone", Object{{"p", Raw(keys(256, 128))}, {"q", Raw(keys(256, 128))}}, "q " + fmt.Sprint((CountedBytesMax-256*130)/130)},
	} {
		e := &Event{Dialect: Native, Type: Track, Name: "n", Properties: c.o}
		if err := Validate(e); err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		got := "all"
		if e.Cut != nil {
			got = fmt.Sprint(e.Cut.Key, " ", e.Cut.Leaves)
		}
		if got != c.want {
			t.Errorf("%s: counts up to %s, want %s", c.name, got, c.want)
		}
		for _, free := range []*Event{{Dialect: Native, Type: Identify, Properties: c.o}, {Dialect: Native, Type: Track, Uncounted: true, Properties: c.o}} {
			if err := Validate(free); err != nil || free.Cut != nil {
				t.Errorf("%s: an event without counters has the cut %v, %v", c.name, free.Cut, err)
			}
		}
	}
	e := &Event{Dialect: Native, Type: Track, Cut: &Cut{"x", 1}}
	if err := Validate(e); err != nil || e.Cut != nil {
		t.Errorf("a cut set before Validate is kept: %v, %v", e.Cut, err)
	}
}

// large draws properties near the bounds.
func large() *rapid.Generator[Object] {
	return rapid.Custom(func(t *rapid.T) Object {
		var o Object
		for i := range rapid.IntRange(1, 6).Draw(t, "properties") {
			key := strings.Repeat("k", rapid.SampledFrom([]int{1, 1, 5, 100, 158}).Draw(t, "key")) + fmt.Sprint((i*7)%10)
			n := rapid.SampledFrom([]int{0, 1, 3, 20, 90, 200, 400}).Draw(t, "leaves")
			leaf := rapid.SampledFrom([]string{`%d`, `"%d"`, `%de300`, `{"a":%d,"b":[true,null]}`, `{"a":"x"},{"b":%d}`, `{"%d":{"":"é\n"}}`, `{"%d":0.5}`}).Draw(t, "leaf")
			var b strings.Builder
			for i := range n {
				fmt.Fprintf(&b, ","+leaf, i+1)
			}
			value := Raw("[" + strings.TrimPrefix(b.String(), ",") + "]")
			if levels := rapid.SampledFrom([]int{0, 0, 1, 3, 6, 8, 20}).Draw(t, "levels"); n > 0 || levels > 0 {
				value = Raw(nest(levels, rapid.SampledFrom([]int{1, 10, 120, 150}).Draw(t, "level"), value.Text))
			} else {
				value = Num(rapid.SampledFrom([]string{"1e300", "7"}).Draw(t, "number"))
			}
			o.Set(key, value)
		}
		return o
	})
}

// TestCountsWithinBounds compares what counts with what the bounds allow, leaf by leaf,
// before the event is stored and after.
func TestCountsWithinBounds(t *testing.T) {
	cuts := 0
	rapid.Check(t, func(t *rapid.T) {
		e := &Event{Dialect: Native, Type: Track, Properties: large().Draw(t, "properties")}
		if Validate(e) != nil {
			t.Skip("too large")
		}
		ordered := slices.Clone(e.Properties)
		slices.SortFunc(ordered, func(a, b Member) int { return strings.Compare(a.Key, b.Key) })
		size := 0
		for _, m := range ordered {
			size += len(m.Key) + len(m.Value.Text)
		}
		budget, leaves, over, long := min(64<<10, 4<<10+4*size), 0, false, false
		seen, want := map[string]bool{}, map[Term]bool{}
		for _, m := range ordered {
			var w leafWalk
			w.of(m.Key, m.Value, func(path []byte, v Value) bool {
				term, _ := v.Term()
				switch {
				case over:
				case leaves == 1000:
					over = true
				case len(path) > 1024:
					long = true
					leaves++
				default:
					if !seen[string(path)] {
						budget -= len(path)
						seen[string(path)] = true
					}
					budget -= max(0, len(term)-len(v.Text))
					if over = budget < 0; !over {
						want[Term{string(path), strings.Clone(term)}] = true
						leaves++
					}
				}
				return true
			})
		}
		if (e.Cut != nil) != (over || long) {
			t.Fatalf("cut %v of %d leaves; over %v, long %v", e.Cut, leaves, over, long)
		}
		if e.Cut != nil {
			cuts++
		}
		read, err := DecodeRecord(AppendRecord(nil, &Head{}, AppendBody(nil, e)))
		if err != nil || !reflect.DeepEqual(read.Cut, e.Cut) {
			t.Fatalf("cut %v came back as %v, %v", e.Cut, read, err)
		}
		for _, e := range []*Event{e, read} {
			got := map[Term]bool{}
			e.CountsIn(new(TermArena), func(property, term string, _ int64) bool {
				if got[Term{property, term}] {
					t.Fatalf("%s=%s counts twice", property, term)
				}
				got[Term{property, term}] = true
				return true
			})
			if !reflect.DeepEqual(got, want) {
				t.Fatalf("cut %v: %d are counted, want %d", e.Cut, len(got), len(want))
			}
		}
	})
	if cuts == 0 {
		t.Error("no event exceeded the bounds")
	}
}

// A record without a cut counts whole, as the records of older versions do.
func TestOldRecordsCountWhole(t *testing.T) {
	e := &Event{Dialect: Native, Type: Track, Properties: Object{{"p", Raw(list(0, 5000))}, {"q", Raw(nest(8, 150, "1"))}}}
	read, err := DecodeRecord(AppendRecord(nil, &Head{}, AppendBody(nil, e)))
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	read.Counts(func(string, string, int64) bool { n++; return true })
	if n != 5001 {
		t.Errorf("%d counted, want 5001", n)
	}
}

// Counting makes no name twice, however often and in whatever order a path occurs.
func TestCountsShareNames(t *testing.T) {
	counted := func(times int) (n int, text int) {
		e := &Event{Dialect: Native, Type: Track, Properties: Object{{"p", Raw(nest(6, 150, "["+strings.Repeat(`{"a":1,"b":2},`, times)+"3]"))}}}
		var arena TermArena
		e.CountsIn(&arena, func(string, string, int64) bool { n++; return true })
		return n, len(arena.text)
	}
	n, few := counted(1)
	if _, many := counted(400); n != 3 || many != few || few != 3*(1+6*151)+2*2 {
		t.Errorf("%d counted; names of %d bytes for few leaves, of %d for many", n, few, many)
	}
}

// Names over the cap do not count, neither when the event is counted nor when its
// record is read. Counting stores none of their text.
func TestCountsWithoutNames(t *testing.T) {
	type counter struct {
		property, term string
		by             int64
	}
	left := 0
	rapid.Check(t, func(t *rapid.T) {
		e := &Event{Dialect: Native, Type: Track, Name: "n", Properties: large().Draw(t, "properties")}
		if rapid.Bool().Draw(t, "flat") {
			e.Properties = nil
			for i := range rapid.IntRange(1, 9).Draw(t, "flat properties") {
				e.Properties = append(e.Properties, Member{fmt.Sprint("k", i), Num("1")})
			}
		}
		if rapid.Bool().Draw(t, "detected") {
			e.Properties.Set("country", Str("x"))
			e.Context = Object{{"city", Str("y")}}
		}
		if rapid.Bool().Draw(t, "other") {
			e.Properties.Set(Other, rapid.SampledFrom([]Value{Str(Other), Str("x"), Raw(`["(other)","(other)"]`)}).Draw(t, "other's"))
		}
		if Validate(e) != nil {
			t.Skip("too large")
		}
		e.Finish() // the order of the row, in which Admit is asked
		if rapid.Bool().Draw(t, "amounts") {
			e.Increments = []Amount{{Other, 5}, {"k1", 3}}
		}
		e.NotCounted = rapid.SampledFrom([][]string{nil, nil, {"k2"}, {Other}}).Draw(t, "not counted")
		over := rapid.IntRange(1, 4).Draw(t, "one of so many is over")
		names := map[string]bool{}
		arena := TermArena{Admit: func(name string) bool {
			if !NameCapped(name) || slices.Contains(e.NotCounted, name) {
				t.Fatalf("%q is passed to Admit", name)
			}
			yes := len(name)%over > 0
			if !yes {
				names[strings.Clone(name)] = true
			}
			return yes
		}}
		var want, got []counter
		e.CountsIn(&arena, func(property, term string, by int64) bool {
			want = append(want, counter{strings.Clone(property), strings.Clone(term), by})
			return true
		})
		for name := range names {
			if _, kept := arena.paths[name]; kept {
				t.Fatalf("the text of %q is stored", name)
			}
		}
		for name := range names {
			e.CappedNames = append(e.CappedNames, name)
		}
		slices.Sort(e.CappedNames)
		read, err := DecodeRecord(AppendRecord(nil, &Head{CappedNames: e.CappedNames}, AppendBody(nil, e)))
		if err != nil || !slices.Equal(read.CappedNames, e.CappedNames) {
			t.Fatalf("%q came back as %q, %v", e.CappedNames, read.CappedNames, err)
		}
		e.Counts(func(property, term string, by int64) bool {
			got = append(got, counter{property, term, by})
			if names[property] {
				t.Fatalf("%q counts", property)
			}
			return true
		})
		if !slices.Equal(got, want) {
			t.Fatalf("with %d names over the cap %d are counted, want %d", len(names), len(got), len(want))
		}
		other := slices.DeleteFunc(slices.Clone(got), func(c counter) bool { return c.property != Other || c.term != Other })
		if len(names) > 0 {
			left++
			if by := map[bool]int64{false: 1, true: 5}[e.Increments != nil]; e.NotCounted == nil && !slices.Equal(other, []counter{{Other, Other, by}}) {
				t.Fatalf("%d names count as %v", len(names), other)
			}
		}
	})
	if left == 0 {
		t.Error("no event had a name over the cap")
	}
}

func TestCappedForms(t *testing.T) {
	for _, c := range []struct {
		cell  string
		terms []Term
	}{
		{`[["a.b","1"],["c","x"],["a.b","2"]]`, []Term{{"a.b", "1"}, {"c", "x"}, {"a.b", "2"}}},
		{`[["a.b","(other)"]]`, []Term{{"a.b", Other}}},
		{`[[0,"a.b","1","2"],[2,"c"],[0,"x","é\n"]]`, []Term{{"a.b", "1"}, {"a.b", "2"}, {"a.c", Other}, {"x", "é\n"}}},
		{`[[0,""],[0,"é"],[0,"è","y"]]`, []Term{{"", Other}, {"é", Other}, {"è", "y"}}},
		{`["0:3:\"x\n0:3:a.b2:1:c0:2:é",[0,"a.b","1"]]`, []Term{{"a.b", "1"}}},
		{`["0:0:"]`, nil},
		{`["0:2:è0:2:é",[0,"x"]]`, []Term{{"x", Other}}},
	} {
		var e Event
		if err := e.SetCell(FieldCapped, []byte("j"+c.cell)); err != nil || !slices.Equal(e.Capped, c.terms) || e.CappedByProperty != (len(c.terms) > 0 && c.cell[:3] != `[["`) {
			t.Errorf("%s: %q %v, %v", c.cell, e.Capped, e.CappedByProperty, err)
		}
		record := AppendRecord(nil, &Head{Capped: e.Capped, CappedByProperty: e.CappedByProperty, CappedNames: e.CappedNames}, AppendBody(nil, &Event{Dialect: Native, Type: Track}))
		if !bytes.Contains(record, []byte("j"+c.cell)) {
			t.Errorf("%s is written as %q", c.cell, record)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		e := stored().Draw(t, "event")
		cell := append([]byte(nil), tagJSON)
		if e.CappedByProperty || len(e.CappedNames) > 0 {
			cell = appendCapped(cell, e.CappedNames, e.Capped)
		} else {
			cell = appendTerms(cell, e.Capped)
		}
		var got []Term
		EachCapped(cell, func(property string, at int) {
			property = strings.Clone(property)
			if at == 0 && slices.ContainsFunc(got, func(t Term) bool { return t.Property == property }) {
				return
			}
			CappedValues(cell, property, at, func(value string) { got = append(got, Term{property, value}) })
		})
		want := slices.Clone(e.Capped)
		if !e.CappedByProperty { // EachCapped yields them by property
			slices.SortStableFunc(want, func(a, b Term) int { return strings.Compare(a.Property, b.Property) })
			slices.SortStableFunc(got, func(a, b Term) int { return strings.Compare(a.Property, b.Property) })
		}
		if len(e.Capped) > 0 && !slices.Equal(got, want) {
			t.Fatalf("%q holds %q, want %q", cell, got, want)
		}
		var names []string
		EachCappedName(cell, func(name []byte) { names = append(names, string(name)) })
		if !slices.Equal(names, e.CappedNames) || HasCappedNames(cell) != (len(names) > 0) {
			t.Fatalf("%q holds the names %q, want %q", cell, names, e.CappedNames)
		}
		for n := range cell { // a damaged cell
			EachCappedName(cell[:n], func([]byte) {})
			EachCapped(cell[:n], func(property string, at int) { CappedValues(cell[:n], property, at, func(string) {}) })
		}
	})
}

// TestLargestRecords makes events at every limit that Validate knows. All values that
// they count are over the cap, one by one, which gives the longest records. ScanRecord
// accepts them.
func TestLargestRecords(t *testing.T) {
	quotes := func(n int) string { return strings.Repeat(`"`, n) }
	escaped := func(n int) string { return strings.Repeat(`\"`, n) }
	key := func(i, size int) string { return fmt.Sprintf("%s%04d", quotes(size-4), i) }
	texts := func(n int, text string) string { return "[" + strings.Repeat(`"`+text+`",`, n-1) + `"x"]` }
	distinct := func(n, size int) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, `,"%s%05d"`, escaped(size), i)
		}
		return "[" + b.String()[1:] + "]"
	}
	scalars := func(n, keySize, size int) (o Object) {
		for i := range n {
			o = append(o, Member{key(i, keySize), Str(fmt.Sprint(i, quotes(size)))})
		}
		return o
	}
	wide := func(levels, keySize, n int) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, `,"%s%03d":"%d"`, escaped(20), i, i)
		}
		return nest(levels, keySize, "{"+b.String()[1:]+"}")
	}
	numbers := "[1.1e308"
	for i := range 999 {
		numbers += fmt.Sprintf(",%d.%de300", i%9+1, i+1)
	}
	largest := 0
	for name, e := range map[string]*Event{
		"one text":            {Properties: Object{{"a", Str(quotes(MaxEventBytes - 100))}}},
		"many texts":          {Properties: scalars(256, 160, 850)},
		"nested texts":        {Properties: Object{{"a", Raw(distinct(990, 120))}}},
		"equal texts":         {Properties: Object{{"a", Raw(texts(1000, escaped(120)))}}},
		"numbers":             {Properties: Object{{"a", Raw(numbers + "]")}, {"b", Str(quotes(MaxEventBytes - 20000))}}},
		"deep names":          {Properties: Object{{"a", Raw(wide(6, 150, 250))}, {"b", Raw(wide(6, 149, 250))}, {"c", Str(quotes(230000))}}},
		"names at both ends":  {Properties: Object{{"a", Raw("[" + strings.Repeat(wide(6, 150, 20)+","+wide(5, 149, 20)+",", 60) + "1]")}}},
		"beyond the bounds":   {Properties: Object{{"a", Raw(nest(20, 150, list(0, 40000)))}}},
		"control characters":  {Properties: Object{{"a", Str(strings.Repeat("\t", MaxEventBytes-100))}}},
		"increments":          {Properties: Object{{"a", Str("x")}}},
		"lists":               {Properties: Object{{"a", Str(quotes(200000))}}},
		"context and extra":   {Context: Object{{"title", Str(quotes(100000))}, {"country", Str("NL")}}, Extra: Object{{"x", Str(quotes(150000))}}},
		"escapes beyond JSON": {Properties: Object{{"a", Str(strings.Repeat("\u2028", MaxEventBytes/3-50))}}},
	} {
		e.Dialect, e.Type, e.Name = Segment, Track, "n"
		switch name {
		case "increments":
			for i := range 250 {
				e.Increments = append(e.Increments, Amount{key(i, 1024), -MaxAmount})
			}
		case "lists":
			for range MaxGroups {
				e.Groups = append(e.Groups, quotes(MaxIDBytes))
			}
			for range MaxSegments {
				e.Segments = append(e.Segments, quotes(MaxPathBytes))
			}
		}
		if err := Validate(e); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		counted := 0
		e.Counts(func(property, term string, by int64) bool {
			e.Capped = append(e.Capped, Term{strings.Clone(property), strings.Clone(term)})
			counted++
			return true
		})
		if counted > CountedLeavesMax+20 {
			t.Errorf("%s: %d are counted", name, counted)
		}
		slices.SortStableFunc(e.Capped, func(a, b Term) int { return strings.Compare(b.Property, a.Property) })
		e.CappedByProperty = true
		// The names of every second property are over the cap too: one event has both.
		var names []string
		mixed := slices.DeleteFunc(slices.Clone(e.Capped), func(t Term) bool {
			left := NameCapped(t.Property) && len(t.Property)%2 == 0
			if left {
				names = append(names, t.Property)
			}
			return left
		})
		slices.Sort(names)
		for _, head := range []*Head{
			{Capped: e.Capped, CappedByProperty: true},
			{Capped: mixed, CappedByProperty: len(mixed) > 0, CappedNames: slices.Compact(names)},
		} {
			record := AppendRecord(nil, head, AppendBody(nil, e))
			largest = max(largest, len(record))
			read, err := DecodeRecord(record)
			if err != nil || !slices.Equal(read.Capped, head.Capped) || !slices.Equal(read.CappedNames, head.CappedNames) {
				t.Errorf("%s: a record of %d bytes: %v", name, len(record), err)
			}
		}
	}
	if largest > RecordBytesMax-64<<10 || largest < 3*MaxEventBytes-100<<10 {
		t.Errorf("the largest record has %d bytes", largest)
	}
}
