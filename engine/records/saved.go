// Saved things: the filters, goals, funnels, shares and notes of a site.

package records

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"cairn/engine/query"
	"cairn/engine/store"

	"github.com/cockroachdb/pebble/v2"
)

// A record of a saved thing is the version and a JSON object, see savedJSON. Its key ends in the
// 8 bytes of its id.
const savedVersion = 1

const savedIDBytes = 8

// savedJSON is a saved thing in the store. Names of fields never change.
type savedJSON struct {
	Kind     query.SavedKind `json:"kind"`
	Name     string          `json:"name"`
	Query    string          `json:"query"`
	Revision uint64          `json:"revision"`
	Share    *shareJSON      `json:"share,omitempty"`
	Note     *noteJSON       `json:"note,omitempty"`
}

type shareJSON struct {
	Scope   string   `json:"scope"`
	Filter  string   `json:"filter,omitempty"`
	Props   []string `json:"props,omitempty"`
	Embed   []string `json:"embed,omitempty"`
	Expires int64    `json:"expires,omitempty"`
	Token   string   `json:"token"` // hex digits of the SHA-256
}

type noteJSON struct {
	Time int64  `json:"time"`
	Text string `json:"text"`
}

// SavedKey is the key of the saved thing with an id. ok is false when no id looks like that.
func SavedKey(site uint32, id string) (key []byte, ok bool) {
	raw, err := hex.DecodeString(id)
	if err != nil || len(raw) != savedIDBytes || hex.EncodeToString(raw) != id {
		return nil, false
	}
	return append(store.SiteKey(store.PrefixSaved, site), raw...), true
}

// AppendSaved appends the record of a saved thing.
func AppendSaved(dst []byte, s *query.Saved) ([]byte, error) {
	j := savedJSON{Kind: s.Kind, Name: s.Name, Query: s.Query, Revision: s.Revision}
	if s.Share != nil {
		j.Share = &shareJSON{s.Share.Scope, s.Share.Filter, s.Share.Props, s.Share.Embed, s.Share.Expires, hex.EncodeToString(s.Share.Token[:])}
	}
	if s.Note != nil {
		j.Note = &noteJSON{s.Note.Time, s.Note.Text}
	}
	text, err := json.Marshal(j)
	if err != nil {
		return nil, fmt.Errorf("write a saved thing: %w", err)
	}
	return append(append(dst, savedVersion), text...), nil
}

// ParseSaved reads the record of a saved thing. The error of bytes that are none says so.
func ParseSaved(key, value []byte) (s query.Saved, err error) {
	prefix := len(store.SiteKey(store.PrefixSaved, 0))
	if len(key) != prefix+savedIDBytes || len(value) == 0 || value[0] != savedVersion {
		return s, errors.New("damaged record of a saved thing")
	}
	var j savedJSON
	d := json.NewDecoder(bytes.NewReader(value[1:]))
	d.DisallowUnknownFields() // the name of a field may be damaged
	if err := d.Decode(&j); err != nil || d.InputOffset() != int64(len(value)-1) || !slices.Contains(query.SavedKinds, j.Kind) || j.Revision == 0 ||
		(j.Kind == query.SavedShare) != (j.Share != nil) || (j.Kind == query.SavedNote) != (j.Note != nil) {
		return s, errors.New("damaged record of a saved thing")
	}
	s = query.Saved{ID: hex.EncodeToString(key[prefix:]), Kind: j.Kind, Name: j.Name, Query: j.Query, Revision: j.Revision}
	if j.Share != nil {
		s.Share = &query.Share{Scope: j.Share.Scope, Filter: j.Share.Filter, Props: j.Share.Props, Embed: j.Share.Embed, Expires: j.Share.Expires}
		token, err := hex.DecodeString(j.Share.Token)
		if err != nil || len(token) != len(s.Share.Token) {
			return s, errors.New("damaged record of a share")
		}
		copy(s.Share.Token[:], token)
	}
	if j.Note != nil {
		s.Note = &query.Note{Time: j.Note.Time, Text: j.Note.Text}
	}
	return s, nil
}

// Saved returns the saved thing with an id, or query.ErrNotFound.
func Saved(db pebble.Reader, site uint32, id string) (query.Saved, error) {
	key, ok := SavedKey(site, id)
	if !ok {
		return query.Saved{}, query.ErrNotFound
	}
	value, err := store.Get(db, key)
	if err != nil {
		return query.Saved{}, err
	}
	if value == nil {
		return query.Saved{}, query.ErrNotFound
	}
	return ParseSaved(key, value)
}

// EachSavedOfAll calls fn with the record of every saved thing of every site. Key and value are
// valid until fn returns.
func EachSavedOfAll(db pebble.Reader, fn func(site uint32, key, value []byte) error) error {
	return eachSaved(db, []byte{store.PrefixSaved}, []byte{store.PrefixSaved + 1}, func(key, value []byte) error {
		if len(key) < 5 {
			return nil
		}
		return fn(binary.BigEndian.Uint32(key[1:]), key, value)
	})
}

// EachSaved calls fn with the record of every saved thing of a site, in the order of the ids.
// Key and value are valid until fn returns.
func EachSaved(db pebble.Reader, site uint32, fn func(key, value []byte) error) error {
	key := store.SiteKey(store.PrefixSaved, site)
	end := store.SiteKey(store.PrefixSaved, site+1)
	if site+1 == 0 {
		end = []byte{store.PrefixSaved + 1}
	}
	return eachSaved(db, key, end, fn)
}

func eachSaved(db pebble.Reader, key, end []byte, fn func(key, value []byte) error) error {
	it, err := db.NewIter(&pebble.IterOptions{LowerBound: key, UpperBound: end})
	if err != nil {
		return fmt.Errorf("read saved things: %w", err)
	}
	for ok := it.First(); ok && err == nil; ok = it.Next() {
		err = fn(it.Key(), it.Value())
	}
	return errors.Join(err, it.Close())
}

// AllSaved returns the saved things of a site, in the order of the ids.
func AllSaved(db pebble.Reader, site uint32) (all []query.Saved, err error) {
	err = EachSaved(db, site, func(key, value []byte) error {
		s, err := ParseSaved(key, value)
		all = append(all, s)
		return err
	})
	return all, err
}
