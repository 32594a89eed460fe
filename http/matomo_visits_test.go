package httpd

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// hashedVisitors names visitors as Salts does, with salts that are not secret.
type hashedVisitors struct{ before bool }

func (v hashedVisitors) Visitor(_ uint32, parts ...string) (today, yesterday string) {
	name := func(salt string) string {
		sum := sha256.Sum256([]byte(salt + strings.Join(parts, "|")))
		return hex.EncodeToString(sum[:16])
	}
	if v.before {
		return name("today"), name("yesterday")
	}
	return name("today"), ""
}

// shownVisit is a session as the native API shows it.
type shownVisit struct {
	ID, User, Anonymous, Entry, Exit, Referrer, Campaign string
	Cart                                                 json.Number
	ReferrerType                                         string `json:"referrer_type"`
	Duration, Events, Actions                            int
	Bounce                                               bool
	Goals, Orders                                        []string
	Start, End                                           time.Time
	Properties                                           shownObject
}

// shownObject is an object as it was answered.
type shownObject string

func (o *shownObject) UnmarshalJSON(b []byte) error { *o = shownObject(b); return nil }

// visits are those of the site, the first one first.
func (s *testServer) visits(query string) (list []shownVisit) {
	s.t.Helper()
	got := s.send("GET", "/api/v1/sessions?limit=1000"+query, "", secret)
	var page struct{ Sessions []shownVisit }
	if err := json.Unmarshal([]byte(got.body), &page); err != nil || got.status != 200 {
		s.t.Fatalf("%d %s: %v", got.status, got.body, err)
	}
	for i := len(page.Sessions) - 1; i >= 0; i-- {
		list = append(list, page.Sessions[i])
	}
	return list
}

// story sends hits to a server of its own in bulks, and returns the visits that they make. The
// times of hits are seconds of an afternoon a month ago, in the site's zone.
func story(t *testing.T, hits ...string) []shownVisit {
	t.Helper()
	s := withVisits(t, nil)
	s.tell(hits...)
	return s.visits("")
}

var afternoon = time.Now().UTC().AddDate(0, 0, -20).Truncate(24 * time.Hour).Add(14 * time.Hour)

// tell sends hits in one bulk. A hit is "seconds parameters". Without a url it has that of a
// page, and its address is 192.0.2.1.
func (s *testServer) tell(hits ...string) {
	s.t.Helper()
	var requests []string
	for _, h := range hits {
		at, params, _ := strings.Cut(h, " ")
		seconds, err := strconv.Atoi(at)
		if err != nil {
			s.t.Fatal(err)
		}
		if !strings.Contains(params, "url=") && !strings.Contains(params, "idgoal=") {
			params += "&url=https://shop.example/" + at
		}
		if !strings.Contains(params, "cip=") {
			params += "&cip=192.0.2.1"
		}
		cdt := url.QueryEscape(afternoon.Add(time.Duration(seconds) * time.Second).Format(time.DateTime))
		requests = append(requests, strconv.Quote("?idsite=1&rec=1&cdt="+cdt+"&"+params))
	}
	got := s.send("POST", "/matomo.php", `{"token_auth":"shop-token","requests":[`+strings.Join(requests, ",")+`]}`, firefox)
	if got.status != 200 || !strings.Contains(got.body, `"invalid":0`) {
		s.t.Fatalf("%d %s", got.status, got.body)
	}
}

const (
	idA = "_id=aaaaaaaaaaaaaaaa"
	idB = "_id=bbbbbbbbbbbbbbbb"
)

// Each row is a story: its hits, and how many actions each of its visits has.
func TestMatomoVisits(t *testing.T) {
	t.Parallel()
	const half = 1800
	for _, c := range []struct {
		name string
		hits []string
		want string // actions of each visit, and its user after a colon
	}{
		{"one visit", []string{"0 " + idA, "60 " + idA}, "2"},
		{"29:59 is the same", []string{"0 " + idA, fmt.Sprint(half-1, " ", idA)}, "2"},
		{"30:00 is another", []string{"0 " + idA, fmt.Sprint(half, " ", idA)}, "1 1"},
		{"idle from the last", []string{"0 " + idA, "1700 " + idA, "3400 " + idA}, "3"},
		{"new_visit", []string{"0 " + idA, "60 " + idA + "&new_visit=1", "61 " + idA}, "1 2"},
		{"midnight", []string{fmt.Sprint(10*3600-60, " ", idA), fmt.Sprint(10*3600+60, " ", idA)}, "1 1"},
		{"another id that shows the same", []string{"0 " + idA, "60 " + idB}, "2"},
		{"another id that shows another", []string{"0 " + idA, "60 " + idB + "&cip=192.0.2.2"}, "1 1"},
		{"another cid that shows the same", []string{"0 cid=aaaaaaaaaaaaaaaa", "60 cid=bbbbbbbbbbbbbbbb"}, "1 1"},
		{"the same id that shows another", []string{"0 " + idA, "60 " + idA + "&cip=192.0.2.2"}, "2"},
		{"nobody that shows the same", []string{"0 a=b", "60 a=b"}, "2"},
		{"nobody that shows another", []string{"0 a=b", "60 cip=192.0.2.2", "61 ua=Opera", "62 lang=de", "63 pdf=1"}, "1 1 1 1 1"},
		{"an id that is learnt", []string{"0 a=b", "60 " + idA, "120 a=b"}, "3"},
		{"an id that is none", []string{"0 _id=AA814767-7B1F-5C", "60 a=b"}, "2"},
		{"by id however long ago, and then not by what it shows", []string{"0 " + idA, "3000 " + idB, "3060 " + idA}, "1 1 1"},
		{"logging in", []string{"0 " + idA, "60 " + idA + "&uid=ada", "120 " + idA}, "3:ada"},
		{"another logs in", []string{"0 " + idA + "&uid=ada", "60 " + idA + "&uid=bob", "120 " + idA}, "1:ada 2:bob"},
		{"one user, two devices", []string{"0 uid=ada", "60 uid=ada&cip=192.0.2.2", "120 " + idB + "&uid=ada&cip=192.0.2.3"}, "3:ada"},
		{"a user by the id made of it", []string{"0 uid=foo", "60 cid=0beec7b5ea3f0fdb&cip=192.0.2.9"}, "2:foo"},
		{"a late hit", []string{"0 " + idA, "900 " + idA, "300 " + idA, "2699 " + idA}, "4"},
		{"a hit too late", []string{"7200 " + idA, "0 " + idA, "60 " + idA, "7260 " + idA}, "2 2"},
		{"a campaign changes", []string{"0 " + idA + "&url=https://shop.example/?utm_campaign=a", "60 " + idA + "&url=https://shop.example/?utm_campaign=a", "90 " + idA, "120 " + idA + "&url=https://shop.example/?mtm_campaign=b"}, "3 1"},
		{"a campaign in another case", []string{"0 " + idA + "&url=https://shop.example/?utm_campaign=Spring%26utm_term=TEA", "60 " + idA + "&url=https://shop.example/?utm_campaign=SPRING%26utm_term=tea", "90 " + idA + "&_rcn=spring&_rck=Tea", "120 " + idA + "&url=https://shop.example/?utm_campaign=Spring%26utm_term=coffee"}, "3 1"},
		{"a campaign comes to a direct visit", []string{"0 " + idA, "60 " + idA + "&url=https://shop.example/?pk_campaign=b"}, "2"},
		{"a campaign comes to a referred visit", []string{"0 " + idA + "&urlref=https://elsewhere.example/", "60 " + idA + "&url=https://shop.example/?pk_campaign=b"}, "1 1"},
		{"another referrer", []string{"0 " + idA + "&urlref=https://elsewhere.example/", "60 " + idA + "&urlref=https://another.example/"}, "2"},
		{"contents and goals are no actions", []string{"0 " + idA + "&c_n=a", "1 " + idA + "&idgoal=1", "2 " + idA + "&idgoal=0&ec_id=1&revenue=2"}, "0"},
		{"what is an action", []string{"0 " + idA + "&e_c=a&e_a=b", "1 " + idA + "&download=https://a.example/b", "2 " + idA + "&link=https://a.example/c", "3 " + idA + "&search=x", "4 " + idA}, "5"},
		{"a ping of nobody", []string{"0 " + idA + "&ping=1"}, ""},
		{"a ping of a visit", []string{"0 " + idA, "60 " + idA + "&ping=1&idgoal=1&e_c=a&e_a=b&new_visit=1", "1859 " + idA}, "1 1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var got []string
			for _, v := range story(t, c.hits...) {
				text := strconv.Itoa(v.Actions)
				if v.User != "" {
					text += ":" + v.User
				}
				got = append(got, text)
			}
			if text := strings.Join(got, " "); text != c.want {
				t.Errorf("visits %q, want %q", text, c.want)
			}
		})
	}
}

// What the answer says about a visit.
func TestMatomoVisitDetails(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		hits []string
		want shownVisit
	}{
		{"entry, exit and length", []string{"0 " + idA + "&url=https://Shop.example/in?sid=1%26a=b%23top", "61 " + idA + "&url=https://shop.example/out"},
			shownVisit{Entry: "https://shop.example/in?a=b", Exit: "https://shop.example/out", Duration: 62, Events: 2, Actions: 2, ReferrerType: "direct"}},
		{"one hit", []string{"0 " + idA + "&url=https://shop.example/in"},
			shownVisit{Entry: "https://shop.example/in", Exit: "https://shop.example/in", Events: 1, Actions: 1, Bounce: true, ReferrerType: "direct"}},
		{"pings", []string{"0 " + idA + "&url=https://shop.example/in", "30 " + idA + "&ping=1", "45 " + idA + "&ping=1", "40 " + idA + "&ping=1"},
			shownVisit{Entry: "https://shop.example/in", Exit: "https://shop.example/in", Duration: 46, Events: 1, Actions: 1, Bounce: true, ReferrerType: "direct"}},
		{"what is said of it as a whole", []string{"0 " + idA + "&url=https://shop.example/in&dimension1=free&dimension2=x&dimension3=y&_cvar=%7B%221%22:%5B%22Team%22,%22red%22%5D%7D&cvar=%7B%221%22:%5B%22Page%22,%22a%22%5D%7D",
			"10 " + idA + "&ping=1&dimension1=paid&dimension2=&_cvar=%7B%222%22:%5B%22Age%22,30%5D%7D", "20 " + idA + "&idgoal=0&_cvar=%7B%221%22:%5B%22Team%22,%22blue%22%5D%7D"},
			shownVisit{Entry: "https://shop.example/in", Exit: "https://shop.example/in", Duration: 21, Events: 2, Actions: 1, Bounce: true, Cart: "0", ReferrerType: "direct", Properties: `{"dimension1":"paid","_cvar":{"Age":"30","Team":"blue"}}`}},
		{"a ping alone says", []string{"0 " + idA + "&url=https://shop.example/in", "0 " + idA + "&ping=1&dimension1=paid"},
			shownVisit{Entry: "https://shop.example/in", Exit: "https://shop.example/in", Events: 1, Actions: 1, Bounce: true, ReferrerType: "direct", Properties: `{"dimension1":"paid"}`}},
		{"from a search engine", []string{"0 " + idA + "&url=https://shop.example/in&urlref=https://www.google.co.uk/"},
			shownVisit{Entry: "https://shop.example/in", Exit: "https://shop.example/in", Events: 1, Actions: 1, Bounce: true, Referrer: "https://www.google.co.uk/", ReferrerType: "search"}},
		{"from a network", []string{"0 " + idA + "&url=https://shop.example/in&urlref=https://old.reddit.com/r/a"},
			shownVisit{Entry: "https://shop.example/in", Exit: "https://shop.example/in", Events: 1, Actions: 1, Bounce: true, Referrer: "https://old.reddit.com/r/a", ReferrerType: "social"}},
		{"from elsewhere, later", []string{"0 " + idA + "&url=https://shop.example/in&urlref=https://www.shop.example/a", "1 " + idA + "&url=https://shop.example/b&urlref=https://elsewhere.example/x", "2 " + idA + "&url=https://shop.example/c&urlref=https://third.example/"},
			shownVisit{Entry: "https://shop.example/in", Exit: "https://shop.example/c", Duration: 3, Events: 3, Actions: 3, Referrer: "https://elsewhere.example/x", ReferrerType: "website"}},
		{"a campaign", []string{"0 " + idA + "&url=https://shop.example/in?mtm_campaign=Spring%26mtm_kwd=Tea&urlref=https://www.google.com/"},
			shownVisit{Entry: "https://shop.example/in", Exit: "https://shop.example/in", Events: 1, Actions: 1, Bounce: true, Referrer: "https://www.google.com/", ReferrerType: "campaign", Campaign: "Spring"}},
		{"a campaign behind the #", []string{"0 " + idA + "&url=https://shop.example/in%23utm_source=mail"},
			shownVisit{Entry: "https://shop.example/in", Exit: "https://shop.example/in", Events: 1, Actions: 1, Bounce: true, ReferrerType: "campaign", Campaign: "mail"}},
		{"a campaign the client remembers", []string{"0 " + idA + "&url=https://shop.example/in&_rcn=Autumn", "1 " + idA + "&url=https://shop.example/b&_rcn=other"},
			shownVisit{Entry: "https://shop.example/in", Exit: "https://shop.example/b", Duration: 2, Events: 2, Actions: 2, ReferrerType: "campaign", Campaign: "Autumn"}},
		{"goals once, and again where that may be", []string{"0 " + idA + "&idgoal=1", "1 " + idA + "&idgoal=1", "2 " + idA + "&e_c=Videos&e_a=play&e_v=3", "3 " + idA + "&e_c=Videos&e_a=play"},
			shownVisit{Duration: 4, Events: 5, Actions: 2, Goals: []string{"signup", "video", "video"}, ReferrerType: "direct"}},
		{"staying", []string{"0 " + idA + "&url=https://shop.example/a", "300 " + idA + "&url=https://shop.example/b", "301 " + idA + "&url=https://shop.example/c", "302 " + idA + "&url=https://shop.example/d"},
			shownVisit{Entry: "https://shop.example/a", Exit: "https://shop.example/d", Duration: 303, Events: 5, Actions: 4, Goals: []string{"stayed"}, ReferrerType: "direct"}},
		{"carts and orders", []string{"0 " + idA + "&idgoal=0&revenue=10", "1 " + idA + "&idgoal=0&revenue=20.129&ec_items=%5B%5B%22s%22%2C%22n%22%2C%22c%22%2C10%2C2%5D%5D", "2 " + idA + "&idgoal=0&ec_id=o1&revenue=20", "3 " + idA + "&idgoal=0&revenue=7"},
			shownVisit{Duration: 4, Events: 4, Bounce: true, Orders: []string{"o1"}, Cart: "7", ReferrerType: "direct"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			list := story(t, c.hits...)
			if len(list) != 1 {
				t.Fatalf("%d visits: %+v", len(list), list)
			}
			got := list[0]
			if len(got.ID) != 32 || got.Anonymous != "aaaaaaaaaaaaaaaa" || got.Start.IsZero() || got.End.Before(got.Start) {
				t.Errorf("%+v", got)
			}
			got.ID, got.Anonymous, got.Start, got.End = "", "", time.Time{}, time.Time{}
			if len(got.Goals) == 0 {
				got.Goals = nil
			}
			if len(got.Orders) == 0 {
				got.Orders = nil
			}
			if c.want.Actions <= 1 {
				c.want.Bounce = true
			}
			if fmt.Sprintf("%+v", got) != fmt.Sprintf("%+v", c.want) {
				t.Errorf("got  %+v\nwant %+v", got, c.want)
			}
		})
	}
}

// The hits of a page that come at once, on many connections, begin one visit.
func TestMatomoFirstHitsAtOnce(t *testing.T) {
	t.Parallel()
	for _, id := range []string{idA, "a=b"} {
		s := withVisits(t, nil)
		var wg sync.WaitGroup
		for i := range 16 {
			wg.Go(func() {
				if got := s.send("GET", "/matomo.php?idsite=1&rec=1&e_c=a&e_a="+strconv.Itoa(i)+"&"+id, "", visitor, firefox); got.status != 200 {
					t.Errorf("%d %s", got.status, got.body)
				}
			})
		}
		wg.Wait()
		if list := s.visits(""); len(list) != 1 || list[0].Actions != 16 {
			t.Errorf("%s: %+v", id, list)
		}
	}
}

// An order counts once, also when it comes many times at once; a cart does not.
func TestMatomoOrderOnce(t *testing.T) {
	t.Parallel()
	s := withVisits(t, nil)
	var wg sync.WaitGroup
	var mu sync.Mutex
	statuses := map[int]int{}
	for range 8 {
		wg.Go(func() {
			got := s.send("GET", "/matomo.php?idsite=1&rec=1&idgoal=0&ec_id=o-1&revenue=5&"+idA, "", visitor)
			mu.Lock()
			statuses[got.status]++
			mu.Unlock()
		})
	}
	wg.Wait()
	if statuses[200] != 1 || statuses[400] != 7 {
		t.Errorf("answers: %v", statuses)
	}
	got := s.send("POST", "/matomo.php", `{"token_auth":"shop-token","requests":["?idsite=1&rec=1&idgoal=0&ec_id=o-1&`+idB+`","?idsite=1&rec=1&idgoal=0&ec_id=o-2&`+idB+`","?idsite=1&rec=1&idgoal=0&ec_id=o-2&`+idB+`"]}`, visitor)
	if want := `{"status":"success","tracked":1,"invalid":2,"invalid_indices":[0,2],"errors":["ec_id: the site has an order of this id","ec_id: the site has an order of this id"]}`; got.body != want {
		t.Errorf("got %s\nwant %s", got.body, want)
	}
	if n := s.total(); n != 2 {
		t.Errorf("%d events", n)
	}
}

// A request that is sent again with its key is a success and stores nothing twice, not even an
// order or a page with the goal that it reaches.
func TestMatomoSentAgain(t *testing.T) {
	t.Parallel()
	s := withVisits(t, nil)
	for _, c := range []struct {
		method, target, body string
		stores               int
	}{
		{"GET", "/matomo.php?idsite=1&rec=1&idgoal=0&ec_id=o-1&" + idA, "", 1},
		{"GET", "/matomo.php?idsite=1&rec=1&url=https://shop.example/thanks&" + idA, "", 2},
		{"POST", "/matomo.php", `{"requests":["?idsite=1&rec=1&` + idA + `","?idsite=1&rec=1&url=https://shop.example/thanks&new_visit=1&` + idA + `","?idsite=9&rec=1"]}`, 3},
	} {
		before, first := s.total(), ""
		for range 3 {
			got := s.send(c.method, c.target, c.body, visitor, "Idempotency-Key: key-"+strconv.Itoa(c.stores))
			if first == "" {
				first = got.body
			}
			if got.status != 200 || got.body != first {
				t.Errorf("%s: %d %q, at first %q", c.target, got.status, got.body, first)
			}
		}
		if n := s.total() - before; n != c.stores {
			t.Errorf("%s: %d events, want %d", c.target, n, c.stores)
		}
	}
}

// One visit is one person. A visitor whose browser gets an id midway, after consent to cookies, has
// a fingerprint before that.
func TestVisitIsOnePerson(t *testing.T) {
	for _, c := range []struct {
		name                  string
		hits                  []string
		users, visits, events int
		anonymous             string // of the first visit
	}{
		{"an id from some hit on", []string{"0 a=1", "60 " + idA, "120 " + idA}, 1, 1, 3, "aaaaaaaaaaaaaaaa"},
		{"an id until some hit", []string{"0 " + idA, "60 a=1"}, 1, 1, 2, "aaaaaaaaaaaaaaaa"},
		{"an id, and another visit of it on the next day", []string{"0 a=1", "60 " + idA, "86400 " + idA}, 1, 2, 3, "aaaaaaaaaaaaaaaa"},
		{"a user from some hit on", []string{"0 a=1", "60 uid=ada"}, 1, 1, 2, ""},
		{"an id, then a user", []string{"0 a=1", "60 " + idA, "120 uid=ada&" + idA}, 1, 1, 3, "aaaaaaaaaaaaaaaa"},
		// Two visitors behind one address: a fingerprint belongs to one id alone.
		{"two ids", []string{"0 a=1", "60 " + idA, "120 " + idB}, 2, 1, 3, "aaaaaaaaaaaaaaaa"},
		{"two visits", []string{"0 " + idA, "7200 " + idB}, 2, 2, 2, "aaaaaaaaaaaaaaaa"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := withVisits(t, nil)
			s.tell(c.hits...)
			want := fmt.Sprintf(`{"events":%d,"users":%d,"sessions":%d}`, c.events, c.users, c.visits)
			if got := s.send("GET", "/api/v1/count", "", secret); strings.TrimSpace(got.body) != want {
				t.Errorf("got %s, want %s", got.body, want)
			}
			visits := s.visits("")
			if c.anonymous != "" && visits[0].Anonymous != c.anonymous {
				t.Errorf("the visit is of %q", visits[0].Anonymous)
			}
			if of := s.visits("&user=aaaaaaaaaaaaaaaa"); c.users == 1 && c.anonymous != "" && len(of) != c.visits {
				t.Errorf("the id has %d visits, want %d", len(of), c.visits)
			}
		})
	}
}
