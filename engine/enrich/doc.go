// Package enrich adds to an event what its source and its own urls tell: geography,
// browser, system, device, bot, campaign, language. It also applies a site's privacy
// settings to addresses and urls.
//
// It runs in the goroutine of the request. It must not learn about HTTP or the store.
// Only salts.go reads and writes a file.
//
// # Files
//
//	enrich.go  Detector fills the context of an event
//	urls.go    what the urls and the language header tell
//	privacy.go what a site keeps of addresses and urls
//	salts.go   ids for visitors without cookies, with a key that lives for two days
//	arena.go   the memory for what is added to the events of one request
package enrich
