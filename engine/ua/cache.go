package ua

import (
	"hash/maphash"
	"strings"
	"sync"
)

// Cache remembers the results of Parse. It is bounded: each of its shards keeps two
// generations. When the young one is full it becomes the old one, and the old one is
// forgotten. So agents in use stay, and a flood of new agents costs no more than parsing
// them. Any number of goroutines may use it.
type Cache struct {
	seed   maphash.Seed
	shards [cacheShards]shard
}

const (
	cacheShards = 32
	// generationMax is the number of agents in one generation of a shard: 16,384 in
	// all, about 8 MB of ordinary agents and at most 24 MB of any.
	generationMax = 256
	// keyBytesMax bounds the size of one entry. Longer agents and hints are parsed each
	// time.
	keyBytesMax = 1024
)

type shard struct {
	sync.Mutex
	young, old map[key]*entry
}

type entry struct {
	key   key // copied, so it holds no request's buffer
	agent Agent
}

type key struct {
	agent string
	hints Hints
}

// NewCache returns an empty Cache.
func NewCache() *Cache {
	c := &Cache{seed: maphash.MakeSeed()}
	for i := range c.shards {
		c.shards[i].young = make(map[key]*entry)
	}
	return c
}

// Parse is the function Parse with a memory. The result is shared and must not be changed.
func (c *Cache) Parse(agent string, h Hints) *Agent {
	if len(agent) > agentBytesMax {
		agent = agent[:agentBytesMax]
	}
	k := key{agent, h}
	if k.bytes() > keyBytesMax {
		a := Parse(agent, h)
		return &a
	}
	s := &c.shards[maphash.String(c.seed, agent)%cacheShards]
	s.Lock()
	e, ok := s.young[k]
	if !ok {
		if e, ok = s.old[k]; ok {
			s.put(e)
		}
	}
	s.Unlock()
	if ok {
		return &e.agent
	}
	e = &entry{k.clone(), Parse(agent, h)}
	s.Lock()
	s.put(e)
	s.Unlock()
	return &e.agent
}

// put stores e. The caller holds the lock.
func (s *shard) put(e *entry) {
	if len(s.young) >= generationMax {
		s.old, s.young = s.young, make(map[key]*entry, generationMax)
	}
	s.young[e.key] = e
}

func (k *key) bytes() int {
	h := &k.hints
	return len(k.agent) + len(h.Brands) + len(h.FullVersions) + len(h.Platform) + len(h.PlatformVersion) + len(h.Model) + len(h.Mobile) + len(h.FormFactors) + len(h.Data)
}

// clone copies the key out of the request's buffer.
func (k *key) clone() key {
	h := &k.hints
	return key{strings.Clone(k.agent), Hints{
		strings.Clone(h.Brands), strings.Clone(h.FullVersions), strings.Clone(h.Platform), strings.Clone(h.PlatformVersion),
		strings.Clone(h.Model), strings.Clone(h.Mobile), strings.Clone(h.FormFactors), strings.Clone(h.Data),
	}}
}
