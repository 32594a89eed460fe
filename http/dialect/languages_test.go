package dialect

import "testing"

// Every line of the file is a code and a name, and no code stands twice.
func TestLanguages(t *testing.T) {
	if n := len(languageNames()); n != 210 {
		t.Errorf("%d languages", n)
	}
	for code, name := range languageNames() {
		if len(code) < 2 || len(code) > 3 || name == "" || LanguageName(code) != name {
			t.Errorf("%q: %q", code, name)
		}
	}
	for tag, want := range map[string]string{"nb": "Norwegian Bokmål", "tzm-MA": "Central Atlas Tamazight (Morocco)", "zu": "Zulu", "zh_Hant_TW": "Chinese (Traditional, Taiwan)", "zz": "zz"} {
		if got := LanguageName(tag); got != want {
			t.Errorf("%s: %q, want %q", tag, got, want)
		}
	}
}
