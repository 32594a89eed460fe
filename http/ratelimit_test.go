package httpd

import (
	"encoding/binary"
	"net/netip"
	"testing"
	"time"
)

// TestPace drives a meter with a clock of the test: an hour lets the quota pass, within a
// thousandth, whatever the shape of the load.
func TestPace(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name      string
		perSecond float64
		burst     int
		every     time.Duration // between requests
		n         int           // units of one
	}{
		{"ten times over", 50, 50, 2 * time.Millisecond, 1},
		{"batches", 50, 50, 20 * time.Millisecond, 7},
		{"batches over the burst", 50, 50, 100 * time.Millisecond, 500},
		{"slow rate", 0.5, 1, 100 * time.Millisecond, 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			m := &meter{pace: newPace(test.perSecond, test.burst)}
			now := time.Unix(1_700_000_000, 0)
			end := now.Add(time.Hour)
			passed := 0
			for ; now.Before(end); now = now.Add(test.every) {
				wait := m.take(now, test.n)
				if wait == 0 {
					passed += test.n
				} else if again := m.take(now.Add(wait), 0); again > 0 {
					t.Fatalf("after waiting %v, wait %v more", wait, again)
				}
			}
			want := test.perSecond * 3600
			if got := float64(passed); got < want*0.999-float64(test.n) || got > want*1.001+float64(test.burst+test.n) {
				t.Errorf("%v passed, the quota is %v", got, want)
			}
		})
	}
	free := &meter{}
	if wait := free.take(time.Now(), 1<<30); wait != 0 {
		t.Errorf("no limit, and a wait of %v", wait)
	}
}

// TestMeters fills the table with addresses: it stays within its bound, and still limits the
// address that sends.
func TestMeters(t *testing.T) {
	t.Parallel()
	m := newMeters(newPace(10, 5))
	now := time.Unix(1_700_000_000, 0)
	busy := netip.MustParseAddr("192.0.2.1")
	for i := range 5 {
		if wait := m.take(busy, now); wait != 0 {
			t.Fatalf("request %d of the burst waits %v", i, wait)
		}
	}
	if wait := m.take(busy, now); wait <= 0 || wait > 100*time.Millisecond {
		t.Fatalf("the sixth waits %v", wait)
	}
	m.refund(busy)
	if wait := m.take(busy, now); wait != 0 {
		t.Fatalf("after a refund: %v", wait)
	}
	var b [16]byte
	b[0] = 0x20
	for i := range 200_000 {
		binary.BigEndian.PutUint32(b[4:], uint32(i))
		m.take(netip.AddrFrom16(b), now)
	}
	total := 0
	for i := range m.shards {
		total += len(m.shards[i].arrival)
	}
	if total > meterShards*metersOfShard {
		t.Errorf("%d addresses are kept", total)
	}
	// One /64 is one client.
	now = now.Add(time.Hour)
	passed := 0
	for i := range 20 {
		b[15] = byte(i)
		if m.take(netip.AddrFrom16(b), now) == 0 {
			passed++
		}
	}
	if passed != 5 {
		t.Errorf("%d requests of one /64 passed, the burst is 5", passed)
	}
}
