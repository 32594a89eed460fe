//go:build !nosinks

package kafka

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"math/rand/v2"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"cairn/engine/sink"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
)

// This file has what the tests share: a Kafka in this process, a reader of what is committed there,
// and connections that can be cut.

const testTopic = "rows"

// newCluster starts a Kafka of three brokers that has both topics.
func newCluster(t *testing.T, opts ...kfake.Opt) *kfake.Cluster {
	t.Helper()
	c, err := kfake.NewCluster(append([]kfake.Opt{kfake.NumBrokers(3), kfake.SeedTopics(4, testTopic)}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	if err := c.CreateTopic(testTopic+cursorSuffix, 1, map[string]string{"cleanup.policy": "compact"}); err != nil {
		t.Fatal(err)
	}
	return c
}

// newSink is a sink, as a process that starts makes it.
func newSink(t *testing.T, c *kfake.Cluster, change func(*Options)) *Sink {
	t.Helper()
	o := Options{Brokers: c.ListenAddrs(), Topic: testTopic}
	if change != nil {
		change(&o)
	}
	s, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	s.(*Sink).look = 20 * time.Millisecond
	return s.(*Sink)
}

func opened(t *testing.T, c *kfake.Cluster) *Sink {
	t.Helper()
	s := newSink(t, c, nil)
	if err := s.Open(t.Context()); err != nil {
		t.Fatal(err)
	}
	return s
}

const testStore = 12345678901234567890

var shop = sink.Site{Number: 1, Name: "shop"}

// rangeOf makes the rows of a site from a seq to another. incarnation tells copies of a store apart.
func rangeOf(store uint64, site sink.Site, first, last uint64, incarnation string) *sink.Range {
	r := &sink.Range{Store: store, Site: site, First: first, Last: last}
	for seq := first; seq <= last; seq++ {
		id := fmt.Sprintf("%s-%d-%s", site.Name, seq, incarnation)
		r.Lines = append(r.Lines, fmt.Sprintf(`{"id":%q,"seq":%d,"site":%q,"type":"track"}`+"\n", id, seq, site.Name)...)
		r.Ends = append(r.Ends, len(r.Lines))
		r.Seqs, r.IDs, r.Received = append(r.Seqs, seq), append(r.IDs, id), append(r.Received, 1_700_000_000_000+int64(seq))
	}
	return r
}

// send sends a range until that has no error that passes, as the runner does.
func send(ctx context.Context, s *Sink, r *sink.Range) (err error) {
	for range 20 {
		if err = s.Send(ctx, r); err == nil || !sink.FaultOf(err).Passes {
			return err
		}
		for s.Open(ctx) != nil && ctx.Err() == nil {
			time.Sleep(time.Millisecond)
		}
	}
	return err
}

// committed reads a topic as a consumer with read_committed does, to its end.
func committed(t *testing.T, c *kfake.Cluster, topic string) (all []*kgo.Record) {
	t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(c.ListenAddrs()...), kgo.ConsumeTopics(topic), kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.KeepControlRecords())
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	left := map[int32]int64{}
	for n, info := range c.PartitionInfos(topic) {
		if info.HighWatermark > 0 {
			left[int32(n)] = info.HighWatermark
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	for len(left) > 0 {
		fetches := client.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			t.Fatalf("partitions %v are left: %v", left, err)
		}
		fetches.EachRecord(func(r *kgo.Record) {
			if !r.Attrs.IsControl() {
				all = append(all, r)
			}
			if r.Offset+1 >= left[r.Partition] {
				delete(left, r.Partition)
			}
		})
	}
	return all
}

// headersOf are the headers of a record.
func headersOf(r *kgo.Record) map[string]string {
	all := map[string]string{}
	for _, h := range r.Headers {
		all[h.Key] = string(h.Value)
	}
	return all
}

// wantRows fails unless the topic has the rows first..last of a site, each once and in order.
func wantRows(t *testing.T, c *kfake.Cluster, site sink.Site, first, last uint64) {
	t.Helper()
	var got []uint64
	for _, r := range committed(t, c, testTopic) {
		if h := headersOf(r); string(r.Key) == site.Name && h["delete"] == "" {
			seq, err := strconv.ParseUint(h["seq"], 10, 64)
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, seq)
		}
	}
	var want []uint64
	for seq := first; seq <= last; seq++ {
		want = append(want, seq)
	}
	if !slices.Equal(got, want) {
		t.Fatalf("the topic has %d rows of %s, %v; expected are %d to %d", len(got), site.Name, short(got), first, last)
	}
}

func short(list []uint64) []uint64 { return list[:min(len(list), 40)] }

// cutter makes connections that end at a chosen request.
type cutter struct {
	mu     sync.Mutex
	count  int  // requests so far
	at     int  // the request at which the connection ends; 0 = none
	answer bool // the broker still gets the request; only its answer is lost
	cuts   int
}

func (c *cutter) dial(ctx context.Context, network, address string) (net.Conn, error) {
	raw, err := new(net.Dialer).DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	return &cutConn{Conn: raw, of: c}, nil
}

// cutConn counts requests. A request is written at once, so each Write is one.
type cutConn struct {
	net.Conn
	of   *cutter
	lost bool // the answer to the last request is not for the client
}

var errCut = errors.New("cut")

func (c *cutConn) Write(b []byte) (int, error) {
	c.of.mu.Lock()
	c.of.count++
	cut := c.of.count == c.of.at
	if cut {
		c.of.cuts++
	}
	answer := c.of.answer
	c.of.mu.Unlock()
	if cut && !answer {
		c.Conn.Close()
		return len(b) / 2, errCut
	}
	c.lost = cut
	return c.Conn.Write(b)
}

func (c *cutConn) Read(b []byte) (int, error) {
	if c.lost {
		// The broker has done what was asked when it has answered.
		var head [4]byte
		if _, err := io.ReadFull(c.Conn, head[:]); err == nil {
			io.CopyN(io.Discard, c.Conn, int64(binary.BigEndian.Uint32(head[:])))
		}
		c.Conn.Close()
		return 0, errCut
	}
	return c.Conn.Read(b)
}

// random makes a generator whose seed a failure prints.
func random(t *testing.T) *rand.Rand {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	return rand.New(rand.NewPCG(seed, 1))
}

// codeIs fails unless an error is a fault of that code.
func codeIs(t *testing.T, err error, code string, passes bool) {
	t.Helper()
	f, ok := errors.AsType[*sink.Fault](err)
	if !ok || f.Code != code || f.Passes != passes {
		t.Fatalf("got %v, want the code %s", err, code)
	}
	if strings.ContainsAny(f.Code, " \n\"{") {
		t.Errorf("the code %q is not safe to show", f.Code)
	}
}

// mendBatch gives a batch the length and the CRC of its bytes.
func mendBatch(b []byte) {
	binary.BigEndian.PutUint32(b[8:], uint32(len(b)-batchBytesHead))
	b[16] = 2
	binary.BigEndian.PutUint32(b[17:], crc32.Checksum(b[batchCRCStart:], castagnoli))
}
