package httpd

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"cairn/engine/event"
	"cairn/http/native"
)

// rejectedList is an answer of GET /api/v1/admin/rejected.
type rejectedList struct {
	Rejected []struct {
		Time        time.Time
		Site, Field *string
		Dialect     string
		Reason      string
		ID          string `json:"request_id"`
		More        uint64
	}
	Next   *string
	Cursor string
	Lost   uint64
}

func (s *testServer) rejected(query string) (list rejectedList) {
	s.t.Helper()
	a := s.send("GET", "/api/v1/admin/rejected"+query, "", adminKey)
	if err := json.Unmarshal([]byte(a.body), &list); a.status != 200 || err != nil {
		s.t.Fatalf("%s: %d %s %v", query, a.status, a.body, err)
	}
	return list
}

const writeKeyBasic = "Authorization: Basic "

// TestRejected refuses events in all protocols and reads why.
func TestRejected(t *testing.T) {
	s := start(t, func(o *Options) { o.Sites = []*Site{testSite(1, "shop"), testSite(2, "blog")} })
	basic := writeKeyBasic + base64.StdEncoding.EncodeToString([]byte("blog-write:"))
	client := []string{"openpanel-client-id: shop-client", "openpanel-client-secret: shop-client-secret"}
	const secretText = "ada@example.com" // as a name and as a value
	for _, c := range []struct {
		target, body string
		headers      []string
		want         string // site dialect field reason
	}{
		{"/api/v1/events", `{"name":""}`, []string{secret}, "shop native name is required"},
		{"/api/v1/events", `{"name":"a","ada@example.com":1e999}`, []string{secret}, "shop native - the number is out of range"},
		{"/api/v1/events", `[{"name":"a"},{"name":"a","properties":{"ada@example.com":1e999}}]`, []string{secret}, "shop native properties the number is out of range"},
		{"/api/v1/events", `[{"name":"a"},{"ada@example.com":]`, []string{secret}, "shop native - malformed array"},
		{"/api/v1/events", `{"name":"ada@example.com"`, []string{secret}, "shop native - invalid JSON: ends too early: a comma or } is expected"},
		{"/api/v1/events", `{"name":"ada@example.com",}`, []string{secret}, "shop native - invalid JSON: a key is expected"},
		{"/api/v1/events?ada@example.com=1", `{"name":"a"}`, []string{secret}, "shop native - no such parameter here"},
		{"/api/v1/events", `{"name":"a"}`, []string{"Authorization: Bearer ada@example.com"}, "- native - the key or id opens no site"},
		{"/api/v1/events", `{"name":"a"}`, []string{"Authorization: Bearer shop-read"}, "shop native - this key may not do that"},
		{"/api/v1/events", `{"name":"refuse"}`, []string{secret}, "shop native name refused"},
		{"/tracking/events", `{"eventName":"a","value":1,"metadata":{"ada@example.com":1e999}}`, []string{secret}, "shop oppizi metadata the number is out of range"},
		{"/?si=shop&" + secretText + strings.Repeat("x", 200) + "=1", "", nil, "- opentracker - a name has at most 128 bytes"},
		{"/?si=ada@example.com&ti=x", "", nil, "- opentracker - no such site"},
		{"/v1/track", `{"userId":"ada@example.com"}`, []string{basic}, "blog segment event must be a string that is not empty"},
		{"/v1/track", `{"event":"a","userId":"b","properties":{"ada@example.com":1e999}}`, []string{basic}, "- segment properties the number is out of range"},
		{"/v1/track", `{"event":"a","userId":"b"}`, []string{writeKeyBasic + base64.StdEncoding.EncodeToString([]byte("ada@example.com:"))}, "- segment writeKey Invalid or missing writekey"},
		{"/track", `{"type":"track","payload":{"name":"` + strings.Repeat("ada@example.com", 10) + `"}}`, client, "shop openpanel payload at most 80 characters"},
		{"/track", `{"type":"track","payload":{"name":"a"}}`, []string{"openpanel-client-id: shop-client", "Origin: https://ada@example.com"}, "shop openpanel - the origin of the page is not in the site's origins"},
		{"/matomo.php?rec=1&idsite=1&idgoal=9999&url=ada@example.com", "", nil, "shop matomo idgoal the site has no such goal"},
	} {
		method := "POST"
		if c.body == "" {
			method = "GET"
		}
		at := s.rejected("").Cursor
		a := s.send(method, c.target, c.body, append(slices.Clone(c.headers), "Content-Type: application/json")...)
		list := s.rejected("?since=" + at)
		if len(list.Rejected) != 1 {
			t.Errorf("%s %s: %d %s: %d entries", c.target, c.body, a.status, a.body, len(list.Rejected))
			continue
		}
		r := list.Rejected[0]
		orDash := func(s *string) string {
			if s == nil {
				return "-"
			}
			return *s
		}
		if got := fmt.Sprintf("%s %s %s %s", orDash(r.Site), r.Dialect, orDash(r.Field), r.Reason); got != c.want {
			t.Errorf("%s %s: %d %s\n got %s\nwant %s", c.target, c.body, a.status, a.body, got, c.want)
		}
		if r.ID != a.header["x-request-id"] || time.Since(r.Time) > time.Minute {
			t.Errorf("%s: id %q, the answer has %q; at %v", c.target, r.ID, a.header["x-request-id"], r.Time)
		}
	}
	if a := s.send("GET", "/api/v1/admin/rejected", "", adminKey); strings.Contains(a.body, "ada@") {
		t.Errorf("a name or value of a client: %s", a.body)
	}
	for _, r := range s.rejected("?site=blog").Rejected {
		if r.Site == nil || *r.Site != "blog" {
			t.Errorf("asked for one site: %+v", r)
		}
	}
	// What is taken, excluded or only read is not refused.
	at := s.rejected("").Cursor
	s.post(`{"name":"fine"}`)
	s.send("GET", "/api/v1/events?x=1", "", secret)
	s.send("GET", "/nothing", "")
	s.send("PUT", "/api/v1/events", "{}", secret)
	if list := s.rejected("?since=" + at); len(list.Rejected) != 0 {
		t.Errorf("%+v", list.Rejected)
	}
}

// TestRejectedPages walks the list both ways, and has a cursor of another run mean the start.
func TestRejectedPages(t *testing.T) {
	s := start(t, nil)
	for i := range 25 {
		s.rejections.add(rejectedKind{site: "shop", dialect: event.Native, reason: strconv.Itoa(i)}, 1e12, []byte("id"))
	}
	var reasons []string
	pages := 0
	for after := ""; ; pages++ {
		list := s.rejected("?limit=10&after=" + after)
		for _, r := range list.Rejected {
			reasons = append(reasons, r.Reason)
		}
		if list.Next == nil {
			break
		}
		after = *list.Next
	}
	slices.Reverse(reasons)
	var forward []string
	since := "1-0" // of another run
	for {
		list := s.rejected("?limit=10&since=" + since)
		if len(list.Rejected) == 0 {
			break
		}
		for _, r := range list.Rejected {
			forward = append(forward, r.Reason)
		}
		since = list.Cursor
	}
	var want []string
	for i := range 25 {
		want = append(want, strconv.Itoa(i))
	}
	if pages != 2 || !slices.Equal(reasons, want) || !slices.Equal(forward, want) {
		t.Errorf("%d pages: %v\n%v", pages, reasons, forward)
	}
	for _, bad := range []string{"?since=x", "?after=1-x", "?since=-", "?since=1-1&after=1-1"} {
		if a := s.send("GET", "/api/v1/admin/rejected"+bad, "", adminKey); a.status != 400 {
			t.Errorf("%s: %d", bad, a.status)
		}
	}
}

// TestRejectedFlood sees that the list is bounded, and that a flood of one kind hides no other.
func TestRejectedFlood(t *testing.T) {
	var r rejections
	flood := rejectedKind{site: "shop", dialect: event.Native, reason: "flood"}
	for range 5000 {
		r.add(flood, 1e12, nil)
	}
	r.add(rejectedKind{site: "blog", dialect: event.Native, reason: "rare"}, 1e12, nil)
	r.add(flood, 1e12+1000, nil)
	all := r.list()
	if len(all) != linesPerSecond+2 || all[linesPerSecond].Reason != "rare" || all[linesPerSecond+1].More != 5000-linesPerSecond {
		t.Errorf("%+v", all)
	}
	for i := range 3 * native.RejectedMax {
		r.add(rejectedKind{reason: strconv.Itoa(i)}, 1e12+2000, nil)
	}
	all = r.list()
	if len(all) != native.RejectedMax || len(r.kinds) > rejectedKinds {
		t.Fatalf("%d entries, %d kinds", len(all), len(r.kinds))
	}
	for i, e := range all {
		if want := strconv.Itoa(2*native.RejectedMax + i); e.Reason != want || i > 0 && e.Seq != all[i-1].Seq+1 {
			t.Fatalf("entry %d is %+v, want %s", i, e, want)
		}
	}
}

// TestFieldNames finds every field that the code of a protocol refuses by its own name.
func TestFieldNames(t *testing.T) {
	var files []string
	for _, dir := range []string{"native", "oppizi", "opentracker", "segment", "openpanel", "matomo", "../engine/event", "../engine", "."} {
		more, err := filepath.Glob(filepath.Join(dir, "*.go"))
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, more...)
	}
	reads := []string{"read.go", "times.go", "views.go", "counts.go", "insights.go", "filter.go", "export_sessions.go", "export.go", "reporting.go"}
	found := 0
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") || slices.Contains(reads, filepath.Base(file)) {
			continue
		}
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		tree, err := parser.ParseFile(token.NewFileSet(), file, text, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(tree, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok || len(call.Args) == 0 {
				return true
			}
			name := ""
			switch f := call.Fun.(type) {
			case *ast.Ident:
				name = f.Name
			case *ast.SelectorExpr:
				name = f.Sel.Name
			}
			literal, ok := call.Args[0].(*ast.BasicLit)
			if !slices.Contains([]string{"Refuse", "RefuseFor", "refuse", "within"}, name) || !ok || literal.Kind != token.STRING {
				return true
			}
			field, _ := strconv.Unquote(literal.Value)
			field, _, _ = strings.Cut(field, ".")
			if found++; field != "" && fieldName(field) != field {
				t.Errorf("%s refuses the field %q, which fieldNames lacks", file, field)
			}
			return true
		})
	}
	if found < 50 {
		t.Errorf("only %d refusals found", found)
	}
}
