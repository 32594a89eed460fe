// Package dashboard is the page on which people look at their events: HTML and SVG that the
// server renders, with script for comfort alone. Whatever it shows it has asked the native API
// for, so a curl can get it too.
//
// It knows neither the server nor the store. Reports answers a call of the native API, and Gate
// knows who looks; the room http implements both.
//
//	dashboard.go  the interfaces, the routes, the way of one request
//	format.go     numbers, rates, changes and durations in the viewer's language
//	dates.go      times on the wall clock of the site
//	names.go      names of countries, languages, devices, channels, types
package dashboard
