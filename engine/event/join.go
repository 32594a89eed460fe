package event

import (
	"fmt"
	"slices"
	"strings"
)

// Putting objects together again from their pieces, see split.go.

// shaped is the Kind of the shape of an object whose pieces are not joined yet. Its Text is
// the shape. No event has it outside this package.
const shaped = JSON + 1

// join makes objects of the shapes and pieces in Extra, which is ordered by key. The error
// wraps ErrCorrupt.
func (e *Event) join() error {
	o := e.Extra
	kept := 0
	for i := 0; i < len(o); kept++ {
		m := o[i]
		i++
		if m.Value.Kind == shaped {
			first := i
			for i < len(o) && IsPiece([]byte(o[i].Key), []byte(m.Key)) {
				i++
			}
			text, ok := joined(m.Key, m.Value.Text, o[first:i], e.Context)
			if !ok {
				return fmt.Errorf("%w: the pieces of extra.%s", ErrCorrupt, m.Key)
			}
			m.Value = Raw(text)
		} else if strings.Contains(m.Key, KeySep) {
			return fmt.Errorf("%w: a piece of extra without its shape", ErrCorrupt)
		}
		o[kept] = m
	}
	clear(o[kept:])
	e.Extra = o[:kept]
	return nil
}

// joined returns the object of a shape. pieces are ordered by key.
func joined(key, shape string, pieces Object, context Object) (text string, ok bool) {
	size, used := len(shape), 0
	for i := range pieces {
		size += len(pieces[i].Value.Text) + 8
	}
	out := make([]byte, 0, size)
	done := 0 // of the shape
	w := shapeWalk{shape: shape, path: append(make([]byte, 0, 64), key...)}
	ok = w.all(func(path []byte, ref byte, at int) bool {
		out = append(out, shape[done:at]...)
		v := Value{}
		if ref != 0 {
			v = context.Get(refKeys[ref-refBase])
			done = at + 2
		} else {
			i, found := slices.BinarySearchFunc(pieces, path, func(m Member, path []byte) int { return strings.Compare(m.Key, aliasString(path)) })
			if found {
				v, used = pieces[i].Value, used+1
			}
			done = at + 1
		}
		switch v.Kind {
		case String:
			out = appendQuoted(out, v.Text, false)
		case Number, Bool, JSON:
			out = append(out, v.Text...)
		case Null:
			out = append(out, "null"...)
		default:
			return false
		}
		return true
	})
	if !ok || used != len(pieces) {
		return "", false
	}
	return aliasString(append(out, shape[done:]...)), true
}
