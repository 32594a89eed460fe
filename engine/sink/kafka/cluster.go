//go:build !nosinks

package kafka

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"strconv"
	"time"

	"cairn/engine/sink"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// This file knows the brokers of a cluster, which of them leads a partition, and has a connection to
// each that is needed.

// Bounds of what a cluster says of itself.
const (
	nodesMax      = 10_000
	partitionsMax = 100_000
)

// cluster is what is known since connect. After an error everything is asked anew.
type cluster struct {
	options    *Options
	secure     *tls.Config // nil = without TLS
	first      int         // of Options.Brokers, which is asked first
	seed       *conn       // to one of Options.Brokers
	conns      map[int32]*conn
	nodes      map[int32]string // address of each broker
	controller int32
	leaders    map[string][]int32 // of each partition of the topics
}

// connect connects to the first of the brokers that answers.
func (c *cluster) connect(ctx context.Context) error {
	c.disconnect()
	var all []error
	lasts := true
	for i := range c.options.Brokers {
		n := (c.first + i) % len(c.options.Brokers)
		seed, err := dial(ctx, c.options, c.secure, c.options.Brokers[n])
		if err == nil {
			c.seed, c.first = seed, n
			return nil
		}
		all = append(all, err)
		lasts = lasts && !sink.FaultOf(err).Passes
		if ctx.Err() != nil {
			break
		}
	}
	f := sink.FaultOf(all[len(all)-1])
	return &sink.Fault{Passes: !lasts, Code: f.Code, Err: errors.Join(all...)}
}

// disconnect forgets everything.
func (c *cluster) disconnect() {
	if c.seed != nil {
		c.seed.close(nil)
	}
	for _, one := range c.conns {
		one.close(nil)
	}
	c.seed, c.conns, c.nodes, c.leaders = nil, map[int32]*conn{}, nil, map[string][]int32{}
}

// look asks for the brokers and for topics. missing are the topics that are not there.
func (c *cluster) look(ctx context.Context, topics ...string) (missing []string, err error) {
	req := kmsg.NewPtrMetadataRequest()
	req.AllowAutoTopicCreation = false // its settings would be the wrong ones
	for i := range topics {
		t := kmsg.NewMetadataRequestTopic()
		t.Topic = &topics[i]
		req.Topics = append(req.Topics, t)
	}
	resp, err := ask[*kmsg.MetadataResponse](ctx, c.seed, req)
	if err != nil {
		return nil, err
	}
	if len(resp.Brokers) > nodesMax {
		return nil, lasting("protocol", "the cluster names %d brokers", len(resp.Brokers))
	}
	c.nodes, c.controller = make(map[int32]string, len(resp.Brokers)), resp.ControllerID
	for _, b := range resp.Brokers {
		c.nodes[b.NodeID] = net.JoinHostPort(b.Host, strconv.Itoa(int(b.Port)))
	}
	for _, t := range resp.Topics {
		if t.Topic == nil {
			continue
		}
		if t.ErrorCode == kerr.UnknownTopicOrPartition.Code {
			missing = append(missing, *t.Topic)
			continue
		}
		if f := codeOf(t.ErrorCode, "look at topic "+*t.Topic); f != nil {
			return nil, f
		}
		n := len(t.Partitions)
		if n == 0 || n > partitionsMax {
			return nil, passes("LEADER_NOT_AVAILABLE", "topic %s has %d partitions", *t.Topic, n)
		}
		leaders := make([]int32, n)
		for _, p := range t.Partitions {
			if p.Partition < 0 || int(p.Partition) >= n {
				return nil, passes("protocol", "topic %s of %d partitions has number %d", *t.Topic, n, p.Partition)
			}
			leaders[p.Partition] = p.Leader
		}
		c.leaders[*t.Topic] = leaders
	}
	return missing, nil
}

// node returns the connection to a broker.
func (c *cluster) node(ctx context.Context, number int32) (*conn, error) {
	if one := c.conns[number]; one != nil && !one.stale(time.Now()) {
		return one, nil
	} else if one != nil {
		one.close(nil)
	}
	address, ok := c.nodes[number]
	if !ok {
		return nil, passes("LEADER_NOT_AVAILABLE", "the cluster has no broker %d now", number)
	}
	one, err := dial(ctx, c.options, c.secure, address)
	if err != nil {
		return nil, err
	}
	c.conns[number] = one
	return one, nil
}

// leader returns the connection to the leader of a partition.
func (c *cluster) leader(ctx context.Context, of slot) (*conn, error) {
	leaders := c.leaders[of.topic]
	if int(of.partition) >= len(leaders) {
		return nil, passes("UNKNOWN_TOPIC_OR_PARTITION", "topic %s has no partition %d", of.topic, of.partition)
	}
	return c.node(ctx, leaders[of.partition])
}

// slot is a partition of a topic.
type slot struct {
	topic     string
	partition int32
}

// retryMost and retryWait are how often, and how soon, a request is repeated that Kafka answers with
// "not yet": while a coordinator loads, or writes the markers of the transaction before.
const (
	retryMost = 100
	retryWait = 10 * time.Millisecond
	retryLate = 250 * time.Millisecond
)

// whileNotYet calls do until it has an answer that is not one of these errors.
func whileNotYet(ctx context.Context, do func() error, not ...*kerr.Error) error {
	wait := retryWait
	for try := 0; ; try++ {
		err := do()
		if err == nil || !isKafka(err, not...) || try == retryMost {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(wait):
			wait = min(2*wait, retryLate)
		}
	}
}
