//go:build !nosinks

package kafka

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"cairn/engine/sink"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// This file is about the topic TOPIC-cursor. It has one partition. Its records are keyed by store and
// site, "12345/1", and only the newest of a key counts; Kafka compacts the others away.

// cursor is how far a site has come: the value of a record, as JSON.
type cursor struct {
	Store uint64 `json:"store,string"`
	Site  string `json:"site"` // its name, for who reads the topic
	First uint64 `json:"first"`
	Last  uint64 `json:"last"` // all rows up to this seq are in the topic
	Rows  int    `json:"rows"` // of this transaction
	By    string `json:"by"`   // the process that wrote it
	Marks []mark `json:"marks"`
}

// mark is a sink.Mark.
type mark struct {
	Seq      uint64 `json:"seq"`
	ID       string `json:"id"`
	Received int64  `json:"received"`
}

// Bounds of cursors.
const (
	marksNear    = 8  // the newest rows are all named; of older ones each is twice as far as the one before
	marksMax     = 30 // in all
	cursorMax    = 64 << 10
	cursorsMax   = 100_000 // sites of this cairn
	fetchMost    = 4 << 20
	fetchWait    = 250 * time.Millisecond
	patience     = 20 * time.Second // for transactions of others that are open
	patienceLook = 3 * time.Second  // the same, where it is only a look; Sink.look
)

func storePrefix(store uint64) string { return strconv.FormatUint(store, 10) + "/" }

func cursorKey(store uint64, site uint32) string {
	return storePrefix(store) + strconv.FormatUint(uint64(site), 10)
}

// after returns the marks of the rows of a range from one on, and of what was sent before, newest
// first.
func after(r *sink.Range, from int, before []mark) (all []mark) {
	end := r.Len() - 1
	add := func(i int) { all = append(all, mark{r.Seqs[i], r.IDs[i], r.Received[i]}) }
	for i := end; i >= from && i > end-marksNear; i-- {
		add(i)
	}
	for step := 2 * marksNear; end-step >= from && len(all) < marksMax; step *= 2 {
		add(end - step)
	}
	for _, m := range before {
		all = thin(all, m)
	}
	return all
}

// thin adds an older mark, if it is far enough from those that are there.
func thin(all []mark, m mark) []mark {
	n := len(all)
	if n >= marksMax || n > 0 && m.Seq >= all[n-1].Seq {
		return all
	}
	if n > marksNear && all[0].Seq-m.Seq < 2*(all[0].Seq-all[n-1].Seq) {
		return all
	}
	return append(all, m)
}

// without returns marks but for those of rows that were deleted.
func without(marks []mark, rows []sink.Span) []mark {
	return slices.DeleteFunc(slices.Clone(marks), func(m mark) bool {
		return slices.ContainsFunc(rows, func(s sink.Span) bool { return s.First <= m.Seq && m.Seq <= s.Last })
	})
}

// cursors is what was read of the topic. Of other cairns that send to it nothing is kept: there may be thousands.
type cursors struct {
	next  int64 // offset to read from; -1 = the beginning
	sites map[string]found
	own   map[string]bool // prefixes of the keys of this cairn's stores, "12345/"
}

// found is a cursor and where it was.
type found struct {
	cursor
	offset int64 // -1 = written by this process, and not read yet
}

func (c *cursors) forget() { c.next, c.sites = -1, map[string]found{} }

// want has the cursors of a store be read. If they were not, all are read from the beginning, and no session
// goes on before that.
func (s *Sink) want(store uint64) {
	if prefix := storePrefix(store); !s.cursors.own[prefix] {
		s.cursors.own[prefix] = true
		s.restart()
	}
}

// restart ends all sessions and forgets what was read: what has arrived is read anew before something is sent.
func (s *Sink) restart() {
	for _, p := range s.producers {
		p.open = false
	}
	s.cursors.forget()
}

// catchUp reads the topic to its end, as it is at this moment. Transactions of other cairns may be
// open there: it waits for them, at most so long, and then waiting is true.
func (s *Sink) catchUp(ctx context.Context, most time.Duration) (waiting bool, err error) {
	at := slot{s.cursorTopic, 0}
	leader, err := s.cluster.leader(ctx, at)
	if err != nil {
		return false, err
	}
	if s.cursors.next < 0 {
		if s.cursors.next, err = earliest(ctx, leader, at); err != nil {
			s.cursors.next = -1
			return false, err
		}
	}
	end, until := int64(-1), time.Now().Add(most)
	for wait := time.Duration(0); ; wait = fetchWait {
		part, err := fetch(ctx, leader, at, s.cursors.next, wait)
		if err != nil {
			if isKafka(err, kerr.OffsetOutOfRange) {
				s.cursors.forget() // the topic was made anew
			}
			return false, err
		}
		if end < 0 {
			end = part.HighWatermark
		}
		before := s.cursors.next
		if err := s.cursors.take(part); err != nil {
			s.cursors.forget()
			return false, lasting("cursor", "topic %s: %w", s.cursorTopic, err)
		}
		if s.cursors.next == before && part.LastStableOffset >= end {
			s.cursors.next = max(end, s.cursors.next) // the rest was compacted away
		}
		switch {
		case s.cursors.next >= end:
			return false, nil
		case s.cursors.next == before && time.Now().After(until):
			return true, nil
		}
	}
}

// earliest returns the first offset of a partition.
func earliest(ctx context.Context, c *conn, at slot) (int64, error) {
	req := kmsg.NewPtrListOffsetsRequest()
	req.ReplicaID = -1
	part := kmsg.NewListOffsetsRequestTopicPartition()
	part.Partition, part.Timestamp, part.CurrentLeaderEpoch = at.partition, -2, -1
	topic := kmsg.NewListOffsetsRequestTopic()
	topic.Topic, topic.Partitions = at.topic, []kmsg.ListOffsetsRequestTopicPartition{part}
	req.Topics = []kmsg.ListOffsetsRequestTopic{topic}
	resp, err := ask[*kmsg.ListOffsetsResponse](ctx, c, req)
	if err != nil {
		return 0, err
	}
	if len(resp.Topics) == 0 || len(resp.Topics[0].Partitions) == 0 {
		return 0, passes("protocol", "the broker says nothing of %s", at.topic)
	}
	p := &resp.Topics[0].Partitions[0]
	if f := codeOf(p.ErrorCode, "look at "+at.topic); f != nil {
		return 0, f
	}
	return p.Offset, nil
}

// fetch reads what is committed of a partition. It waits so long for something new.
func fetch(ctx context.Context, c *conn, at slot, from int64, wait time.Duration) (*kmsg.FetchResponseTopicPartition, error) {
	req := kmsg.NewPtrFetchRequest()
	req.MaxWaitMillis, req.MinBytes, req.MaxBytes, req.IsolationLevel = int32(wait.Milliseconds()), 1, fetchMost, 1
	req.ReplicaID, req.SessionEpoch = -1, -1 // a consumer, without a session
	part := kmsg.NewFetchRequestTopicPartition()
	part.Partition, part.FetchOffset, part.PartitionMaxBytes, part.CurrentLeaderEpoch = at.partition, from, fetchMost, -1
	topic := kmsg.NewFetchRequestTopic()
	topic.Topic, topic.Partitions = at.topic, []kmsg.FetchRequestTopicPartition{part}
	req.Topics = []kmsg.FetchRequestTopic{topic}
	resp, err := ask[*kmsg.FetchResponse](ctx, c, req)
	if err != nil {
		return nil, err
	}
	if f := codeOf(resp.ErrorCode, "read "+at.topic); f != nil {
		return nil, f
	}
	if len(resp.Topics) == 0 || len(resp.Topics[0].Partitions) == 0 {
		return nil, passes("protocol", "the broker says nothing of %s", at.topic)
	}
	p := &resp.Topics[0].Partitions[0]
	if f := codeOf(p.ErrorCode, "read "+at.topic); f != nil {
		return nil, f
	}
	return p, nil
}

// take takes over what is committed of an answer.
func (c *cursors) take(part *kmsg.FetchResponseTopicPartition) error {
	aborted := part.AbortedTransactions
	slices.SortFunc(aborted, func(a, b kmsg.FetchResponseTopicPartitionAbortedTransaction) int {
		return int(min(max(a.FirstOffset-b.FirstOffset, -1), 1))
	})
	gone := map[int64]bool{} // producers whose transaction is aborted further on
	return readBatches(part.RecordBatches, func(b stored) error {
		for len(aborted) > 0 && aborted[0].FirstOffset <= b.last {
			gone[aborted[0].ProducerID] = true
			aborted = aborted[1:]
		}
		known := b.last < c.next // compressed batches begin before the offset that was asked for
		c.next = max(c.next, b.last+1)
		switch {
		case known:
			return nil
		case b.attributes&control != 0:
			delete(gone, b.producer) // its end: a commit has no entry
			return nil
		case b.attributes&transactional != 0 && gone[b.producer]:
			return nil
		}
		return b.readRecords(func(r *kmsg.Record) error {
			key := string(r.Key)
			if prefix, _, ok := strings.Cut(key, "/"); !ok || !c.own[prefix+"/"] {
				return nil
			}
			if r.Value == nil {
				delete(c.sites, key)
				return nil
			}
			f := found{offset: b.first + int64(r.OffsetDelta)}
			if len(key) > 40 || len(r.Value) > cursorMax || json.Unmarshal(r.Value, &f.cursor) != nil {
				return nil // not cairn's
			}
			if _, ok := c.sites[key]; !ok && len(c.sites) >= cursorsMax {
				return fmt.Errorf("over %d sites of this cairn are in the topic", cursorsMax)
			}
			c.sites[key] = f
			return nil
		})
	})
}
