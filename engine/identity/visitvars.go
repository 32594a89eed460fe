// Variables of a visit of Matomo's: its custom dimensions and the custom variables
// that are of the visit, the newest of each. Its events carry them, and so do pings.

package identity

import (
	"iter"
	"slices"
	"strings"

	"cairn/engine/event"
)

// visitVar is what a visit's variable is since the event with seq.
type visitVar struct {
	seq   uint64
	name  string      // dimensionN, or a custom variable's behind visitVarPrefix
	value event.Value // a string, or null: it was cleared
}

// visitVars are those of a visit, one of a name.
type visitVars []visitVar

// VisitVarsBytesMax bounds what is shown of a visit; what has no room is passed over.
const VisitVarsBytesMax = 16384

const (
	visitVarsKey   = "_cvar" // the property that holds the custom variables
	visitVarPrefix = visitVarsKey + "."
)

// bytes is the most a variable takes in the stored form.
func (v visitVar) bytes() int { return len(v.name) + len(v.value.Text) + 16 }

// Set takes a variable unless a later event has said it, or there is no room for it
// in so many bytes. ok is false when it is not taken.
func (list *visitVars) Set(v visitVar, bytesMax int) (ok bool) {
	at, size := -1, v.bytes()
	for i, known := range *list {
		if known.name == v.name {
			at = i
		} else {
			size += known.bytes()
		}
	}
	switch {
	case size > bytesMax, at >= 0 && (*list)[at].seq > v.seq:
		return false
	case at < 0:
		*list = append(*list, v)
	default:
		(*list)[at] = v
	}
	return true
}

// VisitVarsOf yields the variables that a hit carries, said at seq.
func VisitVarsOf(e *event.Event, seq uint64) iter.Seq[visitVar] {
	return func(yield func(visitVar) bool) {
		for _, m := range e.Properties {
			digits, dimension := strings.CutPrefix(m.Key, "dimension")
			switch {
			case dimension && digits != "" && strings.Trim(digits, "0123456789") == "":
				if v := m.Value; (v.Kind == event.String || v.Kind == event.Null) && !yield(visitVar{seq, m.Key, v}) {
					return
				}
			case m.Key == visitVarsKey && m.Value.IsObject():
				var p event.Parser
				o, err := m.Value.Object(&p)
				if err != nil {
					continue
				}
				for _, v := range o {
					if v.Value.Kind == event.String && !yield(visitVar{seq, visitVarPrefix + v.Key, v.Value}) {
						return
					}
				}
			}
		}
	}
}

// Properties are the variables that are not cleared, as events have them.
func (list visitVars) Properties() (o event.Object) {
	slices.SortFunc(list, func(a, b visitVar) int { return strings.Compare(a.name, b.name) })
	var custom event.Object
	for _, v := range list {
		if v.value.Kind != event.String {
			continue
		}
		if name, ok := strings.CutPrefix(v.name, visitVarPrefix); ok {
			custom = append(custom, event.Member{Key: name, Value: v.value})
		} else {
			o = append(o, event.Member{Key: v.name, Value: v.value})
		}
	}
	if custom != nil {
		o = append(o, event.Member{Key: visitVarsKey, Value: event.Raw(string(event.AppendObject(nil, custom)))})
	}
	return o
}
