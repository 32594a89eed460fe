package openpanel

import (
	"errors"
	"regexp"
	"regexp/syntax"
)

// This file compiles the regular expressions of a request. A short one may compile to
// megabytes ("a{1000}|b{1000}|…"), so its size is known before it is compiled.

// patternsSizeMax bounds the compiled patterns of one request together, in instructions. One
// takes some 40 bytes.
const patternsSizeMax = 10_000

var errPattern = errors.New("not a regular expression")

// patterns compiles the patterns of one request.
type patterns struct {
	left int // instructions
}

// compile compiles a pattern. fits is false if the patterns of the request would be too large.
func (p *patterns) compile(text string) (_ *regexp.Regexp, fits bool, err error) {
	if len(text) > patternBytesMax {
		return nil, true, errPattern
	}
	tree, err := syntax.Parse(text, syntax.Perl)
	if err != nil {
		return nil, true, errPattern
	}
	if p.left -= instructions(tree, p.left); p.left < 0 {
		return nil, false, nil
	}
	pattern, err := regexp.Compile(text)
	if err != nil {
		return nil, true, errPattern
	}
	return pattern, true, nil
}

// instructions is about how many instructions an expression compiles to. The count ends soon
// after most.
func instructions(re *syntax.Regexp, most int) int {
	n := 1 + len(re.Rune)/8 // a class holds its runes
	if re.Op == syntax.OpLiteral {
		n = len(re.Rune)
	}
	for _, sub := range re.Sub {
		if n > most {
			break
		}
		n += instructions(sub, most-n)
	}
	if re.Op == syntax.OpRepeat {
		n *= max(re.Min+1, re.Max) // both at most 1,000
	}
	return n
}
