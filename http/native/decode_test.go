package native

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"cairn/engine/event"
	"cairn/engine/query"
	"cairn/http/dialect"
	"cairn/http/native/nativetest"
)

// These tests hold the promise of POST /api/v1/events: good events are stored, bad ones are
// listed by index and field, and the status says which of them the request had.

// send decodes body as the server does and renders the reply. store decides the outcome of
// each event (nil = all valid events are stored).
func send(t testing.TB, contentType, raw, body string, store func(i int, e *event.Event) dialect.Outcome) (*dialect.Response, []string) {
	t.Helper()
	api := &API{}
	req := &dialect.Request{Method: "POST", Path: "/api/v1/events", RawQuery: raw, Body: []byte(body), Site: &dialect.Site{Site: query.Site{ID: 1, Name: "shop"}},
		Header: func(name string) string {
			if name == "Content-Type" {
				return contentType
			}
			return ""
		}}
	var batch dialect.Batch
	res := &dialect.Response{}
	var stored []string
	if err := api.Decode(req, &batch); err != nil {
		api.Reply(req, res, failureOf(err))
	} else {
		var result dialect.Result
		refused := false
		for i := range batch.Records {
			r := &batch.Records[i]
			out := dialect.Outcome{Outcome: event.Outcome{Status: event.Stored, ID: fmt.Sprintf("%032x", i)}}
			switch {
			case r.Err != nil:
				out = dialect.Outcome{Outcome: event.Outcome{Status: event.Rejected, Err: r.Err}}
			case store != nil:
				out = store(i, &r.Event)
			}
			refused = refused || out.Status == event.Rejected
			result.Outcomes = append(result.Outcomes, out)
			if out.Status == event.Stored {
				stored = append(stored, string(event.AppendJSON(nil, &r.Event)))
			}
		}
		result.Records = batch.Records
		if refused && !batch.Partial && len(stored) > 0 {
			t.Fatalf("a refused event in a batch that is not partial, but %d events are stored", len(stored))
		}
		api.Reply(req, res, result)
	}
	if batch.Reset(); len(batch.Records) > 0 || batch.Partial {
		t.Fatal("a batch still has records after Reset")
	}
	if res.ContentType != "application/json" || !json.Valid(res.Body) {
		t.Fatalf("not JSON: %q", res.Body)
	}
	return res, stored
}

func TestSend(t *testing.T) {
	const ndjson = "application/x-ndjson"
	duplicate := func(int, *event.Event) dialect.Outcome {
		return dialect.Outcome{Outcome: event.Outcome{Status: event.Duplicate, ID: nativetest.OtherID}}
	}
	reject := func(_ int, e *event.Event) dialect.Outcome {
		if e.User == "bad" {
			return dialect.Outcome{Outcome: event.Outcome{Status: event.Rejected, Err: &event.FieldError{Field: "user", Msg: "has at most 256 bytes"}}}
		}
		return dialect.Outcome{Outcome: event.Outcome{Status: event.Stored, ID: nativetest.SomeID}}
	}
	for _, c := range []struct {
		name, contentType, query, body string
		store                          func(int, *event.Event) dialect.Outcome
		status                         int
		want                           string // the answer without the newline; with "~" at the end, only how the answer begins
		stored                         []string
	}{
		{name: "one event", contentType: "application/json", body: `{"name":"a","time":"2026-11-21T01:00:00+01:00","properties":{"n":1.0}}`, status: 200,
			want:   `{"accepted":1,"duplicates":0,"rejected":[],"id":"00000000000000000000000000000000"}`,
			stored: []string{`{"dialect":"native","type":"track","name":"a","time":"2026-11-21T00:00:00.000Z","properties":{"n":1.0}}`}},
		{name: "no Content-Type means JSON", body: ` {"name":"a"} `, status: 200, want: `{"accepted":1~`, stored: []string{`{"dialect":"native","type":"track","name":"a"}`}},
		{name: "a byte order mark", body: "\xef\xbb\xbf{\"name\":\"a\"}", status: 200, want: `{"accepted":1~`, stored: []string{`{"dialect":"native","type":"track","name":"a"}`}},
		{name: "fields that the server sets are ignored", body: `{"id":"x","seq":1,"site":"other","received":"2020-01-01T00:00:00Z","dialect":"matomo","name":"a"}`, status: 200, want: `{"accepted":1~`, stored: []string{`{"dialect":"native","type":"track","name":"a"}`}},
		{name: "one duplicate", body: `{"name":"a","message_id":"m"}`, store: duplicate, status: 200, want: `{"accepted":0,"duplicates":1,"rejected":[],"id":"` + nativetest.OtherID + `"}`},
		{name: "one event without a name", body: `{"user":"u"}`, status: 400, want: `{"error":"name: is required","field":"name","status":400}`},
		{name: "one event with an unknown key", body: `{"name":"a","userId":"u"}`, status: 400, want: `{"error":"userId: is not a field of an event","field":"userId","status":400}`},
		{name: "one event that the engine refuses", body: `{"name":"a","user":"bad"}`, store: reject, status: 400, want: `{"error":"user: has at most 256 bytes","field":"user","status":400}`},
		{name: "one event that is not JSON", body: `{"name":"a"`, status: 400, want: `{"error":"invalid JSON~`},
		{name: "one event and more text after it", body: `{"name":"a"}{"name":"b"}`, status: 400, want: `{"error":"invalid JSON~`},
		{name: "a number", body: `5`, status: 400, want: `{"error":"invalid JSON~`},
		{name: "an empty body", body: "", status: 400, want: `{"error":"the body is empty","status":400}`},
		{name: "white space", body: " \n", status: 400, want: `{"error":"the body is empty","status":400}`},
		{name: "one event that is too long", body: `{"name":"a","properties":{"x":"` + strings.Repeat("x", 32<<10) + `"}}`, status: 400, want: `{"error":"an event has at most 32768 bytes"~`},

		{name: "an array", body: `[{"name":"a"}, {"name":"b"}]`, status: 200, want: `{"accepted":2,"duplicates":0,"rejected":[]}`,
			stored: []string{`{"dialect":"native","type":"track","name":"a"}`, `{"dialect":"native","type":"track","name":"b"}`}},
		{name: "an empty array", body: `[]`, status: 200, want: `{"accepted":0,"duplicates":0,"rejected":[]}`},
		{name: "an array with bad events", body: `[{"name":"a"},5,{"type":"clicked"},{"name":"b","user":"bad"},{"name":"c"}]`, store: reject, status: 207,
			want:   `{"accepted":2,"duplicates":0,"rejected":[{"index":1,"error":"invalid JSON at byte 0: an object is expected"},{"index":2,"error":"type: is not a type of event","field":"type"},{"index":3,"error":"user: has at most 256 bytes","field":"user"}]}`,
			stored: []string{`{"dialect":"native","type":"track","name":"a"}`, `{"dialect":"native","type":"track","name":"c"}`}},
		{name: "an array of duplicates", body: `[{"name":"a"},{"name":"b"}]`, store: duplicate, status: 200, want: `{"accepted":0,"duplicates":2,"rejected":[]}`},
		{name: "an array of a duplicate and a bad event", body: `[{"name":"a"},{}]`, store: duplicate, status: 207, want: `{"accepted":0,"duplicates":1,"rejected":[{"index":1,"error":"name: is required","field":"name"}]}`},
		{name: "an array of bad events", body: `[{},{"name":5}]`, status: 400,
			want: `{"accepted":0,"duplicates":0,"rejected":[{"index":0,"error":"name: is required","field":"name"},{"index":1,"error":"name: must be a string","field":"name"}],"error":"no event was accepted","status":400}`},
		{name: "an array without its end", body: `[{"name":"a"},{"name":"b"}`, status: 400, want: `{"error":"malformed array: ~`},
		{name: "an array with a broken element", body: `[{"name":"a"},{"name":}]`, status: 400, want: `{"error":"malformed array: ~`},
		{name: "an array and more text after it", body: `[{"name":"a"}]]`, status: 400, want: `{"error":"malformed array: ~`},
		{name: "an array in an array", body: `[[{"name":"a"}]]`, status: 400, want: `{"accepted":0,"duplicates":0,"rejected":[{"index":0~`},
		{name: "too many events in an array", body: "[" + strings.Repeat(`{"name":"a"},`, EventsMax) + `{"name":"a"}]`, status: 413, want: `{"error":"at most 10000 events a request","status":413}`},

		{name: "lines", contentType: ndjson, body: "{\"name\":\"a\"}\n{\"name\":\"b\"}\n", status: 200, want: `{"accepted":2,"duplicates":0,"rejected":[]}`,
			stored: []string{`{"dialect":"native","type":"track","name":"a"}`, `{"dialect":"native","type":"track","name":"b"}`}},
		{name: "lines with CRLF, empty lines and no final newline", contentType: ndjson + "; charset=UTF-8", body: "\r\n{\"name\":\"a\"}\r\n \t\n\n{\"name\":\"b\"}", status: 200, want: `{"accepted":2,"duplicates":0,"rejected":[]}`,
			stored: []string{`{"dialect":"native","type":"track","name":"a"}`, `{"dialect":"native","type":"track","name":"b"}`}},
		{name: "one line is answered like many lines", contentType: "application/jsonl", body: `{"user":"u"}`, status: 400, want: `{"accepted":0,"duplicates":0,"rejected":[{"index":0,"error":"name: is required","field":"name"}],"error":"no event was accepted","status":400}`},
		{name: "lines with bad events", contentType: "Application/NDJSON", body: "{\"name\":\"a\"}\n{\"name\":\n}\n[]\n{\"name\":\"b\"}", status: 207,
			want: `{"accepted":2,"duplicates":0,"rejected":[{"index":1,"error":"invalid JSON~`, stored: []string{`{"dialect":"native","type":"track","name":"a"}`, `{"dialect":"native","type":"track","name":"b"}`}},
		{name: "no lines", contentType: ndjson, status: 200, want: `{"accepted":0,"duplicates":0,"rejected":[]}`},
		{name: "a long line among others", contentType: ndjson, body: "{\"name\":\"" + strings.Repeat("x", 32<<10) + "\"}\n{\"name\":\"b\"}", status: 207,
			want: `{"accepted":1,"duplicates":0,"rejected":[{"index":0,"error":"an event has at most 32768 bytes"}]}`, stored: []string{`{"dialect":"native","type":"track","name":"b"}`}},
		{name: "too many lines", contentType: ndjson, body: strings.Repeat("{}\n", EventsMax+1), status: 413, want: `{"error":"at most 10000 events a request","status":413}`},

		{name: "a form", contentType: "application/x-www-form-urlencoded", body: "name=a", status: 415, want: `{"error":"send application/json~`},
		{name: "another charset", contentType: "application/json; charset=utf-16", body: `{"name":"a"}`, status: 415, want: `{"error":"send application/json~`},
		{name: "an unknown parameter", query: "dry_run=1", body: `{"name":"a"}`, status: 400, want: `{"error":"dry_run: no such parameter here","field":"dry_run","status":400}`},
		{name: "another site", query: "site=blog", body: `{"name":"a"}`, status: 404, want: `{"error":"site: no such site","field":"site","status":404}`},
		{name: "the key's own site", query: "site=shop", body: `{"name":"a"}`, status: 200, want: `{"accepted":1~`, stored: []string{`{"dialect":"native","type":"track","name":"a"}`}},
	} {
		t.Run(c.name, func(t *testing.T) {
			res, stored := send(t, c.contentType, c.query, c.body, c.store)
			got := strings.TrimSuffix(string(res.Body), "\n")
			if want, open := strings.CutSuffix(c.want, "~"); res.Status != c.status || open && !strings.HasPrefix(got, want) || !open && got != want {
				t.Fatalf("%d %s\nwant %d %s", res.Status, got, c.status, c.want)
			}
			if strings.Join(stored, "\n") != strings.Join(c.stored, "\n") {
				t.Fatalf("stored %s\nwant %s", stored, c.stored)
			}
		})
	}
}

// Error messages cut long names of the client, so the answer stays short.
func TestSendLongErrors(t *testing.T) {
	line := `{"` + strings.Repeat("k", 128) + `":1}` + "\n"
	res, _ := send(t, "application/x-ndjson", "", strings.Repeat(line, EventsMax), nil)
	if res.Status != 400 || len(res.Body) > 4<<20 {
		t.Errorf("%d, %d bytes", res.Status, len(res.Body))
	}
}

// Each failure before the engine has its status and message.
func TestFailures(t *testing.T) {
	for _, c := range []struct {
		result dialect.Result
		want   string
	}{
		{dialect.Result{Failure: dialect.Unauthorized}, `{"error":"Unauthorized","status":401}`},
		{dialect.Result{Failure: dialect.Forbidden}, `{"error":"Forbidden","status":403}`},
		{dialect.Result{Failure: dialect.NotFound}, `{"error":"Not Found","status":404}`},
		{dialect.Result{Failure: dialect.MethodNotAllowed}, `{"error":"Method Not Allowed","status":405}`},
		{dialect.Result{Failure: dialect.TooLarge}, `{"error":"Content Too Large","status":413}`},
		{dialect.Result{Failure: dialect.BadMedia}, `{"error":"Unsupported Media Type","status":415}`},
		{dialect.Result{Failure: dialect.RateLimited}, `{"error":"Too Many Requests","status":429}`},
		{dialect.Result{Failure: dialect.Busy}, `{"error":"Service Unavailable","status":503}`},
		{dialect.Result{Failure: dialect.DiskFull}, `{"error":"Insufficient Storage","status":507}`},
		{dialect.Result{Failure: dialect.Internal, Err: errors.New("secret path")}, `{"error":"Internal Server Error","status":500}`},
		{dialect.Result{Failure: dialect.BadRequest, Err: &dialect.StatusError{Field: "site", Msg: "site: which one?"}}, `{"error":"site: which one?","field":"site","status":400}`},
	} {
		var res dialect.Response
		new(API).Reply(&dialect.Request{}, &res, c.result)
		if got := errorOf(t, &res); string(res.Body) != c.want+"\n" || got.Status != res.Status {
			t.Errorf("%+v: %s", c.result, res.Body)
		}
	}
}

// The dialect reuses memory after the reply. Decoding a second batch with escaped texts and
// lists allocates almost nothing.
func TestSendReusesMemory(t *testing.T) {
	api := &API{}
	line := `{"name":"caf\u00e9","groups":["g"],"increments":{"n":2},"properties":{"n":1,"t":"a\tb","o":{"k":[1, 2]}}}` + "\n"
	req := &dialect.Request{Body: []byte(strings.Repeat(line, 100)), Header: func(string) string { return "application/x-ndjson" }}
	res := &dialect.Response{}
	var batch dialect.Batch
	outcomes := make([]dialect.Outcome, 100)
	allocs := testing.AllocsPerRun(200, func() {
		batch.Reset()
		if err := api.Decode(req, &batch); err != nil || batch.Records[99].Err != nil {
			t.Fatal(err, batch.Records[99].Err)
		}
		api.Reply(req, res, dialect.Result{Outcomes: outcomes})
	})
	if allocs > 4 { // not 0, because the race detector and the garbage collector empty pools
		t.Errorf("%v allocations for 100 events", allocs)
	}
}

// FuzzNativeSend checks that a body is refused as a whole, or that each of its events is either
// stored or listed as rejected. The answer is JSON, and its status agrees with its content.
func FuzzNativeSend(f *testing.F) {
	for _, body := range []string{
		`{"name":"a","properties":{"x":[1,{"y":"\ud83d\ude00"}]}}`, `[{"name":"a"},5,{}]`, "{\"name\":\"a\"}\n\n{\"name\":}\n{\"type\":\"page\"}",
		`[]`, ``, "[\n", `[{"name":"a"}`, `[{"name":"a"},]`, "\xef\xbb\xbf[{}]", `{"name":"\u0000<&>","time":1e3,"increments":{"a":-1}}`,
	} {
		f.Add([]byte(body), true)
		f.Add([]byte(body), false)
	}
	f.Fuzz(func(t *testing.T, body []byte, lines bool) {
		contentType := "application/json"
		want := -1 // events in the body
		if lines {
			contentType = "application/x-ndjson"
			want = 0
			for line := range bytes.SplitSeq(bytes.TrimPrefix(body, []byte("\xef\xbb\xbf")), []byte("\n")) {
				if len(bytes.Trim(line, " \t\r")) > 0 {
					want++
				}
			}
		} else if array := []json.RawMessage(nil); json.Unmarshal(body, &array) == nil && array != nil {
			want = len(array)
		}
		res, stored := send(t, contentType, "", string(body), nil)
		var answer struct {
			Accepted, Duplicates int
			Rejected             []struct {
				Index int
				Error string
			}
			Error  string
			Status int
		}
		if err := json.Unmarshal(res.Body, &answer); err != nil {
			t.Fatal(err)
		}
		switch {
		case res.Status == 413 && want > EventsMax:
		case answer.Accepted != len(stored):
			t.Fatalf("the answer says %d accepted, but %d are stored", answer.Accepted, len(stored))
		case want >= 0 && answer.Accepted+len(answer.Rejected) != want:
			t.Fatalf("%d events, answer %d %s", want, res.Status, res.Body)
		case res.Status == 200 && (answer.Error != "" || len(answer.Rejected) > 0),
			res.Status == 207 && (len(answer.Rejected) == 0 || len(stored) == 0),
			res.Status == 400 && (answer.Error == "" || len(stored) > 0 || answer.Status != 400),
			res.Status != 200 && res.Status != 207 && res.Status != 400:
			t.Fatalf("%d %s", res.Status, res.Body)
		}
		for i, r := range answer.Rejected {
			if r.Error == "" || r.Index < 0 || want >= 0 && r.Index >= want || i > 0 && r.Index <= answer.Rejected[i-1].Index {
				t.Fatalf("%s", res.Body)
			}
		}
		for _, e := range stored {
			if !json.Valid([]byte(e)) {
				t.Fatalf("a stored event is not JSON: %q", e)
			}
		}
	})
}
