package segment

import (
	"encoding/base64"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"cairn/engine/event"
	"cairn/engine/query"
	"cairn/http/dialect"
	"cairn/http/dialect/dialecttest"
)

// key is the Basic authorization of the key "key".
var key = map[string]string{"Authorization": "Basic a2V5Og=="}

func request(t testing.TB, method, target, body string) *dialect.Request {
	t.Helper()
	req, err := dialecttest.NewRequest(method, target, key, []byte(body))
	if err != nil {
		t.Fatal(err)
	}
	return req
}

// sized returns an event of exactly n bytes.
func sized(n int) string {
	const head, tail = `{"type":"track","event":"e","userId":"u","properties":{"a":"`, `"}}`
	return head + strings.Repeat("x", n-len(head)-len(tail)) + tail
}

// A body or an event at the limit is accepted, and one byte more is refused. A site can set
// its own limits.
func TestSizes(t *testing.T) {
	// batchOf returns a batch of n bytes. Its events are far below their own limit.
	batchOf := func(n int) string {
		var b strings.Builder
		b.WriteString(`{"batch":[`)
		for b.Len()+2*1000 < n {
			b.WriteString(sized(999) + ",")
		}
		b.WriteString(sized(n - b.Len() - 2))
		return b.String() + "]}"
	}
	const large = `"Message":"Error reading request body","Details":"HTTP request too large"`
	wide := &Settings{EventLimit: 32 << 10, BatchLimit: 1 << 20}
	for _, c := range []struct {
		name, path, body string
		site             *Settings // nil = the defaults
		status           int
		reply            string
	}{
		{"single at the limit", "/v1/track", sized(15360), nil, 200, success},
		{"single beyond the limit", "/v1/track", sized(15361), nil, 413, `{"Error":"Request Entity Too Large",` + large + `}`},
		{"batch at the limit", "/v1/batch", batchOf(512000), nil, 200, success},
		{"batch beyond the limit", "/v1/batch", batchOf(512001), nil, 413, `{"Success":false,"Errors":[{"Error":"Bad Request",` + large + `}]}`},
		{"an event at the limit", "/v1/batch", `{"batch":[` + sized(15360) + `]}`, nil, 200, success},
		{"one event beyond the limit", "/v1/batch", `{"batch":[` + sized(15361) + `, ` + sized(100) + `]}`, nil, 207, `{"Success":false,"Errors":[{"Error":"Bad Request",` + large + `,"Index":0}]}`},
		{"every event beyond the limit", "/v1/batch", `{"batch":[` + sized(15361) + `]}`, nil, 413, `{"Success":false,"Errors":[{"Error":"Bad Request",` + large + `,"Index":0}]}`},
		{"webhook with one event beyond the limit", "/v1/w", sized(15361), nil, 413, `{"Error":"Request Entity Too Large",` + large + `}`},
		{"webhook with a batch", "/v1/w", `{"batch":[` + sized(15000) + `,` + sized(15000) + `]}`, nil, 200, success},
		{"a site with higher limits", "/v1/track", sized(32 << 10), wide, 200, success},
		{"an event beyond the higher limit", "/v1/track", sized(32<<10 + 1), wide, 413, `{"Error":"Request Entity Too Large",` + large + `}`},
		{"a batch at the higher limit", "/v1/batch", batchOf(1 << 20), wide, 200, success},
		{"an event beyond the limit of a site, below the limit of others", "/v1/track", sized(20000), &Settings{EventLimit: 16 << 10, BatchLimit: 16 << 10}, 413, `{"Error":"Request Entity Too Large",` + large + `}`},
		{"a batch beyond the limit of a site, below the limit of others", "/v1/batch", batchOf(20000), &Settings{EventLimit: 16 << 10, BatchLimit: 16 << 10}, 413, `{"Success":false,"Errors":[{"Error":"Bad Request",` + large + `}]}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			site := &dialect.Site{Site: query.Site{ID: 1, Name: "shop"}}
			if c.site != nil {
				site.Settings = []any{c.site}
			}
			sites := []*dialect.Site{site}
			if c.name[:2] == "of" || strings.HasPrefix(c.name, "a batch of such") {
				sites = append(sites, &dialect.Site{Site: query.Site{ID: 2, Name: "wide"}, Settings: []any{wide}})
			}
			s := dialecttest.Golden{Dialect: New(sites), Site: site}.Session()
			_, res := s.Do(request(t, "POST", c.path, c.body))
			if res.Status != c.status || string(res.Body) != c.reply {
				t.Errorf("%d %s", res.Status, res.Body)
			}
		})
	}
}

// The limit for the payload of a pixel applies to the JSON, not to its base64.
func TestPixelSizes(t *testing.T) {
	for n, want := range map[int]int{100: 200, 15360: 200, 15361: 413} {
		s := dialecttest.Golden{Dialect: New(nil)}.Session()
		_, res := s.Do(request(t, "GET", "/v1/pixel/track?data="+base64.StdEncoding.EncodeToString([]byte(sized(n))), ""))
		if res.Status != want {
			t.Errorf("%d bytes: %d %s", n, res.Status, res.Body)
		}
	}
}

// Clients write the base64 of a pixel in many variants.
func TestPixelSpellings(t *testing.T) {
	payload := []byte(`{"userId":"u","event":"??>>~~ü","messageId":"m"}`)
	std, uri := base64.StdEncoding.EncodeToString(payload), base64.URLEncoding.EncodeToString(payload)
	if !strings.ContainsAny(std, "+/") {
		t.Fatal("the base64 of the payload has no + or /")
	}
	for _, data := range []string{
		std, uri, strings.TrimRight(std, "="), base64.RawURLEncoding.EncodeToString(payload),
		url.QueryEscape(std), strings.ReplaceAll(std, "+", "%20"), strings.ReplaceAll(std, "=", "%3D"), std + "==",
	} {
		s := dialecttest.Golden{Dialect: New(nil)}.Session()
		events, res := s.Do(request(t, "GET", "/v1/pixel/track?x=1&data="+data, ""))
		if res.Status != 200 || res.ContentType != "image/gif" || len(res.Body) != 43 || !strings.Contains(events, "~~ü") {
			t.Errorf("%s: %d %s %s", data, res.Status, res.Body, events)
		}
	}
}

// Times come in many formats, and sentAt corrects the client's clock.
func TestTimes(t *testing.T) {
	now := dialecttest.Start
	at := func(d time.Duration) int64 { return now.Add(d).UnixMilli() }
	for _, c := range []struct {
		name, fields, batch string
		want                int64
	}{
		{"none", ``, ``, at(0)},
		{"timestamp alone", `"timestamp":"2015-11-10T00:45:23.412Z"`, ``, 1447116323412},
		{"originalTimestamp alone", `"originalTimestamp":"2015-11-10T00:45:23.412Z"`, ``, 1447116323412},
		{"corrected", `"timestamp":"2020-03-02T18:29:27.333Z","sentAt":"2020-03-02T18:29:53.661Z"`, ``, at(-26328 * time.Millisecond)},
		{"originalTimestamp before timestamp", `"originalTimestamp":"2020-03-02T18:29:50.661Z","timestamp":"2020-01-01","sentAt":"2020-03-02T18:29:53.661Z"`, ``, at(-3 * time.Second)},
		{"sentAt of the batch", `"timestamp":"2020-03-02T18:29:50.661Z"`, `"sentAt":"2020-03-02T18:29:53.661Z"`, at(-3 * time.Second)},
		{"the event's own sentAt", `"timestamp":"2020-03-02T18:29:50.661Z","sentAt":"2020-03-02T18:29:51.661Z"`, `"sentAt":"2020-03-02T18:29:53.661Z"`, at(-time.Second)},
		{"timestamp of the batch", ``, `"timestamp":"2026-11-20T11:00:00Z"`, at(-time.Hour)},
		{"timestamp of the event before that of the batch", `"originalTimestamp":"2026-11-20T11:30:00Z"`, `"timestamp":"2026-11-20T11:00:00Z"`, at(-30 * time.Minute)},
		{"sentAt alone", `"sentAt":"2020-03-02T18:29:53.661Z"`, ``, at(0)},
		{"a day ahead", `"timestamp":"2026-11-21T12:00:00Z"`, ``, at(24 * time.Hour)},
		{"over a day ahead", `"timestamp":"2026-11-21T12:00:00.001Z"`, ``, at(0)},
		{"corrected to the future", `"timestamp":"2020-03-05T00:00:00Z","sentAt":"2020-03-02T00:00:00Z"`, ``, at(0)},
		{"before the year 1", `"timestamp":"0001-01-01T00:00:00Z","sentAt":"9999-01-01T00:00:00Z"`, ``, at(0)},
		{"an unreadable time is ignored", `"timestamp":"yesterday","sentAt":7e99`, ``, at(0)},
		{"an old import with a current sentAt", `"timestamp":"2020-01-01T00:00:00Z","sentAt":"2026-11-20T12:00:00Z"`, ``, 1577836800000},
		{"nanoseconds", `"timestamp":"2026-11-20T11:59:59.123456789Z"`, ``, at(-877 * time.Millisecond)},
		{"an offset", `"timestamp":"2026-11-20T12:59:59.123456+01:00"`, ``, at(-877 * time.Millisecond)},
		{"an offset without a colon", `"timestamp":"2026-11-20T07:00:00-0500"`, ``, at(0)},
		{"a space, no zone", `"timestamp":"2026-11-20 11:00:00"`, ``, at(-time.Hour)},
		{"no seconds", `"timestamp":"2026-11-20T11:00Z"`, ``, at(-time.Hour)},
		{"a date", `"timestamp":"2026-11-20"`, ``, at(-12 * time.Hour)},
		{"lower case", `"timestamp":"2026-11-20t11:00:00z"`, ``, at(-time.Hour)},
		{"the last day of a month", `"timestamp":"2024-02-29T00:00:00.000Z"`, ``, 1709164800000},
		{"no such day", `"timestamp":"2023-02-29T00:00:00.000Z"`, ``, at(0)},
		{"seconds", `"timestamp":1700000000`, ``, 1700000000000},
		{"seconds with a fraction", `"timestamp":1700000000.25`, ``, 1700000000250},
		{"milliseconds", `"timestamp":1700000000123`, ``, 1700000000123},
		{"a client's receivedAt", `"receivedAt":"2020-01-01T00:00:00Z"`, ``, at(0)},
	} {
		t.Run(c.name, func(t *testing.T) {
			event := `{"type":"page","userId":"u"`
			if c.fields != "" {
				event += "," + c.fields
			}
			body := `{"batch":[` + event + `}]`
			if c.batch != "" {
				body += "," + c.batch
			}
			s := dialecttest.Golden{Dialect: New(nil)}.Session()
			if _, res := s.Do(request(t, "POST", "/v1/batch", body+"}")); res.Status != 200 {
				t.Fatalf("%d %s", res.Status, res.Body)
			}
			page, err := s.Store.List(t.Context(), query.Query{Limit: 1})
			if err != nil || page.Events[0].Time != c.want {
				t.Errorf("%s, want %s", time.UnixMilli(page.Events[0].Time).UTC(), time.UnixMilli(c.want).UTC())
			}
		})
	}
}

// A body that is small on the wire and large in memory is refused: a batch context that is
// copied to too many events, and too many elements.
func TestInflation(t *testing.T) {
	context := `{"a":"` + strings.Repeat("x", 8000) + `"}`
	tiny := strings.Repeat(`{"type":"page","userId":"u"},`, 5000)
	for _, c := range []struct {
		name, body string
		status     int
	}{
		{"a context for many events", `{"context":` + context + `,"batch":[` + tiny[:len(tiny)-1] + `]}`, 413},
		{"a context for fewer events", `{"context":` + context + `,"batch":[` + tiny[:29*499-1] + `]}`, 200},
		{"more elements than valid events would fit", `{"batch":[` + strings.Repeat("{},", 100) + `{}]}`, 413},
		{"a few empty elements", `{"batch":[` + strings.Repeat("{},", 99) + `{}]}`, 400},
		{"more elements than any batch needs", `{"batch":[` + strings.Repeat("1,", 20000) + `1]}`, 413},
	} {
		s := dialecttest.Golden{Dialect: New(nil)}.Session()
		if _, res := s.Do(request(t, "POST", "/v1/batch", c.body)); res.Status != c.status {
			t.Errorf("%s: %d %.200s", c.name, res.Status, res.Body)
		}
	}
}

// The decoder reuses its memory. This does not change the events of earlier requests, for
// batches of any size.
func TestDecoderReusesMemory(t *testing.T) {
	s := dialecttest.Golden{Dialect: New(nil)}.Session()
	total := 0
	for round := range 20 {
		var list []string
		for i := range 1 + round*7 {
			list = append(list, fmt.Sprintf(`{"type":"page","userId":"u%d-%d","name":"n%d","context":{"page":{"url":"https://x/%d","title":"caf\u00e9 %d"},"screen":{"width":%d,"height":1},"groupId":%d}}`, round, i, i, i, i, i, i))
			total++
		}
		if _, res := s.Do(request(t, "POST", "/v1/batch", `{"context":{"locale":"de"},"batch":[`+strings.Join(list, ",")+`]}`)); res.Status != 200 {
			t.Fatalf("%s", res.Body)
		}
	}
	page, err := s.Store.List(t.Context(), query.Query{Limit: 1000, Ascending: true})
	if err != nil {
		t.Fatal(err)
	}
	round, i, more := 0, 0, page
	for n := 0; n < total; n++ {
		if n%1000 == 0 && n > 0 {
			if more, err = s.Store.List(t.Context(), query.Query{Limit: 1000, Ascending: true, After: more.Next}); err != nil {
				t.Fatal(err)
			}
		}
		e := more.Events[n%1000]
		if e.User != fmt.Sprintf("u%d-%d", round, i) || e.Context.Get("title").Text != fmt.Sprintf("café %d", i) || e.Context.Get("screen").Text != fmt.Sprintf("%dx1", i) ||
			e.Groups[0] != fmt.Sprint(i) || e.Context.Get("language") != event.Str("de") || event.GetPath(e.Extra, "context.page.url").Text != fmt.Sprintf("https://x/%d", i) {
			t.Fatalf("event %d of round %d: %+v", i, round, e)
		}
		if i++; i == 1+round*7 {
			round, i = round+1, 0
		}
	}
}
