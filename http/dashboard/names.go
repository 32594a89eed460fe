package dashboard

import (
	"cairn/http/dialect"
)

// This file names what reports give as codes: countries, languages, devices, channels. A code
// that it does not know is shown as it is.

// Country is the English name of an ISO 3166-1 alpha-2 code.
func Country(code string) string { return dialect.CountryName(code) }

// Flag is the flag of a country as an emoji, "" for what is no country. Systems without such
// emoji show its two letters.
func Flag(code string) string {
	if !dialect.IsCountry(code) {
		return ""
	}
	const regionalA = 0x1F1E6
	return string([]rune{regionalA + rune(code[0]-'A'), regionalA + rune(code[1]-'A')})
}

// Language is the English name of a language tag as events have it.
func Language(tag string) string { return dialect.LanguageName(tag) }

// Device is how a kind of device is called.
func Device(code string) string { return dialect.DeviceName(code) }

// Channel is how a channel of visits is called.
func Channel(code string) string { return dialect.ChannelName(code) }

// EventType is how a type of event is called.
func EventType(code string) string { return dialect.TypeName(code) }
