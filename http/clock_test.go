package httpd

import (
	"net/netip"
	"testing"
	"time"
	"unsafe"

	"cairn/http/auth"
)

// setBack returns a reading of the clock as it would be if the wall clock had been set back
// by d before: the monotonic part stays. See the layout of time.Time.
func setBack(t testing.TB, at time.Time, d time.Duration) time.Time {
	t.Helper()
	set := at
	*(*uint64)(unsafe.Pointer(&set)) -= uint64(d/time.Second) << 30
	if set.Sub(at) != 0 || at.Unix()-set.Unix() != int64(d/time.Second) {
		t.Skip("time.Time has another layout")
	}
	return set
}

// A step of the wall clock, back or forward, neither refuses anybody nor gives anything away.
func TestRatesIgnoreTheWallClock(t *testing.T) {
	for name, step := range map[string]time.Duration{"back": 24 * time.Hour, "forward": -24 * time.Hour} {
		now := time.Now()
		addr := netip.MustParseAddr("192.0.2.1")
		all, site := newMeters(newPace(10, 5)), &meter{pace: newPace(10, 5)}
		take := func(at time.Time) (a, b time.Duration) { return all.take(addr, at), site.take(at, 1) }
		for range 4 {
			if a, b := take(now); a+b != 0 {
				t.Fatalf("%v %v", a, b)
			}
		}
		if a, b := take(setBack(t, now, step)); a+b != 0 {
			t.Errorf("%s: the fifth request of a burst of five waits %v and %v", name, a, b)
		}
		if a, b := take(setBack(t, now, step)); a <= 0 || a > time.Second || b <= 0 || b > time.Second {
			t.Errorf("%s: the sixth waits %v and %v", name, a, b)
		}
		if a, b := take(setBack(t, now.Add(time.Second), step)); a+b != 0 {
			t.Errorf("%s: a second later: %v %v", name, a, b)
		}
	}
}

// A ticket lasts as long as it should, however the wall clock is set meanwhile.
func TestTicketsIgnoreTheWallClock(t *testing.T) {
	now := time.Now()
	clock := func() time.Time { return now }
	r, err := auth.NewRegistry([]auth.Keys{keysOf(testSite(1, "shop"))}, auth.Tokens{}, false, clock)
	if err != nil {
		t.Fatal(err)
	}
	ticket := r.Tickets.Issue(1, time.Minute)
	opens := func() bool {
		_, failure, _ := r.Authorize("Bearer "+ticket, "", 0, false)
		return failure.Status() == 403 // a ticket is known and does not belong there
	}
	later := now.Add(30 * time.Second)
	for _, step := range []time.Duration{24 * time.Hour, -24 * time.Hour} {
		if now = setBack(t, later, step); !opens() {
			t.Errorf("after 30 s and a step of %v it is over", step)
		}
		if now = setBack(t, later.Add(time.Minute), step); opens() {
			t.Errorf("after 90 s and a step of %v it is not over", step)
		}
	}
}
