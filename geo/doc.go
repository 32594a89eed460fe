// Package geo tells where an IP address is: country, region, city, coordinates, time
// zone and autonomous system. It reads MaxMind DB files (GeoLite2, DB-IP, IP2Location,
// ipinfo and others in that format).
//
// The package imports nothing of cairn and must not learn what an event is. Invariants:
//
//	G1  A lookup never fails, blocks or panics. What is not known is "".
//	G2  A configured file is loaded whole into memory and walked from end to end before it
//	    is used. A file that changes later takes effect only after it is loaded again.
//	G3  A broken file never replaces a good one.
//	G4  Country is an ISO 3166-1 alpha-2 code in capitals or "".
//	G5  Addresses that belong to no place (private, loopback, link-local,
//	    multicast, shared) have no place, whatever a file says about them.
//
// # What a file can be checked for
//
// The format has no checksum. The walk of G2 finds a damaged search tree, section or
// record; it does not find a changed letter inside a name. If FILE.sha256 lies beside
// FILE (MaxMind and others publish one), it must match, and then every flipped bit is
// found. Files compressed with gzip or zstd are accepted as they are; they contain a
// checksum.
//
// # The embedded database
//
// data/dbip-country.ranges is made of DB-IP's IP to Country Lite database, licensed CC BY
// 4.0: pages that show results of it link to https://db-ip.com. data/NOTICE.md says
// which month it is from. "go generate ./geo" renews it.
package geo
