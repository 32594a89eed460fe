package dashboard

import (
	"cairn/http/dialect"
)

// This file has the flags of countries. Room http/dialect names what reports give as codes.

// Flag is the flag of a country as an emoji, "" for what is no country. Systems without such
// emoji show its two letters.
func Flag(code string) string {
	if !dialect.IsCountry(code) {
		return ""
	}
	const regionalA = 0x1F1E6
	return string([]rune{regionalA + rune(code[0]-'A'), regionalA + rune(code[1]-'A')})
}
