package event

import (
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// cappedRecord is the event's record when every value it counts is over the cap and
// nothing is said more shortly.
func cappedRecord(e *Event) (record []byte) {
	head := &Head{SessionOrd: 1<<64 - 1, PersonOrd: 1<<64 - 1, Session: e.Session}
	e.Counts(func(property, term string, _ int64) bool {
		head.Capped = append(head.Capped, Term{strings.Clone(property), strings.Clone(term)})
		return true
	})
	return AppendRecord(nil, head, AppendBody(nil, e))
}

// No record is longer than its event is said to need, whatever is capped.
func TestCountedBytesBound(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		e := stored().Draw(t, "event")
		e.Uncounted, e.NotCounted, e.Increments, e.Capped, e.Session = false, nil, nil, nil, strings.Repeat("s", MaxIDBytes)
		if err := Validate(e); err != nil {
			t.Skip(err.Error())
		}
		body := len(AppendBody(nil, e))
		need := len(cappedRecord(e)) - body - HeadBytesMax
		for _, most := range []int{300, RecordBytesMax} {
			if n := CountedBytes(e, most); n <= most && need > n {
				t.Fatalf("at most %d: %d bytes are said, %d are needed for %+v", most, n, need, e.Properties)
			}
		}
	})
}

// What a refusal is about: the same leaves under a longer path, values that are
// written out, and values that are there again, which need nothing.
func TestCountedBytes(t *testing.T) {
	joined := func(n int, of func(i int) string) string {
		var all []string
		for i := range n {
			all = append(all, of(i))
		}
		return strings.Join(all, ",")
	}
	list := func(n int, of func(i int) string) string { return "[" + joined(n, of) + "]" }
	object := func(n int, value string) string {
		return "{" + joined(n, func(i int) string { return fmt.Sprintf(`"x%d":%s`, i, value) }) + "}"
	}
	number := func(i int) string { return fmt.Sprint(i) }
	nested := func(deep int, key, inside string) string {
		return strings.Repeat(`{"`+key+`":`, deep) + inside + strings.Repeat("}", deep)
	}
	key := strings.Repeat("k", MaxKeyBytes)
	for name, c := range map[string]struct {
		key, text string
		fits      bool
	}{
		"a large array":              {"samples", list(24_001, number), true},
		"under a long key":           {key, list(24_001, number), false},
		"deep":                       {"a", nested(26, key, list(300, number)), false},
		"deep and few":               {"a", nested(26, key, list(100, number)), true},
		"one value again and again":  {key, list(60_000, func(int) string { return "7" }), true},
		"truths":                     {key, list(40_000, func(i int) string { return []string{"true", "false"}[i%2] }), true},
		"nulls":                      {key, list(40_000, func(int) string { return "null" }), true},
		"written out":                {"n", list(6_000, func(i int) string { return fmt.Sprintf("%de299", i+1) }), false},
		"written out, but too large": {"n", list(6_000, func(i int) string { return fmt.Sprintf("%de-309", i+1) }), true},
		"siblings":                   {"a", nested(6, key, object(MaxProperties, "1")), true},
		"siblings with arrays":       {"a", nested(6, key, object(MaxProperties, "[1,2,3,4,5]")), false},
	} {
		e := &Event{Dialect: Native, Type: Track, Name: "e", Properties: Object{{c.key, Raw(c.text)}}}
		if err := Validate(e); err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		need := len(cappedRecord(e))
		if fits := CountedBytes(e, RecordBytesMax) <= RecordBytesMax; fits != c.fits || fits != (need <= RecordBytesMax) {
			t.Errorf("%s: fits: %v, want %v; its record has up to %d bytes", name, fits, c.fits, need)
		}
		if e.Type = Identify; CountedBytes(e, RecordBytesMax) != 0 {
			t.Errorf("%s: an identify counts nothing", name)
		}
	}
}

// An event without arrays and objects always fits, whatever its values are.
func TestFlatEventFits(t *testing.T) {
	quotes := func(n int) string { return strings.Repeat(`"`, n) }
	for name, fill := range map[string]func(e *Event){
		"properties":  func(e *Event) { fillObject(&e.Properties, quotes, Str) },
		"one long":    func(e *Event) { e.Properties = Object{{"k", Str(quotes(MaxEventBytes - 2000))}} },
		"numbers":     func(e *Event) { fillObject(&e.Properties, quotes, func(string) Value { return Num("1e308") }) },
		"increments":  func(e *Event) { fillIncrements(e, quotes) },
		"with groups": func(e *Event) { fillObject(&e.Properties, quotes, Str); fillGroups(e, quotes) },
	} {
		e := &Event{Dialect: Native, Type: Track, Name: quotes(MaxNameBytes), Session: quotes(MaxIDBytes)}
		fill(e)
		for Validate(e) != nil { // down to the limit of an event's text
			if len(e.Properties) > 0 {
				e.Properties = e.Properties[1:]
			} else {
				e.Increments = e.Increments[1:]
			}
		}
		body := AppendBody(nil, e)
		if n := HeadBytesMax + len(body) + CountedBytes(e, RecordBytesMax); n > RecordBytesMax {
			t.Errorf("%s: %d bytes may be needed", name, n)
		}
		record := cappedRecord(e)
		if err := ScanRecord(record, new(Ints), func(_, _ []byte) error { return nil }); err != nil || len(record) > RecordBytesMax {
			t.Errorf("%s: a record of %d bytes: %v", name, len(record), err)
		}
	}
}

func fillObject(o *Object, quotes func(int) string, v func(string) Value) {
	for i := range MaxProperties {
		*o = append(*o, Member{fmt.Sprintf("%03d", i) + quotes(MaxKeyBytes-3), v(quotes(1000))})
	}
}

func fillIncrements(e *Event, quotes func(int) string) {
	for i := range MaxProperties {
		e.Increments = append(e.Increments, Amount{fmt.Sprintf("%03d", i) + quotes(MaxPathBytes-3), -MaxAmount})
	}
}

func fillGroups(e *Event, quotes func(int) string) {
	for range MaxGroups {
		e.Groups = append(e.Groups, quotes(MaxIDBytes))
	}
}

// The reader takes records up to its own limit, which those of older cairns may
// need, and says of a longer one how long it is.
func TestLongestRecordRead(t *testing.T) {
	e := &Event{Dialect: Native, Type: Track, Name: "e", Properties: Object{{"p", Raw("[1,2]")}}}
	body := AppendBody(nil, e)
	of := func(n int) []byte {
		head := &Head{Capped: []Term{{"p", ""}}}
		head.Capped[0].Value = strings.Repeat("v", n-len(AppendRecord(nil, head, body)))
		for len(AppendRecord(nil, head, body)) > n { // the length of the list is longer too
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
