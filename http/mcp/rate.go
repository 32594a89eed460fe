package mcp

import (
	"sync/atomic"
	"time"
)

// CallsMinute is how many calls of tools one credential has a minute, all of which may come at once.
const CallsMinute = 60

// epoch is before any time that rates see. It has a monotonic part: a wall clock that is set back
// costs nobody anything.
var epoch = time.Now().Add(-time.Hour)

// take spends a call of a credential. A wait above 0 means that none was left. at is when the
// credential has all calls again, in nanoseconds since epoch; 0 = it has.
func take(at *atomic.Int64, now time.Time) (wait time.Duration) {
	for t := int64(now.Sub(epoch)); ; {
		old := at.Load()
		next := max(old, t) + int64(time.Minute/CallsMinute)
		if wait = time.Duration(next-t) - time.Minute; wait > 0 {
			return wait
		}
		if at.CompareAndSwap(old, next) {
			return 0
		}
	}
}
