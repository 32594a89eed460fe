package dashboard

import (
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
