package dialecttest

import (
	"strings"
	"testing"

	"cairn/engine/event"
	"cairn/engine/query"
	"cairn/http/dialect"
)

// echo is a dialect to test the runner. Each word of a body makes an event of that name. The
// words "refuse" and "drop" refuse and exclude their event; "fail" fails the request.
type echo struct{}

func (echo) Name() event.Dialect { return event.Native }

func (echo) Routes() []dialect.Route {
	return []dialect.Route{
		{Methods: []string{"POST"}, Path: "/e", Auth: dialect.AuthBearer, Right: dialect.Write, Body: 64},
		{Methods: []string{"POST"}, Path: "/open/*", Auth: dialect.AuthBody},
		{Methods: []string{"GET", "POST"}, Path: "*/pixel.gif", Auth: dialect.AuthNone},
		{Methods: []string{"POST"}, Path: "/", Auth: dialect.AuthBody, Query: "si"},
		{Methods: []string{"GET"}, Path: "/a/*/c", Auth: dialect.AuthNone, Host: "log"},
	}
}

func (echo) Decode(req *dialect.Request, b *dialect.Batch) error {
	b.Partial = strings.HasPrefix(req.Path, "/open/")
	for line := range strings.FieldsSeq(string(req.Body)) {
		if line == "fail" {
			return &dialect.StatusError{Failure: dialect.BadMedia, Msg: line}
		}
		r := b.Add()
		r.Source = req.Source()
		r.Event = event.Event{Dialect: event.Native, Type: event.Track, Name: line, MessageID: line}
		switch line {
		case "refuse":
			r.Err = &event.FieldError{Index: 0, Field: "name", Msg: "refused"}
		case "drop":
			r.Exclude = "bot"
		case "badtype":
			r.Event.Type = "nonsense"
		}
		if b.Partial {
			r.Credential = dialect.Credential{Kind: dialect.CredentialWriteKey, ID: req.Path}
		}
	}
	return nil
}

func (echo) Reply(_ *dialect.Request, res *dialect.Response, result dialect.Result) {
	res.Status = result.Failure.Status()
	for _, o := range result.Outcomes {
		res.Body = append(res.Body, '0'+byte(o.Status))
	}
}

func TestSession(t *testing.T) {
	s := Golden{Dialect: echo{}}.Session()
	for _, c := range []struct {
		request string
		status  int
		body    string // one digit per outcome
		events  string // a part of the text of the events
	}{
		{"POST /e\nAuthorization: Bearer secret\n\na b", 200, "00", `"name":"a"`},
		{"POST /e\nauthorization: Bearer write\n\na", 200, "1", ""},
		{"POST /e\nAuthorization: Bearer read\n\nc", 403, "", ""},
		{"POST /e\nAuthorization: Basic secret\n\nc", 401, "", ""},
		{"POST /e\n\nc", 401, "", ""},
		{"POST /e\nAuthorization: Bearer secret\n\n" + strings.Repeat("x", 65), 413, "", ""},
		{"POST /e\nAuthorization: Bearer secret\n\nc fail", 415, "", ""},
		{"POST /e\nAuthorization: Bearer secret\n\nc refuse d", 400, "", "refused: 0: name: refused"},
		{"POST /e\nAuthorization: Bearer secret\n\nbadtype", 400, "", "refused: -1: type"},
		{"POST /open/x\n\nc refuse drop", 200, "023", "excluded: bot"},
		{"POST /open/x\n\nd", 200, "0", `credential: 1 "/open/x" ""`},
		{"PUT /e\nAuthorization: Bearer secret\n\nc", 405, "", ""},
		{"POST /f\n\nc", 404, "", ""},
		{"POST /e/f\n\nc", 404, "", ""},
		{"GET /any/where/pixel.gif", 200, "", ""},
		{"GET /any/pixel.gifx", 404, "", ""},
		{"POST /?si=shop\n\ne", 200, "0", ""},
		{"POST /?x=shop\n\ne", 404, "", ""},
		{"GET /a/b/c\nHost: log.example", 200, "", ""},
		{"GET /a/b/c\nHost: example", 404, "", ""},
		{"GET /a/b/d\nHost: log.example", 404, "", ""},
	} {
		req, err := ParseRequest([]byte(c.request))
		if err != nil {
			t.Fatal(err)
		}
		events, res := s.Do(req)
		if res.Status != c.status || string(res.Body) != c.body || !strings.Contains(events, c.events) {
			t.Errorf("%q: %d %q with\n%swant %d %q with %q", c.request, res.Status, res.Body, events, c.status, c.body, c.events)
		}
	}
	if totals, _ := s.Store.Count(t.Context(), query.Query{}); totals.Events != 5 {
		t.Errorf("%d events are stored, want 5: a b c d e", totals.Events)
	}
}

func TestParseRequest(t *testing.T) {
	req, err := ParseRequest([]byte("POST /p?a=1\nX-A: b: c\nHost: h\n\nline\n\nlast\n"))
	if err != nil || req.Method != "POST" || req.Path != "/p" || req.RawQuery != "a=1" || req.Host != "h" ||
		req.Header("x-a") != "b: c" || req.Header("X-B") != "" || string(req.Body) != "line\n\nlast" {
		t.Errorf("%+v %v", req, err)
	}
	for _, text := range []string{"", "GET", "GET x", "GET /\nnot a header\n\n"} {
		if _, err := ParseRequest([]byte(text)); err == nil {
			t.Errorf("%q is accepted as a request", text)
		}
	}
}
