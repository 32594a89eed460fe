package oppizi

import (
	"fmt"
	"strings"
	"testing"

	"cairn/engine/event"
	"cairn/engine/query"
	"cairn/http/dialect"
	"cairn/http/dialect/dialecttest"
)

// post returns a POST request with a key that has all rights.
func post(t testing.TB, contentType, body string) *dialect.Request {
	req, err := dialecttest.NewRequest("POST", "/tracking/events",
		map[string]string{"Authorization": "Bearer secret", "Content-Type": contentType}, []byte(body))
	if err != nil {
		t.Fatal(err)
	}
	return req
}

// entries returns a metadata object with n entries.
func entries(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, `,"k%d":%d`, i, i)
	}
	return "{" + strings.TrimPrefix(b.String(), ",") + "}"
}

func elements(n int) string { return "[" + strings.TrimSuffix(strings.Repeat(`"x",`, n), ",") + "]" }

// Each row is a case of the protocol: a body, the status of the answer, and a text that the
// error must contain.
func TestBody(t *testing.T) {
	a, e := strings.Repeat("a", 1000), strings.Repeat("é", 1000)
	smile := strings.Repeat("😀", 1000)
	chars := func(s string, n int) string { return string([]rune(s)[:n]) }
	with := func(metadata string) string { return `{"eventName":"E","value":1,"metadata":` + metadata + `}` }
	for _, c := range []struct {
		name, body string
		status     int
		err        string
	}{
		{"a name and a value", `{"eventName":"E","value":1}`, 201, ""},
		{"no name", `{"value":1}`, 400, "eventName: required"},
		{"name null", `{"eventName":null,"value":1}`, 400, "eventName"},
		{"name a number", `{"eventName":1,"value":1}`, 400, "eventName"},
		{"name empty", `{"eventName":"","value":1}`, 400, "eventName"},
		{"name blank", `{"eventName":" \t\u00a0","value":1}`, 400, "eventName"},
		{"name of control characters only", `{"eventName":"\u0000\u0001","value":1}`, 400, "eventName"},
		{"name with a comma and spaces", `{"eventName":" a, b ","value":1}`, 201, ""},
		{"name of 256 characters of four bytes", `{"eventName":"` + chars(smile, 256) + `","value":1}`, 201, ""},
		{"name of 257 characters", `{"eventName":"` + chars(a, 257) + `","value":1}`, 400, "eventName: at most 256 characters"},
		{"type instead of a name", `{"type":"conversion","value":1}`, 201, ""},
		{"type empty", `{"type":"","value":1}`, 400, "eventName: required"},
		{"type a number", `{"type":1,"value":1}`, 400, "eventName: required"},
		{"type too long", `{"type":"` + chars(a, 257) + `","value":1}`, 400, "type: at most"},

		{"value 0", `{"eventName":"E","value":0}`, 201, ""},
		{"value negative", `{"eventName":"E","value":-3.5}`, 201, ""},
		{"value text", `{"eventName":"E","value":"250"}`, 201, ""},
		{"value text of 256 characters", `{"eventName":"E","value":"` + chars(e, 256) + `"}`, 201, ""},
		{"value text of 257 characters", `{"eventName":"E","value":"` + chars(e, 257) + `"}`, 400, "value: at most 256"},
		{"value a number of 256 characters", `{"eventName":"E","value":0.` + strings.Repeat("1", 254) + `}`, 201, ""},
		{"value a number of 257 characters", `{"eventName":"E","value":0.` + strings.Repeat("1", 255) + `}`, 400, "value: at most 256"},
		{"value missing", `{"eventName":"E"}`, 400, "value: required"},
		{"value null", `{"eventName":"E","value":null}`, 400, "value"},
		{"value true", `{"eventName":"E","value":true}`, 400, "value"},
		{"value empty", `{"eventName":"E","value":""}`, 400, "value"},
		{"value an object", `{"eventName":"E","value":{}}`, 400, "value"},
		{"value an array", `{"eventName":"E","value":[1]}`, 400, "value"},
		{"value not finite", `{"eventName":"E","value":1e400}`, 400, "value"},
		{"value NaN", `{"eventName":"E","value":NaN}`, 400, "value"},
		{"value with a leading zero", `{"eventName":"E","value":0100}`, 400, ""},

		{"metadata null", with(`null`), 201, ""},
		{"metadata empty", with(`{}`), 201, ""},
		{"metadata an array", with(`[]`), 400, "metadata"},
		{"metadata text", with(`"x"`), 400, "metadata"},
		{"metadata a number", with(`1`), 400, "metadata"},
		{"50 entries", with(entries(50)), 201, ""},
		{"51 entries", with(entries(51)), 400, "metadata: at most 50 entries"},
		{"60 entries, 10 distinct keys", with("{" + strings.TrimSuffix(strings.Repeat(strings.Trim(entries(10), "{}")+",", 6), ",") + "}"), 201, ""},
		{"2000 entries", with(entries(2000)), 400, "metadata"},
		{"key empty", with(`{"":1}`), 400, "metadata"},
		{"key of 40 characters", with(`{"` + chars(a, 40) + `":1}`), 201, ""},
		{"key of 40 characters of two bytes", with(`{"` + chars(e, 40) + `":1}`), 201, ""},
		{"key of 40 characters of four bytes", with(`{"` + chars(smile, 40) + `":1}`), 201, ""},
		{"key of 41 characters", with(`{"` + chars(a, 41) + `":1}`), 400, "metadata"},
		{"keys like those of a prototype", with(`{"__proto__":"x","constructor":"y"}`), 201, ""},
		{"entry text empty", with(`{"k":""}`), 201, ""},
		{"entry of 256 characters of four bytes", with(`{"k":"` + chars(smile, 256) + `"}`), 201, ""},
		{"entry of 256 escaped characters", with(`{"k":"` + strings.Repeat(`\ud83d\ude00`, 256) + `"}`), 201, ""},
		{"entry of 256 lone surrogates", with(`{"k":"` + strings.Repeat(`\ud83d`, 256) + `"}`), 201, ""},
		{"entry of 257 characters", with(`{"k":"` + chars(a, 257) + `"}`), 400, "metadata.k: at most 256"},
		{"entry a number, a boolean", with(`{"n":1.5,"b":false}`), 201, ""},
		{"entry a number of 257 characters", with(`{"k":0.` + strings.Repeat("1", 255) + `}`), 400, "metadata.k: at most 256"},
		{"entry null", with(`{"k":null}`), 400, "metadata.k"},
		{"entry an object", with(`{"k":{}}`), 400, "metadata.k"},
		{"array empty", with(`{"k":[]}`), 201, ""},
		{"array of text, numbers, booleans", with(`{"k":["a",1,true]}`), 201, ""},
		{"array of 100", with(`{"k":` + elements(100) + `}`), 201, ""},
		{"array of 101", with(`{"k":` + elements(101) + `}`), 400, "metadata.k: at most 100"},
		{"array with a null", with(`{"k":["a",null]}`), 400, "metadata.k"},
		{"array in an array", with(`{"k":[["a"]]}`), 400, "metadata.k"},
		{"array with an object", with(`{"k":[{}]}`), 400, "metadata.k"},
		{"array with 257 characters", with(`{"k":["a","` + chars(a, 257) + `"]}`), 400, "metadata.k: at most 256"},

		{"optional fields", `{"eventName":"E","value":1,"transactionId":"t","currency":"EUR","userId":"u","campaignId":1,"metricId":"m","coupon":""}`, 201, ""},
		{"userId empty", `{"eventName":"E","value":1,"userId":""}`, 201, ""},
		{"userId of 256 bytes, the canonical limit", `{"eventName":"E","value":1,"userId":"` + chars(e, 128) + `"}`, 201, ""},
		{"userId of 256 characters of two bytes", `{"eventName":"E","value":1,"userId":"` + chars(e, 256) + `"}`, 400, "userId: "},
		{"userId an object", `{"eventName":"E","value":1,"userId":{}}`, 400, "userId"},
		{"coupon true", `{"eventName":"E","value":1,"coupon":true}`, 400, "coupon"},
		{"currency null", `{"eventName":"E","value":1,"currency":null}`, 400, "currency"},
		{"metricId of 256 characters", `{"eventName":"E","value":1,"metricId":"` + chars(e, 256) + `"}`, 201, ""},
		{"transactionId of 257 characters", `{"eventName":"E","value":1,"transactionId":"` + chars(a, 257) + `"}`, 400, "transactionId"},
		{"unknown fields of any type", `{"eventName":"E","value":1,"x":{"y":[null,{"z":"` + a + `"}]}}`, 201, ""},

		{"duplicate keys: the last wins", `{"eventName":"","eventName":"E","value":null,"value":1}`, 201, ""},
		{"empty", ``, 400, "empty"},
		{"white space", ` `, 400, ""},
		{"an array", `[{"eventName":"E","value":1}]`, 400, ""},
		{"text", `"E"`, 400, ""},
		{"cut short", `{"eventName":"E","value":1`, 400, ""},
		{"two objects", `{"eventName":"E","value":1}{}`, 400, ""},
		{"not UTF-8", "{\"eventName\":\"E\xff\",\"value\":1}", 400, "UTF-8"},
		{"a raw control character", "{\"eventName\":\"E\x01\",\"value\":1}", 400, ""},
		{"too deep", `{"eventName":"E","value":1,"x":` + strings.Repeat("[", 200) + strings.Repeat("]", 200) + `}`, 400, ""},
		{"a body of 256 KiB", `{"eventName":"E","value":1}` + strings.Repeat(" ", bodyBytesMax-27), 201, ""},
		{"a body of 256 KiB and one byte", `{"eventName":"E","value":1}` + strings.Repeat(" ", bodyBytesMax-26), 413, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := dialecttest.Golden{Dialect: New()}.Session()
			_, res := s.Do(post(t, "application/json", c.body))
			if res.Status != c.status || !strings.Contains(string(res.Body), c.err) {
				t.Errorf("%d %s, want %d and %q", res.Status, res.Body, c.status, c.err)
			}
			totals, err := s.Store.Count(t.Context(), query.Query{})
			if want := map[bool]uint64{true: 1}[c.status == 201]; err != nil || totals.Events != want {
				t.Errorf("%d events are stored, want %d (%v)", totals.Events, want, err)
			}
		})
	}
}

func TestContentType(t *testing.T) {
	const object, form = `{"eventName":"E","value":1}`, "eventName=E&value=1"
	for _, c := range []struct {
		contentType, body string
		status            int
	}{
		{"", object, 201},
		{"application/json", object, 201},
		{"Application/JSON; charset=UTF-8", object, 201},
		{" application/json ;charset=utf-8", object, 201},
		{"application/x-www-form-urlencoded", form, 201},
		{"", form, 400},
		{"application/x-www-form-urlencoded", object, 400},
		{"text/plain", object, 415},
		{"application/xml", object, 415},
		{"multipart/form-data; boundary=x", form, 415},
		{"application/jsonp", object, 415},
	} {
		_, res := dialecttest.Golden{Dialect: New()}.Session().Do(post(t, c.contentType, c.body))
		if res.Status != c.status {
			t.Errorf("%q with %s: %d %s, want %d", c.contentType, c.body, res.Status, res.Body, c.status)
		}
	}
}

func TestFormJSON(t *testing.T) {
	for _, c := range []struct{ form, want string }{
		{"", ""},
		{"&&", ""},
		{"eventName=a", `{"eventName":"a"}`},
		{"value=1", `{"value":1}`},
		{"value=-1.5e3", `{"value":-1.5e3}`},
		{"value=01", `{"value":"01"}`},
		{"value=-", `{"value":"-"}`},
		{"value=1.", `{"value":"1."}`},
		{"value=1e", `{"value":"1e"}`},
		{"value=1e%2B5", `{"value":1e+5}`},
		{"value=+1", `{"value":" 1"}`},
		{"value=0x10", `{"value":"0x10"}`},
		{"value=", `{"value":""}`},
		{"coupon=12", `{"coupon":"12"}`},
		{"metadata[a]=1", `{"metadata":{"a":"1"}}`},
		{"metadata.a.b=1", `{"metadata":{"a.b":"1"}}`},
		{"metadata[a]=1&metadata.a=2", `{"metadata":{"a":["1","2"]}}`},
		{"metadata[a][]=1", `{"metadata":{"a":["1"]}}`},
		{"metadata[]=1", `{"metadata":{"":["1"]}}`},
		{"metadata.=1", `{"metadata":{"":"1"}}`},
		{"metadata%5Ba%5D=%22", `{"metadata":{"a":"\""}}`},
		{"metadata=x", `{"metadata":"x"}`},
		{"metadataX=x&metadata[a=x", `{"metadataX":"x","metadata[a":"x"}`},
	} {
		got, err := formJSON([]byte(c.form))
		if err != nil || string(got) != c.want {
			t.Errorf("%q becomes %s (%v), want %s", c.form, got, err, c.want)
		}
	}
}

// Two equal bodies make two events, because the protocol has no message id.
func TestNoDeduplication(t *testing.T) {
	s := dialecttest.Golden{Dialect: New()}.Session()
	for range 2 {
		s.Do(post(t, "", `{"eventName":"E","value":1}`))
	}
	if totals, _ := s.Store.Count(t.Context(), query.Query{}); totals.Events != 2 {
		t.Errorf("%d events, want 2", totals.Events)
	}
}

// A refused request does not change the batch, and does not affect later requests.
func TestRefusalKeepsBatch(t *testing.T) {
	var b dialect.Batch
	d := New()
	for _, c := range []struct {
		body string
		want int
	}{
		{`{"eventName":"A","value":1,"metadata":{"k":["x"]}}`, 1},
		{`{"eventName":"B","value":true}`, 1},
		{`{"eventName":"C"`, 1},
		{`{"eventName":"D","value":"\u00e9"}`, 2},
	} {
		_ = d.Decode(post(t, "", c.body), &b)
		if len(b.Records) != c.want {
			t.Errorf("after %s the batch holds %d records, want %d", c.body, len(b.Records), c.want)
		}
	}
	if name := b.Records[1].Event.Name; name != "D" {
		t.Errorf("the last event is %q", name)
	}
}

// Decode fills the record: the event from the body and the source from the request.
func TestDecodeEvent(t *testing.T) {
	var b dialect.Batch
	req, _ := dialecttest.NewRequest("POST", "/tracking/events", map[string]string{
		"User-Agent": "curl/8", "Accept-Language": "de", "Sec-CH-UA-Mobile": "?0",
	}, []byte(`{"eventName":"E","value":1}`))
	req.Peer = dialecttest.Peer
	if err := New().Decode(req, &b); err != nil {
		t.Fatal(err)
	}
	r := b.Records[0]
	if r.Event.Dialect != event.Oppizi || r.Event.Type != event.Track || r.Event.Time != 0 || r.Event.MessageID != "" {
		t.Errorf("the event is %+v", r.Event)
	}
	if r.Source.IP != dialecttest.Peer || r.Source.UserAgent != "curl/8" || r.Source.AcceptLanguage != "de" || r.Source.Hints["sec-ch-ua-mobile"] != "?0" {
		t.Errorf("the source is %+v", r.Source)
	}
}
