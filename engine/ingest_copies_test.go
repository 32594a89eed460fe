// The caller of Ingest may overwrite the memory of a request as soon as Ingest has returned.
// The engine keeps no reference to it.

package engine

import (
	"slices"
	"testing"
	"time"
	"unsafe"

	"cairn/engine/event"
)

// inBuffer returns an event whose texts all lie in one buffer, as in a request, and the
// buffer.
func inBuffer(e event.Event) (*event.Event, []byte) {
	var buf []byte
	e.Context = slices.Clone(e.Context)
	texts := []*string{&e.User, &e.Anonymous, &e.Session, &e.MessageID}
	for i := range e.Context {
		texts = append(texts, &e.Context[i].Value.Text)
	}
	for _, s := range texts {
		buf = append(buf, *s...)
	}
	at := 0
	for _, s := range texts {
		n := len(*s)
		*s, at = unsafe.String(unsafe.SliceData(buf[at:]), n), at+n
	}
	return &e, buf
}

func TestIngestKeepsNothingOfTheRequest(t *testing.T) {
	s := newHitStore(t)
	var memory Memory
	send := func(e event.Event, h *event.Hit) event.Outcome {
		t.Helper()
		ev, buf := inBuffer(e)
		out, err := s.Ingest(t.Context(), []Record{{Site: s.opts.Sites()[0], Record: &event.Record{Event: *ev, Source: event.Source{UserAgent: "a browser"}, Hit: h}}}, true, &memory)
		if err != nil || out[0].Status != event.Stored {
			t.Fatal(out, err)
		}
		o := out[0]
		o.ID, o.Session = string([]byte(o.ID)), string([]byte(o.Session))
		for i := range buf {
			buf[i] = 'x'
		}
		return o
	}
	for _, c := range []struct {
		name  string
		event event.Event
		hit   *event.Hit
	}{
		{"a Matomo visitor", event.Event{Dialect: event.Matomo, Type: event.Page, Anonymous: "aaaaaaaaaaaaaaaa"}, &event.Hit{IDOnly: true}},
		{"a Matomo user", event.Event{Dialect: event.Matomo, Type: event.Page, User: "ada"}, &event.Hit{}},
		{"a campaign", event.Event{Dialect: event.Matomo, Type: event.Page, Anonymous: "bbbbbbbbbbbbbbbb", Context: event.Object{{Key: "utm_campaign", Value: event.Str("spring")}}}, &event.Hit{}},
		{"a sent session", event.Event{Dialect: event.Opentracker, Type: event.Page, User: "bob", Session: "s1"}, nil},
		{"a session that cairn makes", event.Event{Dialect: event.Native, Type: event.Page, Anonymous: "carl"}, nil},
	} {
		first := send(c.event, c.hit)
		s.after(time.Minute)
		if c.event.Session != "" {
			c.event.Session = "" // the session before goes on
		}
		if second := send(c.event, c.hit); second.Session != first.Session || first.Session == "" {
			t.Errorf("%s: session %q, then %q", c.name, first.Session, second.Session)
		}
	}
	s.check()
}
