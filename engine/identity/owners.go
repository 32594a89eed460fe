// Owners of sessions: a bounded memory of who began which, so that the common
// event of a running session is not looked up in the index.

package identity

import (
	"strings"
	"sync"

	"cairn/engine/cache"
	"cairn/engine/event"
)

// Owner is who a session's first event is from: a user, or a visitor without one.
// It never changes.
type Owner struct{ User, Anonymous string }

// ownerOverhead is about what an entry takes in memory beside its texts.
const ownerOverhead = 112

// SessionOwners remembers owners of published sessions of one dialect. An entry that is
// asked for is kept; about 2×max bytes are in memory.
type SessionOwners struct {
	mu      sync.Mutex
	entries *cache.TwoGenerations[ownerKey, Owner]
}

type ownerKey struct {
	site    uint32
	session string
}

// NewSessionOwners makes a memory of about 2×max bytes.
func NewSessionOwners(max int) *SessionOwners {
	own := func(k ownerKey) ownerKey { return ownerKey{k.site, strings.Clone(k.session)} }
	return &SessionOwners{entries: cache.NewTwoGenerations(max, ownerBytes, own)}
}

// ownerBytes is about how many bytes of memory an entry takes.
func ownerBytes(k ownerKey, who Owner) int {
	return ownerOverhead + len(k.session) + len(who.User) + len(who.Anonymous)
}

// Get returns who began a session; known is false when it is not remembered.
func (o *SessionOwners) Get(site uint32, session string) (who Owner, known bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.entries.Get(ownerKey{site, session})
}

// Put remembers the owner of a session that is published. It copies the strings.
func (o *SessionOwners) Put(site uint32, session string, first *event.Event) {
	who := Owner{strings.Clone(first.User), ""}
	if who.User == "" {
		who.Anonymous = strings.Clone(first.Anonymous)
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.entries.Put(ownerKey{site, session}, who)
}
