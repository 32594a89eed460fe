package e2e

import (
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"
)

// 64 connections of 32 visitors send hits of every kind, singly and in bulks, late and
// early. The server is killed with SIGKILL again and again, and each hit is repeated
// until it is answered. In the end every visitor has exactly the visits they made.
// Every hit is stored once for its answer, and at most once more for each try without
// an answer; with an Idempotency-Key it is stored exactly once. A visit shows what its
// pings say. The counters agree with the listing and with check's recount.
func TestMatomoKilled(t *testing.T) {
	t.Parallel()
	const senders, visitors, kills, hits = 64, 32, 4, 14
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	server := startServer(t, t.TempDir(), configured(t, matomoConfig)...)
	keys := server.keys()
	client := &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: senders}}

	// send repeats a request until it is answered. It returns how many tries got no
	// answer; these may have been stored or not.
	send := func(r matomoRequest) (unknown int) {
		for tries := 0; tries < 2000 && !t.Failed(); tries++ {
			req, err := http.NewRequest("POST", server.url()+"/matomo.php", strings.NewReader(r.body(keys.TokenAuth)))
			if err != nil {
				t.Error(err)
				return 0
			}
			req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			if r.key != "" {
				req.Header.Set("Idempotency-Key", r.key)
			}
			res, err := client.Do(req)
			if err != nil {
				unknown++
				time.Sleep(5 * time.Millisecond)
				continue
			}
			answer, err := io.ReadAll(res.Body)
			res.Body.Close()
			switch {
			case err == nil && res.StatusCode == 200 && (!r.bulk || strings.HasPrefix(string(answer), fmt.Sprintf(`{"status":"success","tracked":%d,"invalid":0`, len(r.hits)))):
				return unknown
			case res.StatusCode == 400 && r.order && r.key == "" && unknown > 0:
				return unknown // it was stored although no answer came
			case res.StatusCode != 503:
				t.Errorf("%v: %d %q %v", r, res.StatusCode, answer, err)
				return unknown
			}
			time.Sleep(5 * time.Millisecond)
		}
		t.Errorf("%v: no answer", r)
		return unknown
	}

	noon := time.Now().UTC().Truncate(24 * time.Hour).Add(-12 * time.Hour)
	var told sync.Mutex
	most := map[string]int{} // by name of a hit: how often it may be stored
	said := map[int]string{} // by visitor: what the last ping says
	var wg sync.WaitGroup
	defer wg.Wait()
	for sender := range senders {
		rng := rand.New(rand.NewPCG(seed, uint64(sender)))
		wg.Go(func() {
			for n := range hits {
				r := randomMatomo(rng, noon, sender%visitors, sender, n, n == hits-1)
				unknown := send(r)
				told.Lock()
				if r.says != "" {
					said[sender] = r.says
				}
				for _, name := range r.names {
					if most[name] = 1; r.key == "" && !r.order {
						most[name] += unknown
					}
				}
				told.Unlock()
			}
		})
	}
	server.restartAgain(kills)
	wg.Wait()

	var events []sdkEvent
	for after := ""; ; {
		var page struct {
			Events []sdkEvent
			Next   string
		}
		server.get("/api/v1/events?limit=1000&order=asc&after="+after, &page)
		if events = append(events, page.Events...); page.Next == "" {
			break
		}
		after = page.Next
	}
	times, categories, goals, sizes := map[string]int{}, map[string]int64{}, map[string]int{}, map[string]int{}
	visits := make([]map[string]bool, visitors)
	for _, e := range events {
		sizes[e.Session]++
		if e.Type == "goal" {
			goals[e.Session]++
			continue
		}
		times[e.Name]++
		if category, ok := e.Properties["category"].(string); ok {
			categories[category]++
		}
		var visitor int
		if _, err := fmt.Sscanf(e.Name, "v%d-", &visitor); err != nil || e.Session == "" {
			t.Fatalf("belongs to no visit: %+v", e)
		}
		if visits[visitor] == nil {
			visits[visitor] = map[string]bool{}
		}
		visits[visitor][e.Session] = true
	}
	doubled := 0
	for name, most := range most {
		if n := times[name]; n < 1 || n > most {
			t.Errorf("%s is stored %d times, want 1 to %d", name, n, most)
		}
		doubled += times[name] - 1
		if bulk, last := strings.CutSuffix(name, "-4"); last && times[bulk+"-0"] != times[name] && strings.Count(name, "-") == 3 {
			t.Errorf("only a part of the bulk %s is stored", bulk)
		}
	}
	for name := range most {
		delete(times, name)
	}
	for name := range times {
		t.Errorf("nobody sent %s", name)
	}
	all := 0
	for visitor, of := range visits {
		if want := matomoVisits(visitor); len(of) != want {
			t.Errorf("visitor %d has %d visits, want %d", visitor, len(of), want)
		}
		all += len(of)
	}
	for session, n := range goals {
		if n != 1 {
			t.Errorf("a visit has reached its goal %d times: %s", n, session)
		}
	}
	var sessions struct {
		Sessions []struct {
			ID         string
			Events     int
			Properties struct{ Dimension1 string }
		}
	}
	says := map[string]string{} // by visit
	if server.get("/api/v1/sessions?limit=1000", &sessions); len(sessions.Sessions) != all || len(sizes) != all {
		t.Errorf("%d visits are listed and %d have events, want %d", len(sessions.Sessions), len(sizes), all)
	}
	for _, s := range sessions.Sessions {
		if s.Events != sizes[s.ID] {
			t.Errorf("visit %s has %d events, the listing has %d", s.ID, s.Events, sizes[s.ID])
		}
		says[s.ID] = s.Properties.Dimension1
	}
	for visitor, of := range visits {
		for id := range of {
			if len(of) == 1 && says[id] != said[visitor] {
				t.Errorf("the visit of %d shows %q, want %q", visitor, says[id], said[visitor])
			}
		}
	}
	var count struct{ Events, Sessions int }
	if server.get("/api/v1/count", &count); count.Events != len(events) || count.Sessions != all {
		t.Errorf("the counts are %+v, want %d events and %d sessions", count, len(events), all)
	}
	var rows struct {
		Rows []struct {
			Value  string
			Events int64
		}
	}
	server.get("/api/v1/counters?property=category&limit=1000", &rows)
	for _, row := range rows.Rows {
		if row.Events != categories[row.Value] {
			t.Errorf("the counter of category %s says %d, the listing has %d", row.Value, row.Events, categories[row.Value])
		}
		delete(categories, row.Value)
	}
	if len(categories) > 0 {
		t.Errorf("no counter has %v", categories)
	}
	t.Logf("%d events in %d visits, %d of them sent again after they were stored", len(events), all, doubled)
	server.finish()
}

// matomoRequest is a hit or a bulk of hits, with the names of the events it makes.
type matomoRequest struct {
	hits, names []string
	key         string
	says        string // what a ping says of the visit
	bulk, order bool
}

func (r matomoRequest) body(token string) string {
	if !r.bulk {
		return r.hits[0] + "&token_auth=" + token
	}
	body, err := json.Marshal(map[string]any{"requests": r.hits, "token_auth": token})
	if err != nil {
		panic(err) // they are texts
	}
	return string(body)
}

// matomoVisits returns how many visits a visitor makes: every fifth visitor begins a
// second one.
func matomoVisits(visitor int) int {
	if visitor%5 == 4 {
		return 2
	}
	return 1
}

// randomMatomo returns request n of a sender for a visitor of one of four kinds. All
// times are within the half hour of a visit that begins at noon.
func randomMatomo(rng *rand.Rand, noon time.Time, visitor, sender, n int, last bool) (r matomoRequest) {
	who := fmt.Sprintf("&cip=10.0.%d.1", visitor)
	switch visitor % 4 {
	case 0: // an id, at home and elsewhere
		who = fmt.Sprintf("&_id=%016x&cip=10.%d.%d.1", visitor+1, sender, visitor)
	case 1: // a person with several devices
		who = fmt.Sprintf("&uid=user%d&cip=10.%d.%d.1", visitor, sender, visitor)
	case 2: // a person who logs in, on one connection earlier than on the other
		if n > sender%5 {
			who += fmt.Sprintf("&uid=user%d", visitor)
		}
	}
	hit := func(params string) string {
		at := noon.Add(time.Duration(rng.IntN(1500)) * time.Second)
		return "?idsite=1&rec=1&ua=Firefox&lang=de&cdt=" + url.QueryEscape(at.Format(time.DateTime)) + who + params
	}
	name := fmt.Sprintf("v%d-%d-%d", visitor, sender, n)
	if rng.IntN(2) == 0 {
		r.key = name
	}
	one := func(params string) {
		r.hits = []string{strings.TrimPrefix(hit(params), "?")}
	}
	if last && sender < 32 && matomoVisits(visitor) > 1 {
		r.key, r.names = name, []string{name}
		one("&new_visit=1&action_name=" + name)
		return r
	}
	switch kind := rng.IntN(8); {
	case n == 0 || kind < 3:
		r.names = []string{name}
		one("&action_name=" + name)
	case kind == 3:
		r.names = []string{name}
		one(fmt.Sprintf("&e_c=c%d&e_a=%s", rng.IntN(4), name))
	case kind == 4:
		r.order, r.names = true, []string{name}
		one("&idgoal=0&revenue=2.5&ec_id=" + name)
	case kind == 5:
		one("&idgoal=1")
	case kind == 6 && sender < 32: // only one of a visitor's connections, so that there is an order
		r.says = name
		one("&ping=1&dimension1=" + name)
	case kind == 6:
		one("&ping=1")
	default:
		r.bulk = true
		for i := range 5 {
			r.names = append(r.names, fmt.Sprint(name, "-", i))
			r.hits = append(r.hits, hit(fmt.Sprintf("&e_c=bulk&e_a=%s-%d", name, i)))
		}
	}
	return r
}
