package opentracker

import (
	"bytes"
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"strconv"
	"strings"
	"unicode/utf8"

	"cairn/engine/event"
	"cairn/http/dialect"
)

// This file reads the parameters of a request, from its query and then its body, in any of
// the encodings that a body may have.

// param is one parameter, decoded. Of several with one name the last counts.
type param struct {
	name, value string
	marked      bool // the name ended in "!", at least once
}

// params are the parameters of one request in the order in which their names came first.
// reset makes a value ready for the next request.
type params struct {
	list []param
	at   map[string]int // by name, once there are many
}

// searchMax is the number of parameters up to which a name is found by walking.
const searchMax = 24

func (p *params) reset() {
	clear(p.list)
	p.list = p.list[:0]
	clear(p.at)
}

func (p *params) find(name string) int {
	if len(p.list) <= searchMax {
		for i := range p.list {
			if p.list[i].name == name {
				return i
			}
		}
		return -1
	}
	if len(p.at) == 0 {
		if p.at == nil {
			p.at = make(map[string]int)
		}
		for i := range p.list {
			p.at[p.list[i].name] = i
		}
	}
	if i, ok := p.at[name]; ok {
		return i
	}
	return -1
}

// paramsMax bounds all names of a request, the protocol's own included.
const paramsMax = propertiesMax + 32

// add takes one name and value, decoded.
func (p *params) add(name, value string) *event.FieldError {
	name = strings.TrimSpace(name)
	bare := strings.TrimRight(name, "!")
	switch {
	case bare == "":
		return dialect.Refuse("", "a parameter has no name")
	case len(bare) > nameBytesMax:
		return dialect.Refuse(bare[:nameBytesMax], "a name has at most 128 bytes")
	case !isASCII(bare):
		return dialect.Refuse("", "a name must be ASCII")
	case len(value) > valueBytesMax:
		return dialect.Refuse(bare, "a value has at most 4096 bytes")
	case strings.IndexByte(value, 0) >= 0:
		return dialect.Refuse(bare, "a value must not hold NUL")
	}
	value = text(value)
	marked := len(bare) < len(name)
	if i := p.find(bare); i >= 0 {
		p.list[i].value = value
		p.list[i].marked = p.list[i].marked || marked
		return nil
	}
	if len(p.list) == paramsMax {
		return dialect.Refuse("", "at most 256 properties")
	}
	if p.at != nil && len(p.list) > searchMax {
		p.at[bare] = len(p.list)
	}
	p.list = append(p.list, param{bare, value, marked})
	return nil
}

// isASCII says that s has printable ASCII characters only.
func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] < 0x20 || s[i] > 0x7e {
			return false
		}
	}
	return true
}

// text is s as it is stored. Text that is not UTF-8 is ISO-8859-1, which the vendor's Android
// SDK sends. Control characters except \t \n \r are not stored.
func text(s string) string {
	plain, valid := true, utf8.ValidString(s)
	for i := range len(s) {
		plain = plain && (s[i] >= 0x20 || s[i] == '\t' || s[i] == '\n' || s[i] == '\r')
	}
	if plain && valid {
		return s
	}
	b := make([]byte, 0, 2*len(s))
	add := func(r rune) {
		if r >= 0x20 || r == '\t' || r == '\n' || r == '\r' {
			b = utf8.AppendRune(b, r)
		}
	}
	if valid {
		for _, r := range s {
			add(r)
		}
	} else {
		for i := range len(s) {
			add(rune(s[i]))
		}
	}
	return string(b)
}

// read takes every parameter of a request. Errors are *event.FieldError or
// *dialect.StatusError.
func (p *params) read(req *dialect.Request, parser *event.Parser) error {
	if err := p.form(req.RawQuery); err != nil {
		return err
	}
	if len(req.Body) == 0 || req.Method != "POST" {
		return nil
	}
	media, arguments := req.Header("Content-Type"), map[string]string(nil)
	if strings.IndexByte(media, ';') >= 0 {
		if kind, found, err := mime.ParseMediaType(media); err == nil {
			media, arguments = kind, found
		} else {
			media, _, _ = strings.Cut(media, ";")
		}
	}
	switch strings.ToLower(strings.TrimSpace(media)) {
	case "", "application/x-www-form-urlencoded", "text/plain": // beacons send the last
		return p.form(string(req.Body))
	case "application/json":
		return p.json(req.Body, parser)
	case "multipart/form-data":
		return p.multipart(req.Body, arguments["boundary"])
	}
	return &dialect.StatusError{Failure: dialect.BadMedia, Field: "Content-Type",
		Msg: "must be a form, multipart/form-data or application/json"}
}

func (p *params) form(encoded string) error {
	for name, value := range dialect.Form(encoded) {
		if err := p.add(name, value); err != nil {
			return err
		}
	}
	return nil
}

// jsonLimits are wider than the protocol's, so that add refuses in its own words.
var jsonLimits = event.Limits{Depth: 8, Members: 2 * paramsMax, KeyBytes: bodyBytesMax, StringBytes: bodyBytesMax}

// json takes the members of a flat object. null counts as absent.
func (p *params) json(body []byte, parser *event.Parser) error {
	members, err := parser.Object(body, jsonLimits)
	if err != nil {
		return err
	}
	for _, m := range members {
		switch m.Value.Kind {
		case event.Null:
			continue
		case event.JSON:
			return dialect.Refuse(m.Key, "must be a string, a number or a boolean")
		}
		if err := p.add(m.Key, m.Value.Text); err != nil {
			return err
		}
	}
	return nil
}

// multipart takes the text parts of a form and ignores files.
func (p *params) multipart(body []byte, boundary string) error {
	if boundary == "" {
		return dialect.Refuse("Content-Type", "has no boundary")
	}
	r := multipart.NewReader(bytes.NewReader(body), boundary)
	for n := 0; ; n++ {
		part, err := r.NextRawPart()
		if errors.Is(err, io.EOF) && (n > 0 || bytes.Contains(body, []byte("--"+boundary+"--"))) {
			return nil
		}
		if err != nil {
			return dialect.Refuse("", "the body is not multipart/form-data")
		}
		if n == partsMax {
			return dialect.Refuse("", "at most "+strconv.Itoa(partsMax)+" parts")
		}
		if part.FormName() == "" || part.FileName() != "" {
			continue
		}
		value, err := io.ReadAll(io.LimitReader(part, valueBytesMax+1))
		if err != nil {
			return dialect.Refuse("", "the body is not multipart/form-data")
		}
		if err := p.add(part.FormName(), string(value)); err != nil {
			return err
		}
	}
}
