// Package referrer identifies where visitors come from. It cuts urls into their parts
// and names the sites that many visitors come from. It imports nothing of cairn and
// must not learn what an event is.
//
// # The sites
//
// data/sites.txt is Matomo's list of search engines, social networks and AI assistants,
// written by data/renew.go; data/NOTICE.md says which copy it is. data/own.txt is a small
// table of ours: mail and programmers' sites, which that list lacks, and names. It comes
// first.
//
// A line is a kind, a name and hosts. A host of a search engine is that host alone, because
// its other hosts are for signing in, reading mail or writing documents. A host of any other
// kind stands for the hosts below it as well. * stands for a country: google.* is google.de
// and google.co.uk, *.bing.com is de.bing.com.
package referrer

import (
	_ "embed"
	"strings"
	"sync"
)

//go:generate go run ./data/renew.go

var (
	//go:embed data/own.txt
	ownSites string
	//go:embed data/sites.txt
	listedSites string
)

// site is one known site.
type site struct{ name, kind string }

// sites returns the known sites by host, by pattern with *, and by word, all in lower case.
var sites = sync.OnceValue(func() map[string]site {
	m := make(map[string]site, 1200)
	for _, table := range [...]string{ownSites, listedSites} {
		for line := range strings.Lines(table) {
			kind, rest, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "\t")
			name, hosts, ok := strings.Cut(rest, "\t")
			if !ok || kind[0] == '#' {
				continue
			}
			s := site{name, kind}
			add := func(key string) {
				if _, taken := m[key]; !taken {
					m[key] = s
				}
			}
			for host := range strings.FieldsSeq(hosts) {
				add(host)
			}
			// A name is a word too. Of search engines it may be any word, such as Free.
			if word := strings.ToLower(name); kind != "search" && !strings.Contains(word, ".") {
				add(word)
			}
		}
	}
	return m
})

// labelsMax bounds the labels of a host that is looked at.
const labelsMax = 8

// Known returns the name of a referrer's site, and its kind: search, social, ai, tech or
// email. It takes a host in lower case, or the word for a site in a campaign ("twitter").
func Known(host string) (name, kind string, ok bool) {
	host = strings.TrimPrefix(host, "www.")
	if len(host) > hostBytesMax || strings.Count(host, ".") >= labelsMax || strings.IndexByte(host, '*') >= 0 {
		return "", "", false
	}
	all := sites()
	s, ok := all[host]
	if !ok {
		s, ok = ofCountry(all, host)
	}
	for rest, above := host, ""; !ok; rest = above {
		if _, above, ok = strings.Cut(rest, "."); !ok || !strings.Contains(above, ".") {
			return "", "", false // a single label is no site
		}
		if s, ok = all[above]; ok && s.kind == "search" {
			ok = false
		}
	}
	return s.name, s.kind, ok
}

// ofCountry finds the site of a host with a country, at its end or at its start.
func ofCountry(all map[string]site, host string) (s site, ok bool) {
	var buf [hostBytesMax + 2]byte
	if end := strings.LastIndexByte(host, '.'); end > 0 && isCountry(host[end+1:]) {
		stem := host[:end]
		if s, ok = all[string(append(append(buf[:0], stem...), ".*"...))]; ok {
			return s, true
		}
		if i := strings.LastIndexByte(stem, '.'); i > 0 {
			switch stem[i+1:] {
			case "com", "org", "net", "co", "it", "edu":
				if s, ok = all[string(append(append(buf[:0], stem[:i]...), ".*"...))]; ok {
					return s, true
				}
			}
		}
	}
	if first, rest, more := strings.Cut(host, "."); more && isCountry(first) {
		s, ok = all[string(append(append(buf[:0], "*."...), rest...))]
	}
	return s, ok
}

// isCountry reports whether a label has the form of a country's code.
func isCountry(label string) bool {
	return len(label) == 2 && 'a' <= label[0] && label[0] <= 'z' && 'a' <= label[1] && label[1] <= 'z'
}
