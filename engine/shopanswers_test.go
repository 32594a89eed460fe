// Answers about goals and shops: when a kept one is void, properties without a column, and bounds.

package engine_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"cairn/engine"
	"cairn/engine/event"
	"cairn/engine/query"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// shopStore is a store with one site, and a day that is over.
type shopStore struct {
	*testing.T
	*engine.Engine
	site *engine.Site
	day  query.Span
}

func openShop(t *testing.T) *shopStore {
	s := &shopStore{T: t, site: &engine.Site{Site: query.Site{ID: 1, Name: "shop"}}}
	day := time.Date(2026, 11, 20, 0, 0, 0, 0, time.UTC)
	s.day = query.Span{From: day.UnixMilli(), To: day.AddDate(0, 0, 1).UnixMilli()}
	e, err := engine.Open(engine.Options{Dir: "data", FS: vfs.NewMem(), Sites: engine.SitesOf(s.site), Now: func() time.Time { return day.AddDate(0, 0, 2) }})
	if err != nil {
		t.Fatal(err)
	}
	s.Engine = e
	t.Cleanup(func() {
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func (s *shopStore) send(events ...event.Event) {
	s.Helper()
	records := make([]engine.Record, len(events))
	for i, e := range events {
		e.Dialect = event.Native
		records[i] = engine.Record{Site: s.site, Record: &event.Record{Event: e}}
	}
	outcomes, err := s.Ingest(s.Context(), records, true, nil)
	if err != nil || outcomes[len(outcomes)-1].Status != event.Stored {
		s.Fatal(err, outcomes)
	}
}

func (s *shopStore) report() query.Report {
	return query.Report{Site: &s.site.Site, Span: s.day, Now: s.day.To + 86_400_000}
}

// A goal may be about a person. Who becomes that person later, by an event outside of the range,
// has reached it. Answers about other goals are other answers.
func TestGoalsKept(t *testing.T) {
	s := openShop(t)
	s.send(event.Event{Type: event.Page, Name: "a", Anonymous: "x", Time: s.day.From + 1000})
	ask := func(g query.Goal) query.GoalRow {
		t.Helper()
		a, err := s.Goals(t.Context(), query.GoalsQuery{Report: s.report(), Goals: []query.Goal{g}, Rows: query.Rows{Limit: 10}})
		if err != nil || len(a.Rows) != 1 {
			t.Fatal(a, err)
		}
		return a.Rows[0]
	}
	ada := query.Goal{ID: "1", Kind: query.GoalIsSaved, Name: "Ada", Query: "user=ada", Where: []query.Cond{{Field: "user", Values: []string{"ada"}}}}
	if row := ask(ada); row.Conversions != 0 {
		t.Errorf("before anybody is ada: %+v", row)
	}
	s.send(event.Event{Type: event.Identify, User: "ada", Anonymous: "x", Time: s.day.To + 1000})
	if row := ask(ada); row.Conversions != 1 || row.Converted != 1 || row.Visitors != 1 {
		t.Errorf("now x is ada: %+v", row)
	}
	for _, other := range []query.Goal{
		{ID: "1", Kind: query.GoalIsSaved, Name: "Ada's", Query: ada.Query, Where: ada.Where},
		{ID: "2", Kind: query.GoalIsSaved, Name: ada.Name, Query: ada.Query, Where: ada.Where},
		{ID: "1", Kind: query.GoalOfSite, Name: ada.Name, Query: ada.Query, Where: ada.Where},
		{ID: "1", Kind: query.GoalIsSaved, Name: ada.Name, Query: "user=%61da", Where: ada.Where},
	} {
		if row := ask(other); row.Goal.String() != other.String() {
			t.Errorf("asked of %v, told of %v", other, row.Goal)
		}
	}
	other := ada
	other.Where = []query.Cond{{Field: "user", Values: []string{"eve"}}}
	if row := ask(other); row.Conversions != 0 {
		t.Errorf("eve: %+v", row)
	}
}

// The site's currency is part of the question: a changed setting is another answer.
func TestShopCurrencySetting(t *testing.T) {
	s := openShop(t)
	s.send(event.Event{Type: event.Order, Name: "o", Anonymous: "x", Value: event.Num("5"), Time: s.day.From + 1000})
	for _, currency := range []string{"", "EUR", "USD"} {
		r, site := s.report(), s.site.Site
		site.Currency = currency
		r.Site = &site
		a, err := s.Shop(t.Context(), query.ShopQuery{Report: r, By: query.ProductsBySKU, Rows: query.Rows{Limit: 10}})
		if err != nil || len(a.Totals) != 1 || a.Totals[0].Currency != currency {
			t.Errorf("%q: %+v, %v", currency, a, err)
		}
	}
}

// On a site with many keys the lines of an order may have no column of their own.
func TestShopManyKeys(t *testing.T) {
	s := openShop(t)
	for i := range 300 {
		e := event.Event{Type: event.Track, Name: "x", Anonymous: "x", Time: s.day.From + 1000}
		for k := range 10 {
			e.Properties.Set(fmt.Sprint("key", 10*i+k), event.Num("1"))
		}
		s.send(e)
	}
	order := event.Event{Type: event.Order, Name: "o", Anonymous: "x", Value: event.Num("5"), Time: s.day.From + 2000}
	order.Properties.Set("products", event.Raw(`[{"sku":"tea","price":2.5,"quantity":2}]`))
	order.Properties.Set("currency", event.Str("eur"))
	s.send(order)
	a, err := s.Shop(t.Context(), query.ShopQuery{Report: s.report(), By: query.ProductsBySKU, Rows: query.Rows{Limit: 10}})
	if err != nil || len(a.Products) != 1 || a.Products[0].Value.Text != "tea" || a.Products[0].Currency != "EUR" || string(a.Products[0].Revenue.Append(nil)) != "5" {
		t.Errorf("%+v, %v", a, err)
	}
}

// Whatever is sent as a currency, an answer has a bounded number of them, and of their steps.
func TestShopCurrencyBounds(t *testing.T) {
	s := openShop(t)
	order := func(currency string) event.Event {
		e := event.Event{Type: event.Order, Name: "o", Anonymous: "x", Value: event.Num("5"), Time: s.day.From + 1000}
		e.Properties.Set("currency", event.Str(currency))
		return e
	}
	ask := func(steps int) (*query.ShopAnswer, error) {
		q := query.ShopQuery{Report: s.report(), By: query.ProductsBySKU, Rows: query.Rows{Limit: 10}}
		for i := range steps {
			q.Steps = append(q.Steps, s.day.From+int64(i)*60_000)
		}
		return s.Shop(t.Context(), q)
	}
	var orders []event.Event
	for i := range query.ShopCurrenciesMax {
		orders = append(orders, order(fmt.Sprintf("C%d", i)))
	}
	s.send(orders...)
	refused := func(what, field string, err error) {
		t.Helper()
		var bad *query.BadParameter
		if !errors.As(err, &bad) || bad.Field != field {
			t.Errorf("%s: %v", what, err)
		}
	}
	if a, err := ask(0); err != nil || len(a.Totals) != query.ShopCurrenciesMax {
		t.Errorf("as many currencies as may be: %v", err)
	}
	if a, err := ask(query.BreakdownStepsMax / query.ShopCurrenciesMax); err != nil || len(a.Series) != query.BreakdownStepsMax {
		t.Errorf("as many steps as may be: %v", err)
	}
	_, err := ask(query.BreakdownStepsMax/query.ShopCurrenciesMax + 1)
	refused("more steps", "interval", err)
	s.send(order("one more"))
	_, err = ask(0)
	refused("one currency more", "range", err)
}

// Nothing but time has to come for a cart to be abandoned. An answer is kept until then.
func TestShopKeptUntil(t *testing.T) {
	s := openShop(t)
	const minute = 60_000
	at := s.day.From + 600*minute
	s.send(event.Event{Type: event.Page, Name: "a", Anonymous: "x", Time: at}, event.Event{Type: event.Cart, Name: "c", Anonymous: "x", Value: event.Num("5"), Time: at + minute},
		event.Event{Type: event.Page, Name: "a", Anonymous: "x", Time: at + 2*minute}, event.Event{Type: event.Page, Name: "a", Anonymous: "y", Time: at + 2*minute}, event.Event{Type: event.Cart, Name: "c", Anonymous: "y", Value: event.Num("7"), Time: at + 3*minute})
	tags := map[string]string{}
	for _, c := range []struct {
		minute, abandoned int64
		as                string // the answer of when
	}{{5, 0, "5"}, {20, 0, "5"}, {31, 0, "5"}, {32, 1, "32"}, {33, 2, "33"}, {60, 2, "33"}, {2000, 2, "33"}} {
		q := query.ShopQuery{Report: s.report(), By: query.ProductsBySKU, Rows: query.Rows{Limit: 10}}
		q.Now = at + c.minute*minute
		a, err := s.Shop(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		n := int64(0)
		for _, total := range a.Totals {
			n += int64(total.CartsAbandoned)
		}
		if n != c.abandoned || a.AsOf.Time != at+map[string]int64{"5": 5, "32": 32, "33": 33}[c.as]*minute {
			t.Errorf("after %d minutes %d carts, as of minute %d", c.minute, n, (a.AsOf.Time-at)/minute)
		}
		if tag, known := tags[c.as]; known && tag != a.AsOf.Tag {
			t.Errorf("after %d minutes another answer than before", c.minute)
		}
		tags[c.as] = a.AsOf.Tag
	}
}
