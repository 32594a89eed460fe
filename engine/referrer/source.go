// Sources: the name and the channel of where a visitor came from.

package referrer

import "strings"

// Facts are what one event says about where its visitor came from.
type Facts struct {
	Source, Medium string // utm_source and utm_medium as sent
	Campaign       bool   // it has some utm_* parameter
	Click          bool   // its page was reached with the click id of an advertisement
	Host           string // of the referrer, as BareHost returns it; "" = none, or one of the site's own
}

// Name returns the source: the name of a known site, else what utm_source says, else the host of
// the referrer; "" when there is none. Sources are compared without case.
func (f *Facts) Name() string {
	if f.Source != "" {
		if name, _, ok := Known(strings.ToLower(f.Source)); ok {
			return name
		}
		return f.Source
	}
	if name, _, ok := Known(f.Host); ok {
		return name
	}
	return f.Host
}

// Channels are the results of Facts.Channel.
var Channels = []string{"paid", "email", "search", "social", "ai", "tech", "campaign", "website", "direct"}

// Channel returns which kind of source it is, one of Channels.
func (f *Facts) Channel() string {
	source, medium := strings.ToLower(f.Source), strings.ToLower(f.Medium)
	switch medium {
	case "cpc", "ppc", "cpm", "cpv", "display":
		return "paid"
	}
	if f.Click || strings.HasPrefix(medium, "paid") || strings.HasSuffix(medium, "-paid") {
		return "paid"
	}
	_, kind, _ := Known(f.Host)
	_, named, _ := Known(source)
	for _, word := range [...]string{source, medium} {
		if word == "email" || word == "newsletter" {
			return "email"
		}
	}
	switch {
	case kind == "email" || named == "email":
		return "email"
	case kind != "":
		return kind
	case named != "":
		return named
	case f.Campaign:
		return "campaign"
	case f.Host != "":
		return "website"
	}
	return "direct"
}

// BareHost returns a host in the form in which hosts are compared: lower case, without www. and
// port.
func BareHost(host string) string {
	host = strings.ToLower(host)
	if i := strings.LastIndexByte(host, ':'); i >= 0 && strings.IndexByte(host[i:], ']') < 0 {
		host = host[:i]
	}
	return strings.TrimPrefix(host, "www.")
}

// HostOf returns the bare host of a url, "" when it has none.
func HostOf(url string) string {
	host, _, _ := Split(url)
	return BareHost(host)
}

// Bare returns a url without its query and fragment.
func Bare(url string) string {
	if i := strings.IndexAny(url, "?#"); i >= 0 {
		return url[:i]
	}
	return url
}

// clickIDs are the query parameters in which advertisers put the id of a click.
var clickIDs = []string{"gclid", "gbraid", "wbraid", "msclkid", "yclid"}

// ClickID returns the name of the parameter of a query that has the id of a click, "" when there
// is none. The id itself would name one click of one person, so nobody keeps it.
func ClickID(query string) string {
	for query != "" {
		var pair string
		pair, query, _ = strings.Cut(query, "&")
		if name, value, _ := strings.Cut(pair, "="); value != "" && IsClickID(name) {
			return strings.ToLower(name)
		}
	}
	return ""
}

// IsClickID reports whether a query parameter has the id of a click.
func IsClickID(name string) bool {
	for _, id := range clickIDs {
		if len(name) == len(id) && strings.EqualFold(name, id) {
			return true
		}
	}
	return false
}
