package openpanel

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"cairn/engine/event"
	"cairn/http/dialect"
	"cairn/http/dialect/dialecttest"
)

var received = time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)

func request(t testing.TB, method, target, body string, header ...string) *dialect.Request {
	t.Helper()
	h := map[string]string{"openpanel-client-id": "id", "openpanel-client-secret": "sec"}
	for i := 0; i < len(header); i += 2 {
		h[header[i]] = header[i+1]
	}
	req, err := dialecttest.NewRequest(method, target, h, []byte(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Peer, req.ReceivedUnixMilli = dialecttest.Peer, received.UnixMilli()
	return req
}

// shown decodes a request to text: each event in its native form, followed by the
// instructions for the engine; or the error.
func shown(t testing.TB, req *dialect.Request) string {
	t.Helper()
	var b dialect.Batch
	if err := New().Decode(req, &b); err != nil {
		var field *event.FieldError
		if !errors.As(err, &field) {
			t.Fatalf("the error is a %T, not a FieldError: %v", err, err)
		}
		if len(b.Records) != 0 {
			t.Errorf("%d records with the error %v", len(b.Records), err)
		}
		return "400 " + err.Error()
	}
	var lines []string
	for i := range b.Records {
		r := &b.Records[i]
		if err := event.Validate(&r.Event); err != nil {
			t.Errorf("the event is not valid: %v", err)
		}
		line := strings.Replace(string(event.AppendJSON(nil, &r.Event)), `"dialect":"openpanel",`, "", 1)
		if r.NeedsSecret {
			line += " secret"
		}
		if r.Claimed.IsValid() {
			line += " " + r.Claimed.String()
		}
		if r.Visit.Always {
			line += " always"
		}
		if r.Visit.Nobody {
			line += " nobody"
		}
		if r.Exclude != "" {
			line += " excluded: " + r.Exclude
		}
		if !r.Visit.Ask || r.Bots != dialect.BotsWithSecret || r.Credential.Kind != dialect.CredentialClient {
			t.Errorf("%+v", r)
		}
		lines = append(lines, line)
	}
	return strings.Join(lines, "\n")
}

func track(payload string) string { return `{"type":"track","payload":` + payload + `}` }

func TestTrack(t *testing.T) {
	long := strings.Repeat("ä", 80)
	for _, c := range []struct{ name, payload, want string }{
		{"the example of the protocol", `{"name":"my_event","properties":{"foo":"bar"}}`,
			`{"type":"track","name":"my_event","properties":{"foo":"bar"}}`},
		{"the example with groups", `{"name":"report_exported","profileId":"user_123","groups":["org_acme"],"properties":{"format":"pdf"}}`,
			`{"type":"track","name":"report_exported","user":"user_123","groups":["org_acme"],"properties":{"format":"pdf"}}`},
		{"types are kept", `{"name":"a","properties":{"n":1.50,"b":true,"x":null,"l":[1,"2"],"o":{"p":{"q":1}}}}`,
			`{"type":"track","name":"a","properties":{"n":1.50,"b":true,"x":null,"l":[1,"2"],"o":{"p":{"q":1}}}}`},
		{"a screen view", `{"name":"screen_view","properties":{"__path":"https://shop.example/a?utm_source=x#top","__referrer":"https://www.google.com/","__title":"A"}}`,
			`{"type":"page","name":"screen_view","context":{"url":"https://shop.example/a?utm_source=x#top","referrer":"https://www.google.com/","title":"A"},"extra":{"referrer_name":"Google","referrer_type":"search"}}`},
		{"a route", `{"name":"screen_view","properties":{"__path":"/settings"}}`,
			`{"type":"page","name":"screen_view","context":{"path":"/settings"}}`},
		{"a referrer of its own host", `{"name":"screen_view","properties":{"__path":"https://www.shop.example/b","__referrer":"https://shop.example/a"}}`,
			`{"type":"page","name":"screen_view","context":{"url":"https://www.shop.example/b"}}`},
		{"a ref in the url", `{"name":"screen_view","properties":{"__path":"https://shop.example/?ref=twitter"}}`,
			`{"type":"page","name":"screen_view","context":{"url":"https://shop.example/?ref=twitter"},"extra":{"referrer_name":"X","referrer_type":"social"}}`},
		{"an unknown ref in the url", `{"name":"screen_view","properties":{"__path":"https://shop.example/?ref=my%20list"}}`,
			`{"type":"page","name":"screen_view","context":{"url":"https://shop.example/?ref=my%20list"},"extra":{"referrer_name":"my list","referrer_type":"unknown"}}`},
		{"old SDKs", `{"name":"screen_view","properties":{"path":"/old","referrer":"https://t.co/x"}}`,
			`{"type":"page","name":"screen_view","properties":{"path":"/old","referrer":"https://t.co/x"},"context":{"path":"/old","referrer":"https://t.co/x"},"extra":{"referrer_name":"X","referrer_type":"social"}}`},
		{"a device", `{"name":"a","properties":{"__deviceId":"  d-1 "}}`, `{"type":"track","name":"a","anonymous":"d-1"}`},
		{"a device of 65 characters", `{"name":"a","properties":{"__deviceId":"` + strings.Repeat("d", 65) + `"}}`, `{"type":"track","name":"a"}`},
		{"a device that is not a string", `{"name":"a","properties":{"__deviceId":7}}`, `{"type":"track","name":"a"}`},
		{"the client describes the device", `{"name":"a","properties":{"__os":"iOS","__osVersion":"17","__browser":"App","__browserVersion":"2","__device":"smartphone","__brand":"Apple","__model":"iPhone"}}`,
			`{"type":"track","name":"a","context":{"os":"iOS","os_version":"17","browser":"App","browser_version":"2","device":"smartphone","brand":"Apple","model":"iPhone"}}`},
		{"properties that only the server sets are dropped", `{"name":"a","properties":{"__bot":1,"__bot_reasons":["x"],"__query":{"a":"b"},"__hash":"h","__version":"1"}}`,
			`{"type":"track","name":"a","properties":{"__version":"1"}}`},
		{"__groups is a plain property", `{"name":"a","properties":{"__groups":["g"]}}`, `{"type":"track","name":"a","properties":{"__groups":["g"]}}`},
		{"an address", `{"name":"a","properties":{"__ip":"198.51.100.9"}}`, `{"type":"track","name":"a"} 198.51.100.9`},
		{"a private address", `{"name":"a","properties":{"__ip":"10.0.0.1"}}`, `{"type":"track","name":"a"}`},
		{"an invalid address", `{"name":"a","properties":{"__ip":"localhost"}}`, `{"type":"track","name":"a"}`},
		{"revenue", `{"name":"revenue","properties":{"__revenue":4200,"sku":"x"}}`,
			`{"type":"track","name":"revenue","value":4200,"properties":{"sku":"x"}} secret`},
		{"revenue with a point", `{"name":"revenue","properties":{"__revenue":4200.0}}`, `{"type":"track","name":"revenue","value":4200} secret`},
		{"no revenue", `{"name":"revenue","properties":{"__revenue":null}}`, `{"type":"track","name":"revenue"}`},
		{"revenue on an event with another name", `{"name":"sale","properties":{"__revenue":1.5}}`, `{"type":"track","name":"sale","extra":{"__revenue":1.5}} secret`},
		{"half a cent", `{"name":"revenue","properties":{"__revenue":0.5}}`, `400 payload.properties.__revenue: must be an integer of minor units, 0 or more`},
		{"revenue below 0", `{"name":"revenue","properties":{"__revenue":-1}}`, `400 payload.properties.__revenue: must be an integer of minor units, 0 or more`},
		{"revenue as a string", `{"name":"revenue","properties":{"__revenue":"1"}}`, `400 payload.properties.__revenue: must be an integer of minor units, 0 or more`},
		{"a time", `{"name":"a","properties":{"__timestamp":"2026-11-20T11:50:00.123Z"}}`, `{"type":"track","name":"a","time":"2026-11-20T11:50:00.123Z"}`},
		{"a time with an offset", `{"name":"a","properties":{"__timestamp":"2026-11-20T13:50:00+02:00"}}`, `{"type":"track","name":"a","time":"2026-11-20T11:50:00.000Z"}`},
		{"a time in milliseconds", `{"name":"a","properties":{"__timestamp":1795175400000}}`, `{"type":"track","name":"a","time":"2026-11-20T11:50:00.000Z"}`},
		{"a minute ahead", `{"name":"a","properties":{"__timestamp":"2026-11-20T12:01:00Z"}}`, `{"type":"track","name":"a","time":"2026-11-20T12:01:00.000Z"}`},
		{"over a minute ahead", `{"name":"a","properties":{"__timestamp":"2026-11-20T12:01:00.001Z"}}`, `{"type":"track","name":"a"}`},
		{"an invalid time", `{"name":"a","properties":{"__timestamp":"yesterday"}}`, `{"type":"track","name":"a"}`},
		{"__identify with an id only", `{"name":"a","properties":{"__identify":{"profileId":"ada"}}}`, `{"type":"track","name":"a","user":"ada"}`},
		{"__identify with an id and a trait", `{"name":"a","profileId":"x","properties":{"__identify":{"profileId":7,"firstName":"Ada"}}}`,
			`{"type":"track","name":"a","user":"7"}` + "\n" + `{"type":"identify","user":"7","properties":{"firstName":"Ada"}}`},
		{"__identify without an id", `{"name":"a","properties":{"__identify":{"firstName":"Ada"}}}`, `{"type":"track","name":"a"}`},
		{"a number as profile", `{"name":"a","profileId":42}`, `{"type":"track","name":"a","user":"42"}`},
		{"no profile", `{"name":"a","profileId":null,"groups":null,"properties":null}`, `{"type":"track","name":"a"}`},
		{"an empty profile", `{"name":"a","profileId":""}`, `{"type":"track","name":"a"}`},
		{"a group twice", `{"name":"a","groups":["g","h","g"]}`, `{"type":"track","name":"a","groups":["g","h"]}`},
		{"unknown keys", `{"name":"a","nonsense":1}`, `{"type":"track","name":"a"}`},
		{"a name of 80 characters", `{"name":"` + long + `"}`, `{"type":"track","name":"` + long + `"}`},
		{"an odd name", `{"name":"50%{off} /x.php ../ ${y}"}`, `{"type":"track","name":"50%{off} /x.php ../ ${y}"}`},

		{"a name of 81 characters", `{"name":"` + long + `x"}`, `400 payload.name: at most 80 characters`},
		{"no name", `{}`, `400 payload.name: required: a string that is not empty`},
		{"an empty name", `{"name":" "}`, `400 payload.name: required: a string that is not empty`},
		{"a name that is a number", `{"name":1}`, `400 payload.name: required: a string that is not empty`},
		{"a name of two lines", `{"name":"a\nb"}`, `400 payload.name: must be one line`},
		{"a reserved name", `{"name":"session_start"}`, `400 payload.name: is reserved`},
		{"another reserved name", `{"name":"session_end"}`, `400 payload.name: is reserved`},
		{"properties as a list", `{"name":"a","properties":[]}`, `400 payload.properties: must be an object`},
		{"a profile that is an object", `{"name":"a","profileId":{}}`, `400 payload.profileId: must be a string or a number`},
		{"groups as a string", `{"name":"a","groups":"g"}`, `400 payload.groups: must be an array of strings`},
		{"an empty group", `{"name":"a","groups":[""]}`, `400 payload.groups: an element must be a string that is not empty`},
		{"a group that is a number", `{"name":"a","groups":[1]}`, `400 payload.groups: an element must be a string that is not empty`},
		{"65 groups", `{"name":"a","groups":["` + strings.Repeat(`x","`, 64) + `y"]}`, `400 payload.groups: at most 64 elements`},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := shown(t, request(t, "POST", "/track", track(c.payload))); got != c.want {
				t.Errorf("%s\n got %s\nwant %s", c.payload, got, c.want)
			}
		})
	}
}

func TestOtherTypes(t *testing.T) {
	const types = "must be one of track, identify, increment, decrement, group, assign_group, alias, replay"
	const chunk = `"chunk_index":0,"events_count":1,"is_full_snapshot":true,"started_at":"2026-11-20T12:00:00Z","ended_at":"2026-11-20T12:00:01Z","payload":"[]"`
	for _, c := range []struct{ name, body, want string }{
		{"the example of identify", `{"type":"identify","payload":{"profileId":"123","firstName":"Joe","lastName":"Doe","email":"joe@doe.com","properties":{"tier":"premium"}}}`,
			`{"type":"identify","user":"123","properties":{"tier":"premium","firstName":"Joe","lastName":"Doe","email":"joe@doe.com"}}`},
		{"unknown keys are properties", `{"type":"identify","payload":{"profileId":"1","company":"Acme","properties":{"company":"Other","a":1}}}`,
			`{"type":"identify","user":"1","properties":{"company":"Acme","a":1}}`},
		{"null stays null", `{"type":"identify","payload":{"profileId":"1","firstName":null,"email":""}}`,
			`{"type":"identify","user":"1","properties":{"firstName":null,"email":""}}`},
		{"__bot is dropped", `{"type":"identify","payload":{"profileId":"1","__bot":1,"properties":{"__bot":1,"__bot_reasons":"x"}}}`, `{"type":"identify","user":"1"}`},
		{"an avatar", `{"type":"identify","payload":{"profileId":"1","avatar":"https://a.example/1.png"}}`, `{"type":"identify","user":"1","properties":{"avatar":"https://a.example/1.png"}}`},
		{"no profile", `{"type":"identify","payload":{"firstName":"Joe"}}`, `400 payload.profileId: required: a string or a number`},
		{"an empty profile", `{"type":"identify","payload":{"profileId":""}}`, `400 payload.profileId: required: a string or a number`},
		{"no email", `{"type":"identify","payload":{"profileId":"1","email":"joe"}}`, `400 payload.email: must be an email address`},
		{"a name and an email", `{"type":"identify","payload":{"profileId":"1","email":"Joe <joe@doe.com>"}}`, `400 payload.email: must be an email address`},
		{"an avatar that is code", `{"type":"identify","payload":{"profileId":"1","avatar":"javascript:alert(1)"}}`, `400 payload.avatar: must be a URL`},
		{"an avatar that is code with a host", `{"type":"identify","payload":{"profileId":"1","avatar":"JavaScript://a.example/%0aalert(1)"}}`, `400 payload.avatar: must be a URL`},
		{"an avatar that is data", `{"type":"identify","payload":{"profileId":"1","avatar":"data:text/html,x"}}`, `400 payload.avatar: must be a URL`},
		{"an avatar of a file", `{"type":"identify","payload":{"profileId":"1","avatar":"file://host/etc/passwd"}}`, `400 payload.avatar: must be a URL`},
		{"an avatar that is not a URL", `{"type":"identify","payload":{"profileId":"1","avatar":"me.png"}}`, `400 payload.avatar: must be a URL`},
		{"a first name that is a number", `{"type":"identify","payload":{"profileId":"1","firstName":1}}`, `400 payload.firstName: must be a string`},

		{"the example of increment", `{"type":"increment","payload":{"profileId":"1","property":"visits","value":1}}`, `{"type":"increment","name":"visits","user":"1","value":1}`},
		{"the example of decrement", `{"type":"decrement","payload":{"profileId":"1","property":"visits","value":1}}`, `{"type":"increment","name":"visits","user":"1","value":-1}`},
		{"by one", `{"type":"decrement","payload":{"profileId":1,"property":"a.b"}}`, `{"type":"increment","name":"a.b","user":"1","value":-1}`},
		{"by a fraction", `{"type":"increment","payload":{"profileId":"1","property":"spent","value":0.10}}`, `{"type":"increment","name":"spent","user":"1","value":0.10}`},
		{"by 0", `{"type":"increment","payload":{"profileId":"1","property":"a","value":0}}`, `400 payload.value: must be a number above 0`},
		{"by a negative number", `{"type":"increment","payload":{"profileId":"1","property":"a","value":-1}}`, `400 payload.value: must be a number above 0`},
		{"by a string", `{"type":"increment","payload":{"profileId":"1","property":"a","value":"1"}}`, `400 payload.value: must be a number above 0`},
		{"by a number out of range", `{"type":"increment","payload":{"profileId":"1","property":"a","value":1e400}}`, `400 payload.value: is a number out of range`},
		{"by the most digits allowed", `{"type":"increment","payload":{"profileId":"1","property":"a","value":0.` + strings.Repeat("1", 63) + `}}`, `{"type":"increment","name":"a","user":"1","value":0.` + strings.Repeat("1", 63) + `}`},
		{"by one digit too many", `{"type":"increment","payload":{"profileId":"1","property":"a","value":0.` + strings.Repeat("1", 64) + `}}`, `400 payload.value: must have at most 64 digits and an exponent from -308 to 308`},
		{"by far too many digits", `{"type":"decrement","payload":{"profileId":"1","property":"a","value":` + strings.Repeat("1", 300) + `}}`, `400 payload.value: must have at most 64 digits and an exponent from -308 to 308`},
		{"by a number with too small an exponent", `{"type":"increment","payload":{"profileId":"1","property":"a","value":1e-309}}`, `400 payload.value: must have at most 64 digits and an exponent from -308 to 308`},
		{"without a property", `{"type":"increment","payload":{"profileId":"1"}}`, `400 payload.property: required: a string that is not empty`},
		{"without a profile", `{"type":"increment","payload":{"property":"a"}}`, `400 payload.profileId: required: a string or a number`},
		{"a property with too many dots", `{"type":"increment","payload":{"profileId":"1","property":"` + strings.Repeat("a.", 17) + `b"}}`, `400 payload.property: at most 16 dots`},

		{"the example of group", `{"type":"group","payload":{"id":"org_acme","type":"company","name":"Acme Inc","properties":{"plan":"enterprise","seats":25}}}`,
			`{"type":"group","groups":["org_acme"],"properties":{"plan":"enterprise","seats":25,"type":"company","name":"Acme Inc"}} nobody`},
		{"a property called name", `{"type":"group","payload":{"id":"g","type":"t","name":"n","properties":{"name":"inner"}}}`,
			`{"type":"group","groups":["g"],"properties":{"name":"n","type":"t"},"extra":{"properties.name":"inner"}} nobody`},
		{"a group without a type", `{"type":"group","payload":{"id":"g","name":"n"}}`, `400 payload.type: required: a string that is not empty`},
		{"a group without a name", `{"type":"group","payload":{"id":"g","type":"t","name":""}}`, `400 payload.name: required: a string that is not empty`},
		{"a group without an id", `{"type":"group","payload":{"id":1,"type":"t","name":"n"}}`, `400 payload.id: required: a string that is not empty`},

		{"the example of assign_group", `{"type":"assign_group","payload":{"profileId":"user_123","groupIds":["org_acme"]}}`, `{"type":"group","user":"user_123","groups":["org_acme"]}`},
		{"the device joins", `{"type":"assign_group","payload":{"groupIds":["a","b","a"]}}`,
			`{"type":"group","groups":["a","b"]} always`},
		{"no groups", `{"type":"assign_group","payload":{"profileId":"1","groupIds":[]}}`, `400 payload.groupIds: required: an array of strings`},
		{"groups that are null", `{"type":"assign_group","payload":{"profileId":"1","groupIds":null}}`, `400 payload.groupIds: required: an array of strings`},
		{"an empty group", `{"type":"assign_group","payload":{"groupIds":["a",""]}}`, `400 payload.groupIds: an element must be a string that is not empty`},

		{"alias", `{"type":"alias","payload":{"profileId":"ada","alias":"lovelace"}}`, `{"type":"alias","user":"ada","previous":"lovelace"} nobody`},
		{"alias without an alias", `{"type":"alias","payload":{"profileId":"ada"}}`, `400 payload.alias: required: a string or a number`},

		{"replay", `{"type":"replay","payload":{` + chunk + `}}`, `{"type":"track","name":"replay"} excluded: replay`},
		{"replay with a session", `{"type":"replay","payload":{"sessionId":"s",` + chunk + `}}`, `{"type":"track","name":"replay"} excluded: replay`},
		{"replay with a long session", `{"type":"replay","payload":{"sessionId":"` + strings.Repeat("s", 65) + `",` + chunk + `}}`, `400 payload.sessionId: must be a string of at most 64 characters`},
		{"a chunk with too large an index", `{"type":"replay","payload":{` + strings.Replace(chunk, ":0", ":65536", 1) + `}}`, `400 payload.chunk_index: must be an integer from 0 to 65535`},
		{"a chunk of no events", `{"type":"replay","payload":{` + strings.Replace(chunk, ":1", ":0", 1) + `}}`, `400 payload.events_count: must be an integer from 1`},
		{"a chunk without a time", `{"type":"replay","payload":{` + strings.Replace(chunk, "2026-11-20T12:00:01Z", "now", 1) + `}}`, `400 payload.ended_at: must be an ISO 8601 time`},
		{"a chunk that is an object", `{"type":"replay","payload":{` + strings.Replace(chunk, `"[]"`, `{}`, 1) + `}}`, `400 payload.payload: must be a string of at most 2 MB`},
		{"a chunk whose is_full_snapshot is a number", `{"type":"replay","payload":{` + strings.Replace(chunk, `true`, `1`, 1) + `}}`, `400 payload.is_full_snapshot: must be true or false`},

		{"an unknown type", `{"type":"revenue","payload":{}}`, `400 type: ` + types},
		{"no type", `{"payload":{}}`, `400 type: ` + types},
		{"a type that is a number", `{"type":1,"payload":{}}`, `400 type: ` + types},
		{"no payload", `{"type":"track"}`, `400 payload: must be an object`},
		{"a payload that is a string", `{"type":"track","payload":"{}"}`, `400 payload: must be an object`},
		{"a list", `[]`, `400 at byte 0: an object is expected`},
		{"an empty body", ``, `400 the body is empty`},
		{"invalid UTF-8", "{\"type\":\"\xff\"}", `400 the body is not valid UTF-8`},
		{"two bodies", `{"type":"alias"}{}`, `400 at byte 16: the end is expected`},
		{"cut off", `{"type":"track","payload":{"name":"a"`, `400 at byte 37: a comma or } is expected`},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := shown(t, request(t, "POST", "/api/track", c.body))
			if strings.HasPrefix(c.want, "400 at byte") && strings.HasPrefix(got, "400 ") {
				return // the parser's message is not part of the protocol
			}
			if strings.HasSuffix(c.want, "out of range") && strings.HasPrefix(got, "400 payload") {
				return
			}
			if got != c.want {
				t.Errorf("%s\n got %s\nwant %s", c.body, got, c.want)
			}
		})
	}
}

func TestLegacyRoutes(t *testing.T) {
	for _, c := range []struct{ path, body, want string }{
		{"/event", `{"name":"a","timestamp":"2026-11-20T11:59:00Z","profileId":"x","properties":{"path":"/p","k":1}}`,
			`{"type":"track","name":"a","time":"2026-11-20T11:59:00.000Z","user":"x","properties":{"path":"/p","k":1},"context":{"path":"/p"}}`},
		{"/api/event", `{"name":"screen_view"}`, `{"type":"page","name":"screen_view"}`},
		{"/event", `{"timestamp":1}`, `400 name: required: a string that is not empty`},
		{"/profile", `{"profileId":"x","firstName":"A","properties":{"k":1}}`, `{"type":"identify","user":"x","properties":{"k":1,"firstName":"A"}}`},
		{"/profile/increment", `{"profileId":"x","property":"n","value":2}`, `{"type":"increment","name":"n","user":"x","value":2}`},
		{"/profile/decrement", `{"profileId":"x","property":"n"}`, `{"type":"increment","name":"n","user":"x","value":-1}`},
		{"/profile/decrement", `{"profileId":"x"}`, `400 property: required: a string that is not empty`},
	} {
		if got := shown(t, request(t, "POST", c.path, c.body)); got != c.want {
			t.Errorf("%s %s\n got %s\nwant %s", c.path, c.body, got, c.want)
		}
	}
}

func TestCredentials(t *testing.T) {
	for _, c := range []struct {
		header     []string
		body       string
		id, secret string
	}{
		{nil, ``, "id", "sec"},
		{[]string{"openpanel-client-id", "", "mixan-client-id", "old"}, ``, "old", "sec"},
		{[]string{"openpanel-client-secret", "", "mixan-client-secret", "olds"}, ``, "id", "olds"},
		{[]string{"mixan-client-id", "old"}, `"clientId":"body",`, "id", "sec"},
		{[]string{"openpanel-client-id", "", "openpanel-client-secret", ""}, `"clientId":"b","clientSecret":"s",`, "b", "s"},
		{[]string{"openpanel-client-id", "", "openpanel-client-secret", ""}, `"clientId":1,`, "", ""},
	} {
		body := strings.Replace(track(`{"name":"a"}`), "{", "{"+c.body, 1)
		var b dialect.Batch
		if err := New().Decode(request(t, "POST", "/track", body, c.header...), &b); err != nil {
			t.Errorf("%s: %v", body, err)
			continue
		}
		if got := b.Records[0].Credential; got.ID != c.id || got.Secret != c.secret {
			t.Errorf("%v %s: %+v", c.header, c.body, got)
		}
	}
}

func TestClaimedAddress(t *testing.T) {
	for _, c := range []struct {
		header []string
		want   string
	}{
		{nil, ""},
		{[]string{"x-client-ip", "198.51.100.1"}, "198.51.100.1"},
		{[]string{"x-client-ip", "198.51.100.1", "openpanel-client-ip", "2001:db8::5"}, "2001:db8::5"},
		{[]string{"x-client-ip", "198.51.100.1", "openpanel-client-ip", "192.168.1.1"}, "198.51.100.1"},
		{[]string{"x-client-ip", "127.0.0.1"}, ""},
		{[]string{"x-client-ip", "::1"}, ""},
		{[]string{"x-client-ip", "::ffff:198.51.100.1"}, "198.51.100.1"},
		{[]string{"x-client-ip", "unknown"}, ""},
		{[]string{"x-forwarded-for", "198.51.100.1", "cf-connecting-ip", "198.51.100.2"}, ""},
	} {
		var want netip.Addr
		if c.want != "" {
			want = netip.MustParseAddr(c.want)
		}
		if got := claimedOf(request(t, "POST", "/track", "", c.header...)); got != want {
			t.Errorf("%v: %v, want %v", c.header, got, want)
		}
	}
}

// With unsafe_revenue a site accepts revenue without a secret.
func TestUnsafeRevenue(t *testing.T) {
	for _, unsafe := range []bool{false, true} {
		req := request(t, "POST", "/track", track(`{"name":"revenue","properties":{"__revenue":1}}`))
		req.Find = func(c dialect.Credential) *dialect.Site {
			if c.ID != "id" {
				t.Errorf("asked for %+v", c)
			}
			return &dialect.Site{Settings: []any{&Settings{UnsafeRevenue: unsafe}}}
		}
		var b dialect.Batch
		if err := New().Decode(req, &b); err != nil || b.Records[0].NeedsSecret == unsafe {
			t.Errorf("unsafe_revenue = %v: %+v %v", unsafe, b.Records, err)
		}
	}
}

func TestReply(t *testing.T) {
	ids := event.Outcome{Device: "d", Session: "s", Live: true}
	stored := func(status event.Status, o event.Outcome) dialect.Result {
		o.Status = status
		return dialect.Result{Outcomes: []dialect.Outcome{{Outcome: o}}, Records: []dialect.Record{{Record: event.Record{Event: event.Event{User: "ada"}}}}}
	}
	bot := stored(event.Excluded, ids)
	bot.Outcomes[0].Bot = "Googlebot"
	rejected := stored(event.Rejected, ids)
	rejected.Outcomes[0].Err = dialect.Refuse("properties", "has at most 256 keys")
	failed := func(f dialect.Failure, err error) dialect.Result { return dialect.Result{Failure: f, Err: err} }
	for _, c := range []struct {
		name, path string
		result     dialect.Result
		want       string
	}{
		{"stored", "/track", stored(event.Stored, ids), `200 {"deviceId":"d","sessionId":"s"}`},
		{"a duplicate", "/track", stored(event.Duplicate, ids), `200 {"deviceId":"d","sessionId":"s","duplicate":true}`},
		{"a replay", "/track", stored(event.Excluded, ids), `200 {"deviceId":"d","sessionId":"s"}`},
		{"a bot", "/track", bot, `202 {"deviceId":"d","sessionId":"s","bot":{"name":"Googlebot","type":"bot"}}`},
		{"opted out", "/track", stored(event.Excluded, event.Outcome{}), `200 {"deviceId":"","sessionId":""}`},
		{"device id", "/track/device-id", stored(event.Excluded, ids), `200 {"deviceId":"d","sessionId":"s","message":"device id and live session"}`},
		{"device id, without a session", "/api/track/device-id", stored(event.Excluded, event.Outcome{Device: "d", Session: "next"}), `200 {"deviceId":"d","sessionId":"","message":"no session is live for this device"}`},
		{"an event on the legacy route", "/event", stored(event.Stored, ids), `202 ok`},
		{"a profile on the legacy route", "/profile", stored(event.Stored, ids), `202 ada`},
		{"an increment on the legacy route", "/profile/increment", stored(event.Stored, ids), `202 ada`},
		{"wrong client", "/track", failed(dialect.Unauthorized, errors.New("this says which")), `401 {"status":401,"error":"Invalid client credentials","message":"check the client id, and the client secret or the site's allowed origins"}`},
		{"bad field", "/track", failed(dialect.BadRequest, dialect.Refuse("payload.name", "at most 80 characters")), `400 {"status":400,"error":"Bad Request","message":"payload.name: at most 80 characters"}`},
		{"rejected by the engine", "/track", rejected, `400 {"status":400,"error":"Bad Request","message":"properties: has at most 256 keys"}`},
		{"too many requests", "/track", failed(dialect.RateLimited, errors.New("too many requests")), `429 {"status":429,"error":"Too Many Requests","message":"too many requests"}`},
		{"busy", "/track", failed(dialect.Busy, errors.New("the queue is full, try again")), `503 {"status":503,"error":"Service Unavailable","message":"the queue is full, try again"}`},
		{"internal error", "/track", failed(dialect.Internal, errors.New("/var/lib is on fire")), `500 {"status":500,"error":"Internal Server Error","message":"Internal Server Error"}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			var res dialect.Response
			New().Reply(request(t, "POST", c.path, ""), &res, c.result)
			if got := fmt.Sprintf("%d %s", res.Status, res.Body); got != c.want {
				t.Errorf("got %s\nwant %s", got, c.want)
			}
		})
	}
}
