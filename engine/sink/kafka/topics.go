//go:build !nosinks

package kafka

import (
	"context"
	"slices"
	"strings"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// This file checks the topics, and makes them where the operator wants that.

// cursorSettings are those of the second topic: only the newest record of each site is of use, and a
// start reads all that is there.
var cursorSettings = map[string]string{"cleanup.policy": "compact", "segment.ms": "3600000", "segment.bytes": "16777216", "min.cleanable.dirty.ratio": "0.1", "max.message.bytes": "1048588"}

// openTopics sees that both topics are there and keep what they are given.
func (s *Sink) openTopics(ctx context.Context) error {
	missing, err := s.cluster.look(ctx, s.options.Topic, s.cursorTopic)
	if err != nil {
		return err
	}
	if len(missing) > 0 {
		if !s.options.Create {
			return lasting(kerr.UnknownTopicOrPartition.Message, "the cluster has no topic %s. Make it as docs/kafka.md says, or set create = true in [sink.kafka]", strings.Join(missing, " and no topic "))
		}
		if err := s.createTopics(ctx, missing); err != nil {
			return err
		}
		if missing, err = s.cluster.look(ctx, s.options.Topic, s.cursorTopic); err != nil {
			return err
		}
		if len(missing) > 0 {
			return passes("LEADER_NOT_AVAILABLE", "topic %s is being made", strings.Join(missing, ", "))
		}
	}
	return s.checkTopics(ctx)
}

func (s *Sink) createTopics(ctx context.Context, names []string) error {
	req := kmsg.NewPtrCreateTopicsRequest()
	req.TimeoutMillis = int32(brokerMax.Milliseconds())
	for _, name := range names {
		t := kmsg.NewCreateTopicsRequestTopic()
		t.Topic, t.NumPartitions, t.ReplicationFactor = name, -1, -1
		if name == s.cursorTopic {
			t.NumPartitions = 1
			for key, value := range cursorSettings {
				c := kmsg.NewCreateTopicsRequestTopicConfig()
				c.Name, c.Value = key, &value
				t.Configs = append(t.Configs, c)
			}
		}
		req.Topics = append(req.Topics, t)
	}
	controller, err := s.cluster.node(ctx, s.cluster.controller)
	if err != nil {
		return err
	}
	resp, err := ask[*kmsg.CreateTopicsResponse](ctx, controller, req)
	if err != nil {
		return err
	}
	for _, t := range resp.Topics {
		if t.ErrorCode == kerr.TopicAlreadyExists.Code {
			continue
		}
		if f := codeOf(t.ErrorCode, "make topic "+t.Topic); f != nil {
			return f
		}
	}
	return nil
}

// checkTopics looks at how the topics are cleaned. Where that may not be looked at, it is taken to
// be right.
func (s *Sink) checkTopics(ctx context.Context) error {
	req := kmsg.NewPtrDescribeConfigsRequest()
	for _, name := range []string{s.options.Topic, s.cursorTopic} {
		r := kmsg.NewDescribeConfigsRequestResource()
		r.ResourceType, r.ResourceName, r.ConfigNames = kmsg.ConfigResourceTypeTopic, name, []string{"cleanup.policy", "retention.ms"}
		req.Resources = append(req.Resources, r)
	}
	if _, ok := s.cluster.seed.known[req.Key()]; !ok {
		return nil
	}
	resp, err := ask[*kmsg.DescribeConfigsResponse](ctx, s.cluster.seed, req)
	if err != nil {
		return err
	}
	for _, r := range resp.Resources {
		if r.ErrorCode != 0 {
			continue // not allowed to look
		}
		settings := map[string]string{}
		for _, c := range r.Configs {
			if c.Value != nil {
				settings[c.Name] = *c.Value
			}
		}
		policy, ok := settings["cleanup.policy"]
		compacts := slices.Contains(strings.Split(policy, ","), "compact")
		switch {
		case !ok:
		case r.ResourceName == s.options.Topic && compacts:
			return lasting("TOPIC_COMPACTED", "topic %s has cleanup.policy = %s: Kafka would keep only the newest row of each site; set it to delete", r.ResourceName, policy)
		case r.ResourceName == s.cursorTopic && !compacts && settings["retention.ms"] != "-1":
			return lasting("CURSOR_NOT_COMPACTED", "topic %s has cleanup.policy = %s: Kafka would forget which rows it has; set it to compact", r.ResourceName, policy)
		}
	}
	return nil
}
