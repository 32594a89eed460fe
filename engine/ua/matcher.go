package ua

import "strings"

// matcher finds any of many short texts in one pass (Aho and Corasick, 1975, with all
// transitions filled in). It is immutable once built.
type matcher struct {
	class    [256]uint8 // byte → class; 0 = a byte that no pattern has
	classes  int
	next     []uint16   // state × class → state
	outs     [][]uint16 // state → patterns that end there, longest first
	patterns []pattern
	excepts  []string // texts that cancel a match which ends where they end
}

type pattern struct {
	text            string
	anchored        bool // only at the start
	bounded, opened bool // no letter after it; no letter or digit before it
}

// newMatcher reads a list in the form of bots.txt.
func newMatcher(list string) *matcher {
	m := &matcher{classes: 1}
	for line := range strings.Lines(list) {
		line = strings.TrimSuffix(line, "\n")
		if line == "" || line[0] == '#' {
			continue
		}
		if line[0] == '!' {
			m.excepts = append(m.excepts, line[1:])
			continue
		}
		var p pattern
		line, p.anchored = strings.CutPrefix(line, "^")
		line, p.opened = strings.CutPrefix(line, "|")
		p.text, p.bounded = strings.CutSuffix(line, "|")
		m.patterns = append(m.patterns, p)
		for i := range len(p.text) {
			if c := p.text[i]; m.class[c] == 0 {
				m.class[c] = uint8(m.classes)
				m.classes++
			}
		}
	}

	// The trie; state 0 is the root.
	m.next = make([]uint16, m.classes)
	m.outs = make([][]uint16, 1)
	for i, p := range m.patterns {
		state := uint16(0)
		for j := range len(p.text) {
			at := int(state)*m.classes + int(m.class[p.text[j]])
			if m.next[at] == 0 {
				m.next[at] = uint16(len(m.outs))
				m.next = append(m.next, make([]uint16, m.classes)...)
				m.outs = append(m.outs, nil)
			}
			state = m.next[at]
		}
		m.outs[state] = append(m.outs[state], uint16(i))
	}

	// Breadth first. A state without a transition takes that of its longest suffix, and
	// the patterns of the suffix end there too.
	fail := make([]uint16, len(m.outs))
	queue := make([]uint16, 0, len(m.outs))
	for c := range m.classes {
		if s := m.next[c]; s != 0 {
			queue = append(queue, s)
		}
	}
	for len(queue) > 0 {
		state := queue[0]
		queue = queue[1:]
		m.outs[state] = append(m.outs[state], m.outs[fail[state]]...)
		for c := range m.classes {
			at, suffix := int(state)*m.classes+c, m.next[int(fail[state])*m.classes+c]
			if s := m.next[at]; s != 0 {
				fail[s] = suffix
				queue = append(queue, s)
			} else {
				m.next[at] = suffix
			}
		}
	}
	return m
}

// find returns the first match in text, which must be in lower case.
func (m *matcher) find(text []byte) (start, end int, ok bool) {
	state := 0
	for i, c := range text {
		state = int(m.next[state*m.classes+int(m.class[c])])
		for _, p := range m.outs[state] {
			if m.matchesAt(&m.patterns[p], text, i+1) {
				return i + 1 - len(m.patterns[p].text), i + 1, true
			}
		}
	}
	return 0, 0, false
}

// matchesAt checks the conditions of a pattern that ends at end.
func (m *matcher) matchesAt(p *pattern, text []byte, end int) bool {
	start := end - len(p.text)
	if p.anchored && start > 0 ||
		p.bounded && end < len(text) && 'a' <= text[end] && text[end] <= 'z' ||
		p.opened && start > 0 && isAlphanumeric(text[start-1]) {
		return false
	}
	for _, except := range m.excepts {
		// An exception may end after the match: "http://" in "http://bsalsa.com".
		if i := strings.Index(except, p.text); i >= 0 && start >= i {
			if from := start - i; len(text)-from >= len(except) && string(text[from:from+len(except)]) == except {
				return false
			}
		}
	}
	return true
}

func isAlphanumeric(c byte) bool { return 'a' <= c && c <= 'z' || '0' <= c && c <= '9' }
