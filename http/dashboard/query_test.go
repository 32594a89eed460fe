package dashboard

import (
	"net/url"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// What is written is read as what it was.
func TestStateRoundTrip(t *testing.T) {
	text := rapid.StringMatching(`[\x20-\x7eäß中\x{200f}]{1,8}`)
	rapid.Check(t, func(t *rapid.T) {
		s := state{{"range", "7d"}}
		for range rapid.IntRange(0, 6).Draw(t, "pairs") {
			s = s.and(text.Draw(t, "key"), rapid.OneOf(text, rapid.Just("")).Draw(t, "value"))
		}
		if got := parseState(s.String()); !slices.Equal(got, s) {
			t.Fatalf("%q is read as %q", s, got)
		}
		values, err := url.ParseQuery(s.String())
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range s {
			if !slices.Contains(values[p.key], p.value) {
				t.Fatalf("net/url reads %q of %s as %q", p.key, s, values[p.key])
			}
		}
	})
}

func TestStateDefaults(t *testing.T) {
	for _, c := range []struct{ raw, want string }{
		{"", "range=30d&compare=previous&bot=false"},
		{"_tab=exit", "range=30d&compare=previous&bot=false&_tab=exit"},
		{"sort=visits", "range=30d&compare=previous&bot=false&sort=visits"},
		{"country=DE", "range=30d&country=DE"},
		{"compare=year", "range=30d&compare=year&bot=false"},
		{"range=7d", "range=7d"},
		{"from=2026-11-01", "from=2026-11-01"},
		{"range=7d&range=7d&a=1&a=2", "range=7d&a=1&a=2"},
		{"range=7d&path%7E=%2Fblog%2F*", "range=7d&path~=/blog/*"},
		{"range=7d&a=%zz", "range=7d&a=%25zz"},
	} {
		if got := parseState(c.raw).String(); got != c.want {
			t.Errorf("%s: %s, want %s", c.raw, got, c.want)
		}
	}
}

func TestStateChanges(t *testing.T) {
	s := parseState("range=7d&country=DE&country=FR&_tab=exit")
	for _, c := range []struct {
		got  state
		want string
	}{
		{s.with("range", "30d"), "range=30d&country=DE&country=FR&_tab=exit"},
		{s.with("compare", "year"), "range=7d&country=DE&country=FR&_tab=exit&compare=year"},
		{s.with("range", ""), "country=DE&country=FR&_tab=exit"},
		{s.but("country", "DE"), "range=7d&country=FR&_tab=exit"},
		{s.and("country", "FR"), s.String()},
		{s.and("country", "US"), "range=7d&country=DE&country=FR&_tab=exit&country=US"},
		{s.without("country", "_tab"), "range=7d"},
	} {
		if got := c.got.String(); got != c.want {
			t.Errorf("%s, want %s", got, c.want)
		}
	}
	if s.String() != "range=7d&country=DE&country=FR&_tab=exit" {
		t.Errorf("a change has changed the state: %s", s)
	}
}

func TestFilters(t *testing.T) {
	f := parseState("range=7d&country=DE&path~=/a*&country=FR&path!~=*.pdf&visit.has!=source&value>=5&sort=x&_tab=y").filters()
	var got []string
	for _, f := range f {
		field, end := f.split()
		got = append(got, field+" "+end+"= "+url.Values{"": f.values}.Encode())
	}
	want := []string{"country = =DE&=FR", "path ~= =%2Fa%2A", "path !~= =%2A.pdf", "visit.has != =source", "value >= =5"}
	if !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}
