package importer

import (
	"bytes"
	"errors"
	"strings"

	"cairn/engine/event"
)

// This file reads what cairn itself exports.

// cairnLines is the NDJSON of "cairn export", and of the native API. The server parses the
// lines, so they are sent as they are.
var cairnLines = &preset{
	name: "ndjson", about: "events of cairn as NDJSON, from cairn export", shapes: shapeRaw, own: true,
	needs: []string{"type|name", "time|user|anonymous|properties|context|message_id"},
}

// cairnCSV is the CSV of "cairn export".
var cairnCSV = &preset{
	name: "csv", about: "events of cairn as CSV, from cairn export", shapes: shapeCSV, own: true,
	needs: []string{"time", "type", "name"},
	columns: map[string]string{
		"id": "-", "seq": "-", "site": "-",
		"received": "received", "time": "time", "type": "type", "name": "name", "user": "user", "anonymous": "anonymous",
		"session": "session", "dialect": "dialect", "value": "value", "message_id": "message_id", "previous": "previous",
		"session_of": "session_of", "heartbeat": "heartbeat", "groups": "@groups", "counted": "@counted",
		"properties": "props", "context": "contexts", "extra": "extras",
		"prop.*": "@", "properties.*": "@", "context.*": "@", "c.*": "@", "extra.*": "@", "*": "@",
	},
	finish: finishCairnCSV,
}

// finishCairnCSV puts the columns whose names say where they belong: prop.plan, context.country or
// country alone, extra.tag. Any other is a property.
func finishCairnCSV(b *builder) error {
	for _, m := range b.vars {
		m.Value = b.opened(m.Value)
		kind, key, dotted := strings.Cut(m.Key, ".")
		lower := strings.ToLower(m.Key)
		switch {
		case dotted && (kind == "prop" || kind == "properties"):
			b.prop(key, m.Value)
		case dotted && (kind == "context" || kind == "c"):
			b.context(key, m.Value)
		case dotted && kind == "extra":
			b.extra(key, m.Value)
		case lower == "groups":
			b.spreadGroups(m.Value)
		case lower == "counted":
			b.Uncounted = textOf(m.Value) == "false"
		case isContext(lower):
			b.context(lower, m.Value)
		default:
			b.prop(m.Key, m.Value)
		}
	}
	if b.Type == "" {
		return errors.New("type: is missing")
	}
	return nil
}

// opened is the array or object that a text holds, else the text.
func (b *builder) opened(v event.Value) event.Value {
	if v.Kind == event.String && v.Text != "" && (v.Text[0] == '[' || v.Text[0] == '{') {
		if inner, err := b.parser.Value([]byte(v.Text), jsonLimits); err == nil {
			return inner
		}
	}
	return v
}

// spreadGroups reads an array in a text, or one group.
func (b *builder) spreadGroups(v event.Value) {
	if text := textOf(v); text != "" {
		b.Groups = append(b.Groups, text)
	}
	for _, one := range b.array(v) {
		if s := textOf(one); s != "" {
			b.Groups = append(b.Groups, s)
		}
	}
}

// array is the elements of a JSON array, also of one in a text. It is nil for anything else.
func (b *builder) array(v event.Value) []event.Value {
	if v.Kind != event.String && v.Kind != event.JSON || !strings.HasPrefix(strings.TrimSpace(v.Text), "[") {
		return nil
	}
	var list []event.Value
	var inner event.Parser // Each and Value share a parser's input
	err := inner.Each([]byte(v.Text), jsonLimits, func(_ int, raw []byte) error {
		one, err := b.parser.Value(raw, jsonLimits)
		if err == nil {
			list = append(list, one)
		}
		return err
	})
	if err != nil {
		return nil
	}
	return list
}

// rawRecords reads lines that are sent as they are.
type rawRecords struct{ *jsonRecords }

func (r *rawRecords) next(b *builder) (raw []byte, line int, err error) {
	raw, line, err = r.raw()
	if err != nil {
		return nil, line, err
	}
	if r.elements != nil { // between elements there may be line ends, within texts there are none
		for i, c := range raw {
			if c == '\n' || c == '\r' {
				raw[i] = ' '
			}
		}
	}
	if raw[0] != '{' || raw[len(raw)-1] != '}' {
		return raw, line, refusal{"is not a JSON object"}
	}
	eachKey(raw, func(key string, at int) bool {
		if key == "message_id" || key == "time" {
			if text, ok := plainText(raw[at:]); ok && key == "message_id" {
				b.MessageID = text
			} else if ok {
				b.Time, _ = timeOf(text)
			}
		}
		return true
	})
	b.rawID = b.MessageID != ""
	return raw, line, nil
}

// plainText is the JSON string at the beginning of a text, as it is written.
func plainText(raw []byte) (string, bool) {
	raw = bytes.TrimLeft(raw, " \t")
	if len(raw) < 2 || raw[0] != '"' {
		return "", false
	}
	for i := 1; i < len(raw); i++ {
		switch raw[i] {
		case '\\':
			i++
		case '"':
			return alias(raw[1:i]), true
		}
	}
	return "", false
}

// withMessageID appends a line of the native API with a message id if it has none. The last one
// of equal keys counts, so one that is null is overruled.
func withMessageID(dst, raw []byte, id string) []byte {
	body := bytes.TrimRight(raw[:len(raw)-1], " \t\r\n")
	dst = append(dst, body...)
	if len(body) > 1 {
		dst = append(dst, ',')
	}
	dst = event.AppendString(append(dst, `"message_id":`...), id)
	return append(dst, '}')
}
