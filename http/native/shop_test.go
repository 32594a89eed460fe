package native

import (
	"errors"
	"strings"
	"testing"
	"time"

	"cairn/engine/query"
	"cairn/http/dialect"
	"cairn/http/native/nativetest"
)

// askGoals asks about a site with two goals in its configuration.
func askGoals(t *testing.T, n *nativetest.Engine, target string) (*dialect.Response, error) {
	t.Helper()
	api := New(Options{Engine: n, Now: func() time.Time { return time.UnixMilli(nativetest.SomeDay + 123) }})
	path, raw, _ := strings.Cut(target, "?")
	site := &dialect.Site{Site: query.Site{ID: 1, Name: "shop", Goals: []query.SiteGoal{{ID: 7, Name: "sign <up>"}, {ID: 2, Name: "call"}}}}
	res := &dialect.Response{}
	return res, api.Read(t.Context(), &dialect.Request{Method: "GET", Path: path, RawQuery: raw, Site: site, Header: func(string) string { return "" }}, nil, res)
}

// The goals of the configuration come first, in its order; then the saved ones, each with the
// filter that the parameter goal takes.
func TestGoalsOfSite(t *testing.T) {
	n := nativetest.Full()
	n.AsOf = query.AsOf{Time: nativetest.SomeDay + 5, Seq: 42}
	n.SavedList = append(n.SavedList, query.Saved{ID: "00000000000000aa", Kind: query.SavedGoal, Name: "=buy", Query: "name=buy&prop.plan=pro&prop.plan=team"})
	res, err := askGoals(t, n, "/api/v1/goals?country=DE&search=u&at_least=1&limit=2"+rowsDay)
	if err != nil {
		t.Fatal(err)
	}
	want := `goals shop country=["DE"] ` + rowsSpan + ` steps 0 [` +
		`"site" "7" "sign <up>" "type=goal&prop.goal_id=7" ["type" "" ["goal"] "prop.goal_id" "" ["7"]] ` +
		`"site" "2" "call" "type=goal&prop.goal_id=2" ["type" "" ["goal"] "prop.goal_id" "" ["2"]] ` +
		`"saved" "00000000000000aa" "=buy" "name=buy&prop.plan=pro&prop.plan=team" ["name" "" ["buy"] "prop.plan" "" ["pro" "team"]]` +
		`] sort  limit 2 search u at least 1 offset 0`
	if n.Asked != want {
		t.Errorf("asked\n%s\nwant\n%s", n.Asked, want)
	}
	body := strings.Split(string(res.Body), `"next":"`)
	if got := body[0]; got != rowsFrame+`,"total":{"visits":9},"goals":[{"id":"7","kind":"site","query":"type=goal\u0026prop.goal_id=7","name":"sign \u003cup\u003e","conversions":4,"converted":3,"visitors":2,"conversion_rate":0.3333,"value":19.75},`+
		`{"id":"2","kind":"site","query":"type=goal\u0026prop.goal_id=2","name":"call","conversions":0,"converted":0,"visitors":0,"conversion_rate":0,"value":0}],"count":3,` || !strings.HasSuffix(body[1], `","exact":{"sum":true}}`+"\n") {
		t.Errorf("%s", res.Body)
	}

	n.SavedList[len(n.SavedList)-1].Query = "colour=red"
	var bad *dialect.StatusError
	if _, err := askGoals(t, n, "/api/v1/goals"); !errors.As(err, &bad) || bad.Field != "saved" || !strings.Contains(bad.Msg, "00000000000000aa") {
		t.Errorf("a saved goal that cannot be read: %v", err)
	}
}

func TestShopQuestions(t *testing.T) {
	for _, c := range []struct{ target, asked string }{
		{"shop?by=sku", "shop shop " + rowsSpan + ` steps 24 by sku sort revenue limit 10`},
		{"shop?by=category&interval=none&sort=average_price&order=asc&visit.source=Google", `shop shop visit.source=["Google"] ` + rowsSpan + ` steps 0 by category sort average_price asc limit 10`},
		{"shop?by=name&interval=day&sort=value", "shop shop " + rowsSpan + ` steps 1 by name sort value asc limit 10`},
	} {
		n := nativetest.Full()
		if res := call(t, n, "UTC", "GET", "/api/v1/"+withDay(c.target)); res.Status != 200 || n.Asked != c.asked {
			t.Errorf("%s: %d %.200s\nasked %s\nwant  %s", c.target, res.Status, res.Body, n.Asked, c.asked)
		}
	}
}

func TestShopAnswers(t *testing.T) {
	totals := `"totals":[{"currency":"EUR","orders":3,"revenue":100,"refunds":5.5,"items":4,"subtotal":80,"tax":16,"shipping":4,"discount":1,"average_order":33.33,"customers":2,"conversion_rate":0.25,"carts_abandoned":1,"carts_value":9.99},` +
		`{"currency":"","orders":0,"revenue":0,"refunds":1,"items":0,"subtotal":0,"tax":0,"shipping":0,"discount":0,"average_order":null,"customers":0,"conversion_rate":0,"carts_abandoned":0,"carts_value":0}]`
	product := `{"value":"=sku","currency":"EUR","name":"Tea, green","category":"Tea","orders":3,"quantity":3,"revenue":100,"average_price":33.33`
	none := `{"value":null,"currency":"","name":null,"category":null,"orders":0,"quantity":0,"revenue":0,"average_price":null`
	for _, c := range []struct{ target, want string }{
		{"shop?interval=none", rowsFrame + `,` + totals + `,"products":{"rows":[` + product + `},` + none + `}],"count":3,"next":"NEXT"},"exact":{"sum":true}}`},
		{"shop?interval=day&compare=previous" + rowsBefore, rowsFrameBefore + `,` + totals + `,"interval":"day","series":[{"time":"2026-11-20T00:00:00.000Z","currency":"EUR","orders":3,"revenue":100,"refunds":5.5,"partial":false},{"time":"2026-11-20T00:00:00.000Z","currency":"","orders":0,"revenue":0,"refunds":1,"partial":false}]` +
			`,"products":{"rows":[` + product + `,"was":{"orders":1,"quantity":1.5,"revenue":10,"average_price":6.67}},` + none + `,"was":{"orders":0,"quantity":0,"revenue":0,"average_price":null}}],"count":3,"next":"NEXT"},"exact":{"sum":true}` +
			`,"compare":{"from":"2026-11-19T00:00:00.000Z","to":"2026-11-20T00:00:00.000Z","totals":[{"currency":"USD","orders":1,"revenue":0,"refunds":0,"items":0,"subtotal":0,"tax":0,"shipping":0,"discount":0,"average_order":0,"customers":0,"conversion_rate":0,"carts_abandoned":0,"carts_value":0}]` +
			`,"series":[{"time":"2026-11-19T00:00:00.000Z","currency":"USD","orders":0,"revenue":0,"refunds":0,"partial":false}]}}`},
	} {
		n := nativetest.Full()
		n.AsOf = query.AsOf{Time: nativetest.SomeDay + 5, Seq: 42}
		res := call(t, n, "UTC", "GET", "/api/v1/"+withDay(c.target))
		got := string(res.Body)
		if _, rest, ok := strings.Cut(got, `"next":"`); ok {
			cursor, _, _ := strings.Cut(rest, `"`)
			got = strings.Replace(got, cursor, "NEXT", 1)
		}
		if res.Status != 200 || got != c.want+"\n" {
			t.Errorf("%s: %d\n got %s\nwant %s", c.target, res.Status, got, c.want)
		}
	}
	n := nativetest.Full()
	n.ShopAnswer.Products[1].Revenue.Add("0.12345678901")
	if res := call(t, n, "UTC", "GET", "/api/v1/shop"); !strings.Contains(string(res.Body), `"exact":{"sum":false}`) {
		t.Errorf("a price of eleven decimals: %s", res.Body)
	}
	n.ShopAnswer = nil
	if res := call(t, n, "UTC", "GET", "/api/v1/shop?interval=day"+rowsDay); !strings.Contains(string(res.Body), `,"totals":[],"interval":"day","series":[],"products":{"rows":[],"count":0,"next":null},"exact":{"sum":true}}`) {
		t.Errorf("no shop: %s", res.Body)
	}
}

// Texts that a spreadsheet would take for formulas begin with an apostrophe.
func TestShopTables(t *testing.T) {
	for _, c := range []struct{ target, want string }{
		{"shop?interval=day", "time,currency,orders,revenue,refunds,partial\r\n2026-11-21T00:00:00.000Z,EUR,3,100,5.5,false\r\n2026-11-21T00:00:00.000Z,\"\",0,0,1,false\r\n"},
		{"shop?interval=day&by=sku", "value,currency,name,category,orders,quantity,revenue,average_price\r\n'=sku,EUR,\"Tea, green\",Tea,3,3,100,33.33\r\n,\"\",,,0,0,0,\r\n"},
		{"shop?by=sku&compare=previous", "value,currency,name,category,orders,quantity,revenue,average_price,was_orders,was_quantity,was_revenue,was_average_price\r\n'=sku,EUR,\"Tea, green\",Tea,3,3,100,33.33,1,1.5,10,6.67\r\n,\"\",,,0,0,0,,0,0,0,\r\n"},
		{"goals?compare=previous", "id,kind,query,name,conversions,converted,visitors,conversion_rate,value,was_conversions,was_converted,was_visitors,was_conversion_rate,was_value\r\n" +
			"1,site,type=goal&prop.goal_id=1,sign <up>,4,3,2,0.3333,19.75,0,0,0,0,0\r\n00000000000000aa,saved,name=buy,'=buy,0,0,0,0,0,1,0,0,0,0\r\n"},
	} {
		if got := sheet(t, nativetest.Full(), "/api/v1/"+withDay(c.target)+"&format=csv"); got != c.want {
			t.Errorf("%s:\n got %q\nwant %q", c.target, got, c.want)
		}
	}
}

// Each wrong parameter is refused by its name.
func TestShopRefusals(t *testing.T) {
	for _, c := range []struct{ target, field string }{
		{"shop?by=colour", "by"}, {"shop?by=sku&by=name", "by"}, {"shop?by=prop.sku", "by"}, {"shop?sort=visits", "sort"}, {"shop?order=up", "order"}, {"shop?interval=second", "interval"},
		{"shop?metrics=orders", "metrics"}, {"shop?limit=0", "limit"}, {"shop?after=x", "after"}, {"shop?compare=previous&range=all", "compare"}, {"shop?currency=EUR", "currency"}, {"shop?goal=name%3Da", "goal"},
		{"shop?search=" + strings.Repeat("*", 4096), "search"}, {"shop?format=xml", "format"}, {"shop?range=8d", "range"}, {"shop?at_least=x", "at_least"},
		{"goals?sort=value", "sort"}, {"goals?order=asc", "order"}, {"goals?interval=day", "interval"}, {"goals?limit=1001", "limit"}, {"goals?after=x", "after"}, {"goals?at_least=-1", "at_least"}, {"goals?goal=name%3Da", "goal"},
		{"goals?by=name", "by"}, {"goals?metrics=visits", "metrics"}, {"goals?compare=x", "compare"}, {"goals?colour=red", "colour"}, {"goals?format=csv&after=x", "after"},
	} {
		res := call(t, nativetest.Full(), "UTC", "GET", "/api/v1/"+c.target)
		if got := errorOf(t, res); res.Status != 400 || got.Field != c.field {
			t.Errorf("%.80s: %d %s", c.target, res.Status, res.Body)
		}
	}
}

// Who has the answer already is not sent it again.
func TestShopTags(t *testing.T) {
	for _, target := range []string{"/api/v1/goals", "/api/v1/shop"} {
		n := nativetest.Full()
		n.AsOf.Tag = "t1"
		res, err := ask(t, n, target, nil)
		if err != nil {
			t.Fatal(err)
		}
		tag := header(res, "ETag")
		n.AsOf.Same = true
		res, err = ask(t, n, target, map[string]string{"If-None-Match": tag})
		if err != nil || tag == "" || res.Status != 304 || len(res.Body) > 0 {
			t.Errorf("%s: %q, then %d %s, %v", target, tag, res.Status, res.Body, err)
		}
	}
}
