package matomo

import (
	"runtime"
	"strings"
	"testing"

	"cairn/engine/event"
	"cairn/http/dialect"
	"cairn/http/dialect/dialecttest"
)

// hitSeeds are queries of real clients, and queries that break parsers.
var hitSeeds = []string{
	"idsite=1&rec=1&url=https://shop.example/a;b=1?utm_campaign=c%23d&urlref=https://www.google.com/&action_name=A%20/%20B&_id=0123456789abcdef&res=1x1&h=1&m=2&s=3&pdf=1&cookie=1&lang=de",
	`idsite=1&rec=1&idgoal=0&ec_id=1&revenue=2.5&ec_items=[["a",["b"],["c","d"],"1.5",2]]&_cvar={"1":["a","b"]}&cvar={"5":["_pkc","[1]"]}`,
	"idsite=1&rec=1&e_c=a&e_a=pay&e_v=1e300&dimension1=&dimension2=x&uid=ada&new_visit=1&cid=0123456789abcdef",
	"idsite=1&rec=1&token_auth=token&cip=::1&cdt=2012-02-10+21:42:07&cdo=9&lat=1e-9&long=2&country=xx",
	"idsite=2&rec=1&recMode=2&bots=1&c_n=a&c_i=b&ping=0&pf_srv=1&gt_ms=2&uadata={}&ua=x",
	"idsite=1&rec=1&search=a&search_count=9999999999999999999&_pkc=[[]]&_pkp=%00&send_image=0&cs=koi8-r&_rcn=%25ff",
	"idsite[]=1&idsite=1.0e0&rec=1&a[b][c]=1&.=1&%=%&&&=", "", "=", "%zz", "idsite=1&rec=1&url=//;=#?", "idsite=1&rec=1&url=x://[::1]:1;a=1",
}

// sound checks that each hit of a request is refused or is an event that the store would
// accept, and that the answer has one of the protocol's codes.
func sound(t *testing.T, req *dialect.Request) {
	var b dialect.Batch
	d := New(Options{})
	var err error
	for range 2 { // the second round reuses memory
		b.Records, b.Partial = b.Records[:0], false
		if err = d.Decode(req, &b); err != nil {
			break
		}
	}
	result := dialect.Result{Records: b.Records, Outcomes: make([]dialect.Outcome, len(b.Records))}
	if err != nil {
		result = dialect.Result{Failure: dialect.BadRequest, Err: err}
	}
	for i := range result.Records {
		r, o := &result.Records[i], &result.Outcomes[i]
		switch {
		case r.Err != nil:
			o.Status, o.Err = event.Rejected, r.Err
		case r.Exclude != "":
			o.Status, o.Reason = event.Excluded, r.Exclude
		default:
			if err := event.Validate(&r.Event); err != nil && !strings.Contains(err.Msg, "an event has at most") {
				t.Fatalf("the store would refuse the event: %v\n%s", err, event.AppendJSON(nil, &r.Event))
			}
		}
	}
	var res dialect.Response
	d.Reply(req, &res, result)
	if res.Status != 200 && res.Status != 204 && res.Status != 400 {
		t.Fatalf("status %d", res.Status)
	}
}

func fuzzRequest(t *testing.T, method, target, body string) *dialect.Request {
	req, err := dialecttest.NewRequest(method, target, map[string]string{"Content-Type": "application/x-www-form-urlencoded"}, []byte(body))
	if err != nil {
		t.Skip(err)
	}
	req.Peer, req.ReceivedUnixMilli, req.Find = dialecttest.Peer, received.UnixMilli(), find
	return req
}

func FuzzQuery(f *testing.F) {
	for _, seed := range hitSeeds {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, query string) { sound(t, fuzzRequest(t, "GET", "/matomo.php?"+query, "")) })
}

func FuzzForm(f *testing.F) {
	for i, seed := range hitSeeds {
		f.Add(hitSeeds[(i+1)%len(hitSeeds)], seed)
	}
	f.Fuzz(func(t *testing.T, query, form string) { sound(t, fuzzRequest(t, "POST", "/matomo.php?"+query, form)) })
}

func FuzzBulk(f *testing.F) {
	for _, seed := range hitSeeds {
		text := string(event.AppendString(nil, "?"+seed))
		f.Add(`{"requests":[` + text + `,null,{"idsite":1,"rec":1,"cvar":{"1":["a",2]}}],"token_auth":"token","send_image":0}`)
	}
	f.Add(`{"requests":[{"idsite":1,"rec":true,"ec_items":[[[[[[[[[]]]]]]]]],"idgoal":0}]}`)
	f.Add(`{"requests":["?`)
	f.Fuzz(func(t *testing.T, body string) { sound(t, fuzzRequest(t, "POST", "/matomo.php", body)) })
}

// Decoding any body of 8 MB takes a bounded amount of memory.
func TestBulkMemory(t *testing.T) {
	const whole = 8 << 20
	fill := func(entry string) string {
		n := (whole - 32) / (len(entry) + 1)
		return `{"requests":[` + strings.TrimSuffix(strings.Repeat(entry+",", n), ",") + `]}`
	}
	for name, body := range map[string]string{
		"hits":             fill(`"?idsite=1&rec=1&url=https://shop.example/` + strings.Repeat("x", 800) + `"`),
		"empty texts":      fill(`""`),
		"nulls":            fill(`null`),
		"empty objects":    fill(`{}`),
		"refused":          fill(`"?a"`),
		"many parameters":  fill(`"?idsite=1&rec=1` + strings.Repeat("&a=", 1<<18) + `"`),
		"custom variables": fill(`{"idsite":1,"rec":1,"cvar":"{` + strings.Repeat(`\"1\":[\"a\",\"b\"],`, 4000) + `\"2\":1}"}`),
		"items":            fill(`{"idsite":1,"rec":1,"idgoal":0,"ec_items":[` + strings.Repeat(`["a"],`, 20_000) + `["b"]]}`),
		"one text":         `{"requests":["?idsite=1&rec=1&action_name=` + strings.Repeat("x", whole-64) + `"]}`,
	} {
		var b dialect.Batch
		req := request(t, "POST", "/matomo.php", body)
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		err := New(Options{}).Decode(req, &b)
		runtime.ReadMemStats(&after)
		if used := (after.TotalAlloc - before.TotalAlloc) >> 20; used > 160 {
			t.Errorf("%s: %d MiB were allocated for %d records (%v)", name, used, len(b.Records), err)
		} else {
			t.Logf("%s: %d MiB for %d records (%v)", name, used, len(b.Records), err)
		}
	}
}
