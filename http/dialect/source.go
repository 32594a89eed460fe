package dialect

import "cairn/engine/event"

// hintNames are the client hints worth keeping for enrichment, as the keys of
// Source.Hints have them.
var hintNames = [...]string{
	"sec-ch-ua", "sec-ch-ua-form-factors", "sec-ch-ua-full-version-list", "sec-ch-ua-mobile",
	"sec-ch-ua-model", "sec-ch-ua-platform", "sec-ch-ua-platform-version",
}

// Source is what the request itself says of where its events came from. A
// dialect whose payload may override that (an ip or user agent passed on by the
// caller's server) changes the result.
func (r *Request) Source() event.Source {
	s := event.Source{
		IP:             r.Peer,
		UserAgent:      r.Header("User-Agent"),
		AcceptLanguage: r.Header("Accept-Language"),
	}
	for _, name := range hintNames {
		if hint := r.Header(name); hint != "" {
			if s.Hints == nil {
				s.Hints = make(map[string]string, len(hintNames))
			}
			s.Hints[name] = hint
		}
	}
	return s
}
