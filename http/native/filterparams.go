package native

import "cairn/engine/event"

// These are the filters of the table of calls. One that is a bundle stands in the contract as an object,
// each of whose names is a parameter. filter.go reads them.

var (
	paramName       = &param{name: "name", kind: filterKind, component: "name", about: "The event's name."}
	paramUser       = &param{name: "user", kind: filterKind, component: "user", about: "Any id of a person. Events under the person's other ids are found too."}
	paramAnonymous  = &param{name: "anonymous", kind: filterKind, component: "anonymous", about: "The literal anonymous id."}
	paramSession    = &param{name: "session", kind: filterKind, component: "session", about: "The key of a session, or a name. A name finds the events of all sessions that have it."}
	paramGroup      = &param{name: "group", kind: filterKind, component: "group", about: "A group that the event names."}
	paramType       = &param{name: "type", kind: filterKind, component: "type", about: "What kind of event it is.", ref: "Type"}
	paramDialect    = &param{name: "dialect", kind: filterKind, component: "dialect", about: "The protocol by which the event came.", ref: "Dialect"}
	paramValue      = &param{name: "value", kind: filterKind, component: "value", about: "The event's value.", empty: true}
	paramMessageID  = &param{name: "message_id", kind: filterKind, component: "message_id", about: "The id that the sender gave the event."}
	paramDimensions = &param{name: "dimensions", names: []string{"page", "host", "channel", "source", "medium", "campaign", "term", "content"}, kind: filterKind, component: "dimensions", about: "What the event itself says of where it happened and where its visitor came from. `page` is the path, else the name of a page view; `host` that of the url, without `www.` and port. `source` is `utm_source` or the host of the referrer, by its name if it is a known site. `medium`, `campaign`, `term` and `content` are those of `utm_*`. These five are compared without case. `channel` is one of `paid`, `email`, `search`, `social`, `ai`, `tech`, `campaign`, `website` and `direct`."}
	paramContext    = &param{name: "context", names: without(event.ContextKeys, "timezone"), kind: filterKind, component: "context", about: "Each key of the context is a parameter of its own: `country=NL&browser=Firefox`. `context.KEY` is the same as `KEY`; `timezone` is `context.timezone` alone, because the zone of the days is the site's setting. `bot=false` leaves out events of clients that were recognised as bots."}
	paramPaths      = &param{name: "paths", names: []string{"prop.", "extra.", "context."}, kind: filterKind, component: "paths", about: "`prop.PATH=V` filters by a property, `extra.PATH=V` by a field of `extra`, `context.KEY=V` by a key of the context. Example: `prop.plan=pro&prop.address.city=Utrecht`. A path finds both a key with dots in its name and a key inside an object. An empty value finds an empty text. PATH has at most 1,024 bytes. A path that ends in `!`, `~`, `<` or `>` is written in quotes: `prop.\"a!\"=V`.", empty: true}
	paramHas        = &param{name: "has", kind: filterKind, component: "has", about: "Events that have a field: `has=prop.plan`. With `has!=` those that do not. Each repeat must hold."}
	paramVisit      = &param{name: "visit", names: []string{"visit."}, kind: filterKind, component: "visit", about: "A filter on the whole visit that an event is in: `visit.source=Google`, `visit.entry~=/blog/*`, `visit.has!=source`. A dimension is compared with that of the visit (besides those of events: `entry`, `exit`, `new`, `weekday`, `hour`, `weekhour`, `length`, `depth`). Of any other field some event of the visit within the range has to satisfy the filter, or none when it is negated. An event of no visit, or of a visit that began before the range, satisfies every negated filter and no other.", empty: true}
	paramSaved      = &param{name: "saved", kind: listKind, component: "saved", about: "The filters of a saved filter, as a group of their own: they must hold besides the others, also besides one on the same field. At most 8.", countMax: savedNamesMax}
)

// plainFilters are the filters that speak of one event.
var plainFilters = paramList{
	paramName, paramUser, paramAnonymous, paramSession, paramGroup, paramType, paramDialect, paramValue, paramMessageID,
	paramDimensions, paramContext, paramPaths, paramHas,
}
