package cli

import "testing"

// The limit follows the live data, between 8 MiB below the budget and 8 MiB above it.
func TestMemoryLimit(t *testing.T) {
	const mib = 1 << 20
	var set []int64
	m := newMemoryLimit(256 * mib)
	m.set = func(bytes int64) { set = append(set, bytes) }
	if m.base != 248*mib || m.most != 264*mib {
		t.Fatalf("a limit of %d to %d MiB", m.base/mib, m.most/mib)
	}
	for _, c := range []struct{ live, limit int64 }{
		{100, 248}, {196, 248}, {204, 255}, {208, 260}, {300, 264}, {2000, 264}, {212, 264}, {190, 248}, {0, 248},
	} {
		m.adapt(c.live*mib, 0)
		if got := m.now.Load() / mib; got != c.limit {
			t.Errorf("%d MiB are live: a limit of %d MiB, want %d", c.live, got, c.limit)
		}
		if raised := m.now.Load() > m.base; raised != (len(m.Troubles()) > 0) {
			t.Errorf("%d MiB are live: raised %v, troubles %q", c.live, raised, m.Troubles())
		}
	}
	if n := len(set); n != 4 {
		t.Errorf("the limit was set %d times: %d", n, set)
	}
	m = newMemoryLimit(256 * mib)
	m.set = nil
	m.adapt(2000*mib, 0)
	if len(m.Troubles()) != 0 || m.now.Load() != m.base {
		t.Error("a limit that the operator has set is raised")
	}
}

// The limit is lower by memory that Go does not manage.
func TestMemoryLimitOutside(t *testing.T) {
	const mib = 1 << 20
	m := newMemoryLimit(256 * mib)
	m.set = func(int64) {}
	m.adapt(100*mib, 0)
	m.adapt(100*mib, 10*mib) // too little to lower the limit
	if len(m.Troubles()) > 0 || m.now.Load() != 248*mib {
		t.Errorf("a limit of %d MiB, troubles %q", m.now.Load()/mib, m.Troubles())
	}
	for _, c := range []struct{ live, outside, limit, raised int64 }{
		{100, 4, 244, 0}, {100, 60, 188, 0}, {160, 60, 200, 12}, {240, 60, 212, 24}, {2000, 8, 264, 24}, {2000, 500, 124, 0},
	} {
		m := newMemoryLimit(256 * mib)
		m.set = func(int64) {}
		m.adapt(0, 500*mib) // the lowest, so that each case raises it
		m.adapt(c.live*mib, c.outside*mib)
		if limit, raised := m.now.Load()/mib, m.raised.Load()/mib; limit != c.limit || raised != c.raised {
			t.Errorf("%d MiB are live and %d MiB outside: a limit of %d MiB, raised by %d, want %d and %d", c.live, c.outside, limit, raised, c.limit, c.raised)
		}
	}
}

// What the process has beyond the memory of Go is that of C, and the part of the program that is
// larger than usual.
func TestMemoryBeyond(t *testing.T) {
	const mib = 1 << 20
	for _, c := range []struct{ anonymous, file, mapped, beyond int64 }{
		{80, 20, 60, 20}, {50, 20, 60, 0}, {80, 45, 60, 43}, {50, 45, 60, 23},
	} {
		if got := beyond(c.anonymous*mib, c.file*mib, c.mapped*mib) / mib; got != c.beyond {
			t.Errorf("%d MiB of the process, %d of files, %d mapped: %d MiB beyond, want %d", c.anonymous, c.file, c.mapped, got, c.beyond)
		}
	}
}
