package dashboard

import (
	"testing"

	"cairn/engine/event"
	"cairn/http/dialect"
)

func TestNames(t *testing.T) {
	for _, test := range []struct {
		name      string
		of        func(string) string
		code, out string
	}{
		{"country", dialect.CountryName, "DE", "Germany"}, {"country", dialect.CountryName, "XK", "Kosovo"}, {"country", dialect.CountryName, "ZZ", "ZZ"},
		{"country", dialect.CountryName, "", ""},
		{"flag", Flag, "DE", "🇩🇪"}, {"flag", Flag, "ZZ", ""}, {"flag", Flag, "de", ""}, {"flag", Flag, "", ""},
		{"language", dialect.LanguageName, "de", "German"}, {"language", dialect.LanguageName, "en-US", "English (United States)"},
		{"language", dialect.LanguageName, "en_us", "English (United States)"}, {"language", dialect.LanguageName, "es-419", "Spanish (Latin America)"},
		{"language", dialect.LanguageName, "zh-Hant-TW", "Chinese (Traditional, Taiwan)"}, {"language", dialect.LanguageName, "sr-Latn", "Serbian (Latin)"},
		{"language", dialect.LanguageName, "de-u-co-at", "German"}, {"language", dialect.LanguageName, "de-1996", "German"},
		{"language", dialect.LanguageName, "xx", "xx"}, {"language", dialect.LanguageName, "", ""}, {"language", dialect.LanguageName, "<b>", "<b>"},
		{"device", dialect.DeviceName, "smartphone", "Phone"}, {"device", dialect.DeviceName, "fridge", "fridge"},
		{"channel", dialect.ChannelName, "ai", "AI assistants"}, {"channel", dialect.ChannelName, "tv", "tv"},
		{"type", dialect.TypeName, "page", "Page view"}, {"type", dialect.TypeName, "nothing", "nothing"},
	} {
		if got := test.of(test.code); got != test.out {
			t.Errorf("%s %q: %q, want %q", test.name, test.code, got, test.out)
		}
	}
}

// A type that is new has to get a name here, too.
func TestTypesHaveNames(t *testing.T) {
	for _, code := range event.Types {
		if dialect.TypeName(string(code)) == string(code) {
			t.Errorf("type %s has no name", code)
		}
	}
}
