package segment

import (
	"encoding/base64"
	"strings"

	"cairn/engine/event"
	"cairn/http/dialect"
)

// This file finds the write key of an event: in the query of a webhook, in the Authorization
// header, at the top level of the body, in the event itself, in the query of any other
// route. The first one found counts, right or wrong.

// keys are the keys of one request by place, "" where there is none.
type keys struct {
	hook, header, top, query string

	// The key that was looked up last, and its site: a batch mostly has one.
	key  string
	site *dialect.Site
}

// requestKeys are the keys outside the body.
func requestKeys(req *dialect.Request, k kind) keys {
	found := keys{header: basicUser(req.Header("Authorization"))}
	if key := queryValue(req.RawQuery, "writeKey"); k == webhook {
		found.hook = key
	} else {
		found.query = key
	}
	return found
}

// of is the key of an event, and the site that it opens, nil for none. own is the value of
// the event's writeKey.
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

// basicUser is the user of a Basic authorization, "" for any other scheme. Some clients leave
// the colon out.
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
