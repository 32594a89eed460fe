package cli

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"cairn/http/native"
)

// With -site an assistant asks that site alone, whatever its arguments are.
func TestMCPHoldsToASite(t *testing.T) {
	var mu sync.Mutex
	var sites []string
	address := answering(t, func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		sites = append(sites, strings.Join(r.URL.Query()["site"], " "))
		mu.Unlock()
		w.Header().Set("Cairn-Assistant", "numbers")
		fmt.Fprint(w, `{"name":"shop","zone":"UTC"}`)
	})
	a := newAssisting()
	a.whom, a.site = whom{url: address, key: "k3y"}, "shop"
	var err error
	if a.server, a.cfg, err = a.reach(); err != nil {
		t.Fatal(err)
	}
	q, _ := native.QuestionNamed("visits")
	for rawQuery, status := range map[string]int{"": 200, "range=7d": 200, "site=shop&range=7d": 200, "site=blog": 0, "site=shop&site=blog": 0, "site=": 0} {
		got := a.Ask(t.Context(), &q, rawQuery)
		if got.Status != status || status == 0 && string(got.Body) != "site: whoever set this up lets it ask shop alone" {
			t.Errorf("%q: %d %s", rawQuery, got.Status, got.Body)
		}
		if asked, err := url.ParseQuery(got.Query); status == 200 && (err != nil || asked.Get("site") != "shop") { // the command for people asks the same
			t.Errorf("%q: the query is told as %q", rawQuery, got.Query)
		}
	}
	for _, site := range sites {
		if site != "shop" {
			t.Errorf("the site %q was asked", site)
		}
	}
}

// An assistant that asks many things at once gets all answers: what the server would refuse waits here.
func TestMCPAsksAFewAtOnce(t *testing.T) {
	var at, most atomic.Int32
	address := answering(t, func(w http.ResponseWriter, _ *http.Request) {
		defer at.Add(-1)
		if n := at.Add(1); n > most.Load() {
			most.Store(n)
		}
		time.Sleep(10 * time.Millisecond) // so that others come meanwhile
		w.Header().Set("Cairn-Assistant", "numbers")
		fmt.Fprint(w, `{"name":"shop","zone":"UTC"}`)
	})
	a := newAssisting()
	a.whom = whom{url: address, key: "k3y"}
	var err error
	if a.server, a.cfg, err = a.reach(); err != nil {
		t.Fatal(err)
	}
	q, _ := native.QuestionNamed("visits")
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() {
			if got := a.Ask(t.Context(), &q, ""); got.Status != 200 {
				t.Errorf("%d %s", got.Status, got.Body)
			}
		})
	}
	all.Wait()
	if most.Load() > askedAtOnce {
		t.Errorf("%d questions at once", most.Load())
	}
	// Who gives up waits no longer.
	for range askedAtOnce {
		a.turns <- struct{}{}
	}
	over, cancel := context.WithCancel(t.Context())
	cancel()
	if got := a.Ask(over, &q, ""); got.Status != 0 || string(got.Body) != "interrupted" {
		t.Errorf("%d %s", got.Status, got.Body)
	}
}

// More properties than the server takes in one header are refused at the start, not at each question.
func TestMCPTakesNoEndOfProps(t *testing.T) {
	props := strings.Join(slices.Repeat([]string{strings.Repeat("p", 1000)}, 20), ",")
	var out, errs strings.Builder
	if code := run([]string{"mcp", "-url", "http://127.0.0.1:1", "-key", "k3y", "-props", props}, &out, &errs); code != ExitUsage || !strings.Contains(errs.String(), "-props: all together are too long") {
		t.Errorf("%d %.300s", code, errs.String())
	}
}
