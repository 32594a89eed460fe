package native

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"cairn/engine/event"
	"cairn/engine/query"
	"cairn/http/native/nativetest"
)

// This file tries pages of listings, and the cursors that open the next ones.

// The events of an unknown person are a 404. A known person without matching events has an
// empty page.
func TestUserEvents(t *testing.T) {
	n := nativetest.Full()
	n.EventPage = query.Page{}
	n.Missing = "nobody"
	if res := call(t, n, "UTC", "GET", "/api/v1/users/nobody/events"); res.Status != 404 {
		t.Errorf("%d %s", res.Status, res.Body)
	}
	if res := call(t, n, "UTC", "GET", "/api/v1/users/u-1/events"); res.Status != 200 || string(res.Body) != `{"events":[],"next":null}`+"\n" {
		t.Errorf("%d %s", res.Status, res.Body)
	}
}

// A page that grows beyond pageBytesMax ends early. Its cursor is its last element, so the next
// page begins with the rest.
func TestLongPage(t *testing.T) {
	n := &nativetest.Engine{}
	text := event.Str(strings.Repeat("x", 30_000))
	for i := range 1000 {
		id := fmt.Sprintf("%032x", i)
		n.EventPage.Events = append(n.EventPage.Events, &event.Event{ID: id, Type: event.Track, Properties: event.Object{{Key: "x", Value: text}}})
		n.UserList = append(n.UserList, query.User{ID: id, Cursor: id, Properties: event.Object{{Key: "x", Value: text}}})
		n.SessionList = append(n.SessionList, query.Session{ID: id, Cursor: id, Entry: text.Text})
	}
	for _, path := range []string{"/api/v1/events", "/api/v1/users", "/api/v1/sessions"} {
		res := call(t, n, "UTC", "GET", path)
		var page struct {
			Events, Users, Sessions []struct{ ID string }
			Next                    string
		}
		if err := json.Unmarshal(res.Body, &page); err != nil {
			t.Fatal(err)
		}
		got := append(append(page.Events, page.Users...), page.Sessions...)
		if len(got) != 35 || page.Next != got[len(got)-1].ID || len(res.Body) > pageBytesMax+40_000 {
			t.Errorf("%s: %d elements, %d bytes, next %s", path, len(got), len(res.Body), page.Next)
		}
	}
}

// A person's ids come in parts. Together they are all ids, each once.
func TestUserIDsInParts(t *testing.T) {
	n := &nativetest.Engine{}
	u := query.User{ID: "ann", Cursor: nativetest.SomeID}
	for i := range 2500 {
		u.Aliases = append(u.Aliases, fmt.Sprint("u", i))
	}
	for i := range 700 {
		u.Anonymous = append(u.Anonymous, fmt.Sprint("a", i))
	}
	n.UserList = []query.User{u}
	type answer struct {
		Aliases, Anonymous []string
		Next               string `json:"ids_next"`
	}
	var got answer
	parts := 0
	for after := ""; parts == 0 || after != ""; parts++ {
		var one answer
		res := call(t, n, "UTC", "GET", "/api/v1/users/ann?after="+after)
		if err := json.Unmarshal(res.Body, &one); err != nil || res.Status != 200 || len(one.Aliases)+len(one.Anonymous) > userIDsMax {
			t.Fatalf("part %d: %d, %d and %d ids, %v", parts, res.Status, len(one.Aliases), len(one.Anonymous), err)
		}
		got.Aliases, got.Anonymous = append(got.Aliases, one.Aliases...), append(got.Anonymous, one.Anonymous...)
		after = one.Next
	}
	if parts != 4 || !slices.Equal(got.Aliases, u.Aliases) || !slices.Equal(got.Anonymous, u.Anonymous) {
		t.Errorf("%d parts with %d and %d ids", parts, len(got.Aliases), len(got.Anonymous))
	}
	var page struct{ Users []answer }
	if err := json.Unmarshal(call(t, n, "UTC", "GET", "/api/v1/users").Body, &page); err != nil || len(page.Users[0].Aliases) != userIDsMax || page.Users[0].Next == "" {
		t.Errorf("a list has %d ids and %q, %v", len(page.Users[0].Aliases), page.Users[0].Next, err)
	}
	if res := call(t, n, "UTC", "GET", "/api/v1/users/ann?after=x"); res.Status != 400 {
		t.Errorf("a wrong cursor: %d", res.Status)
	}
}

// The cursor of a page of counters opens the next page, but only for the same query.
func TestCounterPages(t *testing.T) {
	n := nativetest.Full()
	n.CounterPage.More = true
	next := func(target string) string {
		res := call(t, n, "UTC", "GET", target)
		var page struct{ Next string }
		if json.Unmarshal(res.Body, &page); res.Status != 200 {
			t.Fatalf("%s: %d %s", target, res.Status, res.Body)
		}
		return page.Next
	}
	first := next("/api/v1/counters?property=plan&limit=2")
	second := next("/api/v1/counters?property=plan&limit=2&after=" + first)
	if !strings.HasSuffix(n.Asked, "offset=2") {
		t.Fatal(n.Asked)
	}
	n.CounterPage.More = false
	if last := next("/api/v1/counters?property=plan&limit=7&after=" + second); last != "" || !strings.HasSuffix(n.Asked, "limit=7 offset=4") {
		t.Fatal(n.Asked, last)
	}
	for _, other := range []string{"property=country", "property=plan&sort=users", "property=plan&value=pro", "property=plan&segment=x", "property=plan&from=2026-11-21", ""} {
		if res := call(t, n, "UTC", "GET", "/api/v1/counters?"+other+"&after="+first); res.Status != 400 {
			t.Errorf("%q accepts the cursor of another query: %s", other, res.Body)
		}
	}
}

// FuzzCounterCursor checks that an accepted cursor is within bounds, and that encoding it again
// gives the same position.
func FuzzCounterCursor(f *testing.F) {
	f.Add(string(appendCounterCursor(nil, 0, 1)), uint32(1))
	f.Add(string(appendCounterCursor(nil, 300, 0xffffffff)), uint32(0xffffffff))
	f.Add("AAAAAA", uint32(0))
	f.Fuzz(func(t *testing.T, cursor string, hash uint32) {
		offset, err := counterOffset(cursor, hash)
		if err != nil || cursor == "" {
			return
		}
		again, err := counterOffset(string(appendCounterCursor(nil, offset, hash)), hash)
		if err != nil || again != offset || offset < 0 || offset > counterOffsetMax {
			t.Fatalf("%q: %d, %d, %v", cursor, offset, again, err)
		}
		if _, err := counterOffset(cursor, hash+1); err == nil {
			t.Fatalf("%q: another query accepts the cursor", cursor)
		}
	})
}
