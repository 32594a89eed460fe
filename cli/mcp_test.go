package cli

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"

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
	a := &assisting{whom: whom{url: address, key: "k3y"}, site: "shop", known: map[string]siteFacts{}}
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
	}
	for _, site := range sites {
		if site != "shop" {
			t.Errorf("the site %q was asked", site)
		}
	}
}
