package event

import (
	"fmt"
	"strings"
	"testing"
)

func TestCounts(t *testing.T) {
	for _, c := range []struct {
		name string
		e    Event
		want string
	}{
		{"nothing", Event{Type: Page}, ""},
		{"name and properties", Event{Type: Track, Name: "Buy", Properties: Object{{"a", Num("1.0")}, {"b", Str("x")}, {"c", Boolean(true)}, {"d", Value{Kind: Null}}}},
			"a=1+1 b=x+1 c=true+1 name=Buy+1"},
		{"nested", Event{Type: Track, Properties: Object{{"a", Raw(`{"b":[1,2,1,"1"],"c":{"d":null,"e":"x"}}`)}}},
			"a.b=1+1 a.b=2+1 a.c.e=x+1"},
		{"literal and nested path are one", Event{Type: Track, Properties: Object{{"a.b", Num("1")}, {"a", Raw(`{"b":1}`)}}},
			"a.b=1+1"},
		{"context", Event{Type: Page, Context: Object{{"url", Str("https://x.example/")}, {"title", Str("T")}, {"country", Str("NL")}, {"region", Str("UT")}, {"city", Str("Utrecht")},
			{"browser", Str("Firefox")}, {"browser_version", Str("145")}, {"platform", Str("Linux")}, {"os", Str("Linux")}, {"device", Str("desktop")}, {"language", Str("nl")},
			{"referrer", Str("https://y.example/")}, {"referrer_host", Str("y.example")}, {"utm_source", Str("s")}, {"utm_medium", Str("m")}, {"utm_campaign", Str("c")},
			{"utm_term", Str("t")}, {"utm_content", Str("n")}, {"bot", Boolean(true)}, {"latitude", Num("1")}}},
			"title=T+1 country=NL+1 region=UT+1 city=Utrecht+1 browser=Firefox+1 platform=Linux+1 device=desktop+1 language=nl+1 referrer_host=y.example+1 " +
				"utm_source=s+1 utm_medium=m+1 utm_campaign=c+1 utm_term=t+1 utm_content=n+1"},
		{"explicit replaces detected", Event{Type: Track, Name: "Buy", Properties: Object{{"country", Str("BE")}, {"name", Str("N")}, {"city", Raw("[]")}, {"language", Value{Kind: Null}}},
			Context: Object{{"country", Str("NL")}, {"city", Str("Utrecht")}, {"language", Str("nl")}, {"device", Str("")}}},
			"country=BE+1 name=N+1"},
		{"increments", Event{Type: Track, Name: "Buy", Properties: Object{{"gender", Str("f")}, {"a", Raw(`{"b":1,"c":2}`)}}, Context: Object{{"browser", Str("Firefox")}},
			Increments: []Amount{{"gender", 10}, {"a.b", -3}, {"browser", 0}, {"absent", 5}}},
			"gender=f+10 a.b=1-3 a.c=2+1 name=Buy+1 browser=Firefox+0"},
		{"not counted", Event{Type: Track, Name: "Buy", Properties: Object{{"email", Str("x")}, {"a", Raw(`{"b":1,"c":2}`)}}, Context: Object{{"city", Str("Utrecht")}}, NotCounted: []string{"email", "a.b", "city", "name"}},
			"a.c=2+1"},
		{"capped", Event{Type: Track, Name: "Buy", Properties: Object{{"tags", Raw(`["a","b","c"]`)}, {"x", Num("1.0")}}, Capped: []Term{{"tags", "a"}, {"tags", "b"}, {"x", "1"}, {"y", "Buy"}}},
			"tags=(other)+1 tags=c+1 x=(other)+1 name=Buy+1"},
		{"uncounted", Event{Type: Track, Name: "Buy", Uncounted: true, Properties: Object{{"a", Num("1")}}}, ""},
		{"identify", Event{Type: Identify, Properties: Object{{"a", Num("1")}}, Context: Object{{"city", Str("Utrecht")}}}, ""},
		{"group", Event{Type: Group, Properties: Object{{"a", Num("1")}}}, ""},
		{"alias", Event{Type: Alias, Name: "x"}, ""},
		{"increment", Event{Type: Increment, Name: "x"}, ""},
	} {
		var got []string
		c.e.Counts(func(property, term string, by int64) bool {
			got = append(got, fmt.Sprintf("%s=%s%+d", property, term, by))
			return true
		})
		if s := strings.Join(got, " "); s != c.want {
			t.Errorf("%s:\n%s, want\n%s", c.name, s, c.want)
		}
		for stop := range got {
			n := 0
			c.e.Counts(func(string, string, int64) bool { n++; return n <= stop })
			if n != stop+1 {
				t.Errorf("%s: yield was called after false: %d of %d", c.name, n, stop+1)
			}
		}
	}
	for _, kind := range Types {
		got := Countable(kind)
		if want := kind != Identify && kind != Group && kind != Alias && kind != Increment; got != want {
			t.Errorf("Countable(%s) = %v", kind, got)
		}
	}
}
