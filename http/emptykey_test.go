package httpd

import (
	"strings"
	"testing"

	"cairn/engine"
)

// An empty key does not cost an event. What it holds is kept where JSON can hold it.
func TestEmptyPropertyKeys(t *testing.T) {
	t.Parallel()
	site := testSite(1, "shop")
	site.Privacy.IP = "drop" // no context beside the properties
	s := onStore(t, engine.Options{}, nil, site)
	panel := []string{clientID, clientSecret}
	for _, c := range []struct {
		owned
		want string
	}{
		{owned{"POST", "/v1/track", `{"writeKey":"shop-write","userId":"u","event":"a","properties":{"":1,"b":2}}`, nil}, `"properties":{"b":2},"extra":{"properties":{"":1}}`},
		{owned{"POST", "/v1/track", `{"writeKey":"shop-write","userId":"u","event":"a","properties":{"":{"x":1}},"":7}`, nil}, `"extra":{"properties":{"":{"x":1}}}`},
		{owned{"POST", "/v1/track", `{"writeKey":"shop-write","userId":"u","event":"a","properties":{"b":{"":2}},"context":{"":3}}`, nil}, `"properties":{"b":{"":2}},"extra":{"context":{"":3}}`},
		{owned{"POST", "/v1/batch", `{"writeKey":"shop-write","batch":[{"type":"identify","userId":"u","traits":{"":1,"c":"\u0001"}}]}`, nil}, `"properties":{"c":""},"extra":{"traits":{"":1}}`},
		{owned{"POST", "/v1/group", `{"writeKey":"shop-write","userId":"u","groupId":"g","traits":{"\u0002":1}}`, nil}, `"extra":{"traits":{"":1}}`},
		{owned{"POST", "/track", `{"type":"track","payload":{"name":"a","properties":{"":"x","b":2}}}`, panel}, `"properties":{"b":2},"extra":{"properties":{"":"x"}}`},
		{owned{"POST", "/track", `{"type":"identify","payload":{"profileId":"u","":1,"properties":{"":2,"b":3}}}`, panel}, `"properties":{"b":3},"extra":{"properties":{"":1}}`},
		{owned{"POST", "/track", `{"type":"group","payload":{"id":"g","type":"t","name":"n","properties":{"":1}}}`, panel}, `"properties":{"name":"n","type":"t"},"extra":{"properties":{"":1}}`},
		{owned{"POST", "/event", `{"name":"a","properties":{"":1}}`, panel}, `"extra":{"properties":{"":1}}`},
	} {
		if a := s.connect().ask(c.owned); a.status/100 != 2 {
			t.Errorf("%s %s: %d %s", c.target, c.body, a.status, a.body)
			continue
		}
		if a := s.send("GET", "/api/v1/events?limit=1", "", secret); !strings.Contains(a.body, c.want) {
			t.Errorf("%s: %s lacks %s", c.body, a.body, c.want)
		}
	}
	// The extra property is found, and nothing counts it.
	if a := s.send("GET", "/api/v1/count?extra.properties.=1", "", secret); a.status >= 500 {
		t.Errorf("%d %s", a.status, a.body)
	}
	if a := s.send("GET", "/api/v1/counters", "", secret); a.status != 200 || strings.Contains(a.body, `"property":""`) {
		t.Errorf("%d %s", a.status, a.body)
	}
}
