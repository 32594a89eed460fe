package event

import "strings"

// Ids that are none: what programs send when they have no id. Taken as ids, they would
// make one person of many strangers, for ever.

// noIDs are the words that are no id, by their length.
var noIDs = [...][]string{
	1:  {"0"},
	3:  {"nil", "nan"},
	4:  {"null", "none", "true"},
	5:  {"guest", "false"},
	9:  {"undefined", "anonymous"},
	15: {"[object object]"},
}

// noIDBytesMax is the longest text that NoID looks at.
const noIDBytesMax = 64

// NoID reports whether a text that was sent as the id of a user or a visitor is none, in any
// letter case, and gives the word for it: one of those in noIDs, "blank" or "quotes". The
// empty text is not one: it means that no id was sent.
func NoID(id string) (word string, is bool) {
	if id == "" || len(id) > noIDBytesMax {
		return "", false
	}
	trimmed := strings.TrimSpace(id)
	if trimmed == "" {
		return "blank", true
	}
	if len(trimmed) < len(noIDs) {
		for _, word := range noIDs[len(trimmed)] {
			if strings.EqualFold(trimmed, word) {
				return word, true
			}
		}
	}
	switch trimmed[0] {
	case '"', '\'', '`', "\u2018"[0], "\u00AB"[0]:
		if strings.Trim(trimmed, " \t\"'`\u2018\u2019\u201C\u201D\u00AB\u00BB") == "" {
			return "quotes", true
		}
	}
	return "", false
}

// RefusedUser is the key in Extra of what an identify, increment or alias named as its user
// and what is no id. Such an event changes no profile, also where it has another id.
const RefusedUser = "refused_user"

// RefuseIDs removes from an event the ids of people that are none, see NoID, and calls
// refused with the word of each.
func RefuseIDs(e *Event, refused func(word string)) {
	user := e.User
	for _, id := range [...]*string{&e.User, &e.Anonymous, &e.Previous} {
		if word, is := NoID(*id); is {
			*id = ""
			refused(word)
		}
	}
	if e.User == user {
		return
	}
	switch e.Type {
	case Alias:
		e.Previous = ""
		fallthrough
	case Identify, Increment:
		e.Extra.Set(RefusedUser, Str(user))
	}
}
