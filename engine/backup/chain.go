package backup

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/cockroachdb/pebble/v2"

	"cairn/engine/store"
)

// This file is about chains: the objects of the log in a bucket, and the place of a store in them.

// A chain is the log that one incarnation of a store ships. Each of its objects has the hash of the
// one before it. The names tell what a listing needs:
//
//	log/LIFE-BEGIN-RANDOM/NUMBER-BEFORE-TIME
//	log/LIFE-BEGIN-RANDOM/NUMBER-BEFORE-TIME-more
//
// LIFE is the incarnation, BEGIN and TIME are by the clock of the store. NUMBER counts up, but not
// every number is used: BEFORE is the number of the object before. All that was acknowledged before
// TIME is in the objects up to this one. "more" says that it is not: the next object has the rest.
// Where events are missing before an object, BEFORE is a number that no object has.
const (
	LogPrefix = "log/"
	logLayout = "20060102T150405.000Z"
	logMore   = "-more"
)

// logObject is what the name of an object tells.
type logObject struct {
	Name   string
	Number uint64
	Before uint64 // 0 = it is the first
	At     time.Time
	More   bool
	Size   int64
}

// logChain is the objects of one chain, by number.
type logChain struct {
	Name    string // "LIFE-BEGIN-RANDOM"
	Life    string
	Begun   time.Time
	Objects []logObject
}

// newChain names a new chain of an incarnation.
func newChain(life string, now time.Time) string {
	var b [6]byte
	_, _ = rand.Read(b[:])
	return life + "-" + now.UTC().Format(logLayout) + "-" + hex.EncodeToString(b[:])
}

func logName(h *logHead) string {
	name := fmt.Sprintf("%s%s/%012d-%012d-%s", LogPrefix, h.Chain, h.Number, h.Before, h.at().Format(logLayout))
	if h.More {
		name += logMore
	}
	return name
}

// parseLogName reads the name of an object. ok is false for other objects.
func parseLogName(i Info) (chain string, o logObject, ok bool) {
	rest, isLog := strings.CutPrefix(i.Name, LogPrefix)
	chain, rest, cut := strings.Cut(rest, "/")
	parts := strings.SplitN(rest, "-", 3)
	if !isLog || !cut || len(parts) != 3 {
		return "", o, false
	}
	o = logObject{Name: i.Name, Size: i.Size}
	parts[2], o.More = strings.CutSuffix(parts[2], logMore)
	var err [3]error
	o.Number, err[0] = strconv.ParseUint(parts[0], 10, 64)
	o.Before, err[1] = strconv.ParseUint(parts[1], 10, 64)
	o.At, err[2] = time.Parse(logLayout, parts[2])
	return chain, o, errors.Join(err[:]...) == nil && o.Number > o.Before
}

// parseChain reads the name of a chain.
func parseChain(name string) (c *logChain, ok bool) {
	parts := strings.Split(name, "-")
	n := len(parts) - 2
	if n < 1 {
		return nil, false
	}
	begun, err := time.Parse(logLayout, parts[n])
	return &logChain{Name: name, Life: strings.Join(parts[:n], "-"), Begun: begun}, err == nil
}

// chains lists the chains below a prefix of names, by the time of their beginning.
func chains(ctx context.Context, b Bucket, prefix string) ([]*logChain, error) {
	byName := make(map[string]*logChain)
	var all []*logChain
	err := b.List(ctx, prefix, func(i Info) error {
		name, o, ok := parseLogName(i)
		if !ok {
			return nil
		}
		c := byName[name]
		if c == nil {
			if c, ok = parseChain(name); !ok {
				return nil
			}
			byName[name] = c
			all = append(all, c)
		}
		c.Objects = append(c.Objects, o)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("list the log: %w", err)
	}
	for _, c := range all {
		slices.SortFunc(c.Objects, func(a, b logObject) int { return strings.Compare(a.Name, b.Name) })
	}
	slices.SortFunc(all, func(a, b *logChain) int { return a.Begun.Compare(b.Begun) })
	return all, nil
}

// follows reports whether a store that has all up to a number of a chain has what is before o.
func (o *logObject) follows(number uint64) bool { return o.Before <= number && number < o.Number }

// afterGap reports whether events are missing before o. Perhaps they are deleted by now and nobody misses
// them: that the object before is there is told by its hash.
func (o *logObject) afterGap() bool { return o.Before == o.Number-1 }

// position is the place of a store in its chain. It lies in the store, so a copy of the store has it
// too: the copy has all that objects up to Number have, and nothing that only later ones have. That
// holds because the position is written at the moment at which the object's view is taken, and no
// copy is made at that moment.
type position struct {
	Line   string `json:"line"`
	Life   string `json:"life"`
	Chain  string `json:"chain"`
	Number uint64 `json:"number"`
}

var positionKey = []byte{store.PrefixShipped}

// shippedKey is the key of the newest seq of a site that is in the chain.
func shippedKey(site uint32) []byte { return store.SiteKey(store.PrefixShipped, site) }

// readPosition returns the position of a store; nil = it has none.
func readPosition(r pebble.Reader) (*position, error) {
	text, err := store.Get(r, positionKey)
	if err != nil || text == nil {
		return nil, err
	}
	p := new(position)
	if err := json.Unmarshal(text, p); err != nil {
		return nil, store.DamagedFile("the place of the store in the backup's log", err)
	}
	return p, nil
}

// readShipped returns the newest seq in the chain of each site.
func readShipped(r pebble.Reader) (map[uint32]uint64, error) {
	it, err := r.NewIter(&pebble.IterOptions{LowerBound: shippedKey(0), UpperBound: []byte{store.PrefixShipped + 1}})
	if err != nil {
		return nil, err
	}
	shipped := make(map[uint32]uint64)
	for ok := it.First(); ok; ok = it.Next() {
		if len(it.Key()) == 5 && len(it.Value()) == 8 {
			shipped[binary.BigEndian.Uint32(it.Key()[1:])] = binary.BigEndian.Uint64(it.Value())
		}
	}
	return shipped, it.Close()
}

// storeOf returns the line and the incarnation of a store.
func storeOf(r pebble.Reader) (line, life string, err error) {
	s, err := store.Read(r)
	if err != nil {
		return "", "", err
	}
	ids, err := store.NewPublicIDs(s.Key, s.Incarnations)
	if err != nil {
		return "", "", err
	}
	return ids.Line(), ids.Incarnation(), nil
}
