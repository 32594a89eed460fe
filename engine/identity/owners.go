// Owners of sessions: a bounded memory of who began which, so that the common
// event of a running session is not looked up in the index.

package identity

import (
	"strings"
	"sync"

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
	max int

	mu        sync.Mutex
	hot, cold map[ownerKey]Owner
	bytes     int // in hot
}

type ownerKey struct {
	site    uint32
	session string
}

// NewSessionOwners makes a memory of about 2×max bytes.
func NewSessionOwners(max int) *SessionOwners {
	return &SessionOwners{max: max, hot: make(map[ownerKey]Owner)}
}

// Get returns who began a session; known is false when it is not remembered.
func (o *SessionOwners) Get(site uint32, session string) (who Owner, known bool) {
	k := ownerKey{site, session}
	o.mu.Lock()
	defer o.mu.Unlock()
	if who, ok := o.hot[k]; ok {
		return who, true
	}
	who, ok := o.cold[k]
	if ok {
		o.putLocked(ownerKey{site, strings.Clone(session)}, who)
	}
	return who, ok
}

// Put remembers the owner of a session that is published. It copies the strings.
func (o *SessionOwners) Put(site uint32, session string, first *event.Event) {
	k := ownerKey{site, strings.Clone(session)}
	who := Owner{strings.Clone(first.User), ""}
	if who.User == "" {
		who.Anonymous = strings.Clone(first.Anonymous)
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.putLocked(k, who)
}

func (o *SessionOwners) putLocked(k ownerKey, who Owner) {
	if o.bytes >= o.max {
		o.cold, o.hot, o.bytes = o.hot, make(map[ownerKey]Owner), 0
	}
	if _, again := o.hot[k]; !again {
		o.bytes += ownerOverhead + len(k.session) + len(who.User) + len(who.Anonymous)
	}
	o.hot[k] = who
}
