package dashboard

import (
	"fmt"
	"strings"
	"testing"
)

// A whole table is sorted by its own numbers alone: the address may still have those of another tab.
func TestSortOfTables(t *testing.T) {
	m := madeOverview(plainName)
	m.answers["goals"] = `{"as_of":{"time":"2026-11-29T18:00:00.000Z","seq":9},"goals":[{"id":"1","kind":"saved","name":"Sign-up","query":"name=signup","conversions":185,"converted":180,"visitors":170,"conversion_rate":0.032,"value":12.5}],"count":1,"next":null}`
	for _, c := range []struct{ address, call, asks, asksNot string }{
		{"?_full=pages&sort=entries&order=asc", "pages", "sort=entries&order=asc", ""},
		{"?_full=pages&_tab=entry&sort=entries&order=asc", "visits", "by=entry&interval=none&sort=visitors&metrics=visitors,visits,views,bounce_rate,duration&limit=100", "order="},
		{"?_full=pages&_tab=entry&sort=visits&order=asc", "visits", "sort=visits&metrics=visitors,visits,views,bounce_rate,duration&order=asc", "sort=visitors"},
		{"?_full=events&_tab=goals&sort=visitors&order=asc", "goals", "limit=100", "sort="},
	} {
		m.asked = nil
		body := screenOn(t, m, c.address)
		if !m.asks(c.call, c.asks) || c.asksNot != "" && m.asks(c.call, c.asksNot) {
			t.Errorf("%s asks %q", c.address, m.asked)
		}
		if c.call == "goals" && strings.Contains(body, "aria-sort") {
			t.Error("goals cannot be sorted, but the table has links that do so")
		}
	}
}

// Another tab begins with its first page.
func TestTabsBeginAtFirstPage(t *testing.T) {
	m := madeOverview(plainName)
	m.answers["users"], m.answers["sessions"] = `{"users":[]}`, `{"sessions":[],"next":null}`
	for _, address := range []string{"/pages?after=cursor", "/people?_tab=visits&after=cursor", "?_full=pages&after=cursor"} {
		body := screenOn(t, m, address)
		_, tabs, _ := strings.Cut(body, `<ul class="tabs"`)
		tabs, _, _ = strings.Cut(tabs, "</ul>")
		if tabs == "" || strings.Contains(tabs, "cursor") {
			t.Errorf("%s: its tabs keep the cursor of one table: %s", address, tabs)
		}
	}
}

// The CSV of a whole table has the rows that are searched for, in their order.
func TestCSVOfSearchedTable(t *testing.T) {
	body := screenOn(t, madeOverview(plainName), "/pages?search=blog&sort=exits&order=asc&after=cursor")
	_, csv, _ := strings.Cut(body, "in all</span><a href=\"")
	csv, _, _ = strings.Cut(csv, `"`)
	for _, want := range []string{"search=blog", "sort=exits", "order=asc", "format=csv"} {
		if !strings.Contains(csv, want) {
			t.Errorf("the CSV lacks %s: %s", want, csv)
		}
	}
	for _, bad := range []string{"limit=", "after="} {
		if strings.Contains(csv, bad) {
			t.Errorf("the CSV has %s: %s", bad, csv)
		}
	}
}

// A click on a value of a property filters by that property, whatever its name ends in.
func TestClickOnPropertyWithMark(t *testing.T) {
	body := screenOn(t, madeOverview(plainName), "?_prop=done!")
	mustHave(t, body, `&amp;prop.%22done!%22=name-0`)
}

// Whole tables of products are searched, sorted and paged as all others are.
func TestProductsInFull(t *testing.T) {
	m := madeOverview(plainName)
	m.answers["shop"] = strings.Replace(madeShop, `"count":12,"next":null`, `"count":12,"next":"more"`, 1)
	m.answers["site"] = strings.Replace(madeSite, `"events":9`, `"shop":true,"events":9`, 1)
	body := screenOn(t, m, "/shop?_full=products&search=mug&sort=quantity&order=asc&after=cursor")
	if !m.asks("shop", "by=sku", "limit=100", "search=mug", "sort=quantity", "order=asc", "after=cursor") {
		t.Errorf("the table of products asks %q", m.asked)
	}
	mustHave(t, body, `rel="next"`, "First page", "sort=average_price", `aria-sort="ascending"`, "Mug", "EUR", ">47.50<")
}

// A site that could not tell of itself is not called one without events.
func TestEmptyWithoutSite(t *testing.T) {
	m := madeOverview(plainName)
	m.answers["pages"] = `{"rows":[],"count":0,"next":null}`
	m.answers["site"] = `503 {"error":"busy","status":503}`
	body := screenOn(t, m, "/pages")
	mustHave(t, body, textNothing, textWider)
	mustNotHave(t, body, textNoEvents)
}

// Every table leads to all of its columns, however few its rows are, and back.
func TestWholeTables(t *testing.T) {
	m := madeOverview(plainName)
	m.answers["breakdown"] = `{"rows":[{"value":"a","events":9,"users":8}],"count":1,"next":null}`
	m.answers["visits"] = strings.ReplaceAll(m.answers["visits"], `"count":100`, `"count":10`)
	page := screenOn(t, m, "?range=7d")
	mustHave(t, page, `_full=sources">All columns</a>`, `_full=pages">All 100</a>`)
	mustNotHave(t, page, `_full=events"`) // it has no others
	mustNotHave(t, screenOn(t, m, "?range=7d", func(v *Viewer) { v.Share = &Share{Base: "/dashboard/e/x", Embedded: true} }), "_full")

	m.answers["breakdown"] = `{` + madeRows(10, plainName) + `}`
	page = screenOn(t, m, "/page?range=7d&_page=/a")
	mustHave(t, page, `_page=/a&amp;_full=searches">All 100</a>`)
	page = screenOn(t, m, "/page?range=7d&_page=/a&_full=searches")
	mustHave(t, page, `href="/dashboard/site/shop/page?range=7d&amp;_page=/a" class="back"`)
	mustNotHave(t, page, "p-outlinks")
	if !m.asks("breakdown", "type=search", "page=/a", "limit=100") {
		t.Errorf("asked %q", m.asked)
	}

	// The whole table of visits has the numbers of the goal.
	m.answers["saved"] = `{"saved":[{"id":"1","kind":"goal","name":"Sign-up","query":"name=signup","revision":1}]}`
	m.asked = nil
	page = screenOn(t, m, "?range=7d&_full=sources")
	mustHave(t, page, ">Conversions</a>", ">Conversion rate</a>", ">Goal value</a>")
	if !m.asks("visits", "by=channel", "goal=name=signup", "conversions,conversion_rate,goal_value") {
		t.Errorf("asked %q", m.asked)
	}
}

// A site without properties is not one without events, and a share shows what it names.
func TestNoProperties(t *testing.T) {
	m := &made{answers: map[string]string{"fields": `{"fields":[{"field":"name","kind":"core"}]}`}}
	mustHave(t, screenOn(t, m, "?range=7d"), textNoProperties)
	mustHave(t, screenOn(t, m, "?range=7d", func(v *Viewer) { v.Share = &Share{Base: "/dashboard/s/token"} }), textSharedNone)
	mustHave(t, screenOn(t, m, "?range=7d", func(v *Viewer) { v.Share = &Share{Base: "/dashboard/s/token", People: true} }), textNoProperties)
}

// All properties can be reached, and found.
func TestAllProperties(t *testing.T) {
	m := madeOverview(plainName)
	var fields []string
	for i := range 30 {
		fields = append(fields, fmt.Sprintf(`{"field":"prop.p%d","examples":["x"]}`, i))
	}
	m.answers["fields"] = `{"fields":[` + strings.Join(fields, ",") + `]}`
	page := screenOn(t, m, "?range=7d")
	mustHave(t, page, `_full=properties">All 30</a>`, "_prop=p9", textPropertiesOf)
	mustNotHave(t, page, "_prop=p10")
	mustHave(t, screenOn(t, m, "?range=7d&_full=properties"), `href="/dashboard/site/shop?range=7d&amp;_prop=p29"`, `class="back"`)
	page = screenOn(t, m, "?range=7d&_full=properties&search=P2")
	mustHave(t, page, "_prop=p29")
	mustNotHave(t, page, "_prop=p19")
	mustHave(t, screenOn(t, m, "?range=7d&_full=properties&search=zzz"), "0 in all")
}

// A site without goals offers to make one, to who may.
func TestOfferOfGoals(t *testing.T) {
	m := madeOverview(plainName)
	page := screenOn(t, m, "", func(v *Viewer) { v.Save = true })
	mustHave(t, page, `<span class="name">Conversions</span><u>Make a goal</u>`, `href="/dashboard/site/shop/setup?_new=goal#new-goal"`)
	mustNotHave(t, screenOn(t, m, ""), "Make a goal")
}
