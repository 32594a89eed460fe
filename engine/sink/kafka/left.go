//go:build nosinks

package kafka

import (
	"errors"

	"cairn/engine/sink"
)

// This file stands for the sink in a build that leaves it out.

// leftOut says that, in place of any other mistake of the settings.
var leftOut = errors.New("brokers are set, but this cairn was built with the tag nosinks and cannot send to Kafka; leave out [sink.kafka], or use a build without the tag")

// New returns leftOut.
func New(Options) (sink.Sink, error) { return nil, leftOut }
