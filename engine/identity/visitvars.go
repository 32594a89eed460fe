// Variables of a visit: the newest value of each of its custom dimensions and of its
// custom variables (those of the visit, not of a page). Events and heartbeats carry them.

package identity

import (
	"iter"
	"slices"
	"strings"

	"cairn/engine/event"
)

// visitVar is a variable of a visit, as the event with the seq set it.
type visitVar struct {
	seq   uint64
	name  string      // "dimensionN", or visitVarPrefix and the name of a custom variable
	value event.Value // a string; null = cleared
}

// visitVars are the variables of one visit, at most one of each name.
type visitVars []visitVar

// VisitVarsBytesMax bounds the variables that an answer shows of a visit, in bytes as Set
// counts them. A variable that does not fit is skipped.
const VisitVarsBytesMax = 16384

const (
	visitVarsKey   = "_cvar" // the property that holds the custom variables
	visitVarPrefix = visitVarsKey + "."
)

// bytes returns an upper bound of what a variable takes in the stored form.
func (v visitVar) bytes() int { return len(v.name) + len(v.value.Text) + 16 }

// Set sets a variable. It returns false and leaves the list as it is when a later event
// has set the variable, or when all variables would take more than bytesMax bytes. The list
// keeps the strings of v.
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

// VisitVarsOf yields the variables that an event or a heartbeat at seq carries. Their
// strings may alias e.
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

// Properties returns the variables that are not cleared, in the form that events have.
// It sorts the list by name.
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
