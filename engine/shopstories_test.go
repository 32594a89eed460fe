// Stories of a shop that a reader can check by eye.

package engine_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"cairn/engine"
	"cairn/engine/event"
	"cairn/engine/query"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// Each row is what visitors of a shop do, one event a line: minute, visitor, dialect, type or name,
// then value or properties. The numbers are those of each currency at 12:00, two hours after
// minute 0.
func TestShopStories(t *testing.T) {
	for _, c := range []struct{ name, story, want string }{
		{"nothing", "0 a native page", "1 visits"},
		{"an order by its value", "0 a native page\n1 a native order 19.99", "EUR: 1 orders 19.99, back 0, 1 people, 1 of 1 visits, carts 0 of 0"},
		{"an order by its total", "0 a segment page\n1 a segment Order_Completed total=7.50 currency=usd", "USD: 1 orders 7.5, back 0, 1 people, 1 of 1 visits, carts 0 of 0"},
		{"a value that is no number", "0 a segment page\n1 a segment Order_Completed value=many total=7.50", "EUR: 1 orders 7.5, back 0, 1 people, 1 of 1 visits, carts 0 of 0"},
		{"cents", "0 a openpanel page\n1 a openpanel revenue 1999", "EUR: 1 orders 19.99, back 0, 1 people, 1 of 1 visits, carts 0 of 0"},
		{"names of other dialects", "0 a openpanel page\n1 a openpanel Order_Completed 5\n2 b native revenue 5", "2 visits"},
		{"a refund by its name", "0 a native order 20\n1 a native page\n9 a native Order_Refunded total=5", "EUR: 1 orders 20, back 5, 1 people, 1 of 1 visits, carts 0 of 0"},
		{"a refund below nothing", "0 a native page\n9 a native order -5", "EUR: 0 orders 0, back 5, 0 people, 0 of 1 visits, carts 0 of 0"},
		{"an order of nobody's visit", "0 a native page\n1 - native order 3", "EUR: 1 orders 3, back 0, 0 people, 0 of 1 visits, carts 0 of 0"},
		{"two currencies", "0 a native page\n1 a native order 3\n2 a native order 4 currency=CHF\n3 b native order 5\n4 b native page", "EUR: 2 orders 8, back 0, 2 people, 2 of 2 visits, carts 0 of 0 | CHF: 1 orders 4, back 0, 1 people, 1 of 2 visits, carts 0 of 0"},
		{"a cart that is left", "0 a matomo page\n1 a matomo cart 9.99", "EUR: 0 orders 0, back 0, 0 people, 0 of 1 visits, carts 1 of 9.99"},
		{"the last cart counts", "0 a matomo page\n1 a matomo cart 9.99\n2 a matomo cart 5", "EUR: 0 orders 0, back 0, 0 people, 0 of 1 visits, carts 1 of 5"},
		{"an empty cart", "0 a matomo page\n1 a matomo cart 9.99\n2 a matomo cart 0", "1 visits"},
		{"a cart that is paid for", "0 a matomo page\n1 a matomo cart 9.99\n2 a matomo order 9.99", "EUR: 1 orders 9.99, back 0, 1 people, 1 of 1 visits, carts 0 of 0"},
		{"a cart after the order", "0 a matomo page\n1 a matomo order 9.99\n2 a matomo cart 5", "EUR: 1 orders 9.99, back 0, 1 people, 1 of 1 visits, carts 1 of 5"},
		{"a refund pays for nothing", "0 a native page\n1 a native cart 5\n2 a native Order_Refunded total=1", "EUR: 0 orders 0, back 1, 0 people, 0 of 1 visits, carts 1 of 5"},
		{"silent for half an hour", "0 a native page\n1 a native cart 5\n90 b native page\n90 b native cart 6", "EUR: 0 orders 0, back 0, 0 people, 0 of 2 visits, carts 2 of 11"},
		{"not silent for long enough", "0 a native page\n1 a native cart 5\n91 b native page\n91 b native cart 6", "EUR: 0 orders 0, back 0, 0 people, 0 of 2 visits, carts 1 of 5"},
		{"not silent, by a page", "70 b native page\n71 b native cart 6\n91 b native page", "1 visits"},
		{"products make a cart", "0 a segment Product_Added price=2.50 quantity=2\n1 a segment Product_Added value=10\n2 a segment Product_Removed price=2.50", "EUR: 0 orders 0, back 0, 0 people, 0 of 1 visits, carts 1 of 12.5"},
		{"all products are removed", "0 a segment Product_Added price=2.50 quantity=2\n2 a segment Product_Removed price=2.5 quantity=2", "1 visits"},
		{"the last product is removed, and it counts", "0 a segment Product_Added price=2.50 currency=usd\n1 a segment Product_Added price=4\n2 a segment Product_Removed price=1 currency=usd", "USD: 0 orders 0, back 0, 0 people, 0 of 1 visits, carts 1 of 1.5"},
		{"products since the order", "0 a segment Product_Added price=50\n1 a segment Order_Completed total=50\n2 a segment Product_Added price=3", "EUR: 1 orders 50, back 0, 1 people, 1 of 1 visits, carts 1 of 3"},
		{"products, then the order", "0 a segment Product_Added price=50\n1 a segment Order_Completed total=50", "EUR: 1 orders 50, back 0, 1 people, 1 of 1 visits, carts 0 of 0"},
		{"a native visit with a cart row", "0 a native Product_Added price=50\n1 a native cart 20\n2 a native Product_Added price=3", "EUR: 0 orders 0, back 0, 0 people, 0 of 1 visits, carts 1 of 20"},
		{"received late", "5 a segment page\n1 a segment Order_Completed total=50\n0 a segment Product_Added price=50\n2 a segment Product_Added price=3", "EUR: 1 orders 50, back 0, 1 people, 1 of 1 visits, carts 1 of 3"},
		{"an order after the range", "0 a matomo page\n1 a matomo cart 9.99\n120 a matomo order 9.99", "EUR: 0 orders 0, back 0, 0 people, 0 of 1 visits, carts 1 of 9.99"},
	} {
		for _, sealRows := range []int{1 << 16, 2} {
			t.Run(fmt.Sprint(c.name, sealRows), func(t *testing.T) {
				if got := shopStory(t, c.story, sealRows); got != c.want {
					t.Errorf("%s:\n got %s\nwant %s", c.story, got, c.want)
				}
			})
		}
	}
}

func shopStory(t *testing.T, story string, sealRows int) string {
	site := &engine.Site{Site: query.Site{ID: 1, Name: "shop", Currency: "EUR"}}
	begin := time.Date(2026, 11, 20, 10, 0, 0, 0, time.UTC)
	until := begin.Add(2 * time.Hour)
	e, err := engine.Open(engine.Options{Dir: "data", FS: vfs.NewMem(), Sites: engine.SitesOf(site), SealRows: sealRows, Now: func() time.Time { return until }})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	}()
	types := map[string]event.Type{"page": event.Page, "order": event.Order, "cart": event.Cart}
	for line := range strings.Lines(story) {
		words := strings.Fields(line)
		var minute int64
		if _, err := fmt.Sscan(words[0], &minute); err != nil {
			t.Fatal(err)
		}
		r := event.Record{Event: event.Event{Dialect: event.Dialect(words[2]), Type: types[words[3]], Name: strings.ReplaceAll(words[3], "_", " "), Time: begin.UnixMilli() + minute*60_000}}
		if r.Event.Type == "" {
			r.Event.Type = event.Track
		}
		if words[1] != "-" {
			r.Event.Anonymous, r.Event.Session = words[1], "s"
		}
		for _, word := range words[4:] {
			switch key, text, named := strings.Cut(word, "="); {
			case !named:
				r.Event.Value = event.Num(word)
			case key == "value":
				r.Event.Value = event.Str(text)
			default:
				r.Event.Properties.Set(key, event.Str(text))
			}
		}
		if _, err := e.Ingest(t.Context(), []engine.Record{{Site: site, Record: &r}}, true, nil); err != nil {
			t.Fatal(err)
		}
	}
	a, err := e.Shop(t.Context(), query.ShopQuery{Report: query.Report{Site: &site.Site, Span: query.Span{From: begin.UnixMilli(), To: until.UnixMilli()}, Now: until.UnixMilli()}, By: query.ProductsBySKU, Rows: query.Rows{Limit: 10}})
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for _, n := range a.Totals {
		lines = append(lines, fmt.Sprintf("%s: %d orders %s, back %s, %d people, %d of %d visits, carts %d of %s", n.Currency, n.Orders, n.Revenue.Append(nil), n.Refunds.Append(nil), n.Customers, n.Converted, a.Visits, n.CartsAbandoned, n.CartsValue.Append(nil)))
	}
	if len(lines) == 0 {
		return fmt.Sprint(a.Visits, " visits")
	}
	return strings.Join(lines, " | ")
}
