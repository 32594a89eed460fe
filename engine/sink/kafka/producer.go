//go:build !nosinks

package kafka

import (
	"context"
	"fmt"
	"math"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// This file makes transactions. A transaction takes five kinds of requests: find the coordinator,
// begin a session (which aborts what an earlier session left open, and fences other writers of the
// same name), name the partitions, write, end.

const (
	// transactionMax is after which time Kafka aborts a transaction that was left open. Readers of
	// committed records wait for it.
	transactionMax = time.Minute

	// abortMax is how long an abort may take, after an error.
	abortMax = 2 * time.Second

	// inFlight is how many batches of a partition may be without an answer. Kafka keeps their order
	// up to five.
	inFlight = 5

	// batchMost is how many bytes a batch has before it is compressed. Kafka takes 1,048,588.
	batchMost = 900_000
)

// producer writes under one transactional id.
type producer struct {
	id       string
	open     bool  // a session is there
	node     int32 // of the coordinator
	number   int64
	epoch    int16
	sequence map[slot]int32 // of the next record

	floor  int64 // offset in the cursor topic from which on only this process may write for its store
	begun  bool  // floor is known
	fenced bool  // another process writes; for good
}

// coordinator finds the broker that keeps the transactions of p.
func (s *Sink) coordinator(ctx context.Context, p *producer) (*conn, error) {
	req := kmsg.NewPtrFindCoordinatorRequest()
	req.CoordinatorKey, req.CoordinatorType = p.id, 1
	resp, err := ask[*kmsg.FindCoordinatorResponse](ctx, s.cluster.seed, req)
	if err != nil {
		return nil, err
	}
	if f := codeOf(resp.ErrorCode, "find the coordinator of "+p.id); f != nil {
		return nil, f
	}
	p.node = resp.NodeID
	return s.cluster.node(ctx, p.node)
}

// begin begins a session.
func (s *Sink) begin(ctx context.Context, p *producer) error {
	p.open = false
	err := whileNotYet(ctx, func() error {
		c, err := s.coordinator(ctx, p)
		if err != nil {
			return err
		}
		req := kmsg.NewPtrInitProducerIDRequest()
		req.TransactionalID, req.TransactionTimeoutMillis = &p.id, int32(transactionMax.Milliseconds())
		resp, err := ask[*kmsg.InitProducerIDResponse](ctx, c, req)
		if err != nil {
			return err
		}
		if f := codeOf(resp.ErrorCode, "begin a session of "+p.id); f != nil {
			return f
		}
		p.number, p.epoch, p.sequence = resp.ProducerID, resp.ProducerEpoch, map[slot]int32{}
		return nil
	}, kerr.ConcurrentTransactions, kerr.CoordinatorLoadInProgress, kerr.CoordinatorNotAvailable, kerr.NotCoordinator)
	p.open = err == nil
	return err
}

// transact makes one transaction of what write writes. After an error it is not known whether the
// transaction is there, and the session has ended.
func (s *Sink) transact(ctx context.Context, p *producer, slots []slot, write func() error) (err error) {
	begun := false
	defer func() {
		if err == nil {
			return
		}
		p.open = false
		if begun {
			s.abort(p)
		}
	}()
	if err := s.addPartitions(ctx, p, slots); err != nil {
		return err
	}
	begun = true
	if err := write(); err != nil {
		return err
	}
	begun = false
	c, err := s.cluster.node(ctx, p.node)
	if err != nil {
		return err
	}
	return s.end(ctx, c, p, true)
}

func (s *Sink) addPartitions(ctx context.Context, p *producer, slots []slot) error {
	req := kmsg.NewPtrAddPartitionsToTxnRequest()
	req.TransactionalID, req.ProducerID, req.ProducerEpoch = p.id, p.number, p.epoch
	for _, one := range slots {
		t := kmsg.NewAddPartitionsToTxnRequestTopic()
		t.Topic, t.Partitions = one.topic, []int32{one.partition}
		req.Topics = append(req.Topics, t)
	}
	return whileNotYet(ctx, func() error {
		c, err := s.cluster.node(ctx, p.node)
		if err != nil {
			return err
		}
		resp, err := ask[*kmsg.AddPartitionsToTxnResponse](ctx, c, req)
		if err != nil {
			return err
		}
		for _, t := range resp.Topics {
			for _, one := range t.Partitions {
				// What was not tried says nothing; another partition says why.
				if one.ErrorCode == kerr.OperationNotAttempted.Code && len(slots) > 1 {
					err = codeOf(one.ErrorCode, "begin a transaction")
					continue
				}
				if f := codeOf(one.ErrorCode, fmt.Sprintf("begin a transaction on %s/%d", t.Topic, one.Partition)); f != nil {
					return f
				}
			}
		}
		return err
	}, kerr.ConcurrentTransactions, kerr.CoordinatorLoadInProgress)
}

// end commits or aborts.
func (s *Sink) end(ctx context.Context, c *conn, p *producer, commit bool) error {
	req := kmsg.NewPtrEndTxnRequest()
	req.TransactionalID, req.ProducerID, req.ProducerEpoch, req.Commit = p.id, p.number, p.epoch, commit
	resp, err := ask[*kmsg.EndTxnResponse](ctx, c, req)
	if err != nil {
		return err
	}
	if f := codeOf(resp.ErrorCode, "end a transaction"); f != nil {
		return f
	}
	return nil
}

// abort ends a transaction after an error, so that readers need not wait for its time to be over.
// The next session does the same, should this fail.
func (s *Sink) abort(p *producer) {
	ctx, cancel := context.WithTimeout(context.Background(), abortMax)
	defer cancel()
	if c := s.cluster.conns[p.node]; c != nil && c.failure == nil {
		_ = s.end(ctx, c, p, false)
	}
}

// writer writes the records of one partition within a transaction.
type writer struct {
	sink    *Sink
	ctx     context.Context
	p       *producer
	slot    slot
	conn    *conn
	waiting []*kmsg.ProduceRequest // without an answer, oldest first
	counts  []int32                // the records of each
}

// add adds a record.
func (w *writer) add(key, value []byte, headers ...header) error {
	b := &w.sink.build
	if b.n > 0 && len(b.records)+len(key)+len(value)+100 > w.sink.batchMax {
		if err := w.flush(); err != nil {
			return err
		}
	}
	b.add(key, value, headers...)
	return nil
}

// flush sends the batch that was built.
func (w *writer) flush() (err error) {
	b := &w.sink.build
	defer b.reset()
	if b.n == 0 {
		return nil
	}
	if w.conn == nil {
		if w.conn, err = w.sink.cluster.leader(w.ctx, w.slot); err != nil {
			return err
		}
	}
	if len(w.waiting) == inFlight {
		if err := w.hear(); err != nil {
			return err
		}
	}
	sequence := w.p.sequence[w.slot]
	batch, err := b.batch(time.Now().UnixMilli(), w.p, sequence)
	if err != nil {
		return lasting("compression", "compress records: %w", err)
	}
	req := kmsg.NewPtrProduceRequest()
	req.TransactionID, req.Acks, req.TimeoutMillis = &w.p.id, -1, int32(brokerMax.Milliseconds())
	part := kmsg.NewProduceRequestTopicPartition()
	part.Partition, part.Records = w.slot.partition, batch
	topic := kmsg.NewProduceRequestTopic()
	topic.Topic, topic.Partitions = w.slot.topic, []kmsg.ProduceRequestTopicPartition{part}
	req.Topics = []kmsg.ProduceRequestTopic{topic}
	if err := w.conn.send(w.ctx, req); err != nil {
		return err
	}
	req.Topics = nil // the batch is sent
	w.p.sequence[w.slot] = nextSequence(sequence, b.n)
	w.waiting, w.counts = append(w.waiting, req), append(w.counts, b.n)
	return nil
}

// nextSequence is the number of the record that is n after another. It begins again after the
// largest.
func nextSequence(sequence, n int32) int32 {
	if sequence > math.MaxInt32-n {
		return n - (math.MaxInt32 - sequence) - 1
	}
	return sequence + n
}

// hear waits for the oldest answer.
func (w *writer) hear() error {
	req, n := w.waiting[0], w.counts[0]
	w.waiting, w.counts = w.waiting[1:], w.counts[1:]
	resp, err := receive[*kmsg.ProduceResponse](w.ctx, w.conn, req)
	if err != nil {
		return err
	}
	for _, t := range resp.Topics {
		for _, part := range t.Partitions {
			f := codeOf(part.ErrorCode, fmt.Sprintf("write to %s/%d", t.Topic, part.Partition))
			if f == nil {
				continue
			}
			// What holds for every row, such as a wrong clock, must not have all of them passed over.
			row := w.slot.topic == w.sink.options.Topic
			switch part.ErrorCode {
			case kerr.MessageTooLarge.Code, kerr.RecordListTooLarge.Code:
				// Kafka means the batch. Smaller ones are tried before a row is refused.
				if n > 1 {
					w.sink.batchMax = max(w.sink.batchMax/4, 1)
					f.Passes = true
				} else {
					f.Passes, f.BadRow = false, row
				}
			case kerr.InvalidRecord.Code:
				f.Passes, f.BadRow = false, row
			}
			return f
		}
	}
	return nil
}

// finish sends what is left and waits for all answers.
func (w *writer) finish() error {
	if err := w.flush(); err != nil {
		return err
	}
	for len(w.waiting) > 0 {
		if err := w.hear(); err != nil {
			return err
		}
	}
	return nil
}
