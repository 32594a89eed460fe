// Package ua reads who sent a request: browser, system, kind of device, brand
// and model, and whether it is a bot, from the User-Agent and the client hints.
//
// The package imports nothing of cairn and knows no request. Parse is pure and
// Cache keeps its answers; both are safe on any bytes.
//
// # Why own tables
//
// Of the libraries that could be had, one with regular expressions is right most
// often and takes 1.6 to 2.9 ms an agent; the fast ones miss web views, in-app
// browsers and old browsers, and recall 50 to 70 % of the bots. An agent is a list
// of products and comments, so here it is cut once and each piece is looked up:
// about 3 µs, and a new browser is one line of a table.
//
// # What counts as a bot
//
// Crawlers, link previews, monitors, feed readers and scanners (bots.txt, which
// states its sources). HTTP libraries such as curl or okhttp are not bots, since
// an application's own server sends by them; neither is a headless Chrome, nor no
// agent at all. Nothing else is told of a bot: what it says of a browser is not
// believed.
package ua
