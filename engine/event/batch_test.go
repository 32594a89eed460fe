package event

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"
)

func TestBatch(t *testing.T) {
	for _, c := range []struct {
		name, in string
		want     string // elements, one a line, then the other members; "" = refused
	}{
		{"events and what stands around them", `{"a":1,"batch":[{"x":1},{"y":{"z": [1, 2]}}],"b":"c"}`, `{"x":1} {"x":1}|{"y":{"z": [1, 2]}} {"y":{"z":[1,2]}}|true {"a":1,"b":"c"}`},
		{"white space", " { \"batch\" : [ { } , { } ] } ", `{ } {}|{ } {}|true {}`},
		{"none", `{"batch":[]}`, `true {}`},
		{"not there", `{"x":[]}`, `false {"x":[]}`},
		{"empty", `{}`, `false {}`},
		{"no array", `{"batch":{"x":1},"c":2}`, `false {"c":2}`},
		{"null", `{"batch":null}`, `false {}`},
		{"no objects", `{"batch":[1,"a",[{}],null,{"x":1}]}`, `1 !0 an object is expected|"a" !1 an object is expected|[{}] !2 an object is expected|null !3 an object is expected|{"x":1} {"x":1}|true {}`},
		{"too deep is one element's fault", `{"batch":[{"a":{"b":{"c":{}}}},{"d":1}]}`, `{"a":{"b":{"c":{}}}} !0 a.b.c: nested at most 3 deep|{"d":1} {"d":1}|true {}`},
		{"a long key too", `{"batch":[{"abcdefghi":1},{"d":1}]}`, `{"abcdefghi":1} !0 a key has at most 8 bytes|{"d":1} {"d":1}|true {}`},
		{"equal keys: the last", `{"a":1,"batch":[{"x":1,"x":2}],"a":3}`, `{"x":1,"x":2} {"x":2}|true {"a":3}`},
		{"twice", `{"batch":[],"batch":[]}`, ""},
		{"broken element", `{"batch":[{"a":}]}`, ""},
		{"broken after", `{"batch":[{"a":1}}`, ""},
		{"no end", `{"batch":[{"a":1},`, ""},
		{"more", `{"batch":[]} x`, ""},
		{"an array", `[]`, ""},
		{"nothing", ``, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			var p Parser
			var lines []string
			rest, found, err := p.Batch([]byte(c.in), Limits{Depth: 3, KeyBytes: 8}, "batch", func(i int, raw []byte, o Object, fault *FieldError) {
				if fault != nil {
					lines = append(lines, fmt.Sprintf("%s !%d %v", raw, fault.Index, fault))
					return
				}
				lines = append(lines, fmt.Sprintf("%s %s", raw, AppendObject(nil, o)))
				if _, err := Raw(`{"used":{"in":["between",{"deeper":{"than":[[1]]}}]}}`).Object(&p); err != nil {
					t.Fatal(err)
				}
			})
			if (err != nil) != (c.want == "") {
				t.Fatalf("%v", err)
			}
			if err != nil {
				return
			}
			lines = append(lines, fmt.Sprintf("%t %s", found, AppendObject(nil, rest)))
			if got := strings.Join(lines, "|"); got != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
		})
	}
}

// Batch accepts and refuses what Object does, and yields the elements of the array.
func FuzzBatch(f *testing.F) {
	f.Add([]byte(`{"batch":[{"a":1},2],"context":{"a":{}}}`))
	f.Add([]byte(`{"batch":[{"a":"\ud800"}]} `))
	f.Add([]byte(`{"batch":{},"":[[]]}`))
	f.Fuzz(func(t *testing.T, in []byte) {
		var p, q Parser
		var got []string
		_, found, err := p.Batch(in, Limits{}, "batch", func(i int, raw []byte, o Object, fault *FieldError) {
			if i != len(got) || !json.Valid(raw) || (fault == nil) != (o != nil) {
				t.Fatalf("element %d: %q, %v, %v", i, raw, o, fault)
			}
			got = append(got, string(AppendObject(nil, o)))
		})
		whole, werr := q.Object(in, Limits{})
		if werr == nil && err != nil && !strings.Contains(err.Error(), "twice") {
			t.Fatalf("%q: refused (%v), though it is an object", in, err)
		}
		if err != nil || werr != nil {
			return
		}
		list, aerr := whole.Get("batch").Array(&q)
		if found != (aerr == nil) || len(list) != len(got) {
			t.Fatalf("%q: %d elements of %d (%v)", in, len(got), len(list), aerr)
		}
		for i, v := range list {
			if o, err := v.Object(&q); err == nil && !reflect.DeepEqual(string(AppendObject(nil, o)), got[i]) {
				t.Fatalf("%q: element %d is %s", in, i, got[i])
			}
		}
	})
}
