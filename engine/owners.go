// Owners of sessions: a bounded memory of who began which, so that the common
// event of a running session is not looked up in the index.

package engine

import (
	"strings"
	"sync"

	"cairn/engine/event"
)

// owner is who a session's first event is from: a user, or a visitor without one.
// It never changes.
type owner struct{ user, anonymous string }

// ownerOverhead is about what an entry takes in memory beside its texts.
const ownerOverhead = 112

// owners remembers owners of published sessions of one dialect. An entry that is
// asked for is kept; about 2×max bytes are in memory.
type owners struct {
	max int

	mu        sync.Mutex
	hot, cold map[ownerKey]owner
	bytes     int // in hot
}

type ownerKey struct {
	site    uint32
	session string
}

func newOwners(max int) *owners {
	return &owners{max: max, hot: make(map[ownerKey]owner)}
}

func (o *owners) get(site uint32, session string) (owner, bool) {
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

// put remembers the owner of a session that is published. It copies the strings.
func (o *owners) put(site uint32, session string, first *event.Event) {
	k := ownerKey{site, strings.Clone(session)}
	who := owner{strings.Clone(first.User), ""}
	if who.user == "" {
		who.anonymous = strings.Clone(first.Anonymous)
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.putLocked(k, who)
}

func (o *owners) putLocked(k ownerKey, who owner) {
	if o.bytes >= o.max {
		o.cold, o.hot, o.bytes = o.hot, make(map[ownerKey]owner), 0
	}
	if _, again := o.hot[k]; !again {
		o.bytes += ownerOverhead + len(k.session) + len(who.user) + len(who.anonymous)
	}
	o.hot[k] = who
}
