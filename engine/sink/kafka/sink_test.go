//go:build !nosinks

package kafka

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"cairn/engine/sink"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// setPolicy sets how a topic is cleaned.
func setPolicy(c *kfake.Cluster, topic, policy string) error {
	client, err := kgo.NewClient(kgo.SeedBrokers(c.ListenAddrs()...))
	if err != nil {
		return err
	}
	defer client.Close()
	_, err = kadm.NewClient(client).AlterTopicConfigs(context.Background(), []kadm.AlterConfig{{Op: kadm.SetConfig, Name: "cleanup.policy", Value: &policy}}, topic)
	return err
}

// TestRecord sees what a consumer sees of a row.
func TestRecord(t *testing.T) {
	t.Parallel()
	for _, compression := range Compressions {
		c := newCluster(t)
		s := newSink(t, c, func(o *Options) { o.Compression = compression })
		if err := s.Open(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := s.Send(t.Context(), rangeOf(testStore, shop, 5, 5, "a")); err != nil {
			t.Fatal(err)
		}
		rows := committed(t, c, testTopic)
		if len(rows) != 1 {
			t.Fatalf("%s: %d records", compression, len(rows))
		}
		r := rows[0]
		want := map[string]string{"seq": "5", "store": "12345678901234567890", "id": "shop-5-a"}
		if got := headersOf(r); string(r.Key) != "shop" || string(r.Value) != `{"id":"shop-5-a","seq":5,"site":"shop","type":"track"}` || fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%s: %s = %s, headers %v", compression, r.Key, r.Value, got)
		}
		// Another start reads its cursor, whatever it is compressed with.
		marks, err := opened(t, c).Newest(t.Context(), testStore, shop, math.MaxUint64, 10)
		if want := []sink.Mark{{Seq: 5, ID: "shop-5-a", Received: 1_700_000_000_005}}; err != nil || !slices.Equal(marks, want) {
			t.Errorf("%s: %v, %v", compression, marks, err)
		}
	}
}

// TestOrder sends ranges of two sites, many batches each: each row is there once and in order, in the
// partition where every client of Kafka looks for its key.
func TestOrder(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	s := opened(t, c)
	s.batchMax = 1000
	news := sink.Site{Number: 7, Name: "news.example"}
	for i := range uint64(5) {
		for _, site := range []sink.Site{shop, news} {
			if err := s.Send(t.Context(), rangeOf(testStore, site, i*200+1, i*200+200, "a")); err != nil {
				t.Fatal(err)
			}
		}
	}
	wantRows(t, c, shop, 1, 1000)
	wantRows(t, c, news, 1, 1000)
	partitioner := kgo.StickyKeyPartitioner(nil).ForTopic(testTopic)
	for _, r := range committed(t, c, testTopic) {
		if want := partitioner.Partition(&kgo.Record{Key: r.Key}, 4); int(r.Partition) != want {
			t.Fatalf("%s is in partition %d, not in %d", r.Key, r.Partition, want)
		}
	}
}

func TestPartitionOf(t *testing.T) {
	t.Parallel()
	partitioner := kgo.StickyKeyPartitioner(nil).ForTopic("t")
	rng := random(t)
	for range 2000 {
		key := make([]byte, 1+rng.IntN(20))
		for i := range key {
			key[i] = byte(rng.Uint32())
		}
		n := 1 + rng.IntN(50)
		if got, want := partitionOf(key, n), partitioner.Partition(&kgo.Record{Key: key}, n); int(got) != want {
			t.Fatalf("%q of %d: %d, want %d", key, n, got, want)
		}
	}
}

// TestSameRangeAgain sends what Kafka has already, in the same process and after a start.
func TestSameRangeAgain(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	s := opened(t, c)
	for range 2 {
		for _, again := range []*Sink{s, opened(t, c)} {
			if err := again.Send(t.Context(), rangeOf(testStore, shop, 1, 50, "a")); err != nil {
				t.Fatal(err)
			}
		}
	}
	// A range that was halved, and of which one half has arrived.
	s = opened(t, c)
	if err := s.Send(t.Context(), rangeOf(testStore, shop, 41, 60, "a")); err != nil {
		t.Fatal(err)
	}
	// A range out of which a deletion has taken rows since.
	r := rangeOf(testStore, shop, 41, 80, "a")
	for range 15 {
		dropRow(r, 3)
	}
	if err := opened(t, c).Send(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	wantRows(t, c, shop, 1, 80)
}

// dropRow takes a row out of a range.
func dropRow(r *sink.Range, i int) {
	cut := len(r.Line(i))
	start := r.Ends[i] - cut
	r.Lines = slices.Delete(r.Lines, start, start+cut)
	r.Ends = slices.Delete(r.Ends, i, i+1)
	for j := i; j < len(r.Ends); j++ {
		r.Ends[j] -= cut
	}
	r.Seqs, r.IDs, r.Received = slices.Delete(r.Seqs, i, i+1), slices.Delete(r.IDs, i, i+1), slices.Delete(r.Received, i, i+1)
}

// TestCutAtEveryRequest cuts the connection at each request there is, before the broker has it and
// after. The process goes on, or another one starts and sends the same range.
func TestCutAtEveryRequest(t *testing.T) {
	t.Parallel()
	for _, answer := range []bool{false, true} {
		for _, crash := range []bool{false, true} {
			t.Run(fmt.Sprintf("answer=%v,crash=%v", answer, crash), func(t *testing.T) {
				t.Parallel()
				for at := 1; ; at++ {
					if at > 100 {
						t.Fatal("there is no end of requests")
					}
					if !cutAt(t, at, answer, crash) {
						if at < 15 {
							t.Fatalf("only %d requests", at)
						}
						return
					}
				}
			})
		}
	}
}

// cutAt sends three ranges, and cuts at one request. It returns false when there is no such request.
func cutAt(t *testing.T, at int, answer, crash bool) bool {
	c := newCluster(t)
	defer c.Close()
	cut := &cutter{at: at, answer: answer}
	start := func() *Sink {
		s := newSink(t, c, func(o *Options) { o.Dial = cut.dial })
		s.batchMax = 400
		return s
	}
	s := start()
	for s.Open(t.Context()) != nil {
	}
	for i := range uint64(3) {
		r := rangeOf(testStore, shop, i*10+1, i*10+10, "a")
		for try := 0; ; try++ {
			var err error
			if crash {
				err = s.send(t.Context(), r) // a process that dies does not try again by itself
			} else {
				err = send(t.Context(), s, r)
			}
			if err == nil {
				break
			}
			if try == 5 {
				t.Fatalf("request %d: %v", at, err)
			}
			s.cluster.disconnect()
			s = start()
			for s.Open(t.Context()) != nil {
			}
			if _, err := s.Newest(t.Context(), testStore, shop, math.MaxUint64, 3); err != nil {
				t.Fatalf("request %d: %v", at, err)
			}
		}
	}
	wantRows(t, c, shop, 1, 30)
	marks, err := opened(t, c).Newest(t.Context(), testStore, shop, math.MaxUint64, 1)
	if err != nil || len(marks) != 1 || marks[0].Seq != 30 {
		t.Fatalf("request %d: %v, %v", at, marks, err)
	}
	s.Close()
	return cut.cuts > 0
}

// TestKilledAtRandom is a process that dies again and again, with pending answers, while leaders and
// coordinators move.
func TestKilledAtRandom(t *testing.T) {
	t.Parallel()
	rng := random(t)
	c := newCluster(t)
	done := uint64(0)
	for round := 0; done < 2000; round++ {
		if round > 2000 {
			t.Fatal("it does not end")
		}
		s := newSink(t, c, func(o *Options) {
			o.Dial = (&cutter{at: 1 + rng.IntN(60), answer: rng.IntN(2) == 0}).dial
		})
		s.batchMax = 500
		switch rng.IntN(5) {
		case 0:
			c.ShufflePartitionLeaders()
		case 1:
			c.RehashCoordinators()
		}
		for err := s.Open(t.Context()); err == nil && done < 2000; {
			// The range that was recorded before it is sent. Its length depends on where it begins.
			if err = s.Send(t.Context(), rangeOf(testStore, shop, done+1, done+100, "a")); err == nil {
				done += 100
			} else if !sink.FaultOf(err).Passes {
				t.Fatal(err)
			}
		}
		s.cluster.disconnect()
	}
	wantRows(t, c, shop, 1, 2000)
}

// TestBrokerDown is a broker that comes back.
func TestBrokerDown(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	s := newSink(t, c, func(o *Options) { o.Brokers = append([]string{closedPort(t)}, o.Brokers...) })
	if err := s.Open(t.Context()); err != nil {
		t.Fatal("one of the brokers is down:", err)
	}
	if err := s.Send(t.Context(), rangeOf(testStore, shop, 1, 10, "a")); err != nil {
		t.Fatal(err)
	}
	down := newSink(t, c, func(o *Options) { o.Brokers = []string{closedPort(t)} })
	codeIs(t, down.Open(t.Context()), "unreachable", true)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	codeIs(t, s.Send(ctx, rangeOf(testStore, shop, 11, 20, "a")), "canceled", true)
	if err := send(t.Context(), s, rangeOf(testStore, shop, 11, 20, "a")); err != nil {
		t.Fatal(err)
	}
	wantRows(t, c, shop, 1, 20)
}

func closedPort(t *testing.T) string {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	return ln.Addr().String()
}

// TestErrorsOfBrokers has brokers answer with errors, each where it hurts.
func TestErrorsOfBrokers(t *testing.T) {
	t.Parallel()
	for _, fault := range []kfake.Fault{
		{Keys: []kmsg.Key{kmsg.Produce}, Topic: testTopic, Err: kerr.NotLeaderForPartition},
		{Keys: []kmsg.Key{kmsg.Produce}, Topic: testTopic, Err: kerr.RequestTimedOut},
		{Keys: []kmsg.Key{kmsg.Produce}, Topic: testTopic, Err: kerr.NotEnoughReplicasAfterAppend},
		{Keys: []kmsg.Key{kmsg.Produce}, Topic: testTopic, Err: kerr.OutOfOrderSequenceNumber},
		{Keys: []kmsg.Key{kmsg.Produce}, Topic: testTopic + cursorSuffix, Err: kerr.NotEnoughReplicas},
		{Keys: []kmsg.Key{kmsg.Produce}, Topic: testTopic + cursorSuffix, Err: kerr.InvalidProducerEpoch},
		{Keys: []kmsg.Key{kmsg.FindCoordinator}, Err: kerr.CoordinatorNotAvailable, Count: 3},
		{Keys: []kmsg.Key{kmsg.InitProducerID}, Err: kerr.ConcurrentTransactions, Count: 3},
		{Keys: []kmsg.Key{kmsg.InitProducerID}, Err: kerr.NotCoordinator},
		{Keys: []kmsg.Key{kmsg.AddPartitionsToTxn}, Err: kerr.ConcurrentTransactions, Count: 4},
		{Keys: []kmsg.Key{kmsg.AddPartitionsToTxn}, Err: kerr.InvalidTxnState},
		{Keys: []kmsg.Key{kmsg.EndTxn}, Err: kerr.ProducerFenced}, // a transaction that took too long
		{Keys: []kmsg.Key{kmsg.EndTxn}, Err: kerr.NotCoordinator},
		{Keys: []kmsg.Key{kmsg.Fetch}, Err: kerr.OffsetOutOfRange},
		{Keys: []kmsg.Key{kmsg.ListOffsets}, Err: kerr.UnknownServerError},
	} {
		t.Run(fmt.Sprint(fault.Keys[0].Name(), " ", fault.Err.Message), func(t *testing.T) {
			t.Parallel()
			c := newCluster(t)
			s := opened(t, c)
			s.batchMax = 300
			handle := c.Fault(fault)
			for i := range uint64(3) {
				if err := send(t.Context(), s, rangeOf(testStore, shop, i*10+1, i*10+10, "a")); err != nil {
					t.Fatal(err)
				}
			}
			if handle.Hits() == 0 {
				t.Error("the broker has not answered with the error")
			}
			wantRows(t, c, shop, 1, 30)
		})
	}
}

// TestLasts has the errors that somebody has to mend.
func TestLasts(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	s := opened(t, c)
	handle := c.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Topic: testTopic, Err: kerr.TopicAuthorizationFailed})
	codeIs(t, s.Send(t.Context(), rangeOf(testStore, shop, 1, 10, "a")), "TOPIC_AUTHORIZATION_FAILED", false)
	handle.Remove()
	if err := send(t.Context(), s, rangeOf(testStore, shop, 1, 10, "a")); err != nil {
		t.Fatal(err)
	}
	wantRows(t, c, shop, 1, 10)
}

// TestRowTooLarge has a row that Kafka refuses, and batches that it refuses although each row is
// small enough.
func TestRowTooLarge(t *testing.T) {
	t.Parallel()
	c := newCluster(t, kfake.BrokerConfigs(map[string]string{"message.max.bytes": "2000"}))
	s := newSink(t, c, func(o *Options) { o.Compression = "none" })
	if err := s.Open(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := send(t.Context(), s, rangeOf(testStore, shop, 1, 300, "a")); err != nil {
		t.Fatal(err)
	}
	large := rangeOf(testStore, shop, 301, 301, strings.Repeat("x", 3000))
	err := send(t.Context(), s, large)
	codeIs(t, err, "MESSAGE_TOO_LARGE", false)
	if !sink.FaultOf(err).BadRow {
		t.Error("the row is not named as bad")
	}
	if err := send(t.Context(), s, rangeOf(testStore, shop, 302, 310, "a")); err != nil {
		t.Fatal(err)
	}
}

// TestSecondWriter has two processes with one store number: the later one goes on, and the earlier
// one stops for good when it sees what the other has written.
func TestSecondWriter(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	first := opened(t, c)
	if err := first.Send(t.Context(), rangeOf(testStore, shop, 1, 10, "a")); err != nil {
		t.Fatal(err)
	}
	second := opened(t, c)
	if err := second.Send(t.Context(), rangeOf(testStore, shop, 11, 20, "a")); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		codeIs(t, send(t.Context(), first, rangeOf(testStore, shop, 11, 20, "a")), "PRODUCER_FENCED", false)
		if err := first.Open(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	// The first one has not fenced the second: it goes on in its session.
	if err := second.send(t.Context(), rangeOf(testStore, shop, 21, 30, "a")); err != nil {
		t.Fatal(err)
	}
	// Another number is another writer.
	if err := first.Send(t.Context(), rangeOf(77, shop, 11, 12, "b")); err != nil {
		t.Fatal(err)
	}
	if got := len(committed(t, c, testTopic)); got != 32 {
		t.Errorf("%d records", got)
	}
}

// TestFencedWithoutOther is a session that Kafka has ended because its transaction took too long.
func TestFencedWithoutOther(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	s := opened(t, c)
	if err := s.Send(t.Context(), rangeOf(testStore, shop, 1, 10, "a")); err != nil {
		t.Fatal(err)
	}
	client, err := kgo.NewClient(kgo.SeedBrokers(c.ListenAddrs()...), kgo.TransactionalID(s.producers[testStore].id))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	if _, _, err := client.ProducerID(t.Context()); err != nil { // it only begins a session
		t.Fatal(err)
	}
	if err := s.Send(t.Context(), rangeOf(testStore, shop, 11, 20, "a")); err != nil {
		t.Fatal(err)
	}
	wantRows(t, c, shop, 1, 20)
}

// TestForeignRows is a copy of the store that has other events under the same seqs.
func TestForeignRows(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	if err := opened(t, c).Send(t.Context(), rangeOf(testStore, shop, 1, 100, "a")); err != nil {
		t.Fatal(err)
	}
	s := opened(t, c)
	codeIs(t, s.Send(t.Context(), rangeOf(testStore, shop, 51, 100, "b")), "foreign_rows", false)
	other := rangeOf(testStore, shop, 51, 100, "a")
	other.Received[49]++
	codeIs(t, s.Send(t.Context(), other), "foreign_rows", false)
	wantRows(t, c, shop, 1, 100)
}

// TestOpenTransactionOfOther is a reader that waits for nobody, and a writer that waits.
func TestOpenTransactionOfOther(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	s := opened(t, c)
	if err := s.Send(t.Context(), rangeOf(testStore, shop, 1, 10, "a")); err != nil {
		t.Fatal(err)
	}
	client, err := kgo.NewClient(kgo.SeedBrokers(c.ListenAddrs()...), kgo.TransactionalID("another-cairn"))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	if err := client.BeginTransaction(); err != nil {
		t.Fatal(err)
	}
	if err := client.ProduceSync(t.Context(), &kgo.Record{Topic: s.cursorTopic, Value: []byte("x")}).FirstErr(); err != nil {
		t.Fatal(err)
	}
	if err := s.Send(t.Context(), rangeOf(testStore, shop, 11, 20, "a")); err != nil {
		t.Fatal("a session that is open:", err)
	}
	late := opened(t, c)
	ended := make(chan error, 1)
	go func() { ended <- late.Send(t.Context(), rangeOf(testStore, shop, 11, 20, "a")) }()
	wait := c.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Fetch}, Topic: s.cursorTopic, Observe: true, Count: -1})
	if err := wait.Wait(t.Context(), 2); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-ended:
		t.Fatalf("it has not waited: %v", err)
	default:
	}
	if err := client.EndTransaction(t.Context(), kgo.TryAbort); err != nil {
		t.Fatal(err)
	}
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	wantRows(t, c, shop, 1, 20)
}

// TestDelete sees the records of deletions, and that their rows are no marks any more.
func TestDelete(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	s := opened(t, c)
	if err := s.Send(t.Context(), rangeOf(testStore, shop, 1, 20, "a")); err != nil {
		t.Fatal(err)
	}
	if err := s.Delete(t.Context(), testStore, shop, []sink.Span{{First: 3, Last: 3}, {First: 19, Last: 20}}); err != nil {
		t.Fatal(err)
	}
	marks, err := opened(t, c).Newest(t.Context(), testStore, shop, math.MaxUint64, 2)
	if err != nil || len(marks) != 2 || marks[0].Seq != 18 || marks[1].Seq != 17 {
		t.Errorf("%v, %v", marks, err)
	}
	var many []sink.Span
	for i := range uint64(spansMost + 5) {
		many = append(many, sink.Span{First: 2 * i, Last: 2 * i})
	}
	if err := s.Delete(t.Context(), testStore, shop, many); err != nil {
		t.Fatal(err)
	}
	if err := s.DeleteSite(t.Context(), testStore, shop); err != nil {
		t.Fatal(err)
	}
	var headers, values []string
	for _, r := range committed(t, c, testTopic)[20:] {
		h := headersOf(r)
		if h["store"] != "12345678901234567890" || string(r.Key) != "shop" {
			t.Errorf("%s: %v", r.Key, h)
		}
		headers, values = append(headers, h["delete"]), append(values, string(r.Value))
	}
	if len(headers) != 4 || headers[0] != "3,19-20" || headers[3] != "*" || values[0] != `{"site":"shop","delete":{"store":"12345678901234567890","seqs":[[3,3],[19,20]]}}` ||
		values[3] != `{"site":"shop","delete":{"store":"12345678901234567890","all":true}}` {
		t.Errorf("%.100q\n%.200q", headers, values)
	}
	if n := strings.Count(headers[1]+","+headers[2], ",") + 1; n != len(many) {
		t.Errorf("%d of %d spans", n, len(many))
	}
	if marks, err := s.Newest(t.Context(), testStore, shop, math.MaxUint64, 2); err != nil || len(marks) > 0 {
		t.Errorf("after the site: %v, %v", marks, err)
	}
	// The rows after it come as before.
	if err := opened(t, c).Send(t.Context(), rangeOf(testStore, shop, 21, 22, "a")); err != nil {
		t.Fatal(err)
	}
}

// TestMarks sees that rows long past are named, too, in a bounded number.
func TestMarks(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	s := opened(t, c)
	last := uint64(0)
	for _, n := range []uint64{1, 1, 5000, 3, 20000, 1} {
		if err := s.Send(t.Context(), rangeOf(testStore, shop, last+1, last+n, "a")); err != nil {
			t.Fatal(err)
		}
		last += n
	}
	marks, err := opened(t, c).Newest(t.Context(), testStore, shop, math.MaxUint64, 1000)
	if err != nil || len(marks) > marksMax || len(marks) < 15 {
		t.Fatalf("%d marks: %v", len(marks), err)
	}
	for i, m := range marks {
		if want := fmt.Sprintf("shop-%d-a", m.Seq); m.ID != want || m.Received != 1_700_000_000_000+int64(m.Seq) {
			t.Errorf("%+v", m)
		}
		if i > 0 && m.Seq >= marks[i-1].Seq {
			t.Errorf("%d after %d", m.Seq, marks[i-1].Seq)
		}
		if back := last - m.Seq; i > 0 && back > 4*max(last-marks[i-1].Seq, 8) {
			t.Errorf("nothing between %d and %d rows back", last-marks[i-1].Seq, back)
		}
	}
	if oldest := marks[len(marks)-1].Seq; oldest > last/2 {
		t.Errorf("the oldest mark is %d of %d", oldest, last)
	}
}

// TestCompacted reads a cursor topic of which Kafka has dropped what is no longer of use.
func TestCompacted(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	s := opened(t, c)
	for i := range uint64(20) {
		if err := s.Send(t.Context(), rangeOf(testStore, shop, i+1, i+1, "a")); err != nil {
			t.Fatal(err)
		}
	}
	c.Compact()
	late := opened(t, c)
	if err := late.Send(t.Context(), rangeOf(testStore, shop, 15, 25, "a")); err != nil {
		t.Fatal(err)
	}
	wantRows(t, c, shop, 1, 25)
}

// TestMany cairns send to one topic.
func TestManyStores(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	for store := range uint64(3) {
		s := opened(t, c)
		for i := range uint64(3) {
			if err := s.Send(t.Context(), rangeOf(store+1, shop, i*10+1, i*10+10, fmt.Sprint(store))); err != nil {
				t.Fatal(err)
			}
		}
	}
	seen := map[string]bool{}
	for _, r := range committed(t, c, testTopic) {
		h := headersOf(r)
		seen[h["store"]+" "+h["seq"]] = true
	}
	if len(seen) != 90 {
		t.Errorf("%d rows", len(seen))
	}
}

// TestCursorOfOthers sees that what somebody else writes into the topic is passed over.
func TestCursorOfOthers(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	client, err := kgo.NewClient(kgo.SeedBrokers(c.ListenAddrs()...))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	for _, r := range []*kgo.Record{{Value: []byte("x")}, {Key: []byte(strings.Repeat("k", 1000)), Value: []byte("{}")}, {Key: []byte("1/1"), Value: []byte(`{"store":1}`)}, {Key: []byte("1/2")}} {
		r.Topic = testTopic + cursorSuffix
		if err := client.ProduceSync(t.Context(), r).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
	if err := opened(t, c).Send(t.Context(), rangeOf(1, shop, 1, 5, "a")); err != nil {
		t.Fatal(err)
	}
	wantRows(t, c, shop, 1, 5)
}

// TestCursorValue binds the value of a cursor to what is documented.
func TestCursorValue(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	s := opened(t, c)
	if err := s.Send(t.Context(), rangeOf(testStore, shop, 1, 3, "a")); err != nil {
		t.Fatal(err)
	}
	all := committed(t, c, s.cursorTopic)
	var got cursor
	if len(all) != 1 || json.Unmarshal(all[0].Value, &got) != nil {
		t.Fatalf("%d records", len(all))
	}
	if string(all[0].Key) != "12345678901234567890/1" || got.First != 1 || got.Last != 3 || got.Rows != 3 || got.Site != "shop" || got.By != s.by || len(got.Marks) != 3 {
		t.Errorf("%s = %s", all[0].Key, all[0].Value)
	}
	if all[0].Timestamp.Before(time.Now().Add(-time.Minute)) {
		t.Errorf("its time is %v", all[0].Timestamp)
	}
}
