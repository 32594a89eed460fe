package segment

import (
	"bytes"
	"encoding/base64"
	"strings"

	"cairn/engine/event"
	"cairn/http/dialect"
)

// This file reads events out of the query of an image.

// gif is a transparent image of one pixel, 43 bytes.
const gif = "GIF89a\x01\x00\x01\x00\x80\x00\x00\x00\x00\x00\xff\xff\xff!\xf9\x04\x01\x00\x00\x00\x00,\x00\x00\x00\x00\x01\x00\x01\x00\x00\x02\x02D\x01\x00;"

// pixelBody is the JSON in ?data=: base64 of either alphabet, with or without padding. A
// space stands for a plus that was not escaped.
func pixelBody(query string) ([]byte, error) {
	data := queryValue(query, "data")
	if data == "" {
		return nil, dialect.Refuse("data", "is required")
	}
	clean := make([]byte, 0, len(data))
	for i := range len(data) {
		switch c := data[i]; c {
		case '-', ' ':
			clean = append(clean, '+')
		case '_':
			clean = append(clean, '/')
		case '\r', '\n':
		default:
			clean = append(clean, c)
		}
	}
	clean = bytes.TrimRight(clean, "=")
	body := make([]byte, base64.RawStdEncoding.DecodedLen(len(clean)))
	n, err := base64.RawStdEncoding.Decode(body, clean)
	if err != nil {
		return nil, dialect.Refuse("data", "is not base64")
	}
	return body[:n], nil
}

// flat decodes RudderStack's pixel, whose query is the message: it has the fields of the
// protocol by their names, and all others are properties.
func (d *decoder) flat(b *dialect.Batch, typ event.Type) error {
	var top, properties []byte
	add := func(to []byte, key, value string) []byte {
		if len(to) > 0 {
			to = append(to, ',')
		}
		return event.AppendString(append(event.AppendString(to, key), ':'), value)
	}
	for key, value := range dialect.Form(d.req.RawQuery) {
		switch f := fieldOf(key); {
		case key == "", f == fieldWriteKey:
		case f == fields, f == fieldProperties, f == fieldTraits, f == fieldContext, f == fieldIntegrations, used(typ)&(1<<f) == 0:
			properties = add(properties, strings.TrimPrefix(key, "properties."), value)
		default:
			top = add(top, key, value)
		}
	}
	body := append([]byte{'{'}, top...)
	if len(properties) > 0 {
		if len(top) > 0 {
			body = append(body, ',')
		}
		body = append(append(append(body, `"properties":{`...), properties...), '}')
	}
	return d.single(append(body, '}'), b, typ)
}
