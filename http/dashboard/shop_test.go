package dashboard

import (
	"regexp"
	"strings"
	"testing"
)

const madeShop = `{"as_of":{"time":"2026-11-29T18:00:00.000Z","seq":9},
"totals":[{"currency":"EUR","orders":140,"revenue":9453.5,"refunds":0,"average_order":67.53,"customers":131,"conversion_rate":0.024,"carts_abandoned":107,"carts_value":7323},
 {"currency":"","orders":3,"revenue":-1.25,"refunds":2.5,"average_order":null,"customers":3,"conversion_rate":0.001,"carts_abandoned":0,"carts_value":0}],
"interval":"day","series":[{"time":"2026-11-28T00:00:00.000Z","currency":"EUR","orders":3,"revenue":12.5,"refunds":0,"partial":false},{"time":"2026-11-28T00:00:00.000Z","currency":"","orders":1,"revenue":777,"refunds":0,"partial":false},{"time":"2026-11-29T00:00:00.000Z","currency":"EUR","orders":3,"revenue":99.5,"refunds":0,"partial":true}],
"products":{"rows":[{"value":"<script>","currency":"EUR","name":"Mug","category":null,"orders":4,"quantity":5,"revenue":47.5,"average_price":9.5},{"value":null,"currency":"EUR","name":null,"category":null,"orders":1,"quantity":1,"revenue":1,"average_price":1}],"count":12,"next":null},
"compare":{"from":"2026-10-01T00:00:00.000Z","to":"2026-10-30T18:00:00.000Z","totals":[{"currency":"EUR","orders":140,"revenue":9000,"refunds":0,"average_order":64.3,"customers":100,"conversion_rate":0.03,"carts_abandoned":100,"carts_value":7000}],"series":[]}}`

func TestShopScreen(t *testing.T) {
	m := madeOverview(plainName)
	m.answers["shop"] = madeShop
	m.answers["site"] = strings.Replace(madeSite, `"events":9`, `"shop":true,"events":9`, 1)
	body := screenOn(t, m, "/shop")
	mustHave(t, body, ">9,453.50<", ">67.53<", "▼\u00a00.6\u00a0pt", "▲\u00a05\u00a0%", "Mug", "&lt;script&gt;", textNoValue, "no currency", "All 12", ">Shop</a>", "99.5")
	if series := regexp.MustCompile(`href="[^"]*/shop\?([^"]*format=csv[^"]*)"`).FindAllString(body, -1); len(series) < 2 || !strings.Contains(strings.Join(series, " "), "by=sku") || strings.Count(strings.Join(series, " "), "by=") == len(series) {
		t.Errorf("the products and the series as CSV: %q", series)
	}
	if strings.Contains(body, "777") {
		t.Error("the chart has the steps of another currency")
	}
	if !m.asks("visits", "goal=type=order", "by=source", "sort=goal_value", "interval=none") {
		t.Errorf("revenue by source: %q", m.asked)
	}
	body = screenOn(t, m, "/shop?_currency=EUR&_tab=category&_full=products")
	mustHave(t, body, "← Back")
	if !m.asks("shop", "by=category", "limit=100") {
		t.Errorf("categories: %q", m.asked)
	}
	m.answers["site"] = madeSite
	if body = screenOn(t, m, ""); strings.Contains(body, ">Shop</a>") {
		t.Error("the menu of a site without a shop has one")
	}
}

// Bars compare what is of one currency.
func TestProductsOfTwoCurrencies(t *testing.T) {
	m := madeOverview(plainName)
	m.answers["site"] = strings.Replace(madeSite, `"events":9`, `"shop":true,"events":9`, 1)
	m.answers["shop"] = regexp.MustCompile(`"products":\{"rows":\[.*\],`).ReplaceAllString(madeShop, `"products":{"rows":[{"value":"a","currency":"JPY","revenue":10000},{"value":"b","currency":"EUR","revenue":80},{"value":"c","currency":"EUR","revenue":20}],`)
	var bars []string
	_, products, _ := strings.Cut(screenOn(t, m, "/shop"), `data-panel="products"`)
	products, _, _ = strings.Cut(products, "</table>")
	for _, bar := range regexp.MustCompile(`<rect width="([^"]*)"`).FindAllStringSubmatch(products, -1) {
		bars = append(bars, bar[1])
	}
	if got := strings.Join(bars, " "); got != "100% 100% 25%" {
		t.Errorf("bars of %s", got)
	}
}

func TestGoalsOfOverview(t *testing.T) {
	m := madeOverview(plainName)
	m.answers["saved"] = `{"saved":[{"id":"1","kind":"goal","name":"Sign-up","query":"name=signup","revision":1},{"id":"2","kind":"goal","name":"Buy <b>","query":"type=order","revision":1},{"id":"3","kind":"note","time":"2026-11-08T12:00:00.000Z","text":"Relaunch <i>","name":"","query":"","revision":1}]}`
	m.answers["goals"] = `{"as_of":{"time":"2026-11-29T18:00:00.000Z","seq":9},"goals":[{"id":"1","kind":"saved","name":"Buy <b>","query":"type=order","conversions":185,"converted":180,"visitors":170,"conversion_rate":0.032,"value":12.5}],"count":1,"next":null}`
	body := screenOn(t, m, "?_tab=goals&_goal=type%3Dorder")
	mustHave(t, body, "Conversions of <bdi>Buy &lt;b&gt;</bdi>", "Sign-up", "_goal=type%3Dorder", ">170<", ">185<", ">3.2\u00a0%<", ">12.50<", "Relaunch &lt;i&gt;")
	if !m.asks("visits", "goal=type=order") {
		t.Errorf("the question of the overview has no goal: %q", m.asked)
	}
	// The API knows conversions of a goal alone, so the CSV of the chart names it, too.
	for _, href := range regexp.MustCompile(`href="([^"]*/visits\?[^"]*format=csv[^"]*)"`).FindAllStringSubmatch(body, -1) {
		if strings.Contains(href[1], "conversions") && !strings.Contains(href[1], "goal=") {
			t.Errorf("a CSV of conversions of nothing: %s", href[1])
		}
	}
	m.asked = nil
	screenOn(t, m, "")
	if !m.asks("visits", "goal=name=signup") {
		t.Errorf("without a choice the first goal is counted: %q", m.asked)
	}
	m.answers["saved"], m.answers["goals"] = `{"saved":[]}`, strings.Replace(m.answers["goals"], `"goals":[`, `"goals":[],"x":[`, 1)
	mustHave(t, screenOn(t, m, "?_tab=goals"), textNoGoals)
}
