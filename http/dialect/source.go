package dialect

import "cairn/engine/event"

// hintNames are the client hints that enrichment uses, as keys of Source.Hints.
var hintNames = [...]string{
	"sec-ch-ua", "sec-ch-ua-form-factors", "sec-ch-ua-full-version-list", "sec-ch-ua-mobile",
	"sec-ch-ua-model", "sec-ch-ua-platform", "sec-ch-ua-platform-version",
}

// Source is where the events of the request came from, by the request itself. A dialect
// changes the result if its payload may say otherwise, as when a server passes on the ip or
// user agent of its client.
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
