// Package enrich finds out what is known of an event from its source and its own urls:
// geography, browser, system, device, bot, campaign, language. It also applies a site's
// privacy settings to addresses and urls.
//
// # Where what is
//
//	enrich.go  Detector fills the context of an event
//	urls.go    what the urls and the language header say
//	privacy.go what a site keeps of addresses and urls
//	salts.go   ids for visitors without cookies, under a key that lives two days
//	arena.go   the memory of what is added to the events of one request
//
// It runs in the request's goroutine. Only salts.go reads and writes a file.
package enrich
