// Package geo tells where an IP address is: country, region, city, coordinates,
// time zone and autonomous system, from MaxMind DB files (GeoLite2, DB-IP,
// IP2Location, ipinfo and others in that format).
//
// The package imports nothing of cairn. Invariants:
//
//	G1  A lookup never fails, blocks or panics: what is not known is "".
//	G2  A file is loaded whole into memory and walked from end to end before it
//	    is used; a file that changes later is not seen until it was loaded anew.
//	G3  A broken file never takes the place of a good one.
//	G4  Country is an ISO 3166-1 alpha-2 code in capitals or "".
//	G5  Addresses that belong to no place (private, loopback, link-local,
//	    multicast, shared) are nowhere, whatever a file says of them.
//
// # What a file can be checked for
//
// The format has no checksum. A damaged search tree, section or record is found
// by the walk of G2; a changed letter inside a name is not. Where FILE.sha256
// lies beside FILE (MaxMind and others publish one), it must agree, and then no
// flipped bit goes unseen. Files compressed with gzip or zstd are taken as they
// are and carry a checksum of their own.
//
// # The embedded database
//
// data/dbip-country.mmdb.zst is DB-IP's IP to Country Lite database, licensed
// CC BY 4.0: pages that show what comes of it link back to https://db-ip.com.
// data/NOTICE.md says which month it is. "go generate ./geo" renews it.
package geo
