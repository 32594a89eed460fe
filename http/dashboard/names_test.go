package dashboard

import (
	"testing"

	"cairn/engine/event"
)

func TestNames(t *testing.T) {
	for _, test := range []struct {
		name      string
		of        func(string) string
		code, out string
	}{
		{"country", Country, "DE", "Germany"}, {"country", Country, "XK", "Kosovo"}, {"country", Country, "ZZ", "ZZ"},
		{"country", Country, "", ""},
		{"flag", Flag, "DE", "🇩🇪"}, {"flag", Flag, "ZZ", ""}, {"flag", Flag, "de", ""}, {"flag", Flag, "", ""},
		{"language", Language, "de", "German"}, {"language", Language, "en-US", "English (United States)"},
		{"language", Language, "en_us", "English (United States)"}, {"language", Language, "es-419", "Spanish (Latin America)"},
		{"language", Language, "zh-Hant-TW", "Chinese (Traditional, Taiwan)"}, {"language", Language, "sr-Latn", "Serbian (Latin)"},
		{"language", Language, "de-u-co-at", "German"}, {"language", Language, "de-1996", "German"},
		{"language", Language, "xx", "xx"}, {"language", Language, "", ""}, {"language", Language, "<b>", "<b>"},
		{"device", Device, "smartphone", "Phone"}, {"device", Device, "fridge", "fridge"},
		{"channel", Channel, "ai", "AI assistants"}, {"channel", Channel, "tv", "tv"},
		{"type", EventType, "page", "Page view"}, {"type", EventType, "nothing", "nothing"},
	} {
		if got := test.of(test.code); got != test.out {
			t.Errorf("%s %q: %q, want %q", test.name, test.code, got, test.out)
		}
	}
}

// A type that is new has to get a name here, too.
func TestTypesHaveNames(t *testing.T) {
	for _, code := range event.Types {
		if EventType(string(code)) == string(code) {
			t.Errorf("type %s has no name", code)
		}
	}
}
