// Entities: the names under which a report lists people and sessions.

package read

import "cairn/engine/query"

// Key returns the public id of an event: the key of the session that it begins, or the cursor of
// the person whose first event it is.
func (r *Rows) Key(seq uint64) string { return r.reader.Public.Encode(r.site.ID, seq) }

// Position returns the seq of a public id; ok is false when it is not one of this site.
func (r *Rows) Position(id string) (seq uint64, ok bool) {
	return r.reader.Public.Decode(r.site.ID, id)
}

// UserID returns the id under which Reader.Users lists the person with an ordinal.
func (r *Rows) UserID(ord uint64) (string, error) {
	p, err := r.view.person(ord, appearance{})
	if err != nil {
		return "", err
	}
	var u query.User
	err = r.reader.chooseID(r.view, p, &u)
	return u.ID, err
}
