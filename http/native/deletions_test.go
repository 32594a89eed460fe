package native

import (
	"strings"
	"testing"

	"cairn/engine/query"
	"cairn/http/native/nativetest"
)

// What each deletion asks of the engine, and what its receipt says.
func TestDeletions(t *testing.T) {
	doc := nativetest.Contract(t, OpenAPI())
	ops := nativetest.Operations(t, doc)
	for _, c := range []struct {
		target, asked string
		status        int
		answer        string // a part of it
	}{
		{"/api/v1/users/u%2F1", `delete person by secret_key now false dry false "" shop user=["u/1"]`, 200, `{"id":1,"kind":"person","rows":3,`},
		{"/api/v1/users/u?now=1&reason=asked", `delete person by secret_key now true dry false "asked" shop user=["u"]`, 200, `"state":"done","hidden_at":`},
		{"/api/v1/users/u?dry_run=1", `delete person by secret_key now false dry true "" shop user=["u"]`, 200, `{"id":null,"kind":"person","rows":3,`},
		{"/api/v1/users/u?dry_run=yes", "", 400, `"field":"dry_run"`},
		{"/api/v1/users/u?dry_run", "", 400, `"field":"dry_run"`},
		{"/api/v1/events?name=a&dry_run=", "", 400, `"field":"dry_run"`},
		{"/api/v1/events?name=a&to=", "", 400, `"field":"to"`},
		{"/api/v1/events?name=a&now=", "", 400, `"field":"now"`},
		{"/api/v1/users/u?name=a", "", 400, `"field":"name"`},
		{"/api/v1/users/u?reason=" + strings.Repeat("a", 257), "", 400, `"field":"reason"`},
		{"/api/v1/events", "", 400, "at least one filter"},
		{"/api/v1/events?range=all", "", 400, "at least one filter"},
		{"/api/v1/events?dry_run=1", "", 400, "at least one filter"},
		{"/api/v1/events?name=a&path~=/x/*&from=2026-01-01&to=2026-01-01", `delete filter by secret_key now false dry false "" shop name=["a"] path match ["/x/*"] [1767225600000,1767312000000)`, 200, `"rows":3`},
		{"/api/v1/events?nmae=a", "", 400, `"field":"nmae"`},
		{"/api/v1/events?limit=1", "", 400, `"field":"limit"`},
	} {
		n := nativetest.Full()
		res := call(t, n, "UTC", "DELETE", c.target)
		if res.Status != c.status || n.Asked != c.asked || !strings.Contains(string(res.Body), c.answer) {
			t.Errorf("%s: %d %s\nasked %s\nwant  %s", c.target, res.Status, res.Body, n.Asked, c.asked)
		}
		path := "/api/v1/events"
		if strings.HasPrefix(c.target, "/api/v1/users") {
			path = "/api/v1/users/*"
		}
		nativetest.ValidateAnswer(t, doc, ops["DELETE "+path], res, c.target)
	}
	n := nativetest.Full()
	n.Err = query.ErrNotFound
	if res := call(t, n, "UTC", "DELETE", "/api/v1/users/nobody"); res.Status != 404 {
		t.Errorf("nobody: %d %s", res.Status, res.Body)
	}
}

// The receipt of a person's deletion names what is saved with an id of the person, however deep
// the id is quoted.
func TestDeletionNamesSaved(t *testing.T) {
	n := nativetest.Full()
	n.SavedList = []query.Saved{
		{ID: "a", Kind: query.SavedFilter, Query: "user=ada%40x"},
		{ID: "b", Kind: query.SavedFunnel, Query: "step=user%3Dada%2540x&step=name%3Da"},
		{ID: "c", Kind: query.SavedFilter, Query: "user=bob"},
	}
	res := call(t, n, "UTC", "DELETE", "/api/v1/users/ada@x")
	if !strings.Contains(string(res.Body), `"saved":["a","b"]`) {
		t.Errorf("%d %s", res.Status, res.Body)
	}
}

// The list of deletions goes from the newest to the oldest, page by page.
func TestDeletionPages(t *testing.T) {
	n := nativetest.Full()
	for _, c := range []struct{ target, first, next string }{
		{"/api/v1/admin/deletions", `{"deletions":[{"id":2,`, `],"next":null}`},
		{"/api/v1/admin/deletions?limit=1", `{"deletions":[{"id":2,`, `],"next":"2"}`},
		{"/api/v1/admin/deletions?limit=1&after=2", `{"deletions":[{"id":1,`, `],"next":null}`},
		{"/api/v1/admin/deletions?after=x", `{"error":"after: `, ``},
	} {
		body := string(call(t, n, "UTC", "GET", c.target).Body)
		if !strings.HasPrefix(body, c.first) || !strings.Contains(body, c.next) {
			t.Errorf("%s: %s", c.target, body)
		}
	}
	for target, want := range map[string]int{"1": 200, "3": 404, "x": 404, "-1": 404} {
		if res := call(t, n, "UTC", "GET", "/api/v1/admin/deletions/"+target); res.Status != want {
			t.Errorf("%s: %d %s", target, res.Status, res.Body)
		}
	}
}
