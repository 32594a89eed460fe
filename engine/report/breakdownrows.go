// Rows of a breakdown: what is counted while slices are read.
//
// The rows are read once, with the people and sessions of all groups, while there are few groups.
// Of many groups a second reading counts those of the groups that are shown.

package report

import (
	"cmp"
	"slices"

	"cairn/engine/event"
	"cairn/engine/query"
	"cairn/engine/read"
)

// fewGroupsMax is how many groups are few at most. A smaller budget of pairs makes it fewer.
const fewGroupsMax = 1 << 13

// count counts the rows of each group, and the people and sessions of all.
func (b *breakdown) count() (err error) {
	if b.sel, err = b.rows.Select(b.q.Where, b.span); err != nil {
		return err
	}
	dims, err := dimsOf(b.rows, b.q.By, b.q.Where, b.span, b.visitsMax)
	if err != nil {
		return err
	}
	b.groups = newRowGroups(dims, b.room)
	sets := b.rows.PairSetsOf(b.rows.Workers())
	defer sets.Close()
	counters := make([]*groupCounter, b.rows.Workers())
	for i := range counters {
		c := &groupCounter{groupReader: b.newReader(), few: int32(min(fewGroupsMax, sets.Most()/4))}
		for k := range c.ofAll {
			c.ofAll[k], c.ofGroups[k] = sets.New(), sets.New()
		}
		counters[i] = c
	}
	err = read.EachSlice(b.sel, counters, (*groupCounter).read)
	if err != nil {
		return err
	}
	few := true
	for _, c := range counters {
		if err := c.flush(); err != nil {
			return err
		}
		b.total.Events += c.rows
		few = few && !c.many
	}
	all := counters[0]
	for _, c := range counters[1:] {
		for k := range c.ofAll {
			all.ofAll[k].Take(c.ofAll[k])
			all.ofGroups[k].Take(c.ofGroups[k])
		}
	}
	persons, err := b.rows.Persons()
	if err == nil {
		err = all.ofAll[0].EachPerson(persons, func(int) { b.total.Users++ })
	}
	if err == nil {
		err = all.ofAll[1].Each(func(int, uint64) { b.total.Sessions++ })
	}
	if b.whole = few; !few {
		return err
	}
	if err == nil {
		err = all.ofGroups[0].EachPerson(persons, func(group int) { b.numbers[group].Users++ })
	}
	if err == nil {
		err = all.ofGroups[1].Each(func(group int, _ uint64) { b.numbers[group].Sessions++ })
	}
	return err
}

// groupReader reads the groups of rows for one goroutine. It numbers the groups of all slices
// that it reads, until there are too many.
type groupReader struct {
	*breakdown
	*sliceGroups
	part   any
	ords   [2]*read.Column // people and sessions; nil = not asked for
	times  *read.Column
	recent recentPairs
}

func (b *breakdown) newReader() groupReader {
	return groupReader{breakdown: b, sliceGroups: newGroups(b.groups.dims)}
}

// open prepares a slice.
func (r *groupReader) open(s *read.Slice) {
	r.slice = s
	if key := s.PartKey(); r.part != key {
		r.part = key
		r.openPart(s, r.rows.Zone())
		r.times = s.Ints(event.IntTime)
		if r.q.Metrics.Has(query.MetricUsers) {
			r.ords[0] = s.Ints(event.IntPerson)
		}
		if r.q.Metrics.Has(query.MetricSessions) {
			r.ords[1] = s.Ints(event.IntSession)
		}
	}
}

// groupCounter counts the rows of groups for one goroutine.
type groupCounter struct {
	groupReader
	events   []uint64 // by group
	ids      []int32  // by group: that of all goroutines plus 1; 0 = not asked yet
	rows     uint64
	ofAll    [2]*read.PairSet
	ofGroups [2]*read.PairSet // by group of all goroutines
	few      int32            // groups, at most, that these may have
	many     bool             // there are more
}

func (c *groupCounter) read(s *read.Slice) error {
	c.open(s)
	w := work{rows: c.breakdown.rows}
	err := s.Each(func(rows []int32) {
		var ords [2][]int64
		for k, column := range c.ords {
			if column != nil {
				ords[k] = column.Of(rows)
			}
		}
		for i, row := range rows {
			if w.failed() || s.TimedOut() {
				return
			}
			found := c.of(int(row))
			for _, group := range found {
				if int(group) >= len(c.events) {
					c.events = grownTo(c.events, int(group))
				}
				c.events[group]++
			}
			c.rows++
			for k := range ords {
				if ords[k] == nil || ords[k][i] == 0 {
					continue
				}
				if err := c.add(k, found, ords[k][i]); err != nil {
					w.set(err)
				}
			}
			w.did(len(found))
		}
		w.set(c.check())
	})
	if err = cmp.Or(err, w.err); err == nil && (len(c.sliceGroups.groups) > groupsKept || c.texts[0].Bytes()+c.texts[1].Bytes() > textBytesMax) {
		err = c.flush()
	}
	return err
}

// groupsKept is how many groups a goroutine numbers before it forgets them.
const groupsKept = 1 << 17

// add adds a person or a session to the groups of a row.
func (c *groupCounter) add(k int, groups []int32, ord int64) error {
	if c.recent.fresh(k, placedPair{-1, 0, ord}) {
		c.ofAll[k].Add(0, uint64(ord))
	}
	if c.many || len(c.steps) > 0 {
		c.many = true
		return nil
	}
	for _, group := range groups {
		if !c.recent.fresh(k, placedPair{group, 0, ord}) {
			continue
		}
		id, err := c.id(group)
		if err != nil {
			return err
		}
		if c.many = id >= c.few; c.many {
			return nil
		}
		c.ofGroups[k].Add(int(id), uint64(ord))
	}
	return nil
}

// id returns the number of a group among those of all goroutines.
func (c *groupCounter) id(group int32) (int32, error) {
	if int(group) >= len(c.ids) {
		c.ids = grownTo(c.ids, int(group))
	}
	if c.ids[group] == 0 {
		c.mu.Lock()
		defer c.mu.Unlock()
		id, err := c.breakdown.groups.group(c.sliceGroups, group, true)
		if err != nil {
			return 0, err
		}
		c.ids[group] = id + 1
	}
	return c.ids[group] - 1, nil
}

// flush adds what was counted to the groups of all goroutines, and forgets its own.
func (c *groupCounter) flush() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	for group := range c.sliceGroups.groups {
		id, err := c.breakdown.groups.group(c.sliceGroups, int32(group), true)
		if err != nil {
			return err
		}
		c.numbers = grownTo(c.numbers, int(id))
		c.numbers[id].Events += c.events[group]
	}
	if n := len(c.breakdown.groups.groups); n > 0 {
		c.numbers = grownTo(c.numbers, n-1)[:n]
	}
	c.sliceGroups, c.part = newGroups(c.breakdown.groups.dims), nil
	clear(c.events)
	clear(c.ids)
	c.recent = recentPairs{} // of other numbers
	return nil
}

// placedRows counts the people and sessions of some groups, each of which has a place, and their
// series.
type placedRows struct {
	*breakdown
	shown  int     // places; the next one is that of all other groups
	places []int32 // by group
	starts []int64
	sets   read.PairSets

	ofRows, ofSteps [2]*read.PairSet
	steps           []uint64 // events by place and step
}

// placedCounter is the part of placedRows that one goroutine counts.
type placedCounter struct {
	groupReader
	ofRows, ofSteps [2]*read.PairSet
	steps           []uint64
}

// read reads all rows.
func (d *placedRows) read() error {
	counters := make([]*placedCounter, d.rows.Workers())
	for i := range counters {
		c := &placedCounter{groupReader: d.newReader(), steps: make([]uint64, (d.shown+1)*len(d.starts))}
		for k := range c.ofRows {
			c.ofRows[k], c.ofSteps[k] = d.sets.New(), d.sets.New()
		}
		counters[i] = c
	}
	err := read.EachSlice(d.sel, counters, func(c *placedCounter, s *read.Slice) error { return d.readSlice(c, s) })
	all := counters[0]
	for _, c := range counters[1:] {
		for i, n := range c.steps {
			all.steps[i] += n
		}
		for k := range c.ofRows {
			all.ofRows[k].Take(c.ofRows[k])
			all.ofSteps[k].Take(c.ofSteps[k])
		}
	}
	d.ofRows, d.ofSteps, d.steps = all.ofRows, all.ofSteps, all.steps
	return err
}

func (d *placedRows) readSlice(c *placedCounter, s *read.Slice) error {
	c.open(s)
	stepAt := stepOf(d.starts)
	w := work{rows: d.rows}
	var placed []int32 // of a row, that of other groups once
	err := s.Each(func(rows []int32) {
		var ords [2][]int64
		for k, column := range c.ords {
			if column != nil {
				ords[k] = column.Of(rows)
			}
		}
		var times []int64
		if len(d.starts) > 0 {
			times = c.times.Of(rows)
		}
		for i, row := range rows {
			if w.failed() || s.TimedOut() {
				return
			}
			found := c.of(int(row))
			placed = placed[:0]
			for _, group := range found {
				if place := c.place(group, d.places); int(place) < d.shown || !slices.Contains(placed, place) {
					placed = append(placed, place)
				}
			}
			step := 0
			if times != nil {
				step = stepAt(times[i])
				for _, place := range placed {
					c.steps[int(place)*len(d.starts)+step]++
				}
			}
			for k := range ords {
				if ords[k] == nil || ords[k][i] == 0 {
					continue
				}
				ord := ords[k][i]
				for _, place := range placed {
					if !c.recent.fresh(k, placedPair{place, int32(step), ord}) {
						continue
					}
					if int(place) < d.shown && !d.whole {
						c.ofRows[k].Add(int(place), uint64(ord))
					}
					if times != nil {
						c.ofSteps[k].Add(int(place)*len(d.starts)+step, uint64(ord))
					}
				}
			}
			w.did(len(found))
		}
	})
	if len(c.sliceGroups.groups) > groupsKept || c.texts[0].Bytes()+c.texts[1].Bytes() > textBytesMax {
		c.sliceGroups, c.part = newGroups(d.breakdown.groups.dims), nil
	}
	return cmp.Or(err, w.err)
}

// place returns the place of a group.
func (c *placedCounter) place(group int32, places []int32) int32 {
	if int(group) < len(c.sliceGroups.places) && c.sliceGroups.places[group] != 0 {
		return c.sliceGroups.places[group] - 2
	}
	return c.breakdown.groups.place(c.sliceGroups, group, places)
}
