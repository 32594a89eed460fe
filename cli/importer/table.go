package importer

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"cairn/engine/event"
)

// This file is the language of maps: which column of a source becomes which field of an event.
// A preset is such a map, and so is the flag -map.
//
// A target is one of
//
//	time received type name user anonymous session previous group message_id value dialect
//	prop.NAME  c.NAME  extra.NAME   a property, a key of the context, a member of extra
//	prop.*     c.*     extra.*      the same under the column's own name
//	props      contexts extras      an object whose members become properties, …
//	@NAME      a value that the preset's own rule reads; @ alone keeps the column's name
//	-          nothing
//
// A column is matched without case. A slash leads into an object (properties/url). A name that
// ends in * matches every name that begins so, and * alone all others.

// slot is a place of an event.
type slot uint8

const (
	slotNone slot = iota // the column is left out
	slotVar
	slotTime
	slotReceived
	slotType
	slotName
	slotUser
	slotAnonymous
	slotSession
	slotPrevious
	slotGroup
	slotMessageID
	slotValue
	slotDialect
	slotSessionOf
	slotHeartbeat
	slotProp
	slotContext
	slotExtra
	slotProps
	slotContexts
	slotExtras
	slotOpen // an object with a table of its own
)

var slotNames = map[string]slot{
	"-": slotNone, "time": slotTime, "received": slotReceived, "type": slotType, "name": slotName, "user": slotUser,
	"anonymous": slotAnonymous, "session": slotSession, "previous": slotPrevious, "group": slotGroup,
	"message_id": slotMessageID, "value": slotValue, "dialect": slotDialect, "session_of": slotSessionOf, "heartbeat": slotHeartbeat,
	"props": slotProps, "contexts": slotContexts, "extras": slotExtras,
}

// target is where the value of a column goes.
type target struct {
	slot  slot
	key   string // of a property and so on; "" = the name of the column
	inner *table // of slotOpen
}

// parseTarget reads a target.
func parseTarget(text string) (target, error) {
	if s, ok := slotNames[text]; ok {
		return target{slot: s}, nil
	}
	if name, ok := strings.CutPrefix(text, "@"); ok {
		return target{slot: slotVar, key: name}, nil
	}
	kind, key, dotted := strings.Cut(text, ".")
	t := target{key: key}
	switch kind {
	case "prop", "properties":
		t.slot = slotProp
	case "c", "context":
		t.slot = slotContext
	case "extra":
		t.slot = slotExtra
	default:
		return t, fmt.Errorf("%q is not a field of an event: use time, name, type, user, anonymous, session, message_id, value, prop.NAME, c.NAME or extra.NAME", text)
	}
	switch {
	case !dotted || key == "":
		return t, fmt.Errorf("%q names nothing; write %s.NAME or %s.*", text, kind, kind)
	case key == "*":
		t.key = ""
	case t.slot == slotContext && !slices.Contains(event.ContextKeys, key):
		return t, fmt.Errorf("c.%s is not a key of a context; these are: %s", key, strings.Join(event.ContextKeys, " "))
	}
	return t, nil
}

// table finds the target of a column. It is for one goroutine.
type table struct {
	exact    map[string]target // by name in lower case
	prefixes []prefix          // the longest first
	rest     target
	known    map[string]target // names as they were met
}

type prefix struct {
	text   string
	target target
}

// knownMax is how many spellings a table remembers.
const knownMax = 4096

// newTable compiles a map. Columns that it does not name go to extra.
func newTable(columns map[string]string) (*table, error) {
	t := emptyTable(target{slot: slotExtra})
	for column, text := range columns {
		to, err := parseTarget(text)
		if err != nil {
			return nil, err
		}
		t.add(column, to)
	}
	return t, nil
}

func emptyTable(rest target) *table {
	return &table{exact: map[string]target{}, known: map[string]target{}, rest: rest}
}

// add sets the target of a column.
func (t *table) add(column string, to target) {
	clear(t.known)
	if outer, inner, ok := strings.Cut(column, "/"); ok {
		t.open(outer).add(inner, to)
		return
	}
	column = strings.ToLower(column)
	begin, many := strings.CutSuffix(column, "*")
	switch {
	case !many:
		if old := t.exact[column]; old.slot == slotOpen && to.inner == nil {
			old.inner.rest = restOf(to) // "props" beside "properties/url"
			return
		}
		if to.key == "" && to.slot == slotVar {
			to.key = column
		}
		t.exact[column] = to
	case begin == "":
		t.rest = to
	default:
		t.prefixes = append(t.prefixes, prefix{begin, to})
		slices.SortFunc(t.prefixes, func(a, b prefix) int { return len(b.text) - len(a.text) })
	}
}

// open is the table of the members of a column.
func (t *table) open(column string) *table {
	column = strings.ToLower(column)
	to, ok := t.exact[column]
	if !ok || to.slot != slotOpen {
		rest := target{slot: slotExtra}
		if ok {
			rest = restOf(to)
		}
		to = target{slot: slotOpen, key: column, inner: emptyTable(rest)}
		t.exact[column] = to
	}
	return to.inner
}

// restOf is where the members of an object go that a target takes whole.
func restOf(to target) target {
	switch to.slot {
	case slotProps:
		return target{slot: slotProp}
	case slotContexts:
		return target{slot: slotContext}
	case slotExtras:
		return target{slot: slotExtra}
	}
	return to
}

// find is the target of a column. name must not change later.
func (t *table) find(name string) target {
	to, ok := t.known[name]
	if ok {
		return to
	}
	to = t.look(strings.ToLower(strings.TrimSpace(name)))
	if len(t.known) < knownMax {
		t.known[strings.Clone(name)] = to
	}
	return to
}

func (t *table) look(lower string) target {
	if to, ok := t.exact[lower]; ok {
		return to
	}
	for _, p := range t.prefixes {
		if strings.HasPrefix(lower, p.text) {
			return p.target
		}
	}
	return t.rest
}

// constant is a field that -map sets to the same text in every event.
type constant struct {
	to   target
	text string
}

// userMap is what -map says.
type userMap struct {
	pairs     [][2]string // target and column
	constants []constant
}

// parseMap reads "time=ts,name=event_column,prop.*=*". NAME:=TEXT sets a field to the same text in
// every event.
func parseMap(text string) (userMap, error) {
	var m userMap
	for _, pair := range strings.Split(text, ",") {
		if pair = strings.TrimSpace(pair); pair == "" {
			continue
		}
		if field, constantText, ok := strings.Cut(pair, ":="); ok {
			to, err := parseTarget(strings.TrimSpace(field))
			if err != nil {
				return m, fmt.Errorf("-map: %w", err)
			}
			if to.slot == slotNone || to.slot == slotVar || to.slot >= slotProps || to.slot >= slotProp && to.key == "" {
				return m, fmt.Errorf("-map: %s cannot have a fixed text", field)
			}
			m.constants = append(m.constants, constant{to, constantText})
			continue
		}
		field, column, ok := strings.Cut(pair, "=")
		field, column = strings.TrimSpace(field), strings.TrimSpace(column)
		if !ok || field == "" || column == "" {
			return m, fmt.Errorf("-map: %q is not of the form FIELD=COLUMN", pair)
		}
		if _, err := parseTarget(field); err != nil {
			return m, fmt.Errorf("-map: %w", err)
		}
		m.pairs = append(m.pairs, [2]string{field, column})
	}
	if len(m.pairs)+len(m.constants) == 0 {
		return m, errors.New("-map: is empty; write for example -map 'time=ts,name=event_column'")
	}
	return m, nil
}

// into adds a user's map to a table. A dot in a column leads into an object too.
func (m userMap) into(t *table) {
	for _, pair := range m.pairs {
		to, _ := parseTarget(pair[0]) // parseMap has read it
		t.add(pair[1], to)
		if strings.Contains(pair[1], ".") && !strings.Contains(pair[1], "/") {
			t.add(strings.ReplaceAll(pair[1], ".", "/"), to)
		}
	}
}

// columns are the columns that a map needs, in lower case, but those with a star and those that
// it leaves out. One inside an object needs the object.
func (m userMap) columns() []string {
	var names []string
	for _, pair := range m.pairs {
		if strings.HasSuffix(pair[1], "*") || pair[0] == "-" {
			continue
		}
		name := strings.ToLower(pair[1])
		if at := strings.IndexAny(name, "./"); at > 0 {
			name += "|" + name[:at]
		}
		names = append(names, name)
	}
	return names
}
