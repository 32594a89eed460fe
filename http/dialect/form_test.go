package dialect

import (
	"net/url"
	"reflect"
	"testing"
)

func TestForm(t *testing.T) {
	for _, c := range []struct {
		name, text string
		want       [][2]string
	}{
		{"nothing", "", nil},
		{"in order, repeats kept", "b=1&a=2&b=3", [][2]string{{"b", "1"}, {"a", "2"}, {"b", "3"}}},
		{"empty pairs", "&&a=1&", [][2]string{{"a", "1"}}},
		{"no value", "a&b=&=c", [][2]string{{"a", ""}, {"b", ""}, {"", "c"}}},
		{"only the first = splits", "a=b=c", [][2]string{{"a", "b=c"}}},
		{"plus and percent", "a+b=c%20d%2Be", [][2]string{{"a b", "c d+e"}}},
		{"an escaped = and &", "metadata.a%3Db=1%262", [][2]string{{"metadata.a=b", "1&2"}}},
		{"utf-8", "caf%C3%A9=%e2%82%ac", [][2]string{{"café", "€"}}},
		{"broken escapes are kept as they are", "a=100%&b=%zz&c=%4&d=%", [][2]string{{"a", "100%"}, {"b", "%zz"}, {"c", "%4"}, {"d", "%"}}},
		{"escape at the very end", "a=%41", [][2]string{{"a", "A"}}},
		{"a semicolon is no separator", "a=1;b=2", [][2]string{{"a", "1;b=2"}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			var got [][2]string
			for k, v := range Form(c.text) {
				got = append(got, [2]string{k, v})
			}
			if !reflect.DeepEqual(got, c.want) {
				t.Errorf("Form(%q) = %q, want %q", c.text, got, c.want)
			}
		})
	}
}

func TestFormStops(t *testing.T) {
	n := 0
	for range Form("a=1&b=2&c=3") {
		n++
		if n == 2 {
			break
		}
	}
	if n != 2 {
		t.Errorf("%d pairs seen after a break at 2", n)
	}
}

// Form reads every text that the standard library accepts in the same way.
func FuzzForm(f *testing.F) {
	f.Add("a=1&b=%20&c")
	f.Add("%zz=+&;")
	f.Fuzz(func(t *testing.T, text string) {
		got := url.Values{}
		for k, v := range Form(text) {
			got.Add(k, v)
		}
		want, err := url.ParseQuery(text)
		if err == nil && !reflect.DeepEqual(got, want) {
			t.Errorf("Form(%q) = %q, want %q", text, got, want)
		}
	})
}
