package segment

import (
	"encoding/base64"
	"strings"

	"cairn/engine/event"
	"cairn/http/dialect"
)

// This file finds the write key of an event: in the query of a webhook, in the
// Authorization header, at the top of the body, in the event itself, in the query
// of any other route. The first that is there counts, right or wrong.

// keys are the places of one request, each "" when there is none.
type keys struct {
	hook, header, top, query string

	// The site of the key asked for last: a batch has mostly one.
	key  string
	site *dialect.Site
}

// requestKeys are those outside the body.
func requestKeys(req *dialect.Request, k kind) keys {
	found := keys{header: basicUser(req.Header("Authorization"))}
	if key := queryValue(req.RawQuery, "writeKey"); k == webhook {
		found.hook = key
	} else {
		found.query = key
	}
	return found
}

// of is the key of an event whose own is this value, and the site it opens, nil
// for none.
func (k *keys) of(req *dialect.Request, own event.Value) (key string, site *dialect.Site) {
	for _, key = range [...]string{k.hook, k.header, k.top, keyText(own), k.query} {
		if key != "" {
			break
		}
	}
	if key == "" {
		return "", nil
	}
	if key != k.key {
		k.key, k.site = key, req.Find(credential(key))
	}
	return key, k.site
}

func credential(key string) dialect.Credential {
	return dialect.Credential{Kind: dialect.CredentialWriteKey, ID: key}
}

// keyText is a key in a body: a string, "" for anything else.
func keyText(v event.Value) string {
	if v.Kind != event.String {
		return ""
	}
	return strings.TrimSpace(v.Text)
}

// basicUser is the user of a Basic authorization; some clients leave the colon
// out. Any other scheme is none.
func basicUser(header string) string {
	scheme, text, _ := strings.Cut(strings.TrimSpace(header), " ")
	if !strings.EqualFold(scheme, "basic") || len(text) > 2048 {
		return ""
	}
	plain, err := base64.RawStdEncoding.DecodeString(strings.TrimRight(strings.TrimSpace(text), "="))
	if err != nil {
		return ""
	}
	user, _, _ := strings.Cut(string(plain), ":")
	return strings.TrimSpace(user)
}

// queryValue is the first value of a key in a query string, "" for none.
func queryValue(query, key string) string {
	for k, v := range dialect.Form(query) {
		if k == key {
			return v
		}
	}
	return ""
}
