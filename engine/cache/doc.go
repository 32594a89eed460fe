// Package cache holds bounded maps. They live in memory only, and each of them may forget
// an entry at any time.
//
//	lru.go             LRU: bounded in bytes, evicts what was used longest ago
//	segmented.go       Segmented: bounded in bytes, keeps what is asked for more than once
//	twogenerations.go  TwoGenerations: less memory and time for each entry, forgets half
//	                   of the entries at once
package cache
