package matomo

import (
	"strings"

	"cairn/engine/event"
	"cairn/engine/referrer"
	"cairn/http/dialect"
)

// This file reads urls: what is stored of a page's url, which campaign it names, and what was
// searched for.

// droppedParams are parameters that a stored url does not have: ids of sessions and clicks,
// and those of a campaign, which is stored elsewhere.
var droppedParams = map[string]bool{
	"gclid": true, "fbclid": true, "msclkid": true, "twclid": true, "wbraid": true, "gbraid": true, "yclid": true,
	"fb_xd_fragment": true, "fb_comment_id": true, "phpsessid": true, "jsessionid": true, "sessionid": true,
	"aspsessionid": true, "doing_wp_cron": true, "sid": true, "pk_vid": true, "ignore_referrer": true, "ignore_referer": true,
	"mtm_source": true, "mtm_medium": true, "mtm_content": true, "mtm_cid": true, "mtm_group": true, "mtm_placement": true,
	"pk_source": true, "pk_medium": true, "pk_content": true, "pk_cid": true,
	"utm_content": true, "utm_id": true,
}

// campaignNames and campaignKeywords are the parameters of a campaign and its keyword. The
// first in the list wins.
var (
	campaignNames    = []string{"pk_cpn", "pk_campaign", "piwik_campaign", "mtm_campaign", "matomo_campaign", "utm_campaign", "utm_source", "utm_medium"}
	campaignKeywords = []string{"pk_kwd", "pk_keyword", "piwik_kwd", "mtm_kwd", "mtm_keyword", "matomo_kwd", "utm_term"}
)

func init() {
	for _, list := range [][]string{campaignNames, campaignKeywords} {
		for _, name := range list {
			droppedParams[name] = true
		}
	}
}

// campaignParam is the parameter of a hit that name stands for, if it names a campaign or
// its keyword.
func campaignParam(name string) (param, bool) {
	if i := strings.IndexByte(name, '_'); i < 2 || !droppedParams[name] {
		return 0, false
	}
	if rank(campaignNames, name) < len(campaignNames) {
		return pCampaignName, true
	}
	if rank(campaignKeywords, name) < len(campaignKeywords) {
		return pCampaignKeyword, true
	}
	return 0, false
}

// rank is the index of name in names, or their number when it is not among them.
func rank(names []string, name string) int {
	for i := range names {
		if names[i] == name {
			return i
		}
	}
	return len(names)
}

// textURL is the url of an outlink or a download as it is stored: all its parameters stay.
func textURL(text string) string {
	return cutBytes(strings.TrimSpace(oneLine(text)), urlBytesMax)
}

// looksLikeURL says that text is [scheme:]//… and not of a scheme such as javascript.
func looksLikeURL(text string) bool {
	i := strings.Index(text, "//")
	if i < 0 || i+2 >= len(text) {
		return false
	}
	if i == 0 {
		return true
	}
	scheme := text[:i-1]
	if text[i-1] != ':' || scheme == "" {
		return false
	}
	for j := range len(scheme) {
		c := scheme[j]
		letter := 'a' <= c|0x20 && c|0x20 <= 'z'
		if !letter && (j == 0 || (c < '0' || c > '9') && c != '+' && c != '.' && c != '-') {
			return false
		}
	}
	switch strings.ToLower(scheme) {
	case "javascript", "vbscript", "data":
		return false
	}
	return true
}

// page is a page's url taken apart.
type page struct {
	url      string // as it is stored; "" = none
	host     string // lower case, without port
	query    string // as it was sent
	fragment string
}

// pageOf reads a page's url. Parameters after semicolons become a query, the host becomes
// lower case, and a user and droppedParams are removed.
func pageOf(text string, keepFragment bool) (p page) {
	text = referrer.WithoutUser(strings.TrimSpace(oneLine(text)))
	if !looksLikeURL(text) {
		return p
	}
	rest, fragment, hasFragment := strings.Cut(text, "#")
	p.fragment = fragment
	i := strings.Index(rest, "//") + 2
	end := i
	for end < len(rest) && rest[end] != '/' && rest[end] != '?' && rest[end] != ';' {
		end++
	}
	authority := strings.ToLower(rest[i:end])
	p.host = hostName(authority)
	path, query, hasQuery := strings.Cut(rest[end:], "?")
	if j := strings.IndexByte(path, ';'); j >= 0 && strings.IndexByte(path[j:], '=') > 0 {
		matrix := strings.ReplaceAll(path[j+1:], ";", "&")
		if path = path[:j]; hasQuery {
			matrix += "&" + query
		}
		query = matrix
	}
	p.query = query
	var b strings.Builder
	b.Grow(len(text))
	b.WriteString(rest[:i])
	b.WriteString(authority)
	b.WriteString(path)
	separator := byte('?')
	for query != "" {
		var pair string
		pair, query, _ = strings.Cut(query, "&")
		name, _, _ := strings.Cut(pair, "=")
		if pair == "" || droppedParams[strings.ToLower(event.Unescape(name))] {
			continue
		}
		b.WriteByte(separator)
		b.WriteString(pair)
		separator = '&'
	}
	if hasFragment && keepFragment && fragment != "" {
		b.WriteByte('#')
		b.WriteString(fragment)
	}
	p.url = cutBytes(b.String(), urlBytesMax)
	return p
}

// hostName is an authority without user and port.
func hostName(authority string) string {
	authority = authority[strings.LastIndexByte(authority, '@')+1:]
	if i := strings.LastIndexByte(authority, ':'); i >= 0 && !strings.HasSuffix(authority, "]") {
		authority = authority[:i]
	}
	return authority
}

// hostOf is the host of a url, "" when the text is not a url.
func hostOf(url string) string {
	if !looksLikeURL(url) {
		return ""
	}
	rest := url[strings.Index(url, "//")+2:]
	if i := strings.IndexAny(rest, "/?#;"); i >= 0 {
		rest = rest[:i]
	}
	return hostName(strings.ToLower(rest))
}

// path is the path of a stored url, for a page without a title.
func (p *page) path() string {
	if p.url == "" {
		return ""
	}
	rest := p.url[strings.Index(p.url, "//")+2:]
	i := strings.IndexByte(rest, '/')
	if i < 0 {
		return "/"
	}
	rest = rest[i:]
	if i = strings.IndexAny(rest, "?#"); i >= 0 {
		rest = rest[:i]
	}
	return rest
}

// campaign is what a url says about where its visitor comes from.
type campaign struct {
	name, nameKey   string // nameKey is the parameter that named it
	keyword         string
	source, medium  string
	content         string
	click           string // the parameter with the id of an advertisement's click
	ignoresReferrer bool
}

const campaignCharsMax = 255

// campaign looks into the query and then the fragment.
func (p *page) campaign(decode func(string) string) (c campaign) {
	for _, part := range []string{p.query, p.fragment} {
		if strings.IndexByte(part, '=') < 0 {
			continue
		}
		if _, inner, ok := strings.Cut(part, "?"); ok { // #/route?a=1
			part = inner
		}
		atName, atKeyword := len(campaignNames), len(campaignKeywords)
		if c.name != "" {
			atName = 0
		}
		if c.keyword != "" {
			atKeyword = 0
		}
		for key, value := range dialect.Form(part) {
			key = strings.ToLower(key)
			if key == "ignore_referrer" || key == "ignore_referer" {
				c.ignoresReferrer = c.ignoresReferrer || value == "1"
			}
			if !droppedParams[key] {
				continue
			}
			if value = cutChars(strings.TrimSpace(decode(value)), campaignCharsMax); value == "" {
				continue
			}
			if i := rank(campaignNames, key); i < atName {
				c.name, c.nameKey, atName = value, key, i
			}
			if i := rank(campaignKeywords, key); i < atKeyword {
				c.keyword, atKeyword = value, i
			}
			if c.click == "" && referrer.IsClickID(key) {
				c.click = key
			}
			switch key {
			case "utm_source", "mtm_source", "pk_source":
				c.source = value
			case "utm_medium", "mtm_medium", "pk_medium":
				c.medium = value
			case "utm_content", "mtm_content", "pk_content":
				c.content = value
			}
		}
	}
	return c
}

// searched is the keyword of a search that a page's url holds, and the number of results if
// the url has that.
func (p *page) searched(names []string, decode func(string) string) (keyword, count string) {
	if len(names) == 0 || p.query == "" {
		return "", ""
	}
	at := len(names)
	for key, value := range dialect.Form(p.query) {
		key = strings.ToLower(key)
		if key == "search_count" {
			count = value
		}
		if i := rank(names, key); i < at {
			if value = strings.TrimSpace(decode(value)); value != "" {
				keyword, at = value, i
			}
		}
	}
	return keyword, count
}
