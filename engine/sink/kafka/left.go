//go:build nosinks

package kafka

import (
	"errors"

	"cairn/engine/sink"
)

// This file stands for the sink in a build that leaves it out.

// New returns an error: this build has no sink for Kafka.
func New(Options) (sink.Sink, error) {
	return nil, errors.New("this cairn was built with the tag nosinks and cannot send to Kafka; leave out [sink.kafka], or use a build without the tag")
}
