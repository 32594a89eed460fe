package mcp

import (
	"bytes"
	"encoding/json"
	"errors"

	"cairn/http/tables"
)

// This file treats the texts of an answer, which strangers have sent.

// textMax is how many characters a text of an answer may have.
const textMax = 200

// cut makes a text safe to show, and at most textMax characters long.
func cut(text string) string { return tables.CutRunes(tables.Safe(text), textMax) }

var errAnswer = errors.New("the answer is no JSON")

// treat returns an answer with its texts cut and escaped; the names in objects too, since those of
// properties are sent. Everything else stays, byte for byte, but for blanks. Two names may become
// one: whoever sends such names hides one property of their own event.
func treat(answer []byte) (json.RawMessage, error) {
	var plain bytes.Buffer
	plain.Grow(len(answer))
	if err := json.Compact(&plain, answer); err != nil {
		return nil, errAnswer
	}
	in := plain.Bytes()
	out := make([]byte, 0, len(in))
	for i := 0; i < len(in); {
		if in[i] != '"' {
			out = append(out, in[i])
			i++
			continue
		}
		end := i + 1
		for in[end] != '"' {
			if in[end] == '\\' {
				end++
			}
			end++
		}
		out = appendTreated(out, in[i:end+1])
		i = end + 1
	}
	return out, nil
}

// appendTreated appends a text of JSON, treated.
func appendTreated(dst, quoted []byte) []byte {
	if len(quoted) <= textMax+2 && isPlain(quoted) {
		return append(dst, quoted...)
	}
	var text string
	if json.Unmarshal(quoted, &text) != nil {
		return append(dst, `""`...)
	}
	treated := cut(text)
	if treated == text {
		return append(dst, quoted...)
	}
	b, err := json.Marshal(treated)
	if err != nil {
		return append(dst, `""`...)
	}
	return append(dst, b...)
}

// isPlain reports whether a text of JSON has printable ASCII alone, and no escape.
func isPlain(quoted []byte) bool {
	for _, c := range quoted {
		if c < ' ' || c > '~' || c == '\\' {
			return false
		}
	}
	return true
}
