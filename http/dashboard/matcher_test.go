package dashboard

import (
	"reflect"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// A step is shown as what it says, and written again means what it meant.
func TestMatchers(t *testing.T) {
	for _, c := range []struct {
		query string
		want  matcher
		text  string
	}{
		{"", matcher{}, "(empty)"},
		{"type=page&type=screen&page=/a", matcher{kind: "page", value: "/a"}, "Page /a"},
		{"page~=/b/*&type=screen&type=page", matcher{kind: "page", value: "/b/*", match: true}, "Page matches /b/*"},
		{"type=page&type=screen", matcher{kind: "page"}, "Any page"},
		{"type=page&page=/a", matcher{kind: "type:page", lines: []condition{{"page", "is", "/a"}}}, "Page view, Page is /a"},
		{"name=signup", matcher{kind: "event", value: "signup"}, "Event signup"},
		{"name=a&name=b", matcher{kind: "any", lines: []condition{{"name", "is", "a"}, {"name", "is", "b"}}}, "Any event, Event is a, or Event is b"},
		{"type=order&value>=100", matcher{kind: "type:order", lines: []condition{{"value", "least", "100"}}}, "Order, Value at least 100"},
		{"type=search&name=install", matcher{kind: "type:search", value: "install"}, "Search install"},
		{"has=prop.plan&has!=user&country=DE", matcher{kind: "any", lines: []condition{{"prop.plan", "has", ""}, {"user", "hasnot", ""}, {"country", "is", "DE"}}}, "Any event, plan is there, Person is not there, Country is Germany"},
		{"has~=x", matcher{kind: "text", value: "has~=x"}, "has~=x"},
		{"name=", matcher{kind: "text", value: "name="}, "name="},
	} {
		got := parseMatcher(c.query)
		if !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s is read as %+v", c.query, got)
		}
		if text := new(page).matcherText(got); text != c.text {
			t.Errorf("%s is said as %q", c.query, text)
		}
		if again, was := sortedPairs(got.query()), sortedPairs(c.query); !slices.Equal(again, was) {
			t.Errorf("%s is written as %q", c.query, again)
		}
	}
}

func sortedPairs(query string) []pair {
	pairs := parseRaw(query)
	slices.SortFunc(pairs, func(a, b pair) int {
		if a.key < b.key || a.key == b.key && a.value < b.value {
			return -1
		}
		return 1
	})
	return pairs
}

// Whatever an address has is not changed by a form that is sent as it is shown.
func TestMatchersThroughTheForm(t *testing.T) {
	text := rapid.StringMatching(`[a-zäß/ &=+%."<]{1,6}`)
	keys := rapid.SampledFrom([]string{"type", "type", "name", "page", "page~", "name~", "has", "has!", "has~", "prop.a", "prop.a>", "prop.b!~", "value<", "country!"})
	rapid.Check(t, func(t *rapid.T) {
		var s state
		for range rapid.IntRange(1, 9).Draw(t, "pairs") {
			s = s.and(keys.Draw(t, "key"), rapid.OneOf(text, rapid.SampledFrom([]string{"page", "screen", "order"})).Draw(t, "value"))
		}
		view := viewMatcher(parseMatcher(s.String()), 3, "Step 4", false)
		form := state{{"_v3", view.Value}}
		if view.Match {
			form = append(form, pair{"_o3", "match"})
		}
		for _, g := range view.Kinds {
			for _, c := range g.Choices {
				if c.On {
					form = append(form, pair{"_k3", c.Value})
				}
			}
		}
		for _, l := range view.Lines {
			form = append(form, pair{"_f" + l.Key, l.Field}, pair{"_w" + l.Key, l.Value})
			for _, o := range l.Operators {
				if o.On {
					form = append(form, pair{"_p" + l.Key, o.Value})
				}
			}
		}
		m, ok := readMatcher(parseState(form.String()), 3)
		if got, want := sortedPairs(m.query()), sortedPairs(s.String()); !ok || !slices.Equal(got, want) {
			t.Fatalf("%q becomes %q", want, got)
		}
	})
}
