package openpanel

import (
	"strings"

	"cairn/engine/event"
	"cairn/engine/referrer"
	"cairn/http/dialect"
)

// This file finds where a visitor came from.

// setReferrer drops a referrer of the event's own host and names one that is known. Without
// a referrer, the ref, utm_referrer or utm_source of the url takes its place.
func setReferrer(e *event.Event) {
	own := e.Context.Get("url").Text
	from := e.Context.Get("referrer").Text
	if from != "" && own != "" && hostOf(from) == hostOf(own) {
		e.Context.Delete("referrer")
		from = ""
	}
	if from != "" {
		if known, kind, ok := referrer.Known(hostOf(from)); ok {
			e.Extra = append(e.Extra, event.Member{Key: "referrer_name", Value: event.Str(known)},
				event.Member{Key: "referrer_type", Value: event.Str(kind)})
		}
		return
	}
	_, query, _ := strings.Cut(own, "?")
	query, _, _ = strings.Cut(query, "#")
	for key, value := range dialect.Form(query) {
		if value == "" || len(value) > 255 || key != "ref" && key != "utm_referrer" && key != "utm_source" {
			continue
		}
		name, kind := value, "unknown"
		if known, of, ok := referrer.Known(strings.ToLower(value)); ok {
			name, kind = known, of
		}
		e.Extra = append(e.Extra, event.Member{Key: "referrer_name", Value: event.Str(name)},
			event.Member{Key: "referrer_type", Value: event.Str(kind)})
		return
	}
}

// hostOf is the host of a url in lower case, without port and "www.".
func hostOf(u string) string {
	if i := strings.Index(u, "://"); i >= 0 {
		u = u[i+3:]
	}
	if i := strings.IndexAny(u, "/?#"); i >= 0 {
		u = u[:i]
	}
	if i := strings.LastIndexByte(u, '@'); i >= 0 {
		u = u[i+1:]
	}
	if i := strings.LastIndexByte(u, ':'); i >= 0 && !strings.HasSuffix(u, "]") {
		u = u[:i]
	}
	return strings.TrimPrefix(strings.ToLower(u), "www.")
}
