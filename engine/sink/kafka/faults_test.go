//go:build !nosinks

package kafka

import (
	"context"
	"fmt"
	"math"
	"net"
	"strings"
	"testing"

	"cairn/engine/sink"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// This file has the bad days: connections that end, brokers that answer with errors, processes that die,
// and others that write to the same topic.

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
		{Keys: []kmsg.Key{kmsg.Produce}, Topic: testTopic, Err: kerr.CorruptMessage},
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
	// A clock that is wrong is no matter of a row, and neither is a cursor that the second topic does not take.
	for topic, fault := range map[string]*kerr.Error{testTopic: kerr.InvalidTimestamp, testTopic + cursorSuffix: kerr.MessageTooLarge} {
		handle := c.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Topic: topic, Err: fault, Count: -1})
		err := s.Send(t.Context(), rangeOf(testStore, shop, 1, 1, "a"))
		if codeIs(t, err, fault.Message, false); sink.FaultOf(err).BadRow {
			t.Errorf("%s: the row is named as bad", fault.Message)
		}
		handle.Remove()
	}
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
