package dashboard

import (
	"bytes"
	"encoding/json"
	"strconv"
	"strings"
	"time"

	"cairn/http/dialect"
)

// This file reads an event of the API as what screens show of it: its fields as a tree, each with
// the name that filters know it by. Everything in it comes from whoever sent the event.

// eventData is an event of a listing.
type eventData struct {
	ID        string          `json:"id"`
	Dialect   string          `json:"dialect"`
	Type      string          `json:"type"`
	Name      string          `json:"name"`
	Time      time.Time       `json:"time"`
	Received  time.Time       `json:"received"`
	User      string          `json:"user"`
	Anonymous string          `json:"anonymous"`
	Session   string          `json:"session"`
	MessageID string          `json:"message_id"`
	Groups    []string        `json:"groups"`
	Value     json.RawMessage `json:"value"`

	Properties json.RawMessage `json:"properties"`
	Context    json.RawMessage `json:"context"`
	Extra      json.RawMessage `json:"extra"`
	Increments json.RawMessage `json:"increments"`

	context           map[string]json.RawMessage // once read
	properties, extra tree
}

// person is the id of whom the event is from; "" = nobody.
func (e *eventData) person() string {
	if e.User != "" {
		return e.User
	}
	return e.Anonymous
}

// about is a value of the context, "" when it has none.
func (e *eventData) about(key string) string {
	if e.context == nil {
		e.context = map[string]json.RawMessage{}
		_ = json.Unmarshal(e.Context, &e.context) // an event without a context has none
	}
	var text string
	switch raw := e.context[key]; {
	case len(raw) == 0 || raw[0] == '{' || raw[0] == '[' || raw[0] == 'n':
		return ""
	case raw[0] != '"':
		return string(raw) // a number or a truth as it is written
	case json.Unmarshal(raw, &text) != nil:
		return ""
	}
	return text
}

// what is the event in a few words: its name, else its page, else its type.
func (e *eventData) what() string {
	for _, text := range []string{e.Name, e.about("title"), e.about("path")} {
		if text != "" {
			return text
		}
	}
	return dialect.TypeName(e.Type)
}

// source is where the event says that its visitor came from.
func (e *eventData) source() string {
	if source := e.about("utm_source"); source != "" {
		return source
	}
	return e.about("referrer_host")
}

// texts are the values under a field, by the name that filters know it by.
func (e *eventData) texts(field string) (texts []string) {
	one := func(text string) []string {
		if text == "" {
			return nil
		}
		return []string{text}
	}
	switch field {
	case "name":
		return one(e.Name)
	case "type":
		return one(e.Type)
	case "dialect":
		return one(e.Dialect)
	case "user":
		return one(e.User)
	case "anonymous":
		return one(e.Anonymous)
	case "session":
		return one(e.Session)
	case "message_id":
		return one(e.MessageID)
	case "group":
		return e.Groups
	case "value":
		for _, n := range nodesOf(e.Value, 1) {
			texts = append(texts, n.text)
		}
		return texts
	}
	if path, ok := strings.CutPrefix(field, "prop."); ok {
		return e.properties.texts(e.Properties, path)
	}
	if path, ok := strings.CutPrefix(field, "extra."); ok {
		return e.extra.texts(e.Extra, path)
	}
	return one(e.about(strings.TrimPrefix(field, "context.")))
}

// tree is a value whose lines are read once, whatever is asked of it.
type tree struct {
	nodes []node
	read  bool
}

// texts are the leaves of raw under a path.
func (t *tree) texts(raw json.RawMessage, path string) (texts []string) {
	if !t.read {
		t.nodes, t.read = nodesOf(raw, nodesMax), true
	}
	for _, n := range t.nodes {
		if n.leaf && n.path == path {
			texts = append(texts, n.text)
		}
	}
	return texts
}

// node is a line of the tree of a JSON value.
type node struct {
	key   string // as it stands in its object; the number of an element of an array
	path  string // dotted, as filters have it; elements have that of their array
	depth int
	leaf  bool
	text  string // of a leaf
	null  bool   // no filter finds it
}

// nodesMax is how many lines of a tree are read. An event of 32 KB may have some thousands.
const nodesMax = 1000

// nodesOf reads a value as lines, each before those inside it, at most so many.
func nodesOf(raw json.RawMessage, most int) (nodes []node) {
	if len(raw) == 0 {
		return nil
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	type level struct {
		path   string
		object bool
		n      int
	}
	var open []level
	key := ""
	haveKey := false
	for len(nodes) < most {
		token, err := d.Token()
		if err != nil {
			return nodes
		}
		if mark, ok := token.(json.Delim); ok && (mark == '}' || mark == ']') {
			open = open[:len(open)-1]
			haveKey = false
			continue
		}
		path, depth := "", max(0, len(open)-1)
		if len(open) > 0 {
			in := &open[len(open)-1]
			if in.object && !haveKey {
				key, _ = token.(string)
				haveKey = true
				continue
			}
			path = in.path
			if in.object {
				if path != "" {
					path += "."
				}
				path += key
			} else {
				key = strconv.Itoa(in.n)
				in.n++
			}
			haveKey = false
		}
		n := node{key: key, path: path, depth: depth}
		switch t := token.(type) {
		case json.Delim:
			if len(open) > 0 {
				nodes = append(nodes, n)
			}
			open = append(open, level{path: path, object: t == '{'})
			continue
		case string:
			n.text = t
		case json.Number:
			n.text = t.String()
		case bool:
			if n.text = "false"; t {
				n.text = "true"
			}
		case nil:
			n.text, n.null = "null", true
		}
		n.leaf = true
		nodes = append(nodes, n)
	}
	return nodes
}

// fieldKey is a field as a parameter of the API has it: a name that ends like an operator stands
// in quotes.
func fieldKey(field string) string {
	prefix, path, ok := strings.Cut(field, ".")
	if ok && path != "" && (strings.ContainsRune("!~<>", rune(path[len(path)-1])) || path[0] == '"') {
		return prefix + `."` + path + `"`
	}
	return field
}
