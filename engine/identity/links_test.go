package identity

import (
	"fmt"
	"math"
	"math/bits"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
	"testing"

	"pgregory.net/rapid"
)

// modelLinks is a model of Links: a plain map of sets.
type modelLinks struct {
	sets   map[uint64]*[]uint64
	joined uint64
}

func newModelLinks() *modelLinks { return &modelLinks{sets: make(map[uint64]*[]uint64)} }

func (m *modelLinks) set(o uint64) *[]uint64 {
	if m.sets[o] == nil {
		m.sets[o] = &[]uint64{o}
	}
	return m.sets[o]
}

func (m *modelLinks) join(a, b uint64) {
	sa, sb := m.set(a), m.set(b)
	if sa == sb {
		return
	}
	m.joined++
	*sa = append(*sa, *sb...)
	for _, o := range *sb {
		m.sets[o] = sa
	}
}

func (m *modelLinks) root(o uint64) uint64 { return slices.Min(*m.set(o)) }

// compare checks that l and the model agree about the ordinals in among.
func (m *modelLinks) compare(t rapid.TB, l *Links, among []uint64) {
	t.Helper()
	if l.Version() != m.joined {
		t.Fatalf("version %d, want %d", l.Version(), m.joined)
	}
	p := l.Persons()
	standsFor := make(map[uint64]uint64) // lowest ordinal of a person → the one that Apart gives for the person
	for _, o := range among {
		want := slices.Sorted(slices.Values(*m.set(o)))
		if got := l.Set(o); !slices.Equal(got, want) {
			t.Fatalf("the set of %d is %d, want %d", o, got, want)
		}
		if got := l.Find(o); got != want[0] {
			t.Fatalf("the lowest ordinal of %d is %d, want %d", o, got, want[0])
		}
		roots := []uint64{0, o}
		if p.Roots(roots); roots[0] != 0 || roots[1] != want[0] {
			t.Fatalf("the roots of 0 and %d are %d, want 0 and %d", o, roots, want[0])
		}
		var linked []uint64
		alone := p.Apart([]uint64{PairOf(7, o)}, func(pair uint64) { linked = append(linked, pair) })
		if len(want) == 1 {
			if !slices.Equal(alone, []uint64{PairOf(7, o)}) || len(linked) > 0 {
				t.Fatalf("%d has no links, but Apart gives %x as alone and %x as linked", o, alone, linked)
			}
			continue
		}
		if len(alone) > 0 || len(linked) != 1 {
			t.Fatalf("%d has links, but Apart gives %x as alone and %x as linked", o, alone, linked)
		}
		row, stands := SplitPair(linked[0])
		if known, ok := standsFor[want[0]]; row != 7 || ok && known != stands || !slices.Contains(want, stands) {
			t.Fatalf("%d stands for %d in row %d, but %d stood for the same person before", stands, o, row, known)
		}
		standsFor[want[0]] = stands
	}
}

func TestLinksAreSets(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l, m := NewLinks(nil, nil), newModelLinks()
		// The ordinals cross page borders. There are few, so that links meet.
		among := rapid.SliceOfNDistinct(rapid.OneOf(rapid.Uint64Range(1, 40), rapid.Uint64Range(linkPageSize-20, linkPageSize+20),
			rapid.Uint64Range(1, 1<<40-1)), 2, 60, rapid.ID[uint64]).Draw(t, "ordinals")
		var olds []Persons
		var counts []int
		row := make([]uint64, 0, len(among))
		count := func(p Persons) int {
			var all OrdSet
			for _, o := range among {
				all.Add(o)
			}
			return all.CountPersons(p)
		}
		for range rapid.IntRange(0, 80).Draw(t, "steps") {
			a, b := rapid.SampledFrom(among).Draw(t, "a"), rapid.SampledFrom(among).Draw(t, "b")
			l.Join([]Link{{a, b}}, true)
			m.join(a, b)
			if rapid.IntRange(0, 9).Draw(t, "ask") == 0 {
				olds = append(olds, l.Persons())
				counts = append(counts, len(among)-int(m.joined))
			}
		}
		m.compare(t, l, among)
		for i, p := range olds {
			if got := count(p); got != counts[i] {
				t.Fatalf("as of join %d there are %d persons, want %d", p.at, got, counts[i])
			}
			// The pairs are counted in pieces of random size. No join comes in between, so the sum
			// is the same.
			row = append(row[:0], among...)
			slices.Sort(row)
			var linked OrdSet
			alone := 0
			for len(row) > 0 {
				n := rapid.IntRange(1, len(row)).Draw(t, "split")
				alone += len(p.Apart(row[:n], linked.Add))
				row = row[n:]
			}
			if alone+linked.Len() != counts[i] {
				t.Fatalf("counted in pieces there are %d persons as of join %d, want %d", alone+linked.Len(), p.at, counts[i])
			}
		}
	})
}

// linkOrders are functions that return n links in the most expensive orders.
var linkOrders = []struct {
	name  string
	links func(n int) []Link
}{
	{"ascending chain", func(n int) (ls []Link) {
		for i := 1; i < n; i++ {
			ls = append(ls, Link{uint64(i), uint64(i + 1)})
		}
		return ls
	}},
	{"descending chain", func(n int) (ls []Link) {
		for i := n; i > 1; i-- {
			ls = append(ls, Link{uint64(i), uint64(i - 1)})
		}
		return ls
	}},
	{"star", func(n int) (ls []Link) {
		for i := 2; i <= n; i++ {
			ls = append(ls, Link{uint64(i), 1})
		}
		return ls
	}},
	{"descending star", func(n int) (ls []Link) {
		for i := n - 1; i > 0; i-- {
			ls = append(ls, Link{uint64(n), uint64(i)})
		}
		return ls
	}},
	{"halves", func(n int) (ls []Link) { // the deepest trees
		for step := 1; step < n; step *= 2 {
			for i := 1; i+step <= n; i += 2 * step {
				ls = append(ls, Link{uint64(i), uint64(i + step)})
			}
		}
		return ls
	}},
	{"random", func(n int) (ls []Link) {
		r := rand.New(rand.NewPCG(1, 2))
		for range n {
			ls = append(ls, Link{1 + r.Uint64N(uint64(n)), 1 + r.Uint64N(uint64(n))})
		}
		return ls
	}},
	{"pairs", func(n int) (ls []Link) { // most links are such pairs: a visitor signs in
		for i := 1; i < n; i += 2 {
			ls = append(ls, Link{uint64(i), uint64(i + 1)})
		}
		return ls
	}},
}

// In every order, n links take at most n × (500 + 4 log₂ n) steps to join, and no ordinal is
// more than log₂ n steps below its root.
func TestLinksAreNearLinear(t *testing.T) {
	sizes := []int{5_000, 20_000, 80_000, 350_000}
	if testing.Short() {
		sizes = sizes[:3]
	}
	for _, order := range linkOrders {
		t.Run(order.name, func(t *testing.T) {
			for _, n := range sizes {
				l := NewLinks(nil, nil)
				l.Join(order.links(n), true)
				log := bits.Len(uint(n))
				if most := uint64(n * (500 + 4*log)); l.table.steps > most {
					t.Fatalf("%d joins take %d steps, want at most %d", n, l.table.steps, most)
				}
				var highest uint32
				for o := 1; o <= n; o++ {
					depth := uint32(0)
					c := linkCursor{table: &l.table}
					for node := c.node(uint64(o)); node != nil && node.when() < linkRoot; node = c.node(node.up()) {
						depth++
					}
					highest = max(highest, depth)
				}
				if highest > uint32(log) {
					t.Fatalf("one of %d ordinals is %d steps below its root, want at most %d", n, highest, log)
				}
			}
		})
	}
}

// The link of a visitor who has signed in takes 32 to 44 bytes of memory, and Bytes returns
// what the links take.
func TestLinkBytes(t *testing.T) {
	for _, c := range []struct {
		name  string
		every int // one event in this many is linked to another
	}{{"each event", 1}, {"one in three", 3}, {"one in 40", 40}, {"one in 100", 100}} {
		const n = 200_000
		ls := make([]Link, n)
		r := rand.New(rand.NewPCG(3, 4))
		for i := range ls {
			at := uint64(2 * i * c.every)
			ls[i] = Link{at + 1, at + 1 + 1 + r.Uint64N(uint64(2*c.every-1))} // no ordinal is in two links
		}
		heap := func() uint64 {
			var m runtime.MemStats
			runtime.GC()
			runtime.GC()
			runtime.ReadMemStats(&m)
			return m.HeapAlloc
		}
		before := heap()
		took := int64(0)
		l := NewLinks(nil, func(bytes int64) { took += bytes })
		l.Join(ls, true)
		bytes := float64(heap()-before) / n
		t.Logf("%s: each link takes %.1f bytes, Bytes says %.1f", c.name, bytes, float64(took)/n)
		if said := float64(took) / n; bytes > 44 || said < .9*bytes || said > 1.1*bytes || took != l.table.bytes {
			t.Errorf("%s: each link takes %.1f bytes, Bytes says %.1f; want at most 44, and a difference of at most 10%%", c.name, bytes, said)
		}
		if len(l.Set(1)) != 2 {
			t.Error("the first visitor is not linked")
		}
		runtime.KeepAlive(ls)
	}
}

// A query looks at a bounded number of pairs each time it takes the lock. It calls no function
// while it holds the lock, and it sees no link that is newer than the query.
func TestQueriesReleaseTheLock(t *testing.T) {
	l := NewLinks(nil, nil)
	const n = 10 * LinksHeld
	l.Join([]Link{{1, 2}, {n - 1, n}}, true)
	pairs := make([]uint64, n)
	for i := range pairs {
		pairs[i] = PairOf(3, uint64(i+1))
	}
	calls := 0
	var linked OrdSet
	alone := l.Persons().Apart(pairs, func(pair uint64) {
		if calls++; calls == 1 {
			if i := LinksHeld; pairs[i] != PairOf(3, uint64(i+1)) {
				t.Error("the query looked at too many pairs before it released the lock")
			}
		}
		if !l.mu.TryLock() {
			t.Fatal("the query holds the lock while it calls a function")
		}
		l.mu.Unlock()
		if calls == 1 { // the publisher joins all other ordinals to one person
			var more []Link
			for o := uint64(3); o <= n; o++ {
				more = append(more, Link{1, o})
			}
			l.Join(more, true)
		}
		_, ord := SplitPair(pair)
		linked.Add(ord)
	})
	if got := len(alone) + linked.Len(); got != n-2 {
		t.Errorf("%d persons, want %d", got, n-2)
	}
	if set := l.Set(n); len(set) != n || set[0] != 1 {
		t.Errorf("the set has %d ordinals from %d, want %d from 1", len(set), set[0], n)
	}
}

// Queries count persons while links come. Each answer is true at one moment, and no answer is
// newer than the next one.
func TestQueriesWhileLinksCome(t *testing.T) {
	const n = 20_000
	l := NewLinks(nil, nil)
	var done sync.WaitGroup
	stop := make(chan struct{})
	for range 2 {
		done.Add(1)
		go func() {
			defer done.Done()
			last := n
			for {
				select {
				case <-stop:
					return
				default:
				}
				p := l.Persons()
				var all OrdSet
				for o := uint64(1); o <= n; o++ {
					all.Add(o)
				}
				got := all.CountPersons(p)
				if want := n - int(p.at); got != want || got > last {
					t.Errorf("as of join %d there are %d persons, want %d; the answer before was %d", p.at, got, want, last)
					return
				}
				last = got
				set := l.Set(n)
				if !slices.IsSorted(set) || set[len(set)-1] != n || n-int(set[0])+1 != len(set) {
					t.Errorf("the set of %d has %d ordinals from %d", n, len(set), set[0])
					return
				}
			}
		}()
	}
	for _, one := range linkOrders[1].links(n) {
		l.Publish([]Link{one})
		l.Join([]Link{one}, true)
	}
	close(stop)
	done.Wait()
}

// A person's ordinals are listed while joins add more. The list is the person's set as it was
// after one of the joins.
func TestSetsAreOfOneMoment(t *testing.T) {
	const n = 20 * LinksHeld
	r := rand.New(rand.NewPCG(5, 6))
	var ls []Link
	for range n {
		ls = append(ls, Link{1 + r.Uint64N(n), 1 + r.Uint64N(n)})
	}
	m := newModelLinks()
	sizes := map[int]uint64{1: 1} // size of the set of 1 after each join → sum of the squares of its ordinals
	for _, one := range ls {
		m.join(one.A, one.B)
		if set := *m.set(1); sizes[len(set)] == 0 {
			for _, o := range set {
				sizes[len(set)] += o * o
			}
		}
	}
	for range 10 {
		l := NewLinks(nil, nil)
		done := make(chan struct{})
		go func() {
			defer close(done)
			for _, one := range ls {
				l.Join([]Link{one}, true)
				runtime.Gosched()
			}
		}()
		for ended := false; !ended; {
			select {
			case <-done:
				ended = true
			default:
			}
			set, sum := l.Set(1), uint64(0)
			for i, o := range set {
				if sum += o * o; i > 0 && set[i-1] >= o {
					t.Fatal("the ordinals of the set do not ascend")
				}
			}
			if want, ok := sizes[len(set)]; !ok || want != sum {
				t.Fatalf("the person never had exactly these %d ordinals", len(set))
			}
		}
	}
}

// Persons name each ordinal as when they were taken, whatever is joined afterwards.
func TestRootsOfOneMoment(t *testing.T) {
	const n = 2000
	r := rand.New(rand.NewPCG(7, 8))
	l, m := NewLinks(nil, nil), newModelLinks()
	type moment struct {
		persons Persons
		want    []uint64
	}
	var moments []moment
	for i := range n {
		if i%100 == 0 {
			at := moment{persons: l.Persons()}
			for o := range uint64(n) {
				at.want = append(at.want, m.root(o))
			}
			moments = append(moments, at)
		}
		one := Link{n - 1 - r.Uint64N(uint64(i)+1)*9/10, n - 1 - r.Uint64N(uint64(i)+1)*9/10} // lower ones come in later
		m.join(one.A, one.B)
		l.Join([]Link{one}, true)
	}
	for _, at := range moments {
		roots := make([]uint64, n)
		for o := range roots {
			roots[o] = uint64(o)
		}
		if at.persons.Roots(roots); !slices.Equal(roots, at.want) {
			t.Fatalf("as of join %d the roots are\n%d, want\n%d", at.persons.at, roots, at.want)
		}
		of := map[uint64][]uint64{}
		for o, root := range at.want {
			of[root] = append(of[root], uint64(o))
		}
		for range 10 {
			o := r.Uint64N(n)
			if root, set := at.persons.Find(o), at.persons.Set(o); root != at.want[o] || !slices.Equal(set, of[root]) {
				t.Fatalf("as of join %d the person of %d is %d of %d, want %d of %d", at.persons.at, o, root, set, at.want[o], of[at.want[o]])
			}
		}
	}
}

func BenchmarkJoin(b *testing.B) {
	for _, order := range linkOrders {
		b.Run(order.name, func(b *testing.B) {
			const n = 100_000
			ls := order.links(n)
			for range b.N {
				newBenchLinks(ls)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(ls)), "ns/link")
		})
	}
}

// BenchmarkApart counts the persons among a million ordinals. None, a tenth or all of them are
// linked to another.
func BenchmarkApart(b *testing.B) {
	for _, every := range []int{0, 10, 1} {
		b.Run(fmt.Sprint("linked 1 in ", every), func(b *testing.B) {
			const n = 1 << 20
			var ls []Link
			for i := 1; every > 0 && i < n; i += 2 * every {
				ls = append(ls, Link{uint64(i), uint64(i + every)})
			}
			l := newBenchLinks(ls)
			all := make([]uint64, n)
			for i := range all {
				all[i] = PairOf(1, uint64(i+1))
			}
			pairs := make([]uint64, n)
			b.ResetTimer()
			for range b.N {
				copy(pairs, all)
				found := 0
				benchApart(l, pairs, func(uint64) { found++ })
				if found != 2*len(ls) {
					b.Fatal(found)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*n), "ns/pair")
		})
	}
}

func newBenchLinks(ls []Link) *Links {
	l := NewLinks(nil, nil)
	l.Join(ls, true)
	return l
}

func benchApart(l *Links, pairs []uint64, linked func(uint64)) { l.Persons().Apart(pairs, linked) }

// Links are in use at once, but outdate answers only when their rows are published. That also
// holds while no query has asked for the links.
func TestLinksOutdateAnswers(t *testing.T) {
	for _, asked := range []bool{false, true} {
		l := NewLinks(func() error { return nil }, nil)
		if asked {
			if err := l.Ready(func(done <-chan struct{}) error { <-done; return nil }); err != nil {
				t.Fatal(err)
			}
		}
		before := l.Version()
		l.Publish([]Link{{7, 9}})
		if l.Version() != before || asked && l.Find(9) != 7 {
			t.Errorf("asked %v: version %d after %d, and 9 is %d", asked, l.Version(), before, l.Find(9))
		}
		l.Outdate()
		least, now := l.Absorbed(before)
		if now == before || asked && least != 9 || !asked && (least <= 9 || least == math.MaxUint64) {
			t.Errorf("asked %v: version %d, least %d", asked, now, least)
		}
	}
}
