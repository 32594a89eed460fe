package native

import (
	"slices"
	"strconv"
	"strings"
)

// This file says what a parameter of a call may be, and refuses what it may not be. What depends on
// the other parameters, on the site or on the clock is left to the call.

// param is a parameter of a call, and all that is said of it anywhere: in the contract, in errors, in
// helps, to assistants and in docs/reports.md.
type param struct {
	name      string
	kind      parameterKind
	component string   // its name among the parameters of the contract; "" = it stands in each operation
	names     []string // of a bundle of filters: those for which it stands; one that ends in "." for all that begin so
	about     string   // sentences
	required  bool

	values   []string // all that it may be; nil = others say what
	some     bool     // it is several of values, separated by commas
	examples []string
	absent   string // what its absence means: a value; "" = about says it
	number   bool   // it is a whole number, with these bounds
	least    int64
	most     int64
	unit     string // of the number, as in "of seconds "
	bytesMax int    // of a text; 0 = the call says it
	countMin int    // how often a list may be given
	countMax int
	what     string // of the list, as in "dimensions"
	empty    bool   // of a filter: an empty text is a value
	pattern  string // of the text in the contract
	format   string
	ref      string // a schema of the contract in place of all these

	valid  func(text string) bool // nil = all are
	must   string                 // what the error says instead of what these facts say
	narrow bool                   // the call allows less than this; it checks that, and says what it allows

	field  bool // its value names a field; a share of numbers may name some alone
	filter bool // its value is a query string of plain filters
}

// parameterKind says how often a parameter may be given, and who reads it.
type parameterKind uint8

const (
	filterKind parameterKind = iota // a condition; a repeat means OR
	singleKind                      // once; an empty one counts as absent
	listKind                        // any number of times, in order; see params.lists
)

// stands returns the names that a parameter stands for.
func (p *param) stands() []string {
	if p.names != nil {
		return p.names
	}
	return []string{p.name}
}

// paramList is the parameters of a call.
type paramList []*param

// find returns the parameter of a name, nil if there is none. "prop." is a name.
func (l paramList) find(name string) *param {
	for _, p := range l {
		if p.names == nil && p.name == name || p.names != nil && slices.Contains(p.names, name) {
			return p
		}
	}
	return nil
}

// has reports whether there is a parameter of a name, which may be that of a path, such as "prop.plan".
func (l paramList) has(name string) bool {
	return !strings.Contains(name, ".") && l.find(name) != nil || l.takesPath(name)
}

// takesPath reports whether a name is that of a path, such as "prop.plan", for which a parameter stands.
func (l paramList) takesPath(name string) bool {
	prefix, path, dotted := strings.Cut(name, ".")
	return dotted && path != "" && len(path) <= queryPathMax && l.find(prefix+".") != nil
}

// names are those of all parameters.
func (l paramList) names() (names []string) {
	for _, p := range l {
		names = append(names, p.stands()...)
	}
	return names
}

// check refuses what the parameters of a query may not be. Filters are checked as they are read.
func (l paramList) check(q *params) error {
	for _, p := range l {
		switch p.kind {
		case singleKind:
			if err := p.check(q.single[p.name]); err != nil {
				return err
			}
		case listKind:
			list := q.lists[p.name]
			if len(list) < p.countMin || p.countMax > 0 && len(list) > p.countMax {
				return badField(p.name, p.counts())
			}
			for _, text := range list {
				if err := p.check(text); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// check refuses one value. An empty one is absent.
func (p *param) check(text string) error {
	ok := true
	switch {
	case p.narrow || text == "":
	case p.some:
		return someOf(p.name, text, p.values)
	case p.values != nil:
		ok = slices.Contains(p.values, text)
	case p.number:
		_, ok = p.parse(text, p.most)
	case p.bytesMax > 0:
		ok = len(text) <= p.bytesMax
	}
	if ok && text != "" && p.valid != nil {
		ok = p.valid(text)
	}
	if !ok {
		return badField(p.name, p.sentence(p.values, p.most))
	}
	return nil
}

// parse reads a whole number that is at most most.
func (p *param) parse(text string, most int64) (int64, bool) {
	n, err := strconv.ParseInt(text, 10, 64)
	return n, err == nil && text[0] != '+' && text[0] != '-' && n >= p.least && n <= most
}

// sentence says what a value must be that may be one of values, or a number up to most.
func (p *param) sentence(values []string, most int64) string {
	switch {
	case p.must != "":
		return p.must
	case p.number:
		return "must be a number " + p.unit + "from " + strconv.FormatInt(p.least, 10) + " to " + strconv.FormatInt(most, 10)
	case len(values) == 1:
		return "must be " + values[0]
	case values != nil:
		return "must be one of " + strings.Join(values, ", ")
	}
	return "at most " + strconv.Itoa(p.bytesMax) + " bytes"
}

// counts says how often a list must be given.
func (p *param) counts() string {
	least, most := strconv.Itoa(p.countMin), strconv.Itoa(p.countMax)
	switch {
	case p.what != "":
		return "at most " + most + " " + p.what
	case p.countMin > 0:
		return "must be given " + least + " to " + most + " times"
	case p.countMax == 1:
		return "may be given once"
	}
	return "at most " + most
}

// someOf refuses a text that is not several of values, separated by commas.
func someOf(name, text string, values []string) error {
	for part := range strings.SplitSeq(text, ",") {
		if !slices.Contains(values, part) {
			return badField(name, "must be some of "+strings.Join(values, ", ")+", separated by commas")
		}
	}
	return nil
}

// choice is a parameter that is one of some values, or what its absence means; "" when the call does
// not have it. The query has been checked.
func (q *params) choice(name string) string {
	if text := q.single[name]; text != "" {
		return text
	}
	if p := q.known.find(name); p != nil {
		return p.absent
	}
	return ""
}

// choiceOf is choice of a parameter that the call allows fewer values than the table does.
func (q *params) choiceOf(name string, values []string) (string, error) {
	text := q.choice(name)
	if q.single[name] != "" && !slices.Contains(values, text) {
		return "", badField(name, q.known.find(name).sentence(values, 0))
	}
	return text, nil
}

// number is a parameter that is a number, or what its absence means; 0 when that is no number. The
// query has been checked.
func (q *params) number(name string) int64 {
	n, _ := strconv.ParseInt(q.choice(name), 10, 64)
	return n
}

// numberTo is number of a parameter that the call bounds closer than the table does.
func (q *params) numberTo(name string, most int) (int, error) {
	p := q.known.find(name)
	n, ok := p.parse(q.choice(name), int64(most))
	if !ok {
		return 0, badField(name, p.sentence(nil, int64(most)))
	}
	return int(n), nil
}

// yes is a parameter that is 1 or absent.
func (q *params) yes(name string) bool { return q.single[name] == "1" }

// some are those of values that a parameter names, in their order; all of them when it is absent.
func (q *params) some(name string, values []string) []string {
	text := q.single[name]
	if text == "" {
		return values
	}
	named := strings.Split(text, ",")
	var some []string
	for _, v := range values {
		if slices.Contains(named, v) {
			some = append(some, v)
		}
	}
	return some
}
