package ua

import (
	"hash/maphash"
	"strings"
	"sync"

	"cairn/engine/cache"
)

// Cache remembers the results of Parse. Its size is bounded: agents in use stay, and a
// flood of new agents costs no more than parsing them. Any number of goroutines may use it.
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
	agents *cache.TwoGenerations[key, *Agent]
}

type key struct {
	agent string
	hints Hints
}

// NewCache returns an empty Cache.
func NewCache() *Cache {
	c := &Cache{seed: maphash.MakeSeed()}
	for i := range c.shards {
		c.shards[i].agents = cache.NewTwoGenerations(generationMax, func(key, *Agent) int { return 1 }, key.clone)
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
	known, ok := s.agents.Get(k)
	s.Unlock()
	if ok {
		return known
	}
	a := Parse(agent, h)
	s.Lock()
	s.agents.Put(k, &a)
	s.Unlock()
	return &a
}

func (k *key) bytes() int {
	h := &k.hints
	return len(k.agent) + len(h.Brands) + len(h.FullVersions) + len(h.Platform) + len(h.PlatformVersion) + len(h.Model) + len(h.Mobile) + len(h.FormFactors) + len(h.Data)
}

// clone returns a copy of the key that is not in the request's buffer.
func (k key) clone() key {
	h := &k.hints
	return key{strings.Clone(k.agent), Hints{
		strings.Clone(h.Brands), strings.Clone(h.FullVersions), strings.Clone(h.Platform), strings.Clone(h.PlatformVersion),
		strings.Clone(h.Model), strings.Clone(h.Mobile), strings.Clone(h.FormFactors), strings.Clone(h.Data),
	}}
}
