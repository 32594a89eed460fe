// Package auth knows whose a credential is: it finds the site that a key, a client, a
// ticket, a site's name or a browser's session opens, and the rights that come with it. It knows the kinds of
// credentials that dialects name, and neither the server, nor the engine, nor connections.
//
// # What holds
//
// The numbers are those of the room http.
//
// H6. A credential opens one site. Only the admin's token opens any site; the request names
// which.
//
// H7. Nothing here is logged, and no error holds a key, an origin or a name that a client
// sent.
//
// Keys are found by their SHA-256 and compared in constant time, so neither the time of a
// look-up nor a copy of the table reveals them. An empty key opens nothing.
//
// A site has one key of each kind in the configuration or in keys.toml, and any number of others,
// of which only the SHA-256 is known. They are in one table, so it makes no difference to a
// look-up which of them a key is. No protocol signs with a key, so nothing needs the key itself;
// pages that show a snippet show the one of the configuration.
package auth
