package dashboard

import (
	"net/url"
	"strings"
	"testing"
)

const (
	madePerson = `{"id":"ann@example.com","properties":{"name":"Ann Lee","plan":"pro","web":"https://ann.example/"},"aliases":["old"],"anonymous":["p1"],"groups":["acme"],
		"first_seen":"2026-10-14T15:57:01.416Z","last_seen":"2026-11-29T18:58:00.000Z","events":17,"sessions":2}`
	madeVisit = `{"id":"s1","key":"bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb","user":"ann@example.com","anonymous":"p1","dialect":"native","start":"2026-11-28T23:59:00.000Z","end":"2026-11-29T00:01:04.000Z",
		"duration":124,"events":2,"actions":2,"entry":"https://shop.example/docs?x=1","exit":"https://shop.example/","bounce":false,"referrer":"https://www.google.com/","referrer_type":"search","goals":["7","8","9","10"],"orders":["o1"],"cart":null}`
	madeStory = `{"events":[{"id":"22222222222222222222222222222222","type":"order","name":"o1","time":"2026-11-29T00:01:04.000Z","received":"2026-11-29T00:01:04.000Z","anonymous":"p1"},
		{"id":"11111111111111111111111111111111","type":"page","name":"Docs","time":"2026-11-28T23:59:00.000Z","received":"2026-11-29T00:02:00.000Z","anonymous":"p1",
		"context":{"path":"/docs","country":"DE","city":"Berlin","browser":"Firefox","browser_version":"132.0"}}],"next":null}`
)

func peopleMade() *made {
	return &made{answers: map[string]string{
		"users":                        `{"users":[` + madePerson + `,{"id":"p9","properties":{},"aliases":[],"anonymous":["p9"],"groups":[],"first_seen":"2026-10-14T15:57:01.416Z","last_seen":"2026-11-29T18:50:00.000Z","events":1,"sessions":0}],"next":null}`,
		"users/ann@example.com":        madePerson,
		"users/ann@example.com/events": madeStory,
		"sessions":                     `{"sessions":[` + madeVisit + `],"next":null}`,
		"sessions/bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb": madeVisit,
		"events": madeStory,
	}}
}

func TestPeopleScreen(t *testing.T) {
	m := peopleMade()
	page := screenOn(t, m, "/people?range=7d&country=DE&_find=an*")
	mustHave(t, page, "Ann Lee", "ann@example.com", "2"+space+"min ago", "17", `href="/dashboard/site/shop/people/p9?range=7d&amp;country=DE"`)
	if !m.asks("users", `user~=*an\**`, "sort=last", "limit=100", "country=DE") {
		t.Errorf("people are asked as %q", m.asked)
	}
	m.answers["users"] = `{"users":[],"next":null}`
	mustHave(t, screenOn(t, m, "/people?range=7d&_find=an"), textNoPerson)
	mustHave(t, screenOn(t, m, "/people?range=7d"), textNothing)
}

// A search finds what the list shows as the name, and other ids, among those who were here last.
func TestPeopleByName(t *testing.T) {
	m := peopleMade()
	m.answers["users?range=7d&limit=1000&sort=last&max_age=10"] = m.answers["users"]
	m.answers["users"] = `{"users":[],"next":null}` // no id has it
	for search, there := range map[string]bool{"ann+LEE": true, "old": true, "p1": true, "p9": false, "nobody": false} {
		page := screenOn(t, m, "/people?range=7d&_find="+search)
		if strings.Contains(page, "Ann Lee") != there {
			t.Errorf("%s: found %v, want %v", search, !there, there)
		}
	}
}

// Who may change the site is told the line that forgets a person; it is one word for a shell.
func TestForgetCommand(t *testing.T) {
	m := peopleMade()
	m.answers["users/it%27s%20%2F"] = strings.Replace(madePerson, "ann@example.com", "it's /", 1)
	m.answers["users/p9"] = `{"id":"p9","properties":{},"aliases":[],"anonymous":["p9"],"groups":[],"first_seen":"2026-10-14T15:57:01.416Z","last_seen":"2026-11-29T18:50:00.000Z","events":1,"sessions":0}`
	save := func(v *Viewer) { v.Save = true }
	mustHave(t, screenOn(t, m, "/people/ann@example.com?range=7d", save), "Forget this person", "<code>cairn forget -site shop -user ann@example.com</code>", textForget)
	mustHave(t, screenOn(t, m, "/people/it%27s%20%2F?range=7d", save), `<code>cairn forget -site shop -user &#39;it&#39;\&#39;&#39;s /&#39;</code>`)
	mustHave(t, screenOn(t, m, "/people/p9?range=7d", save), "<code>cairn forget -site shop -anonymous p9</code>")
	for _, change := range []func(*Viewer){func(*Viewer) {}, func(v *Viewer) { v.Save, v.Share = true, &Share{People: true, Base: "/dashboard/s/token"} }} {
		if body := screenOn(t, m, "/people/ann@example.com?range=7d", change); strings.Contains(body, "Forget this person") {
			t.Error("who may only look is told how to forget somebody")
		}
	}
}

func TestVisitsScreen(t *testing.T) {
	m := peopleMade()
	page := screenOn(t, m, "/people?range=7d&visit.source=Google&_tab=visits")
	mustHave(t, page, "google.com", "/docs", "2"+space+"m"+space+"4"+space+"s", "and 1 more", "/dashboard/site/shop/visit/bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb?range=7d")
	if !m.asks("sessions", "visit.source=Google", "range=7d") {
		t.Errorf("visits are asked as %q", m.asked)
	}
}

// A share sees nobody: the API refuses, and the screen says so.
func TestPeopleOfAShare(t *testing.T) {
	share := func(v *Viewer) { v.Share = &Share{Base: "/dashboard/s/token"} }
	for _, path := range []string{"/people?range=7d", "/people?range=7d&_tab=visits", "/people/ann@example.com?range=7d", "/visit/bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb?range=7d", "/events?range=7d"} {
		m := peopleMade()
		for call := range m.answers {
			m.answers[call] = `403 {"error":"a share of numbers sees no people","status":403}`
		}
		mustHave(t, screenOn(t, m, path, share), textShare)
	}
}

// A visit is told in the order of its time, across midnight, whatever came first.
func TestProfileAndVisit(t *testing.T) {
	m := peopleMade()
	page := screenOn(t, m, "/people/ann@example.com?range=7d")
	mustHave(t, page, "Ann Lee", "acme", ">old<", ">p1<", `href="https://ann.example/" rel="noopener noreferrer nofollow"`, `_open=bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb#v-bbbb`)
	mustNotHave(t, page, "11111111111111111111111111111111")
	if !m.asks("sessions", "user=ann@example.com") || m.asks("sessions", "range=") {
		t.Errorf("their visits are asked as %q", m.asked)
	}
	page = screenOn(t, m, "/people/ann@example.com?range=7d&_open=bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb")
	mustHave(t, page, `aria-expanded="true"`, ";2"+space+"m"+space+"4"+space+"s")
	mustHave(t, screenOn(t, m, "/people/ann@example.com?range=7d&_tab=events"), ">o1<")

	page = screenOn(t, m, "/visit/bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb?range=7d")
	mustHave(t, page, "Berlin, Germany", "Firefox 132.0", "google.com", "Sat 28 Nov", "Sun 29 Nov", `/dashboard/site/shop/people/ann@example.com?range=7d`)
	if first, second := strings.Index(page, "events/1111"), strings.Index(page, "events/2222"); first < 0 || second < first {
		t.Error("the events of the visit are not in the order of their time")
	}
	mustHave(t, screenAs(t, 404, m, "/visit/no?range=7d"), "There is no such visit.")
	mustHave(t, screenAs(t, 404, m, "/visit?range=7d"), "There is no such visit.")
	mustHave(t, screenAs(t, 404, m, "/people/nobody?range=7d"), "There is no such person.")
}

// The links to a person are read as that person, whatever their id is.
func TestLinksToPeople(t *testing.T) {
	for _, id := range append(hostile, "a/b", "%2F", "ä ö", "?x#y") {
		m := &made{answers: map[string]string{}}
		p := &page{base: "/dashboard/site/shop", state: parseState("range=7d"), viewer: new(Viewer), screen: screens[0]}
		href := p.personHref(id)
		if id == "." || id == ".." {
			if href != "/dashboard/site/shop/people?range=7d&user="+id {
				t.Errorf("%q leads to %q", id, href)
			}
			continue
		}
		u, err := url.Parse(href)
		if err != nil {
			t.Fatalf("%q: %v", id, err)
		}
		m.answers["users/"+url.PathEscape(id)] = strings.Replace(madePerson, "ann@example.com", "found", 1)
		mustHave(t, screenOn(t, m, strings.TrimPrefix(u.EscapedPath(), "/dashboard/site/shop")+"?range=7d"), ">found<")
	}
}

func TestPeopleHostile(t *testing.T) {
	for _, text := range hostile {
		q := quoted(text)
		person := `{"id":` + q + `,"properties":{` + q + `:` + q + `,"name":` + q + `,"email":` + q + `},"aliases":[` + q + `],"anonymous":[` + q + `,"x"],"groups":[` + q + `],"first_seen":"2026-10-14T15:57:01.416Z","last_seen":"2026-10-14T15:57:01.416Z","events":1,"sessions":1}`
		visit := `{"id":` + q + `,"key":` + q + `,"user":` + q + `,"dialect":` + q + `,"start":"2026-11-28T23:59:00.000Z","end":"2026-11-28T23:59:00.000Z","entry":` + q + `,"exit":` + quoted("x"+text) + `,"referrer":` + q + `,"referrer_type":` + q + `,"campaign":"","goals":[` + q + `],"orders":[` + q + `]}`
		event := `{"id":"5db4c88fc51de13e7a90456c60a92ad2","type":` + q + `,"name":` + q + `,"time":"2026-11-07T13:34:52.751Z","received":"2026-11-07T13:34:52.751Z","context":{"country":` + q + `,"city":` + q + `,"path":` + quoted("/"+text) + `,"browser":` + q + `,"device":` + q + `,"language":` + q + `}}`
		m := &made{answers: map[string]string{"users": `{"users":[` + person + `]}`, "users/x": person, "users/x/events": `{"events":[` + event + `]}`, "sessions": `{"sessions":[` + visit + `]}`, "sessions/x": visit, "events": `{"events":[` + event + `]}`}}
		query := "?range=7d&_find=" + url.QueryEscape(text) + "&user=" + url.QueryEscape(text) + "&_open=" + url.QueryEscape(text)
		for _, path := range []string{"/people" + query, "/people" + query + "&_tab=visits", "/people/x" + query, "/people/x" + query + "&_tab=events", "/visit/x" + query} {
			mustNotHave(t, screenOn(t, m, path), "<script>alert", "<img")
		}
	}
}
