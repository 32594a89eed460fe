package event

import (
	"errors"
	"slices"
	"strings"
	"testing"
)

const importNow = 1795521600000 // 2026-11-24T12:00:00Z

func TestImport(t *testing.T) {
	const of = "0123456789abcdef0123456789abcdef"
	for _, c := range []struct {
		name, in string
		want     func(r *Record, im *Import) bool
	}{
		{"an event without import fields", `{"name":"a","time":1795435200}`, func(r *Record, im *Import) bool {
			return r.Event.Dialect == Native && r.Event.Received == 1795435200000 && !r.Event.Imported && *im == Import{}
		}},
		{"no time", `{"name":"a"}`, func(r *Record, _ *Import) bool { return r.Event.Received == importNow && r.Event.Time == 0 }},
		{"a time in the future", `{"name":"a","time":1795525200}`, func(r *Record, _ *Import) bool {
			return r.Event.Received == importNow && r.Event.Time == 1795525200000
		}},
		{"received", `{"received":"2026-11-20T00:00:00Z","name":"a","time":1795435200}`, func(r *Record, _ *Import) bool {
			return r.Event.Received == 1795132800000 && r.Event.Time == 1795435200000
		}},
		{"received now", `{"received":1795521600000,"name":"a"}`, func(r *Record, _ *Import) bool { return r.Event.Received == importNow }},
		{"nulls", `{"received":null,"dialect":null,"heartbeat":null,"uncounted":null,"source":null,"name":"a"}`, func(r *Record, im *Import) bool {
			return r.Event.Dialect == Native && r.Event.Received == importNow && !im.Source && im.Uncounted && r.Event.NotCounted == nil
		}},
		{"a session", `{"name":"a","session_of":"` + strings.ToUpper(of) + `"}`, func(r *Record, _ *Import) bool {
			return r.Event.Imported && r.Event.SessionOf == of
		}},
		{"no session", `{"name":"a","session_of":null}`, func(r *Record, _ *Import) bool { return r.Event.Imported && r.Event.SessionOf == "" }},
		{"a visit with a heartbeat", `{"dialect":"matomo","type":"page","heartbeat":1795435200,"session_of":"` + of + `"}`, func(r *Record, im *Import) bool {
			return im.Heartbeat == 1795435200000 && r.Event.Dialect == Matomo
		}},
		{"a dialect that requires no name", `{"dialect":"opentracker"}`, func(r *Record, _ *Import) bool { return r.Event.Type == Track && r.Event.Name == "" }},
		{"an identify of nobody, as another cairn stored it", `{"type":"identify","session_of":null}`, func(r *Record, _ *Import) bool { return r.Event.Type == Identify }},
		{"uncounted", `{"name":"a","uncounted":["a.b","c"]}`, func(r *Record, im *Import) bool {
			return im.Uncounted && slices.Equal(r.Event.NotCounted, []string{"a.b", "c"})
		}},
		{"a source", `{"name":"a","source":{"ip":"192.0.2.1","user_agent":"x","accept_language":"de"}}`, func(r *Record, im *Import) bool {
			return im.Source && im.IP == "192.0.2.1" && r.Source.UserAgent == "x" && r.Source.AcceptLanguage == "de"
		}},
		{"the last source counts", `{"name":"a","source":{"ip":"192.0.2.1","user_agent":"x"},"source":{}}`, func(r *Record, im *Import) bool {
			return im.Source && im.IP == "" && r.Source.UserAgent == ""
		}},
		{"a key of 160 bytes, which Oppizi accepts", `{"name":"a","dialect":"oppizi","properties":{"` + strings.Repeat("k", MaxKeyBytes) + `":1}}`, func(r *Record, _ *Import) bool { return len(r.Event.Properties) == 1 }},
		{"more than a native event", `{"name":"a","properties":{"x":"` + strings.Repeat("x", 2*EventBytesMax) + `"}}`, func(r *Record, _ *Import) bool { return len(r.Event.Properties) == 1 }},
	} {
		var p Parser
		var r Record
		var im Import
		if err := p.Import([]byte(c.in), importNow, &r, &im); err != nil || !c.want(&r, &im) || r.Import != &im {
			t.Errorf("%s: %v %+v %+v", c.name, err, r.Event, im)
		}
		if err := p.Event([]byte(`{"name":"a","session_of":5,"heartbeat":{},"uncounted":1,"dialect":"x","received":"y"}`), &r.Event); err != nil || r.Event.Dialect != Native || r.Event.Imported {
			t.Errorf("the next event: %v %+v", err, r.Event)
		}
	}
}

func TestImportRefused(t *testing.T) {
	const of = `"session_of":"0123456789abcdef0123456789abcdef"`
	for _, c := range []struct{ in, field, msg string }{
		{`{"name":"a","received":"yesterday"}`, "received", "must be an RFC 3339 time"},
		{`{"name":"a","received":1795521601}`, "received", "is in the future"},
		{`{"name":"a","received":"1989-01-01T00:00:00Z"}`, "received", "1990 to 2100"},
		{`{"name":"a","received":{}}`, "received", "must be"},
		{`{"name":"a","dialect":"amplitude"}`, "dialect", "is not a dialect"},
		{`{"name":"a","dialect":1}`, "dialect", "must be a string"},
		{`{"name":"a","session_of":""}`, "session_of", "32 hexadecimal digits"},
		{`{"name":"a","session_of":"0123456789abcdef0123456789abcde"}`, "session_of", "32 hexadecimal digits"},
		{`{"name":"a","session_of":"0123456789abcdef0123456789abcdeg"}`, "session_of", "32 hexadecimal digits"},
		{`{"name":"a","session_of":"0123456789abcdef0123456789abcde\t"}`, "session_of", "32 hexadecimal digits"},
		{`{"name":"a","session_of":7}`, "session_of", "must be a string"},
		{`{"type":"page","dialect":"matomo","heartbeat":1795435200}`, "heartbeat", "needs session_of"},
		{`{"type":"page","heartbeat":1795435200,` + of + `}`, "heartbeat", "needs session_of and a dialect"},
		{`{"type":"page","dialect":"matomo","heartbeat":"x",` + of + `}`, "heartbeat", "must be an RFC 3339 time"},
		{`{"type":"page","dialect":"matomo","heartbeat":1795694401,` + of + `}`, "heartbeat", "more than a day in the future"},
		{`{"name":"a","uncounted":"x"}`, "uncounted", "must be an array of strings"},
		{`{"name":"a","uncounted":[""]}`, "uncounted", "empty element"},
		{`{"name":"a","uncounted":["` + strings.Repeat("x", uncountedBytesMax+1) + `"]}`, "uncounted", "at most 8192 bytes"},
		{`{"name":"a","uncounted":[` + strings.Repeat(`"x",`, uncountedMax) + `"x"]}`, "uncounted", "at most 64 elements"},
		{`{"name":"a","source":[]}`, "source", "must be an object"},
		{`{"name":"a","source":{"IP":"192.0.2.1"}}`, "source.IP", "is not a field of a source"},
		{`{"name":"a","source":{"ip":1}}`, "source.ip", "must be a string"},
		{`{"name":"a","source":{"user_agent":"` + strings.Repeat("x", sourceBytesMax+1) + `"}}`, "source.user_agent", "at most 16384 bytes"},
		{`{"user":"u"}`, "name", "is required"},
		{`{"type":"alias","user":"u"}`, "previous", "is required"},
		{`{"name":"a","unknown":1,` + of + `}`, "unknown", "is not a field"},
		{`{"name":"a","properties":{"x":"` + strings.Repeat("x", ImportBytesMax) + `"}}`, "", "at most 2097152 bytes"},
	} {
		var p Parser
		err := p.Import([]byte(c.in), importNow, new(Record), new(Import))
		var bad *FieldError
		if !errors.As(err, &bad) || bad.Field != c.field || !strings.Contains(bad.Msg, c.msg) {
			t.Errorf("%.100s: %v, want %s: …%s", c.in, err, c.field, c.msg)
		}
		if p.importing != nil {
			t.Errorf("%.100s: the parser goes on importing", c.in)
		}
	}
	if err := new(Parser).Event([]byte(`{"name":"a","source":{}}`), new(Event)); err == nil || !strings.Contains(err.Error(), "import=1") {
		t.Errorf("a source without import: %v", err)
	}
}
