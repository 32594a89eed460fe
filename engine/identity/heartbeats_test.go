package identity

import (
	"fmt"
	"reflect"
	"strings"
	"testing"

	"cairn/engine/event"
)

// The stored form of heartbeats must stay the same byte by byte, because existing stores contain
// it.
func TestHeartbeatsGolden(t *testing.T) {
	p := &Heartbeats{At: 0x0102030405060708, Vars: visitVars{
		{seq: 300, name: "dimension1", value: event.Str("x")},
		{seq: 1, name: "_cvar.a", value: event.Value{Kind: event.Null}},
	}}
	const want = "\x01\x02\x03\x04\x05\x06\x07\x08" + "\xac\x02\x01\x0adimension1\x01x" + "\x01\x00\x07_cvar.a\x00"
	if got := string(p.append(nil)); got != want {
		t.Errorf("stored as %q, want %q", got, want)
	}
	if got, err := DecodeHeartbeats([]byte(want)); err != nil || !reflect.DeepEqual(got, p) {
		t.Errorf("%+v, %v", got, err)
	}
	if got, err := DecodeHeartbeats([]byte(want[:8])); err != nil || got.At != p.At || got.Vars != nil {
		t.Errorf("without variables: %+v, %v", got, err)
	}
	for n := range len(want) {
		if _, err := DecodeHeartbeats([]byte(want[:n])); err == nil && n != 8 && n != 24 {
			t.Errorf("the first %d bytes alone are accepted", n)
		}
	}
}

// The newest value of each variable of a visit counts, and the bytes of all variables are
// bounded.
func TestVisitVars(t *testing.T) {
	said := func(seq uint64, properties string) (list []visitVar) {
		var p event.Parser
		o, err := p.Object([]byte(properties), event.Limits{Depth: 4, Members: 100, KeyBytes: 100, StringBytes: 1000})
		if err != nil {
			t.Fatal(err)
		}
		for v := range VisitVarsOf(&event.Event{Properties: o}, seq) {
			list = append(list, v)
		}
		return list
	}
	var vars visitVars
	for _, step := range []struct {
		seq              uint64
		properties, want string
	}{
		{5, `{"dimension1":"a","dimension":"b","dimensionx":"c","dimension2":3,"plan":"d","cvar":{"e":"f"}}`, `{"dimension1":"a"}`},
		{7, `{"dimension2":"x","_cvar":{"Plan":"paid","Age":30}}`, `{"dimension1":"a","dimension2":"x","_cvar":{"Plan":"paid"}}`},
		{6, `{"dimension2":"y","_cvar":{"Plan":"free","Team":"red"}}`, `{"dimension1":"a","dimension2":"x","_cvar":{"Plan":"paid","Team":"red"}}`},
		{7, `{"dimension1":null,"_cvar":"none"}`, `{"dimension2":"x","_cvar":{"Plan":"paid","Team":"red"}}`},
		{6, `{"dimension1":"late"}`, `{"dimension2":"x","_cvar":{"Plan":"paid","Team":"red"}}`},
	} {
		for _, v := range said(step.seq, step.properties) {
			vars.Set(v, VisitVarsBytesMax)
		}
		if got := string(event.AppendObject(nil, vars.Properties())); got != step.want {
			t.Errorf("after %s at %d:\n got %s\nwant %s", step.properties, step.seq, got, step.want)
		}
	}

	p := new(Heartbeats)
	for i := range 1000 {
		p.Vars.Set(visitVar{uint64(i), fmt.Sprint("dimension", i), event.Str(strings.Repeat("x", 250))}, heartbeatVarBytesMax)
	}
	if n := len(p.append(nil)); n > heartbeatVarBytesMax || len(p.Vars) < 5 {
		t.Errorf("%d variables are kept in %d bytes", len(p.Vars), n)
	}
	if v := (visitVar{2000, "dimension0", event.Str("new")}); !p.Vars.Set(v, heartbeatVarBytesMax) {
		t.Error("a full list does not take a new value for a variable that it has")
	}
	if got, err := DecodeHeartbeats(p.append(nil)); err != nil || !reflect.DeepEqual(got, p) {
		t.Errorf("a full list is not read back: %v", err)
	}
}

func FuzzHeartbeats(f *testing.F) {
	f.Add([]byte("\x01\x02\x03\x04\x05\x06\x07\x08\xac\x02\x01\x0adimension1\x01x\x01\x00\x07_cvar.a\x00"))
	f.Add([]byte("\x00\x00\x00\x00\x00\x00\x00\x00\x01\x01\xff\xff\xff\xff\x0fx"))
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := DecodeHeartbeats(b)
		if err != nil {
			return
		}
		if again, err := DecodeHeartbeats(p.append(nil)); err != nil || !reflect.DeepEqual(again, p) {
			t.Fatalf("%+v is read back as %+v, %v", p, again, err)
		}
	})
}
