package native

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"strings"
	"time"

	"cairn/engine/calendar"
	"cairn/engine/event"
	"cairn/http/adminlog"
	"cairn/http/dialect"
)

// This file has the calls about the keys of sites, and about the admin token. A key is shown in the
// answer that makes it, and in no other one.

// Keyring changes keys while the server runs. Its errors are *dialect.StatusError, and none has a
// key. It may keep the texts that it gets. A call that changes something returns when the change is
// on the disk and in force.
type Keyring interface {
	// SiteKeys lists the keys of a site, those that have ended included.
	SiteKeys(site string) ([]SiteKey, error)
	// AddKey makes one more key of a site.
	AddKey(site string, k NewKey) (MadeKey, error)
	// RotateKey makes a key in place of another one, which ends after grace.
	RotateKey(site, id string, grace time.Duration) (MadeKey, error)
	// SetKey changes the name or the end of a key that was made at run time.
	SetKey(site, id string, set KeySettings) (SiteKey, error)
	// RemoveKey removes a key that was made at run time.
	RemoveKey(site, id string) error
	// RenewAdmin makes another admin token. The old one ends at once.
	RenewAdmin() (token string, err error)
}

// SiteKey is a key of a site. It does not say what the key itself is.
type SiteKey struct {
	ID       string // the kind, for a key of the configuration or of keys.toml
	Name     string
	Kind     string // as in the configuration, such as secret_key
	File     string // that has it
	Created  int64  // Unix milliseconds; 0 = not known
	Ends     int64  // Unix milliseconds; 0 = never
	LastUsed int32  // days since 1970 began, in UTC; 0 = never, as far as is known
}

// NewKey is a key that somebody asks for.
type NewKey struct {
	Name, Kind string
	Ends       int64 // Unix milliseconds; 0 = never
}

// KeySettings are what of a key somebody changes; nil = it stays.
type KeySettings struct {
	Name *string
	Ends *int64 // Unix milliseconds; 0 = never
}

// MadeKey is a key that was made, and the key itself.
type MadeKey struct {
	Key    SiteKey
	Secret string
	Old    *SiteKey // that it takes the place of; nil = none
}

// keyBodyMax bounds what is sent to make a key.
const keyBodyMax = 4 << 10

// graceDefault is how long a key lives on that somebody replaces without saying how long.
const graceDefault = 24 * time.Hour

var errNoKeyring = &dialect.StatusError{Failure: dialect.NotFound, Msg: "the keys of this server cannot be changed"}

func (n *API) keyring() (Keyring, error) {
	if n.options.Keyring == nil {
		return nil, errNoKeyring
	}
	return n.options.Keyring, nil
}

// siteKeys is GET /api/v1/admin/sites/{name}/keys.
func (n *API) siteKeys(_ context.Context, c *reading) error {
	ring, err := n.keyring()
	if err != nil {
		return err
	}
	list, err := ring.SiteKeys(c.ids[0])
	if err != nil {
		return err
	}
	c.out = append(c.out, `{"keys":[`...)
	for i := range list {
		if i > 0 {
			c.out = append(c.out, ',')
		}
		c.out = n.appendKey(c.out, &list[i])
	}
	c.out = append(c.out, "]}"...)
	return nil
}

// siteKey is GET /api/v1/admin/sites/{name}/keys/{id}.
func (n *API) siteKey(_ context.Context, c *reading) error {
	ring, err := n.keyring()
	if err != nil {
		return err
	}
	list, err := ring.SiteKeys(c.ids[0])
	if err != nil {
		return err
	}
	for i := range list {
		if list[i].ID == c.ids[1] {
			c.out = n.appendKey(c.out, &list[i])
			return nil
		}
	}
	return &dialect.StatusError{Failure: dialect.NotFound, Msg: "no such key"}
}

// addKey is POST /api/v1/admin/sites/{name}/keys.
func (n *API) addKey(_ context.Context, c *reading) error {
	ring, err := n.keyring()
	if err != nil {
		return err
	}
	var sent struct {
		Name string          `json:"name"`
		Kind string          `json:"kind"`
		Ends json.RawMessage `json:"ends"`
	}
	if err := readKeyBody(c, &sent, true); err != nil {
		return err
	}
	k := NewKey{Name: sent.Name, Kind: sent.Kind}
	if k.Ends, err = keyEnds(sent.Ends); err != nil {
		return err
	}
	made, err := ring.AddKey(c.ids[0], k)
	return n.answerMade(c, adminlog.KeyAdd, &made, err)
}

// keyEnds reads when a key ends, in Unix milliseconds; 0 = never.
func keyEnds(text json.RawMessage) (int64, error) {
	if len(text) == 0 || string(text) == "null" {
		return 0, nil
	}
	at, err := jsonTime(text, time.UTC)
	if err != nil || at.milli <= 0 {
		return 0, badField("ends", "must be a time such as 2027-01-31T12:00:00Z, or null")
	}
	return at.milli, nil
}

// setKey is PATCH /api/v1/admin/sites/{name}/keys/{id}.
func (n *API) setKey(_ context.Context, c *reading) error {
	ring, err := n.keyring()
	if err != nil {
		return err
	}
	var sent struct {
		Name *string         `json:"name"`
		Ends json.RawMessage `json:"ends"` // RawMessage keeps null and nothing apart
	}
	if err := readKeyBody(c, &sent, true); err != nil {
		return err
	}
	set := KeySettings{Name: sent.Name}
	if len(sent.Ends) > 0 {
		ends, err := keyEnds(sent.Ends)
		if err != nil {
			return err
		}
		set.Ends = &ends
	}
	if set.Name == nil && set.Ends == nil {
		return badRequest("the body must have name or ends")
	}
	key, err := ring.SetKey(strings.Clone(c.ids[0]), strings.Clone(c.ids[1]), set)
	if err != nil {
		return err
	}
	n.options.Note(c.req, adminlog.Entry{Action: adminlog.KeySet, Site: c.ids[0], What: key.ID})
	c.out = n.appendKey(c.out, &key)
	return nil
}

// rotateKey is POST /api/v1/admin/sites/{name}/keys/{id}/rotate.
func (n *API) rotateKey(_ context.Context, c *reading) error {
	ring, err := n.keyring()
	if err != nil {
		return err
	}
	var sent struct {
		Grace *string `json:"grace"`
	}
	if err := readKeyBody(c, &sent, false); err != nil {
		return err
	}
	grace := dialect.Duration(graceDefault)
	if sent.Grace != nil {
		if err := grace.UnmarshalText([]byte(*sent.Grace)); err != nil {
			return badField("grace", `must be a time such as "24h" or "7d"`)
		}
	}
	made, err := ring.RotateKey(c.ids[0], c.ids[1], time.Duration(grace))
	return n.answerMade(c, adminlog.KeyRotate, &made, err)
}

// answerMade answers with a key that was made: this once with the key itself.
func (n *API) answerMade(c *reading, action adminlog.Action, made *MadeKey, err error) error {
	if err != nil {
		return err
	}
	note := adminlog.Entry{Action: action, Site: c.ids[0], What: made.Key.ID}
	c.out = n.appendKey(append(c.out, `{"key":`...), &made.Key)
	c.out = event.AppendString(append(c.out, `,"secret":`...), made.Secret)
	c.out = append(c.out, `,"old":`...)
	if made.Old == nil {
		c.out = append(c.out, "null"...)
	} else {
		c.out = n.appendKey(c.out, made.Old)
		note.What = made.Old.ID + " to " + note.What
	}
	c.out = append(c.out, '}')
	n.options.Note(c.req, note)
	return nil
}

// removeKey is DELETE /api/v1/admin/sites/{name}/keys/{id}.
func (n *API) removeKey(_ context.Context, c *reading) error {
	ring, err := n.keyring()
	if err != nil {
		return err
	}
	if err := ring.RemoveKey(c.ids[0], c.ids[1]); err != nil {
		return err
	}
	n.options.Note(c.req, adminlog.Entry{Action: adminlog.KeyRemove, Site: c.ids[0], What: c.ids[1]})
	c.out = append(event.AppendString(append(c.out, `{"removed":`...), c.ids[1]), '}')
	return nil
}

// renewAdmin is POST /api/v1/admin/token.
func (n *API) renewAdmin(_ context.Context, c *reading) error {
	ring, err := n.keyring()
	if err != nil {
		return err
	}
	token, err := ring.RenewAdmin()
	if err != nil {
		return err
	}
	n.options.Note(c.req, adminlog.Entry{Action: adminlog.AdminToken})
	c.out = append(event.AppendString(append(c.out, `{"admin_token":`...), token), '}')
	return nil
}

// readKeyBody reads a JSON object; without need an empty body is one.
func readKeyBody(c *reading, to any, need bool) error {
	body := bytes.TrimSpace(c.req.Body)
	if len(body) == 0 && !need {
		return nil
	}
	if form, err := formOf(c.req.Header("Content-Type")); err != nil || form != formJSON {
		return &dialect.StatusError{Failure: dialect.BadMedia, Field: "Content-Type", Msg: "send application/json"}
	}
	d := json.NewDecoder(bytes.NewReader(body))
	d.DisallowUnknownFields()
	err := d.Decode(to)
	switch kind := (*json.UnmarshalTypeError)(nil); {
	case errors.As(err, &kind) && kind.Field != "":
		return badField(kind.Field, "must be text")
	case err != nil || d.More() || body[0] != '{':
		return badRequest("the body must be one JSON object with the members that this call takes")
	}
	return nil
}

// appendKey appends a key as a list shows it.
func (n *API) appendKey(dst []byte, k *SiteKey) []byte {
	dst = event.AppendString(append(dst, `{"id":`...), k.ID)
	dst = event.AppendString(append(dst, `,"name":`...), k.Name)
	dst = event.AppendString(append(dst, `,"kind":`...), k.Kind)
	dst = event.AppendString(append(dst, `,"file":`...), k.File)
	at := func(name string, milli int64) {
		dst = append(append(append(dst, `,"`...), name...), `":`...)
		if milli == 0 {
			dst = append(dst, "null"...)
		} else {
			dst = appendTime(dst, milli)
		}
	}
	at("created", k.Created)
	at("ends", k.Ends)
	ended := k.Ends != 0 && k.Ends <= n.now().UnixMilli()
	dst = append(dst, `,"ended":`...)
	if ended {
		dst = append(dst, "true"...)
	} else {
		dst = append(dst, "false"...)
	}
	dst = append(dst, `,"last_used":`...)
	if k.LastUsed == 0 {
		return append(dst, "null}"...)
	}
	return append(event.AppendString(dst, calendar.Date(k.LastUsed).Format(time.DateOnly)), '}')
}
