package native

import (
	"bytes"
	"encoding/json"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"cairn/engine/query"
)

// This file reads and checks what is sent to be saved.

const (
	savedBodyMax      = 64 << 10 // bytes of JSON; with many \u escapes they are few in the store
	savedNameBytesMax = 256
	sharePropsMax     = 100
	shareEmbedMax     = 20
)

// savedBody is a saved thing as it is sent. All members that a read shows may be sent back.
type savedBody struct {
	ID       *string         `json:"id"`
	Kind     query.SavedKind `json:"kind"`
	Name     string          `json:"name"`
	Query    string          `json:"query"`
	Revision *uint64         `json:"revision"`

	Scope   *string         `json:"scope"`
	Filter  *string         `json:"filter"`
	Props   []string        `json:"props"`
	Embed   []string        `json:"embed"`
	Expires json.RawMessage `json:"expires"`

	Time json.RawMessage `json:"time"`
	Text *string         `json:"text"`
}

// readSaved reads a saved thing that takes the place of the one with an id; "" = a new one.
func readSaved(body []byte, id string, loc *time.Location) (s query.Saved, err error) {
	body = bytes.TrimPrefix(body, []byte("\xef\xbb\xbf"))
	if !utf8.Valid(body) {
		return s, badRequest("the body is not UTF-8")
	}
	var b savedBody
	d := json.NewDecoder(bytes.NewReader(body))
	d.DisallowUnknownFields()
	if err := d.Decode(&b); err != nil {
		return s, badRequest("the body is not a JSON object of a saved thing: " + shorten(err.Error(), 128))
	}
	if len(bytes.TrimSpace(body[d.InputOffset():])) > 0 {
		return s, badRequest("something follows the JSON object")
	}
	s = query.Saved{ID: id, Kind: b.Kind, Name: b.Name, Query: b.Query}
	switch {
	case b.ID != nil && *b.ID != id:
		return s, badField("id", "is not that of the path; a new one gets its id from the server")
	case id == "" && b.Revision != nil:
		return s, badField("revision", "a new one has none")
	case id != "" && (b.Revision == nil || *b.Revision == 0):
		return s, badField("revision", "must be the one that was read")
	case id != "":
		s.Revision = *b.Revision
	}
	switch {
	case !slices.Contains(query.SavedKinds, b.Kind):
		return s, badField("kind", "must be one of "+joined(query.SavedKinds))
	case len(b.Name) > savedNameBytesMax:
		return s, badField("name", "at most "+strconv.Itoa(savedNameBytesMax)+" bytes")
	case b.Name == "" && b.Kind != query.SavedNote:
		return s, badField("name", "is missing")
	}
	if err := checkName(b.Name); err != nil {
		return s, err
	}
	if err := checkSavedQuery(b.Kind, b.Query); err != nil {
		return s, err
	}
	if b.Kind == query.SavedShare {
		if s.Share, err = b.share(loc); err != nil {
			return s, err
		}
	} else if b.Scope != nil || b.Filter != nil || b.Props != nil || b.Embed != nil || b.Expires != nil {
		return s, badRequest("scope, filter, props, embed and expires are of a share alone")
	}
	if b.Kind == query.SavedNote {
		s.Note, err = b.note(loc)
	} else if b.Time != nil || b.Text != nil {
		return s, badRequest("time and text are of a note alone")
	}
	return s, err
}

// checkSavedQuery checks the query of a saved thing, as far as that does not depend on the call.
func checkSavedQuery(kind query.SavedKind, text string) error {
	switch kind {
	case query.SavedNote:
		if text != "" {
			return badField("query", "a note has none")
		}
		return nil
	case query.SavedGoal:
		if text != "" && !strings.ContainsAny(text, "=&") {
			return badField("query", "is no filter: write name="+shorten(text, 64))
		}
		_, err := filterIn("query", text)
		return err
	}
	q, err := parseQuery(text, savedParams)
	if err != nil {
		return inField("query", err)
	}
	for _, p := range savedParams {
		if !p.filter {
			continue
		}
		for _, inside := range append(q.lists[p.name], q.single[p.name]) {
			if inside == "" {
				continue
			}
			if _, err := filterIn(p.name, inside); err != nil {
				return inField("query", err)
			}
		}
	}
	switch kind {
	case query.SavedFilter:
		if len(q.where) == 0 { // a share with it would show everything
			return badField("query", "must have at least one filter")
		}
	case query.SavedFunnel:
		if err := funnelParams.check(&q); err != nil {
			return inField("query", err)
		}
		_, err := q.funnel()
		return inField("query", err)
	}
	return nil
}

// checkName refuses a name that nobody could read.
func checkName(name string) error {
	if strings.ContainsFunc(name, unicode.IsControl) {
		return badField("name", "has a control character")
	}
	seen := func(r rune) bool { return unicode.IsGraphic(r) && !unicode.IsSpace(r) }
	if name != "" && !strings.ContainsFunc(name, seen) {
		return badField("name", "has nothing to read")
	}
	return nil
}

// share reads what a share has.
func (b *savedBody) share(loc *time.Location) (*query.Share, error) {
	share := &query.Share{Props: b.Props}
	if b.Scope == nil || *b.Scope != "numbers" && *b.Scope != "people" {
		return nil, badField("scope", "must be numbers or people")
	}
	share.Scope = *b.Scope
	if b.Filter != nil {
		if share.Filter = *b.Filter; share.Filter == "" {
			return nil, badField("filter", "must be the id of a saved filter, or null")
		}
	}
	if len(b.Props) > sharePropsMax {
		return nil, badField("props", "at most "+strconv.Itoa(sharePropsMax))
	}
	for _, path := range b.Props {
		if path == "" || len(path) > queryPathMax {
			return nil, badField("props", "must be paths of properties of 1 to "+strconv.Itoa(queryPathMax)+" bytes")
		}
	}
	if len(b.Embed) > shareEmbedMax {
		return nil, badField("embed", "at most "+strconv.Itoa(shareEmbedMax))
	}
	for _, text := range b.Embed {
		if text == "*" && len(b.Embed) == 1 {
			share.Embed = []string{"*"}
			break
		}
		origin, ok := originOf(text)
		if !ok {
			return nil, badField("embed", "must be origins such as https://www.example.com, or * alone")
		}
		if !slices.Contains(share.Embed, origin) {
			share.Embed = append(share.Embed, origin)
		}
	}
	if given(b.Expires) {
		p, err := jsonTime(b.Expires, loc)
		if err != nil {
			return nil, badField("expires", err.Error())
		}
		if share.Expires = p.milli; p.bare {
			share.Expires = p.next // that day is in
		}
	}
	return share, nil
}

// note reads what a note has.
func (b *savedBody) note(loc *time.Location) (*query.Note, error) {
	if !given(b.Time) {
		return nil, badField("time", "is missing")
	}
	p, err := jsonTime(b.Time, loc)
	if err != nil {
		return nil, badField("time", err.Error())
	}
	if b.Text == nil || *b.Text == "" {
		return nil, badField("text", "is missing")
	}
	return &query.Note{Time: p.milli, Text: *b.Text}, nil
}

func given(raw json.RawMessage) bool { return len(raw) > 0 && string(raw) != "null" }

// jsonTime reads a time, which may be a text or a number.
func jsonTime(raw json.RawMessage, loc *time.Location) (timePoint, error) {
	text := string(raw)
	if raw[0] == '"' {
		if err := json.Unmarshal(raw, &text); err != nil {
			return timePoint{}, err
		}
	}
	return parsePoint(text, loc)
}

// originOf writes an origin anew as scheme, host and port. ok is false when it is none: it goes
// into a header.
func originOf(text string) (origin string, ok bool) {
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.User != nil || u.Opaque != "" ||
		u.Path != "" && u.Path != "/" || u.RawQuery != "" || u.ForceQuery || u.Fragment != "" {
		return "", false
	}
	host := strings.ToLower(u.Hostname())
	if strings.Contains(u.Host, "[") {
		addr, err := netip.ParseAddr(host)
		if err != nil || addr.Zone() != "" {
			return "", false
		}
		host = "[" + addr.String() + "]"
	} else if host == "" || len(host) > 253 || strings.Trim(host, "abcdefghijklmnopqrstuvwxyz0123456789.-") != "" {
		return "", false
	}
	port := u.Port()
	if strings.HasSuffix(u.Host, ":") {
		return "", false
	}
	if port == "" || port == map[string]string{"http": "80", "https": "443"}[u.Scheme] {
		return u.Scheme + "://" + host, true
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil || n == 0 {
		return "", false
	}
	return u.Scheme + "://" + host + ":" + strconv.FormatUint(n, 10), true
}
