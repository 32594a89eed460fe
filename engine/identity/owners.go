// SessionOwners: a bounded memory of who began which session. It saves a search of the index
// for most events of a running session.

package identity

import (
	"strings"
	"sync"

	"cairn/engine/cache"
	"cairn/engine/event"
)

// Owner is who the first event of a session is from. User is "" for a visitor who is not
// logged in; otherwise Anonymous is "". The owner of a session changes by deletions alone.
type Owner struct{ User, Anonymous string }

// ownerOverhead is about how many bytes of memory an entry takes besides its texts.
const ownerOverhead = 112

// SessionOwners remembers the owners of published sessions of one dialect. It keeps entries
// in use. It is safe for concurrent use.
type SessionOwners struct {
	mu      sync.Mutex
	entries *cache.TwoGenerations[ownerKey, Owner]
}

type ownerKey struct {
	site      uint32
	deletions uint64 // of the site, before the first event was read
	session   string
}

// NewSessionOwners returns an empty memory that takes about 2×max bytes.
func NewSessionOwners(max int) *SessionOwners {
	own := func(k ownerKey) ownerKey { return ownerKey{k.site, k.deletions, strings.Clone(k.session)} }
	return &SessionOwners{entries: cache.NewTwoGenerations(max, ownerBytes, own)}
}

// ownerBytes is about how many bytes of memory an entry takes.
func ownerBytes(k ownerKey, who Owner) int {
	return ownerOverhead + len(k.session) + len(who.User) + len(who.Anonymous)
}

// Get returns who began a session. known is false when the session is not remembered, or events
// of the site were deleted since: deletions is how often that was.
func (o *SessionOwners) Get(site uint32, deletions uint64, session string) (who Owner, known bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.entries.Get(ownerKey{site, deletions, session})
}

// Put remembers the owner of a published session. first is its first event, which was not deleted
// after that many deletions. Put copies the strings.
func (o *SessionOwners) Put(site uint32, deletions uint64, session string, first *event.Event) {
	who := Owner{strings.Clone(first.User), ""}
	if who.User == "" {
		who.Anonymous = strings.Clone(first.Anonymous)
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.entries.Put(ownerKey{site, deletions, session}, who)
}

// Clear forgets all owners: some of the sessions may be deleted.
func (o *SessionOwners) Clear() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.entries.Clear()
}
