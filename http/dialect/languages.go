package dialect

import (
	_ "embed"
	"strings"
	"sync"
)

// This file names languages.

// LanguageName is the English name of a language tag as events have it: "German", "English (United
// States)", "Chinese (Traditional, Taiwan)". What a tag says beyond language, script and country
// is left out.
func LanguageName(tag string) string {
	base, rest, _ := strings.Cut(strings.ReplaceAll(tag, "_", "-"), "-")
	name := languageNames()[strings.ToLower(base)]
	if name == "" {
		return tag
	}
	var script, country string
	for part := range strings.SplitSeq(rest, "-") {
		switch {
		case len(part) == 1: // an extension
			return named(name, script, country)
		case len(part) == 2 && country == "" && IsCountry(strings.ToUpper(part)):
			country = CountryName(strings.ToUpper(part))
		case part == "419" && country == "":
			country = "Latin America"
		case len(part) == 4 && script == "":
			script = scriptNames[strings.ToLower(part)]
		}
	}
	return named(name, script, country)
}

func named(name, script, country string) string {
	switch {
	case script != "" && country != "":
		return name + " (" + script + ", " + country + ")"
	case script != "" || country != "":
		return name + " (" + script + country + ")"
	}
	return name
}

// scriptNames has the scripts that more than one language of the web is told apart by.
var scriptNames = map[string]string{
	"hans": "Simplified", "hant": "Traditional", "latn": "Latin", "cyrl": "Cyrillic", "arab": "Arabic",
	"deva": "Devanagari",
}

//go:embed languages.txt
var languagesText string

// languageNames has the English names by ISO 639-1 code, and those of ISO 639-3 that browsers
// send: a code and a name on each line of languages.txt. docs/data-sources.md says where they come from.
var languageNames = sync.OnceValue(func() map[string]string {
	names := make(map[string]string)
	for line := range strings.Lines(languagesText) {
		code, name, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		names[code] = name
	}
	return names
})
