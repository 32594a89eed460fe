package dialect

import (
	"strings"
	"testing"
)

// Each country has one code and one name. Names match in any case.
func TestCountries(t *testing.T) {
	if len(countryNames) < 249 {
		t.Errorf("%d countries", len(countryNames))
	}
	names := map[string]string{}
	for code, name := range countryNames {
		if len(code) != 2 || strings.ToUpper(code) != code || names[name] != "" {
			t.Errorf("%s %s, also %s", code, name, names[name])
		}
		names[name] = code
		for _, text := range []string{code, strings.ToLower(code), name, strings.ToLower(name), strings.ToUpper(name)} {
			if got := CountryCode(text); got != code {
				t.Errorf("%q is %q, want %s", text, got, code)
			}
		}
	}
	for text, want := range map[string]string{"USA": "US", "Czech Republic": "CZ", "Turkey": "TR", "UK": "GB", "": "", "XX": "XX", "xx": "xx", "Nowhere": "Nowhere"} {
		if got := CountryCode(text); got != want {
			t.Errorf("%q is %q, want %q", text, got, want)
		}
	}
}
