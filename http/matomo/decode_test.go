package matomo

import (
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"cairn/engine/event"
	"cairn/engine/query"
	"cairn/http/dialect"
	"cairn/http/dialect/dialecttest"
)

var received = time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)

// shop is site 1, the usual site of these tests. Its token is "token".
var shop = &dialect.Site{Site: query.Site{ID: 1, Name: "shop"}, Settings: []any{&Compiled{
	Settings: Settings{CDTWindow: dialect.Duration(6 * time.Hour), Dimensions: []int{1, 2, 12}},
	hosts:    []string{"shop.example"}, search: []string{"q", "query"},
	goals: []goal{
		{Goal: Goal{ID: 1, Name: "signup", Revenue: 9.5}},
		{Goal: Goal{ID: 2, Name: "thanks", AllowMultiple: true}, match: goalURL, reached: contains("/thanks")},
		{Goal: Goal{ID: 3, Name: "paid", EventValue: true}, match: goalEventAction, reached: contains("pay")},
		{Goal: Goal{ID: 4, Name: "paper"}, match: goalFile, reached: contains(".pdf")},
		{Goal: Goal{ID: 5, Name: "partner"}, match: goalOutlink, reached: contains("partner.example")},
		{Goal: Goal{ID: 6, Name: "help"}, match: goalTitle, reached: contains("Help/")},
	},
}}}

// lasting is site 2. It has a goal for long visits and keeps the fragment of a url.
var lasting = &dialect.Site{Site: query.Site{ID: 2, Name: "lasting"}, Settings: []any{&Compiled{
	Settings: Settings{KeepFragment: true, OnlyHosts: true},
	hosts:    []string{"shop.example"}, spam: []string{"spam.example"},
	goals: []goal{{Goal: Goal{ID: 1, Name: "stayed"}, match: goalDuration, minutes: 2.5}},
}}}

func contains(part string) func(string) bool {
	return func(s string) bool { return strings.Contains(s, part) }
}

func find(c dialect.Credential) *dialect.Site {
	if c.Kind != dialect.CredentialSiteID || c.Secret != "" && c.Secret != "token" {
		return nil
	}
	return map[string]*dialect.Site{"": shop, "1": shop, "2": lasting}[c.ID]
}

func request(t testing.TB, method, target, body string, header ...string) *dialect.Request {
	t.Helper()
	h := map[string]string{}
	for i := 0; i < len(header); i += 2 {
		h[header[i]] = header[i+1]
	}
	req, err := dialecttest.NewRequest(method, target, h, []byte(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Peer, req.ReceivedUnixMilli, req.Find = dialecttest.Peer, received.UnixMilli(), find
	return req
}

// shown decodes a request to text: each event in its native form without its dialect,
// followed by the instructions for the server and the engine.
func shown(t testing.TB, req *dialect.Request) string {
	t.Helper()
	var b dialect.Batch
	if err := New(Options{}).Decode(req, &b); err != nil {
		return "error: " + err.Error()
	}
	var lines []string
	for i := range b.Records {
		r := &b.Records[i]
		if r.Err != nil {
			lines = append(lines, fmt.Sprintf("refused %d: %v", r.Err.Index, r.Err))
			continue
		}
		if r.Exclude != "" {
			lines = append(lines, "excluded: "+r.Exclude)
			continue
		}
		if err := event.Validate(&r.Event); err != nil {
			t.Errorf("the event is not valid: %v", err)
		}
		line := strings.Replace(string(event.AppendJSON(nil, &r.Event)), `"dialect":"matomo",`, "", 1)
		if !json.Valid([]byte(line)) {
			t.Errorf("the event is not JSON: %s", line)
		}
		if h := r.Hit; h == nil {
			line += " no visit"
		} else {
			for _, asks := range []struct {
				what string
				yes  bool
			}{{"new", h.New}, {"id only", h.IDOnly}, {"ping", h.Ping}, {"once", h.Once}, {"order", h.Order}, {fmt.Sprint("after ", h.After), h.After != 0}} {
				if asks.yes {
					line += " " + asks.what
				}
			}
		}
		switch r.Bots {
		case dialect.BotsKept:
			line += " bots too"
		case dialect.BotsOnly:
			line += " bots only"
		}
		lines = append(lines, line)
	}
	return strings.Join(lines, "\n")
}

// Each row is a parameter of the protocol and the events of a hit with it. The page is always /p.
func TestParameters(t *testing.T) {
	const page = `{"type":"page","name":"/p","context":{"url":"https://shop.example/p"}}`
	extra := func(members string) string { return page[:len(page)-1] + `,"extra":{` + members + `}}` }
	context := func(members string) string { return page[:len(page)-2] + `,` + members + `}}` }
	for _, c := range []struct{ query, want string }{
		{"", page},
		// Required.
		{"action_name=Help+/+Feedback%0A", "{\"type\":\"page\",\"name\":\"Help/Feedback\",\"context\":{\"url\":\"https://shop.example/p\",\"title\":\"Help/Feedback\"}}\n{\"type\":\"goal\",\"name\":\"help\",\"value\":0,\"properties\":{\"goal_id\":6},\"context\":{\"url\":\"https://shop.example/p\",\"title\":\"Help/Feedback\"}} once"},
		{"action_name=/a//b/", `{"type":"page","name":"a/b","context":{"url":"https://shop.example/p","title":"a/b"}}`},
		{"action_name=%3Cb%3E+%26amp;+%22x%22", `{"type":"page","name":"\u003cb\u003e \u0026amp; \"x\"","context":{"url":"https://shop.example/p","title":"\u003cb\u003e \u0026amp; \"x\""}}`},
		{"_id=AF344a398df83874ff", `{"type":"page","name":"/p","anonymous":"af344a398df83874","context":{"url":"https://shop.example/p"}}`},
		{"_id=af344a39", page},
		{"_id=zf344a398df83874", page},
		{"rand=1&r=2&apiv=1&unknown[x]=3&queuedtracking=0&dp=0&data=x&e_cvar=x&_idn=1&debug=1", page},
		{"bots=1", page + " bots too"},
		{"new_visit=1", page + " new"},
		{"new_visit=0", page},
		{"ping=1&dimension1=a", `{"type":"track","properties":{"dimension1":"a"},"context":{"url":"https://shop.example/p"}} ping`},
		{"idgoal=1&dimension1=a", `{"type":"goal","name":"signup","value":9.5,"properties":{"goal_id":1,"dimension1":"a"},"context":{"url":"https://shop.example/p"}} once`},
		{"idgoal=0&dimension1=a", `{"type":"cart","value":0,"properties":{"dimension1":"a"},"context":{"url":"https://shop.example/p"}}`},
		{"ping=1&idgoal=1&e_c=a&e_a=b", `{"type":"track","context":{"url":"https://shop.example/p"}} ping`},
		{"rec=0", "excluded: rec"},
		{"ca=1", "excluded: custom action"},
		{"ca=1&e_c=a&e_a=b", `{"type":"track","name":"b","properties":{"category":"a","action":"b"},"context":{"url":"https://shop.example/p"}}`},
		{"recMode=1&http_status=200&bw_bytes=1234&pf_srv=56&source=proxy&_id=af344a398df83874&new_visit=1", `{"type":"page","name":"/p","context":{"url":"https://shop.example/p"},"counted":false,"extra":{"http_status":200,"bw_bytes":1234,"pf_srv":56,"source":"proxy"}} no visit bots only`},
		{"recMode=2&action_name=a", "{\"type\":\"page\",\"name\":\"a\",\"context\":{\"url\":\"https://shop.example/p\",\"title\":\"a\"}}\n{\"type\":\"page\",\"name\":\"a\",\"context\":{\"url\":\"https://shop.example/p\",\"title\":\"a\"},\"counted\":false} no visit bots only"},
		// The visitor.
		{"urlref=https://elsewhere.example/a%0Ab?c%23d", context(`"referrer":"https://elsewhere.example/ab?c#d"`)},
		{"urlref=https://www.shop.example/a", extra(`"urlref":"https://www.shop.example/a"`)},
		{"urlref=none", context(`"referrer":"none"`)},
		{`_cvar={"1":["OS","iphone 5.0"],"2":["Locale",5],"6":["a","b"],"3":["x"],"x":["a","b"],"4":7}`, `{"type":"page","name":"/p","properties":{"_cvar":{"OS":"iphone 5.0","Locale":"5"}},"context":{"url":"https://shop.example/p"}}`},
		{`_cvar={"1":`, page},
		{`_cvar=[]`, page},
		{"_idvc=19&_viewts=1700000000&_idts=1600000000&_ects=1650000000", extra(`"_idvc":19,"_viewts":1700000000,"_idts":1600000000,"_ects":1650000000`)},
		{"_rcn=Spring%2520Sale&_rck=+Tea&_ref=https://a.example/&_refts=1700000000", extra(`"_rcn":"Spring Sale","_rck":"Tea","_ref":"https://a.example/","_refts":1700000000`)},
		{"res=1280x1024x", context(`"screen":"1280x1024"`)},
		{"res=unknown", page},
		{"h=18&m=7&s=3", extra(`"local_time":"18:07:03"`)},
		{"h=25&m=-1&s=x", extra(`"local_time":"00:00:00"`)},
		{"dir=1&gears=1&fla=1&ag=0", extra(`"plugins":"fla,dir,gears"`)},
		{"fla=1&java=0&qt=1&realp=&pdf=1&wma=true&ag=1&cookie=1", extra(`"plugins":"fla,qt,pdf,ag","cookie":1`)},
		{"uid=+ada@x.example+", `{"type":"page","name":"/p","user":"ada@x.example","context":{"url":"https://shop.example/p"}}`},
		{"uid=" + strings.Repeat("ü", 300), `{"type":"page","name":"/p","user":"` + strings.Repeat("ü", 128) + `","context":{"url":"https://shop.example/p"}}`},
		{"cid=AF344a398df83874&_id=bbbbbbbbbbbbbbbb", `{"type":"page","name":"/p","anonymous":"af344a398df83874","context":{"url":"https://shop.example/p"}} id only`},
		{"cid=af344a398df83874&uid=ada", `{"type":"page","name":"/p","user":"ada","anonymous":"af344a398df83874","context":{"url":"https://shop.example/p"}}`},
		{"cid=zf344a398df83874", page},
		{"cid=af344a398df8387", "refused -1: cid: must be 16 hexadecimal digits"},
		{"dimension1=+a+&dimension2=&dimension3=c&dimension12=d&dimension1234=e", `{"type":"page","name":"/p","properties":{"dimension1":"a","dimension2":null,"dimension12":"d"},"context":{"url":"https://shop.example/p"}}`},
		// Actions.
		{`cvar={"1":["a","b"],"5":["_pkc","tea"],"2":["_pkp","5.129"]}`, `{"type":"page","name":"/p","properties":{"cvar":{"a":"b","_pkc":"tea","_pkp":"5.129"},"product_price":5.13,"product_category":"tea"},"context":{"url":"https://shop.example/p"}}`},
		{"link=https://a.example/b?c%23d&action_name=x", `{"type":"outlink","name":"https://a.example/b?c#d","context":{"url":"https://shop.example/p","title":"x"}}`},
		{"link=https://partner.example/", "{\"type\":\"outlink\",\"name\":\"https://partner.example/\",\"context\":{\"url\":\"https://shop.example/p\"}}\n{\"type\":\"goal\",\"name\":\"partner\",\"value\":0,\"properties\":{\"goal_id\":5},\"context\":{\"url\":\"https://shop.example/p\"}} once"},
		{"download=https://a.example/b.pdf&link=https://a.example/", "{\"type\":\"download\",\"name\":\"https://a.example/b.pdf\",\"context\":{\"url\":\"https://shop.example/p\"}}\n{\"type\":\"goal\",\"name\":\"paper\",\"value\":0,\"properties\":{\"goal_id\":4},\"context\":{\"url\":\"https://shop.example/p\"}} once"},
		{"search=+tea+&search_cat=green&search_count=0", `{"type":"search","name":"tea","properties":{"category":"green","count":0},"context":{"url":"https://shop.example/p"}}`},
		{"search=tea&search_count=-1", `{"type":"search","name":"tea","context":{"url":"https://shop.example/p"}}`},
		{"idgoal=1", `{"type":"goal","name":"signup","value":9.5,"properties":{"goal_id":1},"context":{"url":"https://shop.example/p"}} once`},
		{"idgoal=2&revenue=7.555&_rcn=x&download=https://a.example/b.pdf", `{"type":"goal","name":"thanks","value":7.56,"properties":{"goal_id":2},"context":{"url":"https://shop.example/p"},"extra":{"_rcn":"x"}}`},
		{"idgoal=1&_idts=1600000000&pv_id=abcdef&h=1&m=2&s=3&fla=1&gears=1&bw_bytes=9&_rcn=x", `{"type":"goal","name":"signup","value":9.5,"properties":{"goal_id":1},"context":{"url":"https://shop.example/p"},"extra":{"_rcn":"x","local_time":"01:02:03","plugins":"fla,gears","pv_id":"abcdef","bw_bytes":9,"_idts":1600000000}} once`},
		{"idgoal=99", "refused -1: idgoal: the site has no such goal"},
		{"idgoal=x", page},
		{"idgoal=-3", page},
		{"gt_ms=120", extra(`"pf_srv":120`)},
		{"gt_ms=120&pf_srv=5&pf_net=0&pf_tfr=2&pf_dm1=3&pf_dm2=4&pf_onl=16777215", extra(`"pf_net":0,"pf_srv":5,"pf_tfr":2,"pf_dm1":3,"pf_dm2":4,"pf_onl":16777215`)},
		{"pf_onl=16777216&pf_net=-1&pf_dm1=x", page},
		{"pf_net=-5", "refused -1: pf_net: must not be negative"},
		{"pf_net=-5&download=https://a.example/b", `{"type":"download","name":"https://a.example/b","context":{"url":"https://shop.example/p"}}`},
		{"pv_id=abcdefgh", extra(`"pv_id":"abcdef"`)},
		{"bw_bytes=120", extra(`"bw_bytes":120`)},
		// Events and contents.
		{"e_c=Videos&e_a=+Play&e_n=Big+Buck+Bunny&e_v=1.50", `{"type":"track","name":"Play","value":1.5,"properties":{"category":"Videos","action":"Play","label":"Big Buck Bunny"},"context":{"url":"https://shop.example/p"}}`},
		{"e_c=a&e_a=b&e_v=much", `{"type":"track","name":"b","properties":{"category":"a","action":"b"},"context":{"url":"https://shop.example/p"}}`},
		{"e_c=a&e_a=b&e_v=1,5", `{"type":"track","name":"b","properties":{"category":"a","action":"b"},"context":{"url":"https://shop.example/p"}}`},
		{"e_c=shop&e_a=pay&e_v=12.345", "{\"type\":\"track\",\"name\":\"pay\",\"value\":12.345,\"properties\":{\"category\":\"shop\",\"action\":\"pay\"},\"context\":{\"url\":\"https://shop.example/p\"}}\n{\"type\":\"goal\",\"name\":\"paid\",\"value\":12.35,\"properties\":{\"goal_id\":3},\"context\":{\"url\":\"https://shop.example/p\"}} once"},
		{"e_c=a", page},
		{"e_a=b", page},
		{"e_c=+&e_a=b", "refused -1: e_c: must not be blank"},
		{"e_c=a&e_a=+", "refused -1: e_a: must not be blank"},
		{"c_n=Ad&c_p=a.png&c_t=https://a.example/", `{"type":"content","name":"Ad","properties":{"piece":"a.png","target":"https://a.example/"},"context":{"url":"https://shop.example/p"}}`},
		{"c_n=Ad&c_i=click", `{"type":"content","name":"Ad","properties":{"interaction":"click"},"context":{"url":"https://shop.example/p"}}`},
		{"c_n=+", "refused -1: c_n: must not be blank"},
		{"c_p=a.png", page},
		{"c_n=Ad&e_c=a&e_a=b", `{"type":"track","name":"b","properties":{"category":"a","action":"b"},"context":{"url":"https://shop.example/p"}}`},
		{`_pks=SKU&_pkn=Name&_pkp=9.9&_pkc=["A","B"]`, `{"type":"page","name":"/p","properties":{"product_sku":"SKU","product_name":"Name","product_price":9.9,"product_category":["A","B"]},"context":{"url":"https://shop.example/p"}}`},
		{`_pkc=["","A"]`, `{"type":"page","name":"/p","properties":{"product_category":"A"},"context":{"url":"https://shop.example/p"}}`},
		{`_pkc=A`, `{"type":"page","name":"/p","properties":{"product_category":"A"},"context":{"url":"https://shop.example/p"}}`},
		// Shopping.
		{`idgoal=0&ec_id=O-1&revenue=25&ec_st=19.8&ec_tx=1&ec_sh=4&ec_dt=false&ec_items=[["SKU","Name",["A","B"],9.9,2]]`,
			`{"type":"order","name":"O-1","value":25,"properties":{"order_id":"O-1","subtotal":19.8,"tax":1,"shipping":4,"items":[{"sku":"SKU","name":"Name","category":["A","B"],"price":9.9,"quantity":2}]},"context":{"url":"https://shop.example/p"}} order`},
		{`idgoal=0&ec_items=[["a","n","c","10.129","x"],["","n"],["b"],[["c","d"],"%26quot;n%26quot;",[],"y",0],7,[]]`,
			`{"type":"cart","value":0,"properties":{"items":[{"sku":"a","name":"n","category":"c","price":10.13,"quantity":1},{"sku":"b","price":0,"quantity":1},{"sku":"c,d","name":"\"n\"","price":0,"quantity":1}]},"context":{"url":"https://shop.example/p"}}`},
		{`idgoal=0&ec_items=[["a","","",1,2],["a","","",1,3]]&ec_st=5&revenue=5`, `{"type":"cart","value":5,"properties":{"items":[{"sku":"a","price":1,"quantity":2},{"sku":"a","price":1,"quantity":3}]},"context":{"url":"https://shop.example/p"}}`},
		{`idgoal=0&ec_items=[["a","","",1e99,1e99]]`, `{"type":"cart","value":0,"properties":{"items":[{"sku":"a","price":1e+99,"quantity":1}]},"context":{"url":"https://shop.example/p"}}`},
		{`idgoal=0&ec_items={"0":["a"]}`, `{"type":"cart","value":0,"properties":{"items":[{"sku":"a","price":0,"quantity":1}]},"context":{"url":"https://shop.example/p"}}`},
		{"idgoal=0&ec_items=45", "excluded: ec_items"},
		{"idgoal=0&ec_items=[", `{"type":"cart","value":0,"context":{"url":"https://shop.example/p"}}`},
		{"idgoal=0&ec_id=+", `{"type":"cart","value":0,"context":{"url":"https://shop.example/p"}}`},
		// With a token.
		{"country=fr", "refused -1: country: needs a valid token_auth"},
		{"region=A1&token_auth=nope", "refused -1: region: needs a valid token_auth"},
		{"city=Paris", "refused -1: city: needs a valid token_auth"},
		{"lat=1", "refused -1: lat: needs a valid token_auth"},
		{"long=1", "refused -1: long: needs a valid token_auth"},
		{"cip=1.2.3.4", "refused -1: cip: needs a valid token_auth"},
		{"country=&region=&city=&lat=&long=&cip=&cdt=", page},
		{"country=fr&region=A1&city=Paris&lat=48.85&long=2.35&token_auth=token", context(`"country":"FR","region":"A1","city":"Paris","latitude":48.85,"longitude":2.35`)},
		{"lat=91&long=2&country=france&token_auth=token", context(`"country":"FRA"`)},
		{"cdt=2026-11-20+08:00:00", `{"type":"page","name":"/p","time":"2026-11-20T08:00:00.000Z","context":{"url":"https://shop.example/p"}}`},
		{"cdt=1795168800", `{"type":"page","name":"/p","time":"2026-11-20T10:00:00.000Z","context":{"url":"https://shop.example/p"}}`},
		{"cdt=2026-11-20T09:00:00.500Z", `{"type":"page","name":"/p","time":"2026-11-20T09:00:00.500Z","context":{"url":"https://shop.example/p"}}`},
		{"cdt=2026-11-20T12:00:00%2B02:00", `{"type":"page","name":"/p","time":"2026-11-20T10:00:00.000Z","context":{"url":"https://shop.example/p"}}`},
		{"cdo=3600", `{"type":"page","name":"/p","time":"2026-11-20T11:00:00.000Z","context":{"url":"https://shop.example/p"}}`},
		{"cdt=1795168800&cdo=60", `{"type":"page","name":"/p","time":"2026-11-20T09:59:00.000Z","context":{"url":"https://shop.example/p"}}`},
		{"cdt=2026-11-20+06:00:00", "refused -1: cdt: so old a hit needs a valid token_auth"},
		{"cdt=2026-11-20+06:00:01", `{"type":"page","name":"/p","time":"2026-11-20T06:00:01.000Z","context":{"url":"https://shop.example/p"}}`},
		{"cdo=90000", "refused -1: cdt: so old a hit needs a valid token_auth"},
		{"cdt=2012-02-10+21:42:07&token_auth=token", `{"type":"page","name":"/p","time":"2012-02-10T21:42:07.000Z","context":{"url":"https://shop.example/p"}}`},
		{"cdt=2030-01-01", page},
		{"cdt=1999-01-01", page},
		{"cdt=yesterday-ish", page},
	} {
		query := "/matomo.php?idsite=1&rec=1&url=https://shop.example/p&" + c.query
		if got := shown(t, request(t, "GET", query, "")); got != c.want {
			t.Errorf("%s\n got %s\nwant %s", c.query, got, c.want)
		}
	}
}

// The tests of this file use every parameter of the protocol.
func TestEveryParameterIsTested(t *testing.T) {
	text, err := os.ReadFile("decode_test.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range paramNames {
		if name != "" && !regexp.MustCompile(`[^a-z_]`+regexp.QuoteMeta(name)+`=`).Match(text) {
			t.Errorf("no test uses %s", name)
		}
	}
}

// Urls are cleaned, and their parts end up in the event.
func TestURLs(t *testing.T) {
	for _, c := range []struct{ url, more, want string }{
		{"", "", `{"type":"page"}`},
		{"/just/a/path", "", `{"type":"page"}`},
		{"javascript://alert", "", `{"type":"page"}`},
		{"data://x", "", `{"type":"page"}`},
		{"https://", "", `{"type":"page"}`},
		{"app-x://window/settings ", "", `{"type":"page","name":"/settings","context":{"url":"app-x://window/settings"}}`},
		{"//Shop.Example/A?b=c", "", `{"type":"page","name":"/A","context":{"url":"//shop.example/A?b=c"}}`},
		{"https://u:p@Shop.EXAMPLE:8443", "", `{"type":"page","name":"/","context":{"url":"https://shop.example:8443"}}`},
		{"https://shop.example/a\r\nb\x00c#top", "", `{"type":"page","name":"/abc","context":{"url":"https://shop.example/abc"}}`},
		{"https://shop.example/a;b=1;c=2", "", `{"type":"page","name":"/a","context":{"url":"https://shop.example/a?b=1\u0026c=2"}}`},
		{"https://shop.example/a;b=1?c=2", "", `{"type":"page","name":"/a","context":{"url":"https://shop.example/a?b=1\u0026c=2"}}`},
		{"https://shop.example/a?GCLID=1&b=2&PHPSESSID=3&fbclid=4&sid=5&&pk_vid=6", "", `{"type":"page","name":"/a","context":{"url":"https://shop.example/a?b=2","click_id":"gclid"}}`},
		{"https://shop.example/" + strings.Repeat("x", 2000), "action_name=t", `{"type":"page","name":"t","context":{"url":"https://shop.example/` + strings.Repeat("x", 1003) + `","title":"t"}}`},
		{"https://shop.example/thanks?x", "", "{\"type\":\"page\",\"name\":\"/thanks\",\"context\":{\"url\":\"https://shop.example/thanks?x\"}}\n{\"type\":\"goal\",\"name\":\"thanks\",\"value\":0,\"properties\":{\"goal_id\":2},\"context\":{\"url\":\"https://shop.example/thanks?x\"}}"},
		{"https://shop.example/?utm_campaign=Spring&utm_source=News&utm_medium=Mail&utm_term=Tea&utm_content=x", "", `{"type":"page","name":"/","context":{"url":"https://shop.example/","utm_campaign":"Spring","utm_term":"Tea","utm_source":"News","utm_medium":"Mail","utm_content":"x"}}`},
		{"https://shop.example/?utm_campaign=a&pk_campaign=B&pk_kwd=C", "", `{"type":"page","name":"/","context":{"url":"https://shop.example/","utm_campaign":"B","utm_term":"C"}}`},
		{"https://shop.example/?utm_source=News", "", `{"type":"page","name":"/","context":{"url":"https://shop.example/","utm_source":"News"}}`},
		{"https://shop.example/?utm_medium=Mail", "", `{"type":"page","name":"/","context":{"url":"https://shop.example/","utm_medium":"Mail"}}`},
		{"https://shop.example/#/a?mtm_campaign=X", "", `{"type":"page","name":"/","context":{"url":"https://shop.example/","utm_campaign":"X"}}`},
		{"https://shop.example/", "mtm_campaign=Y&mtm_kwd=z", `{"type":"page","name":"/","context":{"url":"https://shop.example/","utm_campaign":"Y","utm_term":"z"}}`},
		{"https://shop.example/?mtm_campaign=X", "mtm_campaign=Y", `{"type":"page","name":"/","context":{"url":"https://shop.example/","utm_campaign":"X"}}`},
		{"https://shop.example/?ignore_referrer=1", "urlref=https://a.example/", `{"type":"page","name":"/","context":{"url":"https://shop.example/"},"extra":{"urlref":"https://a.example/"}}`},
		{"https://shop.example/s?q=green+tea&search_count=3", "", `{"type":"search","name":"green tea","properties":{"count":3},"context":{"url":"https://shop.example/s?q=green+tea\u0026search_count=3"}}`},
		{"https://shop.example/s?query=b&q=a", "search=c", `{"type":"search","name":"c","context":{"url":"https://shop.example/s?query=b\u0026q=a"}}`},
		{"https://shop.example/s?q=a", "ca=1", "excluded: custom action"},
		{"https://shop.example/s?q=gr%FCn", "cs=iso-8859-1", `{"type":"search","name":"grün","context":{"url":"https://shop.example/s?q=gr%FCn"}}`},
		{"https://shop.example/s?q=gr%C3%BCn", "cs=nonsense", `{"type":"search","name":"grün","context":{"url":"https://shop.example/s?q=gr%C3%BCn"}}`},
		{"https://shop.example/s?q=gr%FCn", "", `{"type":"search","name":"gr�n","context":{"url":"https://shop.example/s?q=gr%FCn"}}`},
	} {
		target := "/matomo.php?idsite=1&rec=1&" + c.more + "&url=" + url.QueryEscape(c.url)
		if got := shown(t, request(t, "GET", target, "")); got != c.want {
			t.Errorf("%s %s\n got %s\nwant %s", c.url, c.more, got, c.want)
		}
	}
}

// The second site keeps fragments, accepts only its own hosts, and has a goal for long
// visits.
func TestSiteSettings(t *testing.T) {
	for _, c := range []struct{ query, want string }{
		{"url=https://shop.example/a%23b", "{\"type\":\"page\",\"name\":\"/a\",\"context\":{\"url\":\"https://shop.example/a#b\"}}\n{\"type\":\"goal\",\"name\":\"stayed\",\"value\":0,\"properties\":{\"goal_id\":1},\"context\":{\"url\":\"https://shop.example/a#b\"}} once after 150000"},
		{"url=https://www.shop.example:8443/a&ping=1", `{"type":"track","context":{"url":"https://www.shop.example:8443/a"}} ping`},
		{"url=https://shop.example.evil.example/a", "excluded: host"},
		{"url=https://shop.example/a&urlref=https://www.Spam.example/x", "excluded: referrer"},
		{"idgoal=0&urlref=https://notspam.example/&url=https://shop.example/a", `{"type":"cart","value":0,"context":{"url":"https://shop.example/a","referrer":"https://notspam.example/"}}`},
		{"idgoal=0&url=https://shop.example/a", `{"type":"cart","value":0,"context":{"url":"https://shop.example/a"}}`},
		{"url=https://shop.example/s?q=x&idgoal=1", `{"type":"goal","name":"stayed","value":0,"properties":{"goal_id":1},"context":{"url":"https://shop.example/s?q=x"}} once`},
	} {
		if got := shown(t, request(t, "GET", "/matomo.php?idsite=2&rec=1&"+c.query, "")); got != c.want {
			t.Errorf("%s\n got %s\nwant %s", c.query, got, c.want)
		}
	}
}

// Names and values are read as PHP reads them. Of several values of a name, one counts.
func TestParameterForms(t *testing.T) {
	const form = "application/x-www-form-urlencoded"
	page := func(name string) string {
		return fmt.Sprintf(`{"type":"page","name":%q,"context":{"title":%[1]q}}`, name)
	}
	for _, c := range []struct{ name, target, body, media, want string }{
		{"the last value of a name counts", "/matomo.php?idsite=1&rec=1&action_name=a&action_name=b", "", "", page("b")},
		{"the query goes before the form", "/matomo.php?idsite=1&action_name=a", "rec=1&action_name=b&action_name=c", form, page("a")},
		{"the last value in the form counts", "/matomo.php?idsite=1", "rec=1&action_name=b&action_name=c", form, page("c")},
		{"dimensions from query and form", "/matomo.php?idsite=1&dimension1=a", "rec=1&action_name=b&dimension1=x&dimension2=c", form, `{"type":"page","name":"b","properties":{"dimension1":"a","dimension2":"c"},"context":{"title":"b"}}`},
		{"a form of another type", "/matomo.php", "idsite=1&rec=1&action_name=b", "text/plain", page("b")},
		{"multipart", "/matomo.php?idsite=1", "--x\r\nContent-Disposition: form-data; name=\"rec\"\r\n\r\n1\r\n--x\r\nContent-Disposition: form-data; name=\"action_name\"\r\n\r\na b\r\n--x\r\nContent-Disposition: form-data; name=\"uid\"; filename=\"f\"\r\n\r\nada\r\n--x--", "multipart/form-data; boundary=x", page("a b")},
		{"broken multipart", "/matomo.php?idsite=1&rec=1&action_name=a", "--x\r\nContent-Disp", "multipart/form-data; boundary=x", page("a")},
		{"an array is ignored", "/matomo.php?idsite=1&rec=1&action_name=a&uid[]=ada&e_c[x]=a&e_a=b", "", "", page("a")},
		{"dots and spaces in names", "/matomo.php?idsite=1&rec=1&action.name=a&+e_x=1", "", "", page("a")},
		{"a plus and bad escapes", "/matomo.php?idsite=1&rec=1&action_name=a+%20b%zz%4", "", "", page("a  b%zz%4")},
		{"invalid UTF-8", "/matomo.php?idsite=1&rec=1&action_name=a%ff%fe", "", "", page("a��")},
		{"numbers", "/matomo.php?idsite=1.0&rec=%201&action_name=a&search_count=5", "", "", page("a")},
		{"quotes in a form do not make a bulk", "/matomo.php", `idsite=1&rec=1&action_name="requests"`, form, page(`"requests"`)},
		{"an empty action_name", "/matomo.php?idsite=1&rec=1&action_name=", "", "", `{"type":"page"}`},
	} {
		method := "GET"
		if c.body != "" {
			method = "POST"
		}
		if got := shown(t, request(t, method, c.target, c.body, "Content-Type", c.media)); got != c.want {
			t.Errorf("%s\n got %s\nwant %s", c.name, got, c.want)
		}
	}
	// Without a url and a urlref, the Referer header is the url.
	if got, want := shown(t, request(t, "GET", "/matomo.php?idsite=1&rec=1", "", "Referer", "https://shop.example/h")), `{"type":"page","name":"/h","context":{"url":"https://shop.example/h"}}`; got != want {
		t.Errorf("got %s\nwant %s", got, want)
	}
}

// The source comes from the connection, from parameters or, with a valid token, from cip.
func TestSources(t *testing.T) {
	for _, c := range []struct{ query, want string }{
		{"", `203.0.113.7 "agent" "en" map[sec-ch-ua:brand]`},
		{"ua=Opera&lang=fr-be", `203.0.113.7 "Opera" "fr-be" map[]`},
		{`uadata={"platform":"x"}`, `203.0.113.7 "agent" "en" map[uadata:{"platform":"x"}]`},
		{"cip=2001:db8::1&token_auth=token", `2001:db8::1 "agent" "en" map[sec-ch-ua:brand]`},
		{"cip=::ffff:1.2.3.4&token_auth=token", `1.2.3.4 "agent" "en" map[sec-ch-ua:brand]`},
		{"cip=a.host.example&token_auth=token", `invalid IP "agent" "en" map[sec-ch-ua:brand]`},
	} {
		req := request(t, "GET", "/matomo.php?idsite=1&rec=1&"+c.query, "", "User-Agent", "agent", "Accept-Language", "en", "Sec-CH-UA", "brand")
		var b dialect.Batch
		if err := New(Options{}).Decode(req, &b); err != nil || len(b.Records) != 1 {
			t.Fatal(err, len(b.Records))
		}
		s := b.Records[0].Source
		if got := fmt.Sprintf("%v %q %q %v", s.IP, s.UserAgent, s.AcceptLanguage, s.Hints); got != c.want {
			t.Errorf("%s\n got %s\nwant %s", c.query, got, c.want)
		}
	}
	// Plug-ins, cookies and the language also tell browsers apart.
	shows := func(query string) string {
		var b dialect.Batch
		if err := New(Options{}).Decode(request(t, "GET", "/matomo.php?idsite=1&rec=1&"+query, "", "Accept-Language", "de-DE,de;q=0.9,en;q=0.8"), &b); err != nil {
			t.Fatal(err)
		}
		return b.Records[0].Hit.Shown
	}
	if got, want := shows("fla=1&pdf=1&cookie=1"), "10001001de-DE,de;q=0.9,en;q="; got != want {
		t.Errorf("shown %q, want %q", got, want)
	}
	if shows("java=1") == shows("qt=1") || shows("lang=fr") == shows("") {
		t.Error("different browsers are not told apart")
	}
}

// Each row is a bulk request and the events of its entries.
func TestBulk(t *testing.T) {
	page := func(name string) string {
		return fmt.Sprintf(`{"type":"page","name":%q,"context":{"title":%[1]q}}`, name)
	}
	for _, c := range []struct{ name, body, want string }{
		{"texts", `{"requests":["?idsite=1&rec=1&action_name=a","idsite=1&rec=1&action_name=b c","http:\/\/h\/piwik.php?idsite=1&rec=1&action_name=c#x?y"]}`, page("a") + "\n" + page("b c") + "\n" + page("c")},
		{"objects", `{"requests":[{"idsite":1,"rec":"1","action_name":"a","cvar":{"1":["n","v"]},"uid":null,"e_c":["x"],"e_a":"y"},{"idsite":"1","rec":true,"action_name":"b","cvar":"{\"1\":[\"n\",\"v\"]}"}]}`,
			`{"type":"page","name":"a","properties":{"cvar":{"n":"v"}},"context":{"title":"a"}}` + "\n" + `{"type":"page","name":"b","properties":{"cvar":{"n":"v"}},"context":{"title":"b"}}`},
		{"empty entries", `{"requests":[null,[],{},"","?","x.php?#idsite=1"]}`, ``},
		{"entries of a wrong type", `{"requests":[1,true,["a"],{"idsite":9,"rec":1},"?idsite=1&rec=1&action_name=a"]}`, "refused 0: requests: must be a text or an object\nrefused 1: requests: must be a text or an object\nrefused 2: requests: must be a text or an object\nrefused 3: idsite: there is no such site\n" + page("a")},
		{"entries do not inherit the query", `{"requests":["?idsite=1&action_name=a"]}`, "excluded: rec"},
		{"a byte order mark, spaces and a shell's quotes", "\uFEFF '{\"requests\":[\"?idsite=1&rec=1&action_name=a\"]}' ", page("a")},
		{"not a list", `{"requests":{"a":1}}`, ``},
		{"broken JSON", `{"requests":[`, `error: requests: the body is not JSON`},
		{"in single quotes", `{'requests':[]}`, `error: requests: the body is not JSON`},
		{"a protected parameter without a valid token", `{"requests":["?idsite=1&rec=1&cip=1.2.3.4"],"token_auth":"x"}`, "refused 0: cip: needs a valid token_auth"},
		{"the token of the bulk overrides the token of an entry", `{"requests":["?idsite=1&rec=1&cip=1.2.3.4&token_auth=token"],"token_auth":"x"}`, "refused 0: cip: needs a valid token_auth"},
	} {
		if got := shown(t, request(t, "POST", "/matomo.php?rec=1", c.body, "Content-Type", "text/plain")); got != c.want {
			t.Errorf("%s\n got %s\nwant %s", c.name, got, c.want)
		}
	}
}

// When the server fails, the status makes clients retry. A bulk gets a JSON body.
func TestServerFailures(t *testing.T) {
	bulk := `{"requests":["?idsite=1&rec=1"]}`
	for _, c := range []struct {
		method, target, body, media string
		failure                     dialect.Failure
		want                        string
	}{
		{"GET", "/matomo.php?idsite=1&rec=1", "", "", dialect.Busy, "503 image/gif " + pixel},
		{"GET", "/matomo.php?idsite=1&rec=1&send_image=0", "", "", dialect.DiskFull, "507 text/html; charset=UTF-8 "},
		{"POST", "/matomo.php", bulk, "", dialect.Internal, `500 application/json {"status":"error","tracked":0,"invalid":0,"message":"Internal Server Error"}`},
		{"POST", "/matomo.php", "", "application/json", dialect.TooLarge, `413 application/json {"status":"error","tracked":0,"invalid":0,"message":"Content Too Large"}`},
		{"POST", "/matomo.php", bulk, "", dialect.RateLimited, `429 application/json {"status":"error","tracked":0,"invalid":0,"message":"Too Many Requests"}`},
	} {
		req := request(t, c.method, c.target, c.body, "Content-Type", c.media)
		var res dialect.Response
		New(Options{}).Reply(req, &res, dialect.Result{Failure: c.failure})
		if got := fmt.Sprintf("%d %s %s", res.Status, res.ContentType, res.Body); got != c.want {
			t.Errorf("%s %s: got %q, want %q", c.method, c.target, got, c.want)
		}
	}
}
