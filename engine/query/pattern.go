// Patterns: how OpMatch and Rows.Search compare texts.

package query

import "strings"

// Pattern is the compiled text of a pattern: * is any text, \* is a star, every other character
// is itself, a backslash too. It matches a whole text and case does not count (unicode's simple
// folding). The time of a match is proportional to the length of the text: the parts between
// stars are found one after the other, each at its first place, and no choice is ever taken back.
// Any number of goroutines may use it. The zero Pattern matches the empty text.
type Pattern struct {
	// Folded. The text begins with the first part and ends with the last; those between follow
	// one another. One part alone is the whole text.
	parts []string
}

// NewPattern compiles a pattern. Every text is one.
func NewPattern(text string) Pattern {
	var p Pattern
	var part []byte
	for i := 0; i < len(text); i++ {
		switch {
		case text[i] == '\\' && i+1 < len(text) && text[i+1] == '*':
			part = append(part, '*')
			i++
		case text[i] == '*':
			p.add(string(part))
			part = part[:0]
		default:
			part = append(part, text[i])
		}
	}
	p.parts = append(p.parts, Fold(string(part)))
	return p
}

// add adds a part that a star follows. A part between two stars that is empty changes nothing.
func (p *Pattern) add(part string) {
	if part != "" || len(p.parts) == 0 {
		p.parts = append(p.parts, Fold(part))
	}
}

// NewSearch compiles the text of Rows.Search: a pattern, but a text without a star is looked for
// anywhere.
func NewSearch(text string) Pattern {
	p := NewPattern(text)
	if len(p.parts) == 1 {
		p.parts = []string{"", p.parts[0], ""}
	}
	return p
}

// Matches reports whether the pattern matches a text.
func (p Pattern) Matches(text string) bool { return p.MatchesFolded(Fold(text)) }

// MatchesFolded is Matches of a text that Fold returned.
func (p Pattern) MatchesFolded(text string) bool {
	if len(p.parts) <= 1 {
		return len(p.parts) == 0 && text == "" || len(p.parts) == 1 && text == p.parts[0]
	}
	last := len(p.parts) - 1
	text, ok := strings.CutPrefix(text, p.parts[0])
	if !ok {
		return false
	}
	if text, ok = strings.CutSuffix(text, p.parts[last]); !ok {
		return false
	}
	for _, part := range p.parts[1:last] {
		i := strings.Index(text, part)
		if i < 0 {
			return false
		}
		text = text[i+len(part):]
	}
	return true
}
