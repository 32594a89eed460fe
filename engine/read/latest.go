// The latest persons: those with the latest events, found in one pass.

package read

import (
	"cmp"
	"container/heap"
	"slices"
)

// latestPersons keeps the persons with the latest events, at most limit of them. Events come in
// any order. Of equal times the person with the later root comes first.
type latestPersons struct {
	limit int
	heap  []latestPerson // the one that leaves next first
	at    map[uint64]int // by root: where it is in heap
}

type latestPerson struct {
	root uint64
	time int64
}

// wants reports whether an event of that time can change anything.
func (l *latestPersons) wants(time int64) bool {
	return len(l.heap) < l.limit || time >= l.heap[0].time
}

// add takes in an event of a person. Who has left before had limit others with later events, so
// only an event later than theirs brings it back.
func (l *latestPersons) add(root uint64, time int64) {
	if l.at == nil {
		l.at = make(map[uint64]int)
	}
	if i, there := l.at[root]; there {
		if time > l.heap[i].time {
			l.heap[i].time = time
			heap.Fix(l, i)
		}
		return
	}
	heap.Push(l, latestPerson{root, time})
	if len(l.heap) > l.limit {
		heap.Pop(l)
	}
}

// roots returns the persons, the one with the latest event first.
func (l *latestPersons) roots() []uint64 {
	slices.SortFunc(l.heap, func(a, b latestPerson) int { return cmp.Or(cmp.Compare(b.time, a.time), cmp.Compare(b.root, a.root)) })
	roots := make([]uint64, len(l.heap))
	for i, p := range l.heap {
		roots[i] = p.root
	}
	return roots
}

// Len, Less, Swap, Push and Pop make it a heap.Interface.
func (l *latestPersons) Len() int { return len(l.heap) }

func (l *latestPersons) Less(i, j int) bool {
	a, b := l.heap[i], l.heap[j]
	return a.time < b.time || a.time == b.time && a.root < b.root
}

func (l *latestPersons) Swap(i, j int) {
	l.heap[i], l.heap[j] = l.heap[j], l.heap[i]
	l.at[l.heap[i].root], l.at[l.heap[j].root] = i, j
}

func (l *latestPersons) Push(p any) {
	l.heap = append(l.heap, p.(latestPerson))
	l.at[p.(latestPerson).root] = len(l.heap) - 1
}

func (l *latestPersons) Pop() any {
	last := len(l.heap) - 1
	p := l.heap[last]
	l.heap = l.heap[:last]
	delete(l.at, p.root)
	return p
}
