package ua

import "strings"

// tokensMax bounds how many pieces of one agent are read; the rest is ignored. Ordinary
// agents have 6 to 20 pieces, Facebook's apps 30.
const tokensMax = 64

// token is one piece of an agent: a product "Name/Version", or an item of a comment in
// (), [] or {}. An item with a slash is split in the same way.
type token struct {
	at      int    // where it begins in the agent
	text    string // the whole piece
	name    string // the part before the slash, or the whole piece
	version string // the part after the slash, as written
	comment bool
}

// tokens is an agent cut into pieces. It aliases the agent.
type tokens struct {
	agent string
	store [tokensMax]token
	n     int
}

func (t *tokens) push(tk token) {
	if t.n < tokensMax {
		t.store[t.n] = tk
		t.n++
	}
}

// split cuts agent into pieces. Spaces separate products. Semicolons separate the items
// of comments, and so do commas that a space follows ("KHTML, like Gecko" is two
// items). Comments may nest; the depth has no meaning.
func (t *tokens) split(agent string) {
	t.agent = agent
	start, depth := 0, 0
	for i := 0; i <= len(agent); i++ {
		end := i == len(agent)
		var c byte
		if !end {
			c = agent[i]
		}
		switch {
		case end:
		case c == '(' || c == '[' || c == '{':
			t.add(start, i, depth > 0)
			start = i + 1
			depth++
			continue
		case c == ')' || c == ']' || c == '}':
			t.add(start, i, depth > 0)
			start = i + 1
			depth = max(depth-1, 0)
			continue
		case depth > 0 && (c == ';' || c == ',' && i+1 < len(agent) && agent[i+1] == ' '):
		case depth == 0 && (c == ' ' || c == ';' || c == ','):
		default:
			continue
		}
		t.add(start, i, depth > 0)
		start = i + 1
	}
}

// add appends the piece of the agent from start to end.
func (t *tokens) add(start, end int, comment bool) {
	text := strings.TrimLeft(t.agent[start:end], " ")
	at := end - len(text)
	if text = strings.TrimRight(text, " "); text == "" {
		return
	}
	if text[0] == '/' && t.n > 0 && t.store[t.n-1].version == "" { // "[LinkedInApp]/9.29"
		t.store[t.n-1].version = text[1:]
		return
	}
	tk := token{at: at, text: text, name: text, comment: comment}
	if i := strings.IndexByte(text, '/'); i > 0 {
		tk.name, tk.version = strings.TrimSpace(text[:i]), strings.TrimSpace(text[i+1:])
	}
	if !comment && t.n > 0 && !t.store[t.n-1].comment && t.store[t.n-1].version == "" {
		last := &t.store[t.n-1]
		switch {
		case version(text) == text: // "Instagram 105.0.0"
			last.version = text
			return
		case tk.version != "" && at == last.at+len(last.text)+1:
			// "Opera Mini/7.1": the name has two words. The single word stays as a piece too.
			t.push(tk)
			tk.name = t.agent[last.at : at+len(tk.name)]
		}
	}
	t.push(tk)
	if i := strings.IndexByte(tk.version, '/'); i > 0 && version(tk.version) == "" { // "XiaoMi/MiuiBrowser/14.10.0"
		t.push(token{text: tk.version, name: tk.version[:i], version: tk.version[i+1:], comment: comment})
	}
}

// has reports whether an item or product is exactly name.
func (t *tokens) has(name string) bool {
	for i := range t.n {
		if t.store[i].name == name {
			return true
		}
	}
	return false
}

// after returns what follows prefix in the first comment item that begins with it.
func (t *tokens) after(prefix string) (rest string, ok bool) {
	for i := range t.n {
		if t.store[i].comment && strings.HasPrefix(t.store[i].text, prefix) {
			return t.store[i].text[len(prefix):], true
		}
	}
	return "", false
}

// versionOf returns the version of the first product or item called name.
func (t *tokens) versionOf(name string) string {
	for i := range t.n {
		if t.store[i].name == name {
			return version(t.store[i].version)
		}
	}
	return ""
}
