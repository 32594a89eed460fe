package httpd

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"cairn/engine"
	"cairn/engine/event"
)

// A word that is no id makes nobody, in any dialect: the events are stored and answered, and
// are their other id's or nobody's. No profile changes.
func TestWordsThatAreNoID(t *testing.T) {
	t.Parallel()
	s := onStore(t, engine.Options{Visitors: shownVisitors{}}, nil, testSite(1, "shop"))
	secretKey := []string{secret}
	panel := []string{clientID, clientSecret}
	sent := 0
	send := func(q owned) {
		t.Helper()
		if a := s.connect().ask(q); a.status/100 != 2 {
			t.Errorf("%s %s: %d %s", q.target, q.body, a.status, a.body)
		}
		sent++
	}
	send(owned{"POST", "/api/v1/events", `{"type":"identify","user":"ada","anonymous":"device","properties":{"plan":"a"}}`, secretKey})
	for _, word := range []string{"undefined", "null", "0", "[object Object]", " "} {
		for _, q := range []owned{
			{"POST", "/api/v1/events", `{"name":"a","user":"%s"}`, secretKey},
			{"POST", "/api/v1/events", `{"type":"identify","user":"%s","anonymous":"device","properties":{"plan":"b"}}`, secretKey},
			{"POST", "/api/v1/events", `{"type":"alias","user":"%s","anonymous":"device","previous":"p"}`, secretKey},
			{"POST", "/api/v1/events", `{"type":"alias","user":"bob","previous":"%s"}`, secretKey},
			{"POST", "/api/v1/events", `{"type":"group","user":"%s","groups":["acme"]}`, secretKey},
			{"POST", "/v1/track", `{"writeKey":"shop-write","event":"a","userId":"%s","anonymousId":"device"}`, nil},
			{"POST", "/v1/identify", `{"writeKey":"shop-write","userId":"%s","traits":{"plan":"c"}}`, nil},
			{"POST", "/track", `{"type":"track","payload":{"name":"a","profileId":"%s"}}`, panel},
			{"POST", "/track", `{"type":"identify","payload":{"profileId":"%s","properties":{"plan":"d"}}}`, panel},
			{"POST", "/track", `{"type":"increment","payload":{"profileId":"%s","property":"n"}}`, panel},
			{"POST", "/tracking/events", `{"eventName":"a","value":1,"userId":"%s"}`, secretKey},
		} {
			q.body = fmt.Sprintf(q.body, word)
			send(q)
		}
		word := strings.NewReplacer(" ", "%20", "[", "%5B", "]", "%5D").Replace(word)
		send(owned{"GET", "/matomo.php?idsite=1&rec=1&action_name=a&cid=0123456789abcdef&uid=" + word, "", []string{firefox}})
		send(owned{"GET", "/?si=shop&ti=a&uid=" + word, "", nil})
		send(owned{"GET", "/?si=shop&ti=a&sid=0&uid=" + word, "", nil})
	}
	var page struct{ Users []struct{ ID string } }
	a := s.send("GET", "/api/v1/users?limit=100", "", secret)
	if err := json.Unmarshal([]byte(a.body), &page); err != nil || len(page.Users) == 0 {
		t.Fatal(err, a.body)
	}
	for _, u := range page.Users {
		if word, none := event.NoID(u.ID); none {
			t.Errorf("%s is a user", word)
		}
	}
	if a := s.send("GET", "/api/v1/users/device", "", secret); !strings.Contains(a.body, `"properties":{"plan":"a"}`) || !strings.Contains(a.body, `"id":"ada"`) || strings.Contains(a.body, `"aliases":["`) {
		t.Errorf("a profile has changed: %s", a.body)
	}
	if a := s.send("GET", "/api/v1/groups/acme", "", secret); !strings.Contains(a.body, `"members":[]`) {
		t.Errorf("%s", a.body)
	}
	if a := s.send("GET", "/api/v1/count?user=undefined", "", secret); !strings.Contains(a.body, `"events":0`) {
		t.Errorf("%s", a.body)
	}
	if n := s.total(); n != sent {
		t.Errorf("%d events of %d requests", n, sent)
	}
	m := s.send("GET", "/metrics", "", "Authorization: Bearer admin").body
	for _, want := range []string{`{word="undefined"} 14`, `{word="[object object]"} 14`, `{word="blank"} 13`} {
		if !strings.Contains(m, "cairn_ids_refused_total"+want+"\n") {
			_, lines, _ := strings.Cut(m, "# TYPE cairn_ids_refused_total")
			t.Errorf("the metrics lack %s: %.300s", want, lines)
		}
	}
}
